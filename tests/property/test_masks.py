"""Masks of one voice alone, and stretches of ones."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.arrays import Masks, stretches
from hocket.masks import clean_masks, voice_masks

SHAPES = st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 4))
MASKS = arrays(np.uint8, SHAPES, elements=st.integers(0, 1))
COLUMNS = arrays(np.bool_, st.integers(0, 40), elements=st.booleans())


def alone(masks: Masks, window: int, frame: int, slot: int) -> bool:
    return masks[window, frame].tolist().count(1) == 1 and bool(masks[window, frame, slot])


def runs_of(column: NDArray[np.bool_]) -> list[list[int]]:
    """First and past-the-last index of every run of ones."""
    runs = []
    for speaks, places in groupby(range(len(column)), key=lambda place: bool(column[place])):
        indices = list(places)
        if speaks:
            runs.append([indices[0], indices[-1] + 1])
    return runs


@given(MASKS)
def test_clean_frames_are_those_of_one_slot_alone(masks: Masks) -> None:
    clean = clean_masks(masks)
    assert clean.dtype == np.uint8
    assert clean.shape == masks.shape
    for place in np.ndindex(masks.shape):
        assert clean[place] == alone(masks, *place)


@given(MASKS, st.integers(0, 13))
def test_a_slot_with_few_clean_frames_falls_back_to_all_of_them(
    masks: Masks, min_clean_frames: int
) -> None:
    voices = voice_masks(masks, min_clean_frames)
    assert voices.dtype == np.uint8
    for window, slot in np.ndindex(len(masks), masks.shape[2]):
        everything = masks[window, :, slot].tolist()
        clean = [int(alone(masks, window, frame, slot)) for frame in range(masks.shape[1])]
        expected = clean if sum(clean) >= min_clean_frames else everything
        assert voices[window, :, slot].tolist() == expected


def test_the_least_number_of_clean_frames_is_enough() -> None:
    masks = np.array([[[1, 0], [1, 0], [1, 1]]], np.uint8)
    assert voice_masks(masks, 2)[0, :, 0].tolist() == [1, 1, 0]
    assert voice_masks(masks, 3)[0, :, 0].tolist() == [1, 1, 1]
    assert voice_masks(masks, 1)[0, :, 1].tolist() == [0, 0, 1]


@given(MASKS, st.integers(0, 5))
def test_masks_given_stay_as_they_were(masks: Masks, min_clean_frames: int) -> None:
    before = masks.copy()
    voice_masks(masks, min_clean_frames)
    np.testing.assert_array_equal(masks, before)


@given(COLUMNS)
def test_stretches_are_the_runs_of_ones(column: NDArray[np.bool_]) -> None:
    found = stretches(column)
    assert found.shape == (len(found), 2)
    assert found.tolist() == runs_of(column)


@given(COLUMNS)
def test_painting_the_stretches_gives_the_column_back(column: NDArray[np.bool_]) -> None:
    painted = np.zeros_like(column)
    for first, last in stretches(column):
        assert not painted[first:last].any()
        painted[first:last] = True
    np.testing.assert_array_equal(painted, column)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_stretches_of_either_type_reach_both_ends(dtype: type[np.generic]) -> None:
    column = np.array([1, 1, 0, 1, 0, 0, 1], dtype)
    assert stretches(column).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert stretches(np.ones(5, dtype)).tolist() == [[0, 5]]
    assert stretches(np.zeros(5, dtype)).shape == (0, 2)
    assert stretches(np.zeros(0, dtype)).shape == (0, 2)
