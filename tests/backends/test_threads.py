"""A graph may be called on several threads; each call computes on one, without any difference."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hocket import models
from hocket.config import GraphConfig, Runtime
from hocket.graph import Graph
from tests.helpers.graphs import INSTALLED, Arrays, samples

TRAINED = ("segmentation", "embedding")
on_every_runtime = pytest.mark.parametrize("backend", INSTALLED)
trained = pytest.mark.parametrize("name", TRAINED)


def load(backend: str, name: str, threads: int | None) -> Graph:
    return models.load(name, GraphConfig(backend=backend), Runtime(threads=threads))


def batches(name: str) -> list[Arrays]:
    """Four different inputs of different lengths."""
    inputs = samples(name)
    waveform = inputs["waveform"]
    return [
        inputs | {"waveform": np.roll(waveform, 999 * n, axis=-1)[..., : -1 - 1_600 * (n % 3)]}
        for n in range(4)
    ]


def outputs(graph: Graph, inputs: Arrays) -> bytes:
    return b"".join(array.tobytes() for array in graph.run(inputs).values())


@on_every_runtime
@trained
def test_the_number_of_threads_changes_no_bit(backend: str, name: str) -> None:
    alone = load(backend, name, 1)
    expected = [outputs(alone, inputs) for inputs in batches(name)]
    assert len(set(expected)) == 4
    for threads in (2, None):
        graph = load(backend, name, threads)
        with ThreadPoolExecutor(4) as pool:  # more than the runtime has streams for
            assert list(pool.map(partial(outputs, graph), batches(name))) == expected


def running() -> int:
    """Threads of this process that compute, or would on a free core."""
    states = []
    for task in Path("/proc/self/task").iterdir():
        try:
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:  # it has just ended
            continue
    return states.count("R") - 1  # this one


@pytest.mark.skipif(sys.platform != "linux", reason="threads' states are read from /proc")
@on_every_runtime
@trained
def test_two_calls_run_at_once(backend: str, name: str) -> None:
    graph, inputs, stop = load(backend, name, 2), samples(name), threading.Event()

    def work() -> None:
        while not stop.is_set():
            graph.run(inputs)

    seen = []
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for _ in range(40):
        time.sleep(0.01)
        seen.append(running())
    stop.set()
    for worker in workers:
        worker.join()
    assert sum(number == 2 for number in seen) > 20, seen


def test_by_default_all_usable_cores_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Runtime(threads=3).workers == 3
    assert Runtime().workers >= 1
    monkeypatch.delattr("os.process_cpu_count", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert Runtime().workers == 3
    monkeypatch.setattr("os.process_cpu_count", lambda: 5, raising=False)
    assert Runtime().workers == 5
    monkeypatch.delattr("os.process_cpu_count")
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert Runtime().workers == 1
