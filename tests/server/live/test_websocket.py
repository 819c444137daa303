"""Live sound over a WebSocket, served by uvicorn: every end is a message and a close."""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import generate_latest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from hocket.server.http import live as endpoint
from hocket.server.http.access import Access, Token
from hocket.server.http.failures import Refused
from hocket.server.http.metrics import Metrics
from hocket.server.live.options import LiveSettings
from hocket.server.live.process import LiveProcess
from tests.helpers.live import pieces, recorded
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import TINY
from tests.helpers.shared import RATE, samples_of

SECRET = "a-secret-of-more-than-16"
PART = samples_of(CONVERSATION)[: 13 * RATE]
SHORTS = (PART * 2**15).astype("<i2").tobytes()
END = json.dumps({"type": "end"})
Message = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A service that runs.

    address: of its WebSocket, without options.
    sessions: of it.
    """

    address: str
    sessions: LiveProcess
    metrics: Metrics

    def connect(self, query: str = "format=s16le", **options: Any) -> ClientConnection:
        return connect(f"{self.address}?{query}", max_size=None, **options)


@contextmanager
def served(settings: LiveSettings, tokens: Sequence[Token] = ()) -> Iterator[Served]:
    app, metrics = FastAPI(), Metrics()
    sessions = LiveProcess(settings)
    app.state.context = SimpleNamespace(access=Access(tokens), live=sessions, metrics=metrics)
    app.include_router(endpoint.router)
    config = uvicorn.Config(app, port=0, log_level="error", ws_max_size=1 << 20)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(f"ws://127.0.0.1:{port}/v1/live", sessions, metrics)
    finally:
        server.should_exit = True
        thread.join(30)
        sessions.close()


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with served(LiveSettings(most_sessions=3, idle_s=1.0, most_s=20.0)) as running:
        yield running


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def rest(client: ClientConnection) -> tuple[list[Message], int]:
    """All further messages, and the code with which the service closes."""
    found: list[Message] = []
    with suppress(ConnectionClosed):
        while True:
            found.append(json.loads(client.recv(30)))
    assert client.close_code is not None
    return found, client.close_code


def failed(client: ClientConnection) -> tuple[str, str, int]:
    """Code, message and close of the error with which a session ends."""
    found, code = rest(client)
    assert [each["type"] for each in found].count("error") == 1
    error = found[-1]["error"]
    assert [*error] == ["message", "type", "code", "param"]
    assert "\n" not in error["message"]
    return error["code"], error["message"], code


@pytest.mark.parametrize("query", ["format=s16le", "format=webm", "format=auto"])
def test_a_session_from_its_first_byte_to_its_end(service: Served, query: str) -> None:
    content = recorded(PART) if "webm" in query else SHORTS
    with service.connect(query) as client:
        for chunk in pieces(content, [3_201]):
            client.send(chunk)
        client.send(END)
        (ready, *updates, end), code = rest(client)
    assert code == 1000
    assert ready == {"type": "ready", "rate": RATE, "words": False}
    assert {each["type"] for each in updates} == {"update"}
    assert any(each["final"] for each in updates)
    assert end["type"] == "end"
    assert end["duration"] == pytest.approx(13, abs=0.1)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("rate=0", "rate is 0"),
        ("rate=10000000", "rate is 10000000"),
        ("channels=1000", "channels is 1000"),
        ("format=mp5", "format is 'mp5'"),
        ("token=secret", "there is no option 'token'"),
    ],
)
def test_options_that_cannot_be_are_refused(service: Served, query: str, problem: str) -> None:
    with service.connect(query) as client:
        code, message, close = failed(client)
    assert (code, close) == ("invalid_option", 1008)
    assert problem in message


def test_what_is_no_sound_is_refused(service: Served) -> None:
    with service.connect("format=webm") as client:
        client.send(b"no sound" * 99)
        code, message, close = failed(client)
    assert (code, close) == ("unusable_audio", 1008)
    assert "does not begin as webm does" in message


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (["{"], ("unknown_message", 1008)),
        (['["end"]'], ("unknown_message", 1008)),
        (['{"type": "begin"}'], ("unknown_message", 1008)),
        (["[" * 100_000], ("unknown_message", 1008)),
        ([b"x" * (endpoint.LARGEST + 1)], ("message_too_large", 1009)),
        ([], ("idle", 1008)),
        ([b""] * 9, ("idle", 1008)),
    ],
)
def test_what_a_client_may_not_do_is_told(
    service: Served, sent: list[str | bytes], expected: tuple[str, int]
) -> None:
    with service.connect() as client:
        for message in sent:
            client.send(message)
        code, _, close = failed(client)
    assert (code, close) == expected
    wait_until(lambda: service.sessions.sessions == 0)


def test_sound_behind_the_end_is_an_error_or_too_late(service: Served) -> None:
    with service.connect() as client:
        client.send(SHORTS)
        client.send(END)
        client.send(SHORTS)
        code, _, close = failed(client)
    assert (code, close) == ("sound_after_end", 1008)


def test_a_session_that_is_too_long_ends_behind_its_turns(service: Served) -> None:
    with service.connect() as client:
        for chunk in pieces(SHORTS * 2, [32_000]):
            client.send(chunk)
        found, close = rest(client)
    assert close in (1009, 1013)
    assert "is longer than 20 s" in found[-1]["error"]["message"]
    assert found[-2]["time"] == pytest.approx(20, abs=0.2)


def test_a_session_that_lasts_too_long_is_ended(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "GRACE_S", -19.5)
    with service.connect() as client:
        code, _, close = failed(client)
    assert (code, close) == ("too_long", 1009)


def test_one_client_too_many_is_told_to_come_later(service: Served) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(service.connect())
        wait_until(lambda: service.sessions.sessions == 3)
        code, message, close = failed(stack.enter_context(service.connect()))
        assert (code, close) == ("queue_full", 1013)
        assert "3 live sessions" in message
    wait_until(lambda: service.sessions.sessions == 0)


def test_a_client_that_vanishes_leaves_nothing(service: Served) -> None:
    with service.connect() as client:
        assert json.loads(client.recv(30))["type"] == "ready"
        client.send(SHORTS)
        client.socket.shutdown(socket.SHUT_RDWR)  # no closing handshake
        wait_until(lambda: service.sessions.sessions == 0)
    assert b"hocket_live_sessions 0.0" in generate_latest(service.metrics.registry)


def test_a_client_that_sends_a_recording_at_once_is_slowed_down() -> None:
    with served(LiveSettings()) as service, service.connect() as client:
        large = SHORTS * 20  # 8 MB, 260 s
        sender = threading.Thread(
            target=lambda: [client.send(each) for each in [*pieces(large, [100_000]), END]]
        )
        sender.start()
        found, code = rest(client)
        sender.join(30)
        assert code == 1000
        assert found[-1]["duration"] == pytest.approx(260)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_loss_of_the_process_is_told_and_the_next_session_works(service: Served) -> None:
    with service.connect() as client:
        client.recv(30)
        assert service.sessions.process is not None
        os.kill(service.sessions.process, signal.SIGKILL)
        code, _, close = failed(client)
    assert (code, close) == ("unavailable", 1011)
    with service.connect() as client:
        client.send(END)
        assert [each["type"] for each in rest(client)[0]] == ["ready", "end"]


def test_a_client_that_takes_no_messages_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "SEND_S", 0.01)

    async def messages() -> AsyncIterator[str]:
        yield END

    stuck: Any = SimpleNamespace(send_text=lambda _text: asyncio.sleep(60))
    connection: Any = SimpleNamespace(messages=messages)
    with pytest.raises(Refused, match=r"was not taken for 0\.01 s; read messages as they come"):
        asyncio.run(endpoint._send(stuck, connection))


def test_tokens_need_the_scope() -> None:
    tokens = [Token.of(SECRET, "page", ["live"]), Token.of(f"{SECRET}-2", "jobs", ["jobs"])]
    with served(LiveSettings(), tokens) as service:
        for secret, expected in ((f"{SECRET}-2", "wrong_scope"), ("wrong", "no_token")):
            with service.connect(additional_headers=bearer(secret)) as client:
                code, _, close = failed(client)
            assert (code, close) == (expected, 1008)
        assert service.sessions.process is None
        with service.connect(additional_headers=bearer(SECRET)) as client:
            client.send(END)
            assert [each["type"] for each in rest(client)[0]] == ["ready", "end"]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_words_of_the_recognizer_that_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOCKET_ASR_MODEL", TINY)
    with served(LiveSettings()) as service, service.connect("format=s16le&words=true") as client:
        client.send(SHORTS)
        client.send(END)
        found, code = rest(client)
    assert code == 1000
    assert found[0]["words"]
    segments = [each["segments"] for each in found if each["type"] == "segments"]
    texts = [row["text"] for rows in segments for row in rows]
    assert "Hello" in " ".join(texts)
