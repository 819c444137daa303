"""Subsegments of regions, and the crops that hold them."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Regions, Subsegments
from hocket.config import ResolvedSubsegments
from hocket.embedding.subsegments import (
    Crop,
    plan_crops,
    plan_subsegments,
    subsegment_seconds,
)
from hocket.errors import ConfigError
from tests.helpers.geometry import grid_of

GRID = grid_of(200, 4, 10)
CONFIG = ResolvedSubsegments(length_s=1.0, hop_s=0.4, min_s=0.2, crop_s=1.0)
LENGTH, HOP, LEAST = 25, 10, 5  # in frames

CROPS_S = st.sampled_from([0.01, 0.5, 1.0, 1.3, 2.0, 5.0, 100.0])


@st.composite
def region_arrays(draw: st.DrawFn) -> Regions:
    """Regions in order of time, some adjacent, from one frame to several subsegments."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90)), max_size=7))
    ends = np.cumsum(np.array(pairs, np.int64).reshape(-1))
    return ends.reshape(-1, 2)


REGIONS = region_arrays()


def region_of(frames: int, first: int = 3) -> Regions:
    return np.array([[first, first + frames]], np.int64)


def bounds_of(regions: Regions) -> Iterator[list[tuple[int, int]]]:
    """First and past-the-last frame of the subsegments of each region."""
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    for region in range(len(regions)):
        mine = subsegments.region == region
        yield list(
            zip(subsegments.first[mine].tolist(), subsegments.last[mine].tolist(), strict=True)
        )


@given(REGIONS)
def test_subsegments_cover_exactly_the_regions_that_are_long_enough(
    regions: Regions,
) -> None:
    for (first, last), crops in zip(regions.tolist(), bounds_of(regions), strict=True):
        covered = {frame for start, end in crops for frame in range(start, end)}
        assert covered == (set(range(first, last)) if last - first >= LEAST else set())


@given(REGIONS)
def test_a_region_up_to_the_length_is_one_subsegment_and_longer_ones_have_subsegments_of_it(
    regions: Regions,
) -> None:
    for (first, last), crops in zip(regions.tolist(), bounds_of(regions), strict=True):
        if LEAST <= last - first <= LENGTH:
            assert crops == [(first, last)]
        assert all(end - start == min(LENGTH, last - first) for start, end in crops)


@given(REGIONS)
def test_subsegments_are_spread_evenly_and_as_few_as_the_hop_allows(regions: Regions) -> None:
    for (first, last), crops in zip(regions.tolist(), bounds_of(regions), strict=True):
        hops = [after - before for (before, _), (after, _) in pairwise(crops)]
        assert max(hops, default=0) <= HOP
        assert max(hops, default=0) - min(hops, default=0) <= 1
        if last - first > LENGTH:
            assert len(hops) == -(-(last - first - LENGTH) // HOP)


@given(REGIONS)
def test_subsegments_are_in_order_of_regions_and_time(regions: Regions) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    rows = list(zip(*(column.tolist() for column in subsegments), strict=True))
    assert rows == sorted(rows)
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in subsegments)


def test_without_regions_there_are_no_subsegments() -> None:
    for regions in (np.zeros((0, 2), np.int64), region_of(LEAST - 1)):
        subsegments = plan_subsegments(regions, GRID, CONFIG)
        assert [column.shape for column in subsegments] == [(0,)] * 3
        assert subsegment_seconds(regions, subsegments, GRID).shape == (0,)
        assert plan_crops(subsegments, GRID, CONFIG) == []


@pytest.mark.parametrize(
    ("frames", "subsegments"),
    [(4, 0), (5, 1), (25, 1), (26, 2), (35, 2), (36, 3), (45, 3), (46, 4)],
)
def test_a_region_has_as_many_subsegments_as_it_needs(frames: int, subsegments: int) -> None:
    assert [len(crops) for crops in bounds_of(region_of(frames))] == [subsegments]


@given(REGIONS)
def test_subsegments_of_a_region_share_its_seconds(regions: Regions) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    seconds = subsegment_seconds(regions, subsegments, GRID)
    assert seconds.dtype == np.float64
    for region, (first, last) in enumerate(regions.tolist()):
        mine = seconds[subsegments.region == region].tolist()
        assert len(set(mine)) <= 1
        if mine:
            assert sum(mine) == pytest.approx((last - first) * 4 / 100)


