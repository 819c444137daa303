"""Forks, copies, threads and cancelled tasks: no hang, and nothing lost."""

import asyncio
import copy
import json
import os
import pickle
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import soundfile

from hocket import Diarizer, Stream
from hocket.errors import AudioContentError, ConfigError
from hocket.online.stream import updates_of
from tests.helpers.paths import CONVERSATION

LIMIT_S = 60

FORKED = f"""
import os, sys
from hocket import Config, Diarizer
from hocket.config import GraphConfig
diarizer = Diarizer(Config(graphs=GraphConfig(backend=sys.argv[1]))).load()
before = diarizer({str(CONVERSATION)!r}) if sys.argv[2] == "used" else None
child = os.fork()
found = diarizer({str(CONVERSATION)!r})
if child == 0:
    print(len(found.turns), flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) + 2 * (before is not None and found != before))
"""


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, _ = soundfile.read(CONVERSATION, dtype="float32")
    return samples


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(("backend", "state"), [("auto", "used")])
def test_a_fork_opens_its_own_graphs_and_ends(backend: str, state: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, backend, state],
        capture_output=True, text=True, check=False, timeout=LIMIT_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "7", "")


def test_copies_and_pickles_give_the_same_result() -> None:
    diarizer = Diarizer(preset="fast").load()
    expected = diarizer(CONVERSATION)
    for other in (pickle.loads(pickle.dumps(diarizer)), copy.copy(diarizer)):
        assert other.config == diarizer.config
        assert other(CONVERSATION) == expected
    assert copy.deepcopy(diarizer).runtime == diarizer.runtime


def test_eight_threads_share_a_diarizer(speech: np.ndarray) -> None:
    parts = [speech[(6 + start) * 16_000 : (12 + start) * 16_000] for start in range(8)]
    alone, diarizer = Diarizer(), Diarizer()
    expected = [alone(part, sample_rate=16_000).turns for part in parts]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda part: diarizer(part, sample_rate=16_000).turns, parts)
        assert list(found) == expected


def test_a_second_thread_on_a_stream_gets_one_clear_error(speech: np.ndarray) -> None:
    inside, go_on = Event(), Event()
    with Stream(16_000) as stream:
        usual = stream._keep

        def keep(block: np.ndarray) -> None:
            inside.set()
            go_on.wait(LIMIT_S)
            usual(block)

        stream._keep = keep  # type: ignore[method-assign]
        first = Thread(target=stream.feed, args=(speech[:16_000],))
        first.start()
        assert inside.wait(LIMIT_S)
        for call in (lambda: stream.feed(speech[:10]), stream.finish):
            with pytest.raises(
                ConfigError, match="stream: is in use by another thread; feed it from"
            ):
                call()
        go_on.set()
        first.join(LIMIT_S)
        assert not first.is_alive()
        stream.feed(speech[16_000:32_000])
        assert stream._channels.one.buffer.end == 32_000


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_refused_with_the_reason(kind: type) -> None:
    with Stream(16_000) as stream, pytest.raises(AudioContentError, match=r"np\.frombuffer"):
        stream.feed(kind(b"\0\0" * 100))


@pytest.mark.parametrize("cancelled_after", [3, 40])
def test_a_cancelled_task_loses_no_sample(cancelled_after: int, speech: np.ndarray) -> None:
    blocks = np.array_split(speech, 60)
    given: list[int] = []

    async def some(stream: Stream) -> None:
        async def source() -> AsyncIterator[np.ndarray]:
            while len(given) < len(blocks):
                given.append(len(blocks[len(given)]))
                yield blocks[len(given) - 1]

        async for _ in updates_of(stream, source()):
            pass

    async def cancelled(stream: Stream) -> None:
        task = asyncio.ensure_future(some(stream))
        while len(given) < cancelled_after:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Stream(16_000) as stream:
        asyncio.run(asyncio.wait_for(cancelled(stream), LIMIT_S))
        assert stream._channels.one.buffer.end == sum(given)
        for block in blocks[len(given) :]:
            stream.feed(block)
        stream.finish()
        assert stream._channels.one.buffer.end == len(speech)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_stream_of_another_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stream(16_000) as stream:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(ConfigError, match="belongs to another process; make a stream"):
            stream.feed(np.zeros(10, np.float32))
        monkeypatch.undo()
        stream.feed(np.zeros(10, np.float32))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143)])
def test_a_signal_ends_a_stream_with_its_last_turns(
    name: str, code: int, speech: np.ndarray, tmp_path: Path
) -> None:
    import signal

    command = [sys.executable, "-m", "hocket", "stream", "-", "--json"]
    out = tmp_path / "out"
    with (
        out.open("wb") as file,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write((speech[: 20 * 16_000] * 32_767).astype("<i2").tobytes())
        process.stdin.flush()
        while b'"time": 18' not in out.read_bytes():
            assert process.poll() is None
        process.send_signal(getattr(signal, name))
        assert process.wait(LIMIT_S) == code
        assert process.stderr is not None
        assert process.stderr.read() == b""
    last = out.read_text().splitlines()[-1]
    found = json.loads(last)
    assert found["tentative"] == []
    assert found["time"] > 18
    assert found["final"][-1]["end"] > found["time"] - 0.5  # all of the speech is in it
