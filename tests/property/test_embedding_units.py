"""What is embedded: short pieces of runs, heard together in spans, each pooled by its mask."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Regions, Waveform
from hocket.config import SubsegmentConfig
from hocket.embedding.subsegments import (
    Crop,
    padded_length,
    plan_crops,
    plan_subsegments,
    crop_inputs,
    subsegment_seconds,
)
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.graph import SPECS

GRID = Geometry(100, 200, 4, 10, 48, 3)
CONFIG = SubsegmentConfig(length_s=1.0, hop_s=0.4, min_s=0.2, grid_s=0.3)
LENGTH, HOP, LEAST = 25, 10, 5  # in frames

SPANS_S = st.sampled_from([0.01, 0.5, 1.0, 1.3, 2.0, 5.0, 100.0])


@st.composite
def run_arrays(draw: st.DrawFn) -> Regions:
    """Runs in order of time, some of them touching, of one frame to several units."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90)), max_size=7))
    ends = np.cumsum(np.array(pairs, np.int64).reshape(-1))
    return ends.reshape(-1, 2)


RUNS = run_arrays()


def run_of(frames: int, first: int = 3) -> Regions:
    return np.array([[first, first + frames]], np.int64)


def units_of(
    regions: Regions, config: SubsegmentConfig = CONFIG
) -> Iterator[list[tuple[int, int]]]:
    """First and last frame of the units of each run."""
    subsegments = plan_subsegments(regions, GRID, config)
    for run in range(len(regions)):
        mine = subsegments.run == run
        yield list(
            zip(subsegments.first[mine].tolist(), subsegments.last[mine].tolist(), strict=True)
        )


@given(RUNS)
def test_units_cover_the_runs_that_are_long_enough_and_nothing_else(regions: Regions) -> None:
    for (first, last), crops in zip(regions.tolist(), units_of(regions), strict=True):
        covered = {frame for start, end in crops for frame in range(start, end)}
        assert covered == (set(range(first, last)) if last - first >= LEAST else set())


@given(RUNS)
def test_a_run_up_to_the_length_is_one_unit_and_longer_ones_have_units_of_it(
    regions: Regions,
) -> None:
    for (first, last), crops in zip(regions.tolist(), units_of(regions), strict=True):
        if LEAST <= last - first <= LENGTH:
            assert crops == [(first, last)]
        assert all(end - start == min(LENGTH, last - first) for start, end in crops)


@given(RUNS)
def test_units_are_spread_evenly_and_as_few_as_the_hop_lets_them_be(regions: Regions) -> None:
    for (first, last), crops in zip(regions.tolist(), units_of(regions), strict=True):
        hops = [after - before for (before, _), (after, _) in pairwise(crops)]
        assert max(hops, default=0) <= HOP
        assert max(hops, default=0) - min(hops, default=0) <= 1
        if last - first > LENGTH:
            assert len(hops) == -(-(last - first - LENGTH) // HOP)


@given(RUNS)
def test_units_are_in_order_of_runs_and_time(regions: Regions) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    rows = list(zip(*(column.tolist() for column in subsegments), strict=True))
    assert rows == sorted(rows)
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in subsegments)


def test_without_runs_there_are_no_units() -> None:
    for regions in (np.zeros((0, 2), np.int64), run_of(LEAST - 1)):
        subsegments = plan_subsegments(regions, GRID, CONFIG)
        assert [column.shape for column in subsegments] == [(0,)] * 3
        assert subsegment_seconds(regions, subsegments, GRID).shape == (0,)
        assert plan_crops(subsegments, GRID, 1.0, CONFIG) == []


@pytest.mark.parametrize(
    ("frames", "units"), [(4, 0), (5, 1), (25, 1), (26, 2), (35, 2), (36, 3), (45, 3), (46, 4)]
)
def test_a_run_has_as_many_units_as_it_needs(frames: int, subsegments: int) -> None:
    assert [len(crops) for crops in units_of(run_of(frames))] == [subsegments]


@given(RUNS)
def test_units_of_a_run_share_its_seconds(regions: Regions) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    seconds = subsegment_seconds(regions, subsegments, GRID)
    assert seconds.dtype == np.float64
    for run, (first, last) in enumerate(regions.tolist()):
        mine = seconds[subsegments.run == run].tolist()
        assert len(set(mine)) <= 1
        if mine:
            assert sum(mine) == pytest.approx((last - first) * 4 / 100)


def rows_of(crop: Crop) -> list[tuple[int, int]]:
    return [(first, last) for first, last in crop.subsegments.tolist()]


def longest_of(crop_s: float) -> int:
    """Frames of the longest span; a unit is never cut."""
    return max(round(crop_s * 25), LENGTH)


@given(RUNS, SPANS_S)
def test_every_unit_is_in_one_span_in_order(regions: Regions, crop_s: float) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    crops = plan_crops(subsegments, GRID, crop_s, CONFIG)
    expected = list(zip(subsegments.first.tolist(), subsegments.last.tolist(), strict=True))
    assert [row for crop in crops for row in rows_of(crop)] == expected


@given(RUNS, SPANS_S)
def test_a_span_reaches_from_its_first_unit_to_its_last_and_no_further(
    regions: Regions, crop_s: float
) -> None:
    for crop in plan_crops(plan_subsegments(regions, GRID, CONFIG), GRID, crop_s, CONFIG):
        rows = rows_of(crop)
        assert crop.subsegments.dtype == np.int64
        assert (crop.first, crop.last) == (rows[0][0], max(last for _, last in rows))
        assert type(crop.first) is type(crop.last) is int
        assert crop.last - crop.first <= longest_of(crop_s)


