"""Live sessions of a service at once: how late updates come, and whether it still answers.

Every session sends the recording at its own pace over a WebSocket of this machine. An update is
late by the time from sending the last sample that it covers to its arrival.
"""

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError

RATE = 16_000
CHUNK_S = 0.1
STEP_S = 1.8  # between updates of a stream
LOOK_S = 0.05  # between calls of /health
START_S = 60.0


def measure_live(recording: Path, sessions: int, seconds: int, together: bool) -> dict[str, Any]:
    """Delays of updates in seconds, and of /health.

    Args:
        recording: sent by every session, over and over.
        sessions: at once.
        seconds: of sound in each.
        together: whether all windows end at the same moments, not spread over a step.
    """
    content = _samples(recording, seconds)
    with _service() as (port, process), _Health(port) as health:
        delays = asyncio.run(_all_sessions(port, content, sessions, together, health))
        memory = _memory(process)
    return {
        "sessions": sessions,
        "seconds": seconds,
        "together": together,
        "updates": len(delays),
        "update_delay": _figures(delays),
        "health_calls": len(health.delays),
        "health_delay": _figures(health.delays),
        "memory_mb": memory,
    }


def _samples(recording: Path, seconds: int) -> bytes:
    """So many seconds of 16-bit samples."""
    from hocket.audio.reading import read_audio

    sound = read_audio(recording, target_rate=RATE).samples
    return bytes((np.resize(sound, seconds * RATE) * 32_767).astype("<i2").tobytes())


def _figures(delays: Sequence[float]) -> dict[str, float]:
    middle, high = np.percentile(delays, (50, 99))
    values = {"median": middle, "p99": high, "most": max(delays)}
    return {name: round(float(value), 4) for name, value in values.items()}


@contextmanager
def _service() -> Iterator[tuple[int, int]]:
    """A service, as users start it: its port, and the number of its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hocket", "serve", "--port", str(port)]
        process = subprocess.Popen([*command, "--folder", folder], stderr=subprocess.DEVNULL)
        try:
            _wait_until_ready(port)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(START_S)


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise BenchError(f"no service at port {port}; is hocket[server] installed?")


class _Health:
    """Calls of /health on a thread while sessions run.

    delays: seconds until each answer, while `is_counting`.
    """

    def __init__(self, port: int) -> None:
        self.delays: list[float] = []
        self.is_counting = False
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "_Health":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.wait(LOOK_S):
            began = time.monotonic()
            connection.request("GET", "/health")
            connection.getresponse().read()
            if self.is_counting:
                self.delays.append(time.monotonic() - began)


async def _all_sessions(
    port: int, content: bytes, sessions: int, together: bool, health: _Health
) -> list[float]:
    begin = asyncio.Barrier(sessions)
    rng = np.random.default_rng(1)
    offsets = [0.0 if together else float(rng.uniform(0, STEP_S)) for _ in range(sessions)]

    async def count() -> None:
        health.is_counting = True

    delays = await asyncio.gather(
        *(_session(port, content, begin, offset, count) for offset in offsets)
    )
    health.is_counting = False
    return [delay for each in delays for delay in each]


async def _session(
    port: int, content: bytes, begin: asyncio.Barrier, offset: float, count: Any
) -> list[float]:
    """Delays of all updates of a session but the last, which waits for no sound."""
    from websockets.asyncio.client import connect

    address = f"ws://127.0.0.1:{port}/v1/live?format=s16le&rate={RATE}"
    found: list[tuple[float, float]] = []
    async with connect(address, compression=None) as client:
        assert json.loads(await client.recv())["type"] == "ready"
        await begin.wait()
        await count()
        await asyncio.sleep(offset)
        began = time.monotonic()
        sender = asyncio.create_task(_send(client, content, began))
        async for text in client:
            message = json.loads(text)
            if message["type"] == "update":
                found.append((message["time"], time.monotonic() - began))
            elif message["type"] == "error":
                raise BenchError(message["error"]["message"])
        await sender
    last = len(content) / 2 / RATE
    # the chunk with the last sample of an update is sent when it is complete
    sent = [(_sent_s(at), arrived) for at, arrived in found if at < last - CHUNK_S]
    return [arrived - at for at, arrived in sent]


def _sent_s(time_s: float) -> float:
    return float(np.ceil(time_s / CHUNK_S - 1e-9) * CHUNK_S)


async def _send(client: Any, content: bytes, began: float) -> None:
    size = round(2 * RATE * CHUNK_S)
    for number, first in enumerate(range(0, len(content), size), 1):
        await asyncio.sleep(max(0.0, began + number * CHUNK_S - time.monotonic()))
        await client.send(content[first : first + size])
    await client.send(json.dumps({"type": "end"}))


def _memory(service: int) -> dict[str, float]:
    """Resident memory of the service and of its children together, where /proc is."""
    found = {"service": 0.0, "children": 0.0}
    if os.path.isdir("/proc"):
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                status = (entry / "status").read_text()
            except OSError:
                continue
            fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
            kind = "service" if entry.name == str(service) else "children"
            if kind == "service" or fields.get("PPid", "").strip() == str(service):
                found[kind] += float(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return {name: round(value, 1) for name, value in found.items()}
