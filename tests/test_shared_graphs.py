"""Graphs of tests compute every new input, and old ones where a test needs it."""

import numpy as np
import pytest

from hocket.backends import ReferenceGraph
from tests.helpers.recorder import Recorder
from tests.helpers.shared_graphs import RememberingGraph


def runs(*values: float) -> tuple[int, list[float]]:
    """Calls of a graph that is run with these values in turn, and its means; outputs are spoilt."""
    inner = Recorder(ReferenceGraph("powerset_decode"))
    graph, means = RememberingGraph(inner, id(inner)), []
    for value in values:
        log_probs = np.full((1, 2, 7), -9, np.float32)
        log_probs[..., 4] = value
        found = graph.run({"log_probs": log_probs})["masks"]
        means.append(float(found.mean()))
        found[:] = np.nan
    return len(inner.given), means


def test_equal_inputs_are_computed_once_and_outputs_are_the_callers() -> None:
    calls, means = runs(0.0, -99.0, 0.0)
    assert calls == 2
    assert means[0] == means[2] != means[1]
    assert np.isfinite(means).all()


@pytest.mark.computes
def test_all_inputs_are_computed_where_a_test_needs_it() -> None:
    assert runs(0.0, 0.0, 0.0)[0] == 3