def rows_of(crop: Crop) -> list[tuple[int, int]]:
    return [(first, last) for first, last in crop.subsegments.tolist()]


def crops_of(regions: Regions, crop_s: float) -> tuple[Subsegments, list[Crop]]:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    return subsegments, plan_crops(subsegments, GRID, replace(CONFIG, crop_s=crop_s))


def longest_of(crop_s: float) -> int:
    """Frames of the longest crop; a subsegment is never cut."""
    return max(round(crop_s * 25), LENGTH)


@given(REGIONS, CROPS_S)
def test_every_subsegment_is_in_one_crop_in_order(regions: Regions, crop_s: float) -> None:
    subsegments, crops = crops_of(regions, crop_s)
    expected = list(zip(subsegments.first.tolist(), subsegments.last.tolist(), strict=True))
    assert [row for crop in crops for row in rows_of(crop)] == expected


@given(REGIONS, CROPS_S)
def test_a_crop_reaches_from_its_first_subsegment_to_its_last(
    regions: Regions, crop_s: float
) -> None:
    for crop in crops_of(regions, crop_s)[1]:
        rows = rows_of(crop)
        assert crop.subsegments.dtype == np.int64
        assert (crop.first, crop.last) == (rows[0][0], max(last for _, last in rows))
        assert type(crop.first) is type(crop.last) is int
        assert crop.last - crop.first <= longest_of(crop_s)


@given(REGIONS, CROPS_S)
def test_no_crop_holds_subsegments_of_two_regions(regions: Regions, crop_s: float) -> None:
    for crop in crops_of(regions, crop_s)[1]:
        inside = (regions[:, 0] <= crop.first) & (crop.last <= regions[:, 1])
        assert inside.sum() == 1


@given(REGIONS, CROPS_S)
def test_crops_of_a_region_are_as_few_as_equal_ones_can_be(regions: Regions, crop_s: float) -> None:
    _, crops = crops_of(regions, crop_s)
    for first, last in regions.tolist():
        mine = [crop for crop in crops if first <= crop.first and crop.last <= last]
        sizes = [len(crop.subsegments) for crop in mine]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        if len(mine) > 1:
            rows = np.concatenate([crop.subsegments for crop in mine])
            fewer = np.array_split(rows, len(mine) - 1)
            assert any(part[-1, 1] - part[0, 0] > longest_of(crop_s) for part in fewer)


def test_short_crops_hold_one_subsegment_and_long_ones_a_whole_region() -> None:
    subsegments, alone = crops_of(region_of(65), 1.0)
    assert len(subsegments.region) == 5
    assert [(crop.first, crop.last) for crop in alone] == [
        (first, first + 25) for first in (3, 13, 23, 33, 43)
    ]
    _, (whole,) = crops_of(region_of(65), 2.6)
    assert (whole.first, whole.last) == (3, 68)
    _, two = crops_of(region_of(65), 2.5)
    assert [(crop.first, crop.last) for crop in two] == [(3, 48), (33, 68)]


@pytest.mark.parametrize(
    "changed",
    [
        {"length_s": 1e-4, "hop_s": 1e-4, "min_s": 1e-4},
        {"length_s": 0.02, "hop_s": 0.01, "min_s": 0.01},
        {"hop_s": 1e-4},
        {"min_s": 1e-4},
        {"crop_s": 1e-4},
        {"crop_s": 50.0},
    ],
    ids=str,
)
def test_every_accepted_length_gives_valid_crops(changed: dict[str, float]) -> None:
    """Subsegments shorter than a frame are refused or get a frame."""
    lengths = {"length_s": 1.0, "hop_s": 0.4, "min_s": 0.2, "crop_s": 2.0}
    with suppress(ConfigError):
        config = ResolvedSubsegments(**(lengths | changed))
        found = plan_crops(plan_subsegments(region_of(30), GRID, config), GRID, config)
        assert found
        assert all(crop.first < crop.last for crop in found)
        assert all(first < last for crop in found for first, last in rows_of(crop))