@given(RUNS, SPANS_S)
def test_no_span_holds_units_of_two_runs(regions: Regions, crop_s: float) -> None:
    for crop in plan_crops(plan_subsegments(regions, GRID, CONFIG), GRID, crop_s, CONFIG):
        inside = (regions[:, 0] <= crop.first) & (crop.last <= regions[:, 1])
        assert inside.sum() == 1


@given(RUNS, SPANS_S)
def test_spans_of_a_run_are_as_few_as_equal_ones_can_be(regions: Regions, crop_s: float) -> None:
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    crops = plan_crops(subsegments, GRID, crop_s, CONFIG)
    for first, last in regions.tolist():
        mine = [crop for crop in crops if first <= crop.first and crop.last <= last]
        sizes = [len(crop.subsegments) for crop in mine]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        if len(mine) > 1:
            rows = np.concatenate([crop.subsegments for crop in mine])
            fewer = np.array_split(rows, len(mine) - 1)
            assert any(part[-1, 1] - part[0, 0] > longest_of(crop_s) for part in fewer)


def test_a_span_of_a_unit_hears_units_alone_and_a_long_one_all_of_a_run() -> None:
    subsegments = plan_subsegments(run_of(65), GRID, CONFIG)
    assert len(subsegments.run) == 5
    alone = plan_crops(subsegments, GRID, 1.0, CONFIG)
    assert [(crop.first, crop.last) for crop in alone] == [
        (first, first + 25) for first in (3, 13, 23, 33, 43)
    ]
    (whole,) = plan_crops(subsegments, GRID, 2.6, CONFIG)
    assert (whole.first, whole.last) == (3, 68)
    two = plan_crops(subsegments, GRID, 2.5, CONFIG)
    assert [(crop.first, crop.last) for crop in two] == [(3, 48), (33, 68)]


def sound_of(crop: Crop) -> Waveform:
    """The samples of a span, numbered from 1 so that each tells its place."""
    return np.arange(1, 1 + 4 * (crop.last - crop.first), dtype=np.float32)


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    """Spans of some overlapping units."""
    regions = run_of(draw(st.integers(LEAST, 120)), draw(st.integers(0, 50)))
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    found = plan_crops(subsegments, GRID, draw(SPANS_S), CONFIG)
    return draw(st.sampled_from(found))


GRIDS = st.sampled_from([1, 4, 10, 30, 1000])
LEASTS = st.sampled_from([1, 90, 400])


def length_of(crop: Crop, least: int, grid: int) -> int:
    return padded_length(len(sound_of(crop)), least, grid)


@given(st.integers(1, 10_000), LEASTS, GRIDS)
def test_what_is_heard_of_a_span_ends_on_the_grid(samples: int, least: int, grid: int) -> None:
    length = padded_length(samples, least, grid)
    assert length >= max(samples, least)
    assert length % grid == 0 or length == least
    assert length < samples + grid or length == least


@given(crops(), LEASTS, GRIDS)
def test_where_the_recording_ends_a_span_is_repeated(crop: Crop, least: int, grid: int) -> None:
    sound, length = sound_of(crop), length_of(crop, least, grid)
    inputs = crop_inputs(sound, length, crop, GRID)
    (heard,) = inputs["waveform"][:, 0]
    assert heard.tolist() == [sound[place % len(sound)] for place in range(length)]
    if len(crop.subsegments) == 1 and length > len(sound):
        assert inputs["masks"].all()  # the only unit sees what it is repeated by


@given(crops(), LEASTS, GRIDS)
def test_inputs_are_what_the_graph_takes(crop: Crop, least: int, grid: int) -> None:
    inputs = crop_inputs(sound_of(crop), length_of(crop, least, grid), crop, GRID)
    SPECS["embedding"].check_inputs(inputs, {"samples": least})
    assert inputs["masks"].shape[:2] == (1, len(crop.subsegments))
    samples, frames = inputs["waveform"].shape[2], inputs["masks"].shape[2]
    assert 4 * (frames - 1) < samples <= 4 * frames


@given(crops(), LEASTS, GRIDS)
def test_a_mask_is_its_unit_and_nothing_else(crop: Crop, least: int, grid: int) -> None:
    length = length_of(crop, least, grid)
    sound = np.ones(length, np.float32)  # the recording goes on
    masks = crop_inputs(sound, length, crop, GRID)["masks"][0]
    for mask, (first, last) in zip(masks, rows_of(crop), strict=True):
        seen = set(range(first - crop.first, last - crop.first))
        assert mask.tolist() == [float(frame in seen) for frame in range(len(mask))]


@given(crops(), LEASTS, GRIDS)
def test_what_a_recording_holds_is_not_copied(crop: Crop, least: int, grid: int) -> None:
    length = length_of(crop, least, grid)
    sound = np.arange(length, dtype=np.float32)
    before = sound.copy()
    assert np.shares_memory(crop_inputs(sound, length, crop, GRID)["waveform"], sound)
    longer = crop_inputs(sound, length + 1, crop, GRID)["waveform"]
    assert not np.shares_memory(longer, sound)
    np.testing.assert_array_equal(sound, before)


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
def test_every_accepted_length_gives_units_that_can_be_heard(changed: dict[str, float]) -> None:
    """A unit shorter than a frame is either refused or made do."""
    lengths = {"length_s": 1.0, "hop_s": 0.4, "min_s": 0.2, "crop_s": 2.0}
    with suppress(ConfigError):
        config = SubsegmentConfig(**(lengths | changed))
        found = plan_crops(
            plan_subsegments(run_of(30), GRID, config), GRID, config.crop_s or 1, config
        )
        assert found
        for crop in found:
            length = length_of(crop, 1, 7)
            SPECS["embedding"].check_inputs(crop_inputs(sound_of(crop), length, crop, GRID))
