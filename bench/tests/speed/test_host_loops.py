"""The share of the `post_embedding` graph, and of host loops."""

import time

import numpy as np
import pytest

from bench.speed.host_loops import RecordingGraph, measure_host_loops
from hocket.backends.reference import ReferenceGraph
from hocket.graph import Tensors


def given(slots: int, speakers: int) -> Tensors:
    rng = np.random.default_rng(slots)
    return {
        "embeddings": rng.standard_normal((slots, 8)).astype(np.float32),
        "database": rng.standard_normal((speakers, 8)).astype(np.float32),
        "segments": np.ones((1, 50, slots), np.float32),
    }


def test_a_recording_graph_gives_the_outputs_of_its_graph() -> None:
    graph = ReferenceGraph("post_embedding")
    recording, inputs = RecordingGraph(graph), given(3, 5)
    for name, array in recording.run(inputs).items():
        assert np.array_equal(array, graph.run(inputs)[name])
    assert recording.inputs == [inputs]
    assert (recording.spec, recording.metadata) == (graph.spec, graph.metadata)


def test_shares_are_of_the_time_with_either() -> None:
    found = measure_host_loops(_Slow("post_embedding"), [given(3, 5), given(5, 9)] * 5, 0.4)
    assert (found["windows"], found["rows_mean"], found["known_mean"]) == (10, 4.0, 7.0)
    loops_s, graph_s = 0.01 * found["loops_ms"], 0.01 * found["graph_ms"]
    assert graph_s >= 0.02
    assert found["share_percent_after"] == pytest.approx(100 * graph_s / 0.4, rel=0.01)
    before_s = 0.4 - graph_s + loops_s
    assert found["share_percent_before"] == pytest.approx(100 * loops_s / before_s, rel=0.02)


class _Slow(ReferenceGraph):
    """A graph that takes two milliseconds."""

    def run(self, inputs: Tensors) -> dict[str, np.ndarray]:
        time.sleep(0.002)
        return {}
