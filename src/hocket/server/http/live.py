"""Live sound over a WebSocket: binary messages in, JSON out.

A client is read only as fast as its sound is processed, so one that sends a recording at once
waits, and nothing is kept of it here.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from hocket.errors import HocketError
from hocket.server.http.context import context_of
from hocket.server.http.failures import Refused, content_of, refusal_of
from hocket.server.live.options import LiveOptions
from hocket.server.live.process import LiveConnection, LiveProcess

router = APIRouter()

LARGEST = 1 << 19  # bytes of a message
SEND_S = 30.0  # until a client has taken a message
GRACE_S = 60.0  # for the words behind the sound of the longest session
NORMAL, POLICY, TOO_LARGE, DEFECT, LATER = 1000, 1008, 1009, 1011, 1013
CLOSES: Mapping[int, int] = {413: TOO_LARGE, 429: LATER}
"""Codes of a WebSocket that is closed, by status of the error; POLICY or DEFECT for others."""


@router.websocket("/v1/live")
async def live(websocket: WebSocket) -> None:
    """Diarize sound while it is sent; docs/live.md has the messages."""
    context = context_of(websocket)
    await websocket.accept()
    with suppress(WebSocketDisconnect, RuntimeError):  # the client is gone
        try:
            context.access.check(websocket, "live")
            options = LiveOptions.of(websocket.query_params)
            connection = await context.live.open(options)
            with context.metrics.live.track_inprogress():
                await _converse(websocket, connection, context.live)
        except Refused as refused:
            await _refuse(websocket, refused)
        except HocketError as error:
            await _refuse(websocket, refusal_of(error))


async def _refuse(websocket: WebSocket, refused: Refused) -> None:
    """Send an error, and close."""
    usual = DEFECT if refused.status >= 500 else POLICY
    with suppress(TimeoutError):
        async with asyncio.timeout(SEND_S):
            await websocket.send_json({"type": "error", **content_of(refused)})
            await websocket.close(CLOSES.get(refused.status, usual))


async def _converse(
    websocket: WebSocket, connection: LiveConnection, sessions: LiveProcess
) -> None:
    """Pass sound and messages on until either side ends.

    Raises:
        Refused: the client does what it may not.
        HocketError: why the session failed.
    """
    limits = sessions.settings
    receiving = asyncio.create_task(_receive(websocket, connection, limits.idle_s))
    sending = asyncio.create_task(_send(websocket, connection))
    try:
        done, _ = await asyncio.wait(
            (receiving, sending),
            timeout=limits.most_s + GRACE_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if not done:
            text = f"a session lasts at most {limits.most_s:g} s; begin another one"
            raise Refused(413, "too_long", text)
        for task in done:
            task.result()
        if sending in done:
            await websocket.close(NORMAL)
    finally:
        connection.stop()
        for task in (receiving, sending):
            task.cancel()
        await asyncio.gather(receiving, sending, return_exceptions=True)


async def _send(websocket: WebSocket, connection: LiveConnection) -> None:
    """Send all messages of a session."""
    try:
        async for text in connection.messages():
            async with asyncio.timeout(SEND_S):
                await websocket.send_text(text)
    except TimeoutError:
        text = f"a message was not taken for {SEND_S:g} s; read messages as they come"
        raise Refused(408, "unread", text) from None


async def _receive(websocket: WebSocket, connection: LiveConnection, idle_s: float) -> None:
    """Take sound until the client is gone; Refused if it sends none, or something else."""
    loop, has_ended = asyncio.get_running_loop(), False
    due = loop.time() + idle_s
    while True:
        try:
            async with asyncio.timeout_at(None if has_ended else due):
                message = await websocket.receive()
        except TimeoutError:
            text = f"no sound came for {idle_s:g} s; begin a new session when there is some"
            raise Refused(408, "idle", text) from None
        if message["type"] == "websocket.disconnect":
            return
        chunk = message.get("bytes")
        if chunk is None:
            _check_end(message.get("text") or "")
            connection.end()
            has_ended = True
        elif has_ended:
            raise Refused(422, "sound_after_end", "sound came after the end; begin a new session")
        elif chunk:
            await connection.send(_checked(chunk))
            due = loop.time() + idle_s


def _checked(chunk: bytes) -> bytes:
    if len(chunk) > LARGEST:
        text = f"a message of {len(chunk)} bytes; send at most {LARGEST} at once"
        raise Refused(413, "message_too_large", text)
    return chunk


def _check_end(text: str) -> None:
    """Refused unless a text says that no more sound will come."""
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or content.get("type") != "end":
        remedy = 'send sound as binary messages, and {"type": "end"} behind it'
        raise Refused(422, "unknown_message", f"a text that is no message of a client; {remedy}")
