"""Powerset classes to slot masks."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hocket_forge import parity
from hocket_forge.powerset import SLOTS, PowersetDecode
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from hocket.backends import reference

# none, 1, 2, 3, 1+2, 1+3, 2+3
TABLE = (
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (1, 1, 0),
    (1, 0, 1),
    (0, 1, 1),
)


def decode(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    masks: NDArray[np.float32] = PowersetDecode()(torch.from_numpy(scores)).numpy()
    return masks


def test_classes_are_none_then_single_slots_then_pairs() -> None:
    assert PowersetDecode().mapping.tolist() == [list(row) for row in TABLE]
    assert reference.SLOTS_OF_CLASS.tolist() == [list(row) for row in TABLE]
    assert SLOTS == 3


def test_every_class_decodes_to_its_own_row() -> None:
    masks = decode(np.eye(7, dtype=np.float32)[None])
    assert masks.dtype == np.float32
    assert masks.shape == (1, 7, 3)
    assert np.array_equal(masks[0], TABLE)


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("last", range(7))
def test_the_first_of_tied_classes_wins(first: int, last: int) -> None:
    scores = np.full((1, 1, 7), -3.0, np.float32)
    scores[0, 0, [first, last]] = 2.5
    assert tuple(decode(scores)[0, 0]) == TABLE[min(first, last)]


@pytest.mark.parametrize("levels", [(0.0, 1.0, 2.0), (-np.inf, -2.5, 0.0)])
def test_every_pattern_of_ties_gives_the_first_best_class(levels: tuple[float, ...]) -> None:
    """Any classes may share the best score, any others the next, or a probability of zero."""
    patterns = list(product(levels, repeat=7))
    expected = [TABLE[scores.index(max(scores))] for scores in patterns]
    scores = np.array([patterns], np.float32)
    assert np.array_equal(decode(scores)[0], expected)
    assert np.array_equal(reference.powerset_decode(scores)["masks"][0], expected)


# steps of 1/64 remain distinct in float32 after the log-softmax, and ties are common
SCORES = arrays(
    np.int16, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.integers(-2000, 2000)
).flatmap(
    lambda rows: arrays(np.int16, (*rows.shape, 7), elements=st.integers(-2000, 2000)).map(
        lambda steps: steps.astype(np.float32) / 64
    )
)


@given(scores=SCORES)
def test_log_softmax_does_not_change_the_decision(scores: NDArray[np.float32]) -> None:
    log_probs = torch.from_numpy(scores).log_softmax(-1).numpy()
    assert np.array_equal(decode(log_probs), decode(scores))


@given(scores=SCORES)
def test_the_decision_is_the_best_classes_row(scores: NDArray[np.float32]) -> None:
    masks = decode(scores)
    for index in np.ndindex(scores.shape[:2]):
        best = max(range(7), key=lambda label: (scores[index][label], -label))
        assert tuple(masks[index]) == TABLE[best]


@pytest.mark.parametrize("row", range(7))
def test_a_file_with_a_wrong_row_fails(exported: Callable[[str], ModelProto], row: int) -> None:
    model = exported("powerset_decode")
    (mapping,) = model.graph.initializer
    values = numpy_helper.to_array(mapping).copy()
    values[row] = 1 - values[row]
    mapping.CopyFrom(numpy_helper.from_array(values, mapping.name))
    failed = [check.name for check in parity.checks("powerset_decode", model) if not check.passed]
    assert "every class = pyannote's slots" in failed
    assert "masks = NumPy, any scores" in failed


def test_a_file_that_looks_for_the_worst_class_fails(
    exported: Callable[[str], ModelProto],
) -> None:
    model = exported("powerset_decode")
    (best,) = (node for node in model.graph.node if node.op_type == "ArgMax")
    best.op_type = "ArgMin"
    failed = [check.name for check in parity.checks("powerset_decode", model) if not check.passed]
    assert len(failed) == 4
    assert not any(name.startswith("stopped by") for name in failed)
