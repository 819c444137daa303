"""What the graph behind the embedding is worth: its loops' share beside its own."""

import numpy as np
import pytest

from bench.host_loops import Overheard, measure_host_loops
from hocket.backends.reference import ReferenceGraph
from hocket.graph import Tensors


def given(slots: int, speakers: int) -> Tensors:
    rng = np.random.default_rng(slots)
    return {
        "embeddings": rng.standard_normal((slots, 8)).astype(np.float32),
        "database": rng.standard_normal((speakers, 8)).astype(np.float32),
        "segments": np.ones((1, 50, slots), np.float32),
    }


def test_a_graph_that_is_overheard_says_what_it_says() -> None:
    graph = ReferenceGraph("post_embedding")
    heard, inputs = Overheard(graph), given(3, 5)
    for name, array in heard.run(inputs).items():
        assert np.array_equal(array, graph.run(inputs)[name])
    assert heard.given == [inputs]
    assert (heard.spec, heard.metadata) == (graph.spec, graph.metadata)


def test_shares_are_of_the_time_with_either() -> None:
    slow, quick = ReferenceGraph("post_embedding"), _Nothing()
    found = measure_host_loops(Overheard(quick), [given(3, 5), given(5, 9)] * 20, 1.0)
    assert (found["windows"], found["rows_mean"], found["known_mean"]) == (40, 4.0, 7.0)
    assert found["loops_ms"] > found["graph_ms"]
    assert found["share_percent_after"] == pytest.approx(40 * found["graph_ms"] / 10, abs=0.05)
    before = 1 + 0.04 * (found["loops_ms"] - found["graph_ms"])
    expected = 4 * found["loops_ms"] / before
    assert found["share_percent_before"] == pytest.approx(expected, abs=0.1)
    assert slow.spec == quick.spec


class _Nothing(ReferenceGraph):
    """A graph that takes no time."""

    def __init__(self) -> None:
        super().__init__("post_embedding")

    def run(self, inputs: Tensors) -> dict[str, np.ndarray]:
        return {}
