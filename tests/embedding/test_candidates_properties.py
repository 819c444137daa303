"""Candidates: every subsegment of a sound has one that lies within it."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Subsegments
from hocket.config import SubsegmentConfig
from hocket.embedding.candidates import CandidateGrid
from hocket.geometry import EmbeddingInfo
from tests.helpers.geometry import SHIPPED

INFO = EmbeddingInfo(dimension=192, least_samples=400, gate_samples=6400, mask_samples=320)
SUBSEGMENTS = SubsegmentConfig()
NEWEST = 142 * 270  # samples


def grid_of(samples: int = NEWEST, subsegments: SubsegmentConfig = SUBSEGMENTS) -> CandidateGrid:
    grid = CandidateGrid.of(INFO, SHIPPED, subsegments, samples)
    assert grid is not None
    return grid


def one_subsegment(first: int, last: int) -> Subsegments:
    return Subsegments(np.zeros(1, np.int64), np.array([first]), np.array([last]))


@st.composite
def subsegments_in_sounds(draw: st.DrawFn) -> tuple[int, int, int]:
    """Samples of a sound, and frames of a subsegment in it."""
    length = draw(
        st.integers(SHIPPED.frames_of(SUBSEGMENTS.min_s), SHIPPED.frames_of(SUBSEGMENTS.length_s))
    )
    first = draw(st.integers(0, NEWEST // 270 - length))
    samples = draw(st.integers((first + length) * 270, NEWEST))
    return samples, first, first + length


@given(subsegments_in_sounds())
def test_a_candidate_lies_within_its_subsegment(
    case: tuple[int, int, int],
) -> None:
    samples, first, last = case
    grid = grid_of()
    (row,) = grid.rows_of(one_subsegment(first, last), samples)
    covered = np.flatnonzero(grid.masks(samples)[row]) * grid.mask_samples
    begin, end = covered[0], covered[-1] + grid.mask_samples
    start, stop = first * 270, last * 270
    edge, least = grid.edge_step, grid.least * grid.edge_step
    if stop - start >= least + 2 * edge:  # long enough to begin and end on edges
        assert start <= begin < start + edge
        assert stop - edge < end <= stop + grid.mask_samples / 2
    elif end - begin > least + grid.mask_samples / 2:  # fits because it begins near an edge
        assert start <= begin
        assert end <= stop + grid.mask_samples / 2
    else:
        assert min(end, stop) - max(begin, start) > 0


@given(st.integers(1, NEWEST))
def test_the_first_mask_covers_the_whole_sound(samples: int) -> None:
    masks = grid_of().masks(samples)
    assert masks[0].any()
    assert (masks <= masks[0]).all()
    assert masks[0].sum() == max(1, round(samples / 320))
    assert np.array_equal(masks[0], np.sort(masks[0])[::-1])


def test_there_is_a_candidate_of_every_length_at_every_edge() -> None:
    grid = grid_of()
    lengths = grid.bounds[:, 1] - grid.bounds[:, 0]
    assert (lengths.min(), lengths.max()) == (grid.least, grid.most) == (2, 12)
    last = ceil(grid.length / grid.edge_step)
    assert len(grid.bounds) == sum(max(0, last - length + 1) for length in range(2, 13))
    assert len({tuple(bounds) for bounds in grid.bounds.tolist()}) == len(grid.bounds)


@pytest.mark.parametrize(("length_s", "min_s"), [(1.2, 0.2), (0.6, 0.05), (2.0, 1.0)])
@given(data=st.data())
def test_every_subsegment_of_any_settings_has_a_candidate(
    length_s: float, min_s: float, data: st.DataObject
) -> None:
    subsegments = replace(SUBSEGMENTS, length_s=length_s, hop_s=min(0.6, length_s), min_s=min_s)
    grid = grid_of(subsegments=subsegments)
    least = max(1, SHIPPED.frames_of(min_s))
    length = data.draw(st.integers(least, SHIPPED.frames_of(length_s)))
    first = data.draw(st.integers(0, NEWEST // 270 - length))
    (row,) = grid.rows_of(one_subsegment(first, first + length), NEWEST)
    assert 1 <= row <= len(grid.bounds)
    assert grid.masks(NEWEST)[row].any()


def test_input_lengths_are_whole_gates() -> None:
    assert grid_of(1).length == 6400
    assert grid_of(NEWEST).length == 38_400
    assert grid_of(38_401).length == 44_800


def test_a_network_that_takes_one_sound_per_call_has_no_grid() -> None:
    assert CandidateGrid.of(EmbeddingInfo(192, 400), SHIPPED, SUBSEGMENTS, NEWEST) is None
