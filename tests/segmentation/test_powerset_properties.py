"""Power-set classes to slots and numbers of speakers."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.arrays import LogProbs
from hocket.segmentation.powerset import SLOTS_OF_CLASS, occupancy, slot_activity
from tests.helpers.graphs import opened

SHAPES = st.tuples(st.integers(0, 3), st.integers(1, 9))
SETS = [set(chosen) for size in range(3) for chosen in combinations(range(3), size)]
"""Slots that speak in each class: none, each alone, each pair."""


@st.composite
def log_prob_arrays(draw: st.DrawFn) -> LogProbs:
    """Log-probabilities, from certain to undecided."""
    shape = (*draw(SHAPES), 7)
    logits = draw(arrays(np.float64, shape, elements=st.floats(-60, 60)))
    total = np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return (logits - total).astype(np.float32)


@st.composite
def decided(draw: st.DrawFn) -> NDArray[np.int64]:
    """The class of every frame, (windows, frames)."""
    shape = draw(SHAPES)
    return draw(arrays(np.int64, shape, elements=st.integers(0, 6)))


def one_hot(classes: NDArray[np.int64]) -> LogProbs:
    """Certainty: probability 1 for the class and 0 for all others."""
    with np.errstate(divide="ignore"):
        return np.log(np.eye(7, dtype=np.float32))[classes]


def test_classes_are_all_sets_of_up_to_two_slots_in_the_networks_order() -> None:
    assert [set(np.flatnonzero(row).tolist()) for row in SLOTS_OF_CLASS] == SETS
    assert set(SLOTS_OF_CLASS.ravel().tolist()) == {0, 1}


@given(log_prob_arrays())
def test_activity_of_a_slot_is_the_sum_over_its_classes(log_probs: LogProbs) -> None:
    activity = slot_activity(log_probs)
    assert activity.dtype == np.float32
    assert activity.shape == (*log_probs.shape[:2], 3)
    for window, frame, slot in np.ndindex(activity.shape):
        exact = log_probs[window, frame].astype(np.float64)
        expected = sum(float(np.exp(exact[index])) for index in range(7) if slot in SETS[index])
        assert activity[window, frame, slot] == pytest.approx(expected, abs=1e-5)


@given(log_prob_arrays())
def test_occupancy_is_the_sum_over_classes_of_the_same_number_of_slots(log_probs: LogProbs) -> None:
    numbers = occupancy(log_probs)
    assert numbers.dtype == np.float32
    assert numbers.shape == (*log_probs.shape[:2], 3)
    for window, frame, number in np.ndindex(numbers.shape):
        exact = log_probs[window, frame].astype(np.float64)
        expected = sum(
            float(np.exp(exact[index])) for index in range(7) if len(SETS[index]) == number
        )
        assert numbers[window, frame, number] == pytest.approx(expected, abs=1e-5)


@given(log_prob_arrays())
def test_occupancy_sums_to_one(log_probs: LogProbs) -> None:
    np.testing.assert_allclose(occupancy(log_probs).sum(axis=-1), 1, atol=1e-5)


@given(log_prob_arrays())
def test_activity_and_occupancy_agree_on_the_amount_of_speech(log_probs: LogProbs) -> None:
    numbers = occupancy(log_probs)
    spoken = slot_activity(log_probs).sum(axis=-1)
    np.testing.assert_allclose(numbers[..., 1] + 2 * numbers[..., 2], spoken, atol=1e-5)


@given(decided())
def test_certainty_gives_exactly_the_slots_and_number_of_its_class(
    classes: NDArray[np.int64],
) -> None:
    activity, numbers = slot_activity(one_hot(classes)), occupancy(one_hot(classes))
    for place in np.ndindex(classes.shape):
        speaking = SETS[classes[place]]
        assert activity[place].tolist() == [float(slot in speaking) for slot in range(3)]
        assert numbers[place].tolist() == [float(len(speaking) == number) for number in range(3)]


@given(decided().filter(len))
@pytest.mark.parametrize("backend", ["onnxruntime", "numpy"])
def test_certainty_gives_exactly_the_masks_that_the_graph_decodes(
    backend: str, classes: NDArray[np.int64]
) -> None:
    decoded = opened(backend, "powerset_decode").run({"log_probs": one_hot(classes)})["masks"]
    np.testing.assert_array_equal(slot_activity(one_hot(classes)), decoded)


@pytest.mark.parametrize("read", [slot_activity, occupancy])
def test_inputs_are_not_changed(read: Callable[[LogProbs], object]) -> None:
    log_probs = np.log(np.full((2, 4, 7), 1 / 7, np.float32))
    before = log_probs.copy()
    read(log_probs)
    np.testing.assert_array_equal(log_probs, before)
