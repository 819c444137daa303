"""Segments of ones in a column."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.arrays import segments_of

COLUMNS = arrays(np.bool_, st.integers(0, 40), elements=st.booleans())


def expected_segments(column: NDArray[np.bool_]) -> list[list[int]]:
    """First and past-the-last index of every segment of ones."""
    found = []
    for one, group in groupby(range(len(column)), key=lambda index: bool(column[index])):
        indices = list(group)
        if one:
            found.append([indices[0], indices[-1] + 1])
    return found


@given(COLUMNS)
def test_segments_are_those_of_ones(column: NDArray[np.bool_]) -> None:
    found = segments_of(column)
    assert found.shape == (len(found), 2)
    assert found.tolist() == expected_segments(column)


@given(COLUMNS)
def test_painting_the_segments_restores_the_column(column: NDArray[np.bool_]) -> None:
    painted = np.zeros_like(column)
    for first, last in segments_of(column):
        assert not painted[first:last].any()
        painted[first:last] = True
    np.testing.assert_array_equal(painted, column)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_segments_of_either_type_reach_both_ends(dtype: type[np.generic]) -> None:
    column = np.array([1, 1, 0, 1, 0, 0, 1], dtype)
    assert segments_of(column).tolist() == [[0, 2], [3, 4], [6, 7]]
    assert segments_of(np.ones(5, dtype)).tolist() == [[0, 5]]
    assert segments_of(np.zeros(5, dtype)).shape == (0, 2)
    assert segments_of(np.zeros(0, dtype)).shape == (0, 2)
