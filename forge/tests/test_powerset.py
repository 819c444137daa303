"""Power-set classes to slot masks."""

import numpy as np
import pytest
import torch
from hocket_forge.powerset import MAPPING, SLOTS, PowersetDecode
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

# nobody, 1, 2, 3, 1+2, 1+3, 2+3
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


def test_classes_are_nobody_then_single_slots_then_pairs() -> None:
    assert MAPPING == TABLE
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


# steps of 1/64 stay apart in float32 after the log-softmax; ties among them are common
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
