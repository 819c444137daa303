"""The process of live sound: started once, lost without harm, gone with the service."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hocket.errors import AudioFormatError, BackendError, CapacityError
from hocket.server.live.options import LiveOptions, LiveSettings
from hocket.server.live.process import MOST_BYTES, LiveConnection, LiveProcess
from tests.helpers.shared import RATE
from tests.server.test_workers import is_alive

RAW = LiveOptions(format="s16le")
SILENCE = bytes(2 * RATE)  # a second


@asynccontextmanager
async def live(settings: LiveSettings | None = None) -> AsyncIterator[LiveProcess]:
    sessions = LiveProcess(settings or LiveSettings())
    try:
        yield sessions
    finally:
        await asyncio.to_thread(sessions.close)


async def rest(connection: LiveConnection) -> list[dict[str, Any]]:
    return [json.loads(text) async for text in connection.messages()]


async def first(connection: LiveConnection) -> dict[str, Any]:
    async for text in connection.messages():
        return dict(json.loads(text))
    raise AssertionError


async def free(sessions: LiveProcess, count: int) -> None:
    """Wait until so many sessions are left."""
    async with asyncio.timeout(30):
        while sessions.sessions != count:
            await asyncio.sleep(0.01)


def test_sessions_share_a_process_that_outlives_them() -> None:
    async def main() -> None:
        async with live() as sessions:
            assert sessions.process is None
            one, other = await sessions.open(RAW), await sessions.open(RAW)
            number = sessions.process
            for connection in (one, other):
                await connection.send(SILENCE * 3)
                connection.end()
            for found in [await rest(one), await rest(other)]:
                assert {each["type"] for each in found} == {"ready", "update", "end"}
                assert found[-1] == {"type": "end", "duration": 3.0}
            await free(sessions, 0)
            assert sessions.process == number
        assert number is not None
        assert not is_alive(number)

    asyncio.run(main())


def test_one_session_more_than_may_be_is_refused_until_one_ends() -> None:
    async def main() -> None:
        async with live(LiveSettings(most_sessions=1)) as sessions:
            one = await sessions.open(RAW)
            with pytest.raises(CapacityError, match="1 live sessions, the most there may be; try"):
                await sessions.open(RAW)
            one.stop()
            await free(sessions, 0)
            other = await sessions.open(RAW)
            other.end()
            assert [each["type"] for each in await rest(other)] == ["ready", "end"]

    asyncio.run(main())


def test_an_error_crosses_over_and_ends_only_its_session() -> None:
    async def main() -> None:
        async with live() as sessions:
            one, other = await sessions.open(LiveOptions(format="webm")), await sessions.open(RAW)
            await one.send(b"no sound" * 99)
            with pytest.raises(AudioFormatError, match="sound: does not begin as webm does"):
                await rest(one)
            await other.send(SILENCE)
            other.end()
            assert (await rest(other))[-1]["duration"] == 1

    asyncio.run(main())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_process_that_is_lost_ends_its_sessions_and_the_next_starts_another() -> None:
    async def main() -> None:
        async with live() as sessions:
            one = await sessions.open(RAW)
            assert (await first(one))["type"] == "ready"
            number = sessions.process
            assert number is not None
            os.kill(number, signal.SIGKILL)
            with pytest.raises(BackendError, match="live sound has ended; begin a new session"):
                await rest(one)
            assert one.is_over
            await one.send(SILENCE)  # nobody waits for it
            other = await sessions.open(RAW)
            other.end()
            assert [each["type"] for each in await rest(other)] == ["ready", "end"]
            assert sessions.process not in (None, number)

    asyncio.run(main())


def test_sound_waits_until_what_came_before_is_read() -> None:
    async def main() -> None:
        async with live() as sessions:
            one = await sessions.open(RAW)
            sent = 0
            with pytest.raises(TimeoutError):  # noqa: PT012 - the process is being started
                async with asyncio.timeout(0.1):
                    while True:
                        await one.send(SILENCE)
                        sent += len(SILENCE)
            assert MOST_BYTES - len(SILENCE) < sent <= MOST_BYTES
            async with asyncio.timeout(60):
                await one.send(SILENCE)
                one.end()
                assert (await rest(one))[-1]["type"] == "end"

    asyncio.run(main())


def test_sound_waits_for_a_client_that_takes_no_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hocket.server.live.process.MOST_UNREAD", 4)

    async def main() -> None:
        async with live() as sessions:
            one = await sessions.open(RAW)
            sent = 0
            with pytest.raises(TimeoutError):  # noqa: PT012
                while True:
                    async with asyncio.timeout(5):
                        await one.send(SILENCE)
                    sent += 1
            assert sent < 30
            assert len(one._answers) >= 4
            one.stop()
            await free(sessions, 0)

    asyncio.run(main())


CHILD = """
import asyncio, sys
from hocket.server.live.options import LiveOptions, LiveSettings
from hocket.server.live.process import LiveProcess

async def main():
    sessions = LiveProcess(LiveSettings())
    connection = await sessions.open(LiveOptions(format="s16le"))
    async for _ in connection.messages():
        print(sessions.process, flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_the_process_ends_with_a_service_that_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "serve.py"
    program.write_text(CHILD)
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        number = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    until = time.monotonic() + 10
    while is_alive(number) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(number)
