"""What is embedded: short pieces of runs, heard together in spans, each pooled by its mask."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Runs, Waveform
from hocket.config import UnitConfig
from hocket.embedding.subsegments import (
    Span,
    heard_length,
    plan_spans,
    plan_units,
    span_inputs,
    unit_seconds,
)
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.graph import SPECS

GRID = Geometry(100, 200, 4, 10, 48, 3)
CONFIG = UnitConfig(length_s=1.0, hop_s=0.4, min_s=0.2, grid_s=0.3)
LENGTH, HOP, LEAST = 25, 10, 5  # in frames

SPANS_S = st.sampled_from([0.01, 0.5, 1.0, 1.3, 2.0, 5.0, 100.0])


@st.composite
def run_arrays(draw: st.DrawFn) -> Runs:
    """Runs in order of time, some of them touching, of one frame to several units."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90)), max_size=7))
    ends = np.cumsum(np.array(pairs, np.int64).reshape(-1))
    return ends.reshape(-1, 2)


RUNS = run_arrays()


def run_of(frames: int, first: int = 3) -> Runs:
    return np.array([[first, first + frames]], np.int64)


def units_of(runs: Runs, config: UnitConfig = CONFIG) -> Iterator[list[tuple[int, int]]]:
    """First and last frame of the units of each run."""
    units = plan_units(runs, GRID, config)
    for run in range(len(runs)):
        mine = units.run == run
        yield list(zip(units.first[mine].tolist(), units.last[mine].tolist(), strict=True))


@given(RUNS)
def test_units_cover_the_runs_that_are_long_enough_and_nothing_else(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), units_of(runs), strict=True):
        covered = {frame for start, end in spans for frame in range(start, end)}
        assert covered == (set(range(first, last)) if last - first >= LEAST else set())


@given(RUNS)
def test_a_run_up_to_the_length_is_one_unit_and_longer_ones_have_units_of_it(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), units_of(runs), strict=True):
        if LEAST <= last - first <= LENGTH:
            assert spans == [(first, last)]
        assert all(end - start == min(LENGTH, last - first) for start, end in spans)


@given(RUNS)
def test_units_are_spread_evenly_and_as_few_as_the_hop_lets_them_be(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), units_of(runs), strict=True):
        hops = [after - before for (before, _), (after, _) in pairwise(spans)]
        assert max(hops, default=0) <= HOP
        assert max(hops, default=0) - min(hops, default=0) <= 1
        if last - first > LENGTH:
            assert len(hops) == -(-(last - first - LENGTH) // HOP)


@given(RUNS)
def test_units_are_in_order_of_runs_and_time(runs: Runs) -> None:
    units = plan_units(runs, GRID, CONFIG)
    rows = list(zip(*(column.tolist() for column in units), strict=True))
    assert rows == sorted(rows)
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in units)


def test_without_runs_there_are_no_units() -> None:
    for runs in (np.zeros((0, 2), np.int64), run_of(LEAST - 1)):
        units = plan_units(runs, GRID, CONFIG)
        assert [column.shape for column in units] == [(0,)] * 3
        assert unit_seconds(runs, units, GRID).shape == (0,)
        assert plan_spans(units, GRID, 1.0, CONFIG) == []


@pytest.mark.parametrize(
    ("frames", "units"), [(4, 0), (5, 1), (25, 1), (26, 2), (35, 2), (36, 3), (45, 3), (46, 4)]
)
def test_a_run_has_as_many_units_as_it_needs(frames: int, units: int) -> None:
    assert [len(spans) for spans in units_of(run_of(frames))] == [units]


@given(RUNS)
def test_units_of_a_run_share_its_seconds(runs: Runs) -> None:
    units = plan_units(runs, GRID, CONFIG)
    seconds = unit_seconds(runs, units, GRID)
    assert seconds.dtype == np.float64
    for run, (first, last) in enumerate(runs.tolist()):
        mine = seconds[units.run == run].tolist()
        assert len(set(mine)) <= 1
        if mine:
            assert sum(mine) == pytest.approx((last - first) * 4 / 100)


def rows_of(span: Span) -> list[tuple[int, int]]:
    return [(first, last) for first, last in span.units.tolist()]


def longest_of(span_s: float) -> int:
    """Frames of the longest span; a unit is never cut."""
    return max(round(span_s * 25), LENGTH)


@given(RUNS, SPANS_S)
def test_every_unit_is_in_one_span_in_order(runs: Runs, span_s: float) -> None:
    units = plan_units(runs, GRID, CONFIG)
    spans = plan_spans(units, GRID, span_s, CONFIG)
    expected = list(zip(units.first.tolist(), units.last.tolist(), strict=True))
    assert [row for span in spans for row in rows_of(span)] == expected


@given(RUNS, SPANS_S)
def test_a_span_reaches_from_its_first_unit_to_its_last_and_no_further(
    runs: Runs, span_s: float
) -> None:
    for span in plan_spans(plan_units(runs, GRID, CONFIG), GRID, span_s, CONFIG):
        rows = rows_of(span)
        assert span.units.dtype == np.int64
        assert (span.first, span.last) == (rows[0][0], max(last for _, last in rows))
        assert type(span.first) is type(span.last) is int
        assert span.last - span.first <= longest_of(span_s)


@given(RUNS, SPANS_S)
def test_no_span_holds_units_of_two_runs(runs: Runs, span_s: float) -> None:
    for span in plan_spans(plan_units(runs, GRID, CONFIG), GRID, span_s, CONFIG):
        inside = (runs[:, 0] <= span.first) & (span.last <= runs[:, 1])
        assert inside.sum() == 1


@given(RUNS, SPANS_S)
def test_spans_of_a_run_are_as_few_as_equal_ones_can_be(runs: Runs, span_s: float) -> None:
    units = plan_units(runs, GRID, CONFIG)
    spans = plan_spans(units, GRID, span_s, CONFIG)
    for first, last in runs.tolist():
        mine = [span for span in spans if first <= span.first and span.last <= last]
        sizes = [len(span.units) for span in mine]
        assert max(sizes, default=0) - min(sizes, default=0) <= 1
        if len(mine) > 1:
            rows = np.concatenate([span.units for span in mine])
            fewer = np.array_split(rows, len(mine) - 1)
            assert any(part[-1, 1] - part[0, 0] > longest_of(span_s) for part in fewer)


def test_a_span_of_a_unit_hears_units_alone_and_a_long_one_all_of_a_run() -> None:
    units = plan_units(run_of(65), GRID, CONFIG)
    assert len(units.run) == 5
    alone = plan_spans(units, GRID, 1.0, CONFIG)
    assert [(span.first, span.last) for span in alone] == [
        (first, first + 25) for first in (3, 13, 23, 33, 43)
    ]
    (whole,) = plan_spans(units, GRID, 2.6, CONFIG)
    assert (whole.first, whole.last) == (3, 68)
    two = plan_spans(units, GRID, 2.5, CONFIG)
    assert [(span.first, span.last) for span in two] == [(3, 48), (33, 68)]


def sound_of(span: Span) -> Waveform:
    """The samples of a span, numbered from 1 so that each tells its place."""
    return np.arange(1, 1 + 4 * (span.last - span.first), dtype=np.float32)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Spans of some overlapping units."""
    runs = run_of(draw(st.integers(LEAST, 120)), draw(st.integers(0, 50)))
    units = plan_units(runs, GRID, CONFIG)
    found = plan_spans(units, GRID, draw(SPANS_S), CONFIG)
    return draw(st.sampled_from(found))


GRIDS = st.sampled_from([1, 4, 10, 30, 1000])
LEASTS = st.sampled_from([1, 90, 400])


def length_of(span: Span, least: int, grid: int) -> int:
    return heard_length(len(sound_of(span)), least, grid)


@given(st.integers(1, 10_000), LEASTS, GRIDS)
def test_what_is_heard_of_a_span_ends_on_the_grid(samples: int, least: int, grid: int) -> None:
    length = heard_length(samples, least, grid)
    assert length >= max(samples, least)
    assert length % grid == 0 or length == least
    assert length < samples + grid or length == least


@given(spans(), LEASTS, GRIDS)
def test_where_the_recording_ends_a_span_is_repeated(span: Span, least: int, grid: int) -> None:
    sound, length = sound_of(span), length_of(span, least, grid)
    inputs = span_inputs(sound, length, span, GRID)
    (heard,) = inputs["waveform"][:, 0]
    assert heard.tolist() == [sound[place % len(sound)] for place in range(length)]
    if len(span.units) == 1 and length > len(sound):
        assert inputs["masks"].all()  # the only unit sees what it is repeated by


@given(spans(), LEASTS, GRIDS)
def test_inputs_are_what_the_graph_takes(span: Span, least: int, grid: int) -> None:
    inputs = span_inputs(sound_of(span), length_of(span, least, grid), span, GRID)
    SPECS["embedding"].check_inputs(inputs, {"samples": least})
    assert inputs["masks"].shape[:2] == (1, len(span.units))
    samples, frames = inputs["waveform"].shape[2], inputs["masks"].shape[2]
    assert 4 * (frames - 1) < samples <= 4 * frames


@given(spans(), LEASTS, GRIDS)
def test_a_mask_is_its_unit_and_nothing_else(span: Span, least: int, grid: int) -> None:
    length = length_of(span, least, grid)
    sound = np.ones(length, np.float32)  # the recording goes on
    masks = span_inputs(sound, length, span, GRID)["masks"][0]
    for mask, (first, last) in zip(masks, rows_of(span), strict=True):
        seen = set(range(first - span.first, last - span.first))
        assert mask.tolist() == [float(frame in seen) for frame in range(len(mask))]


@given(spans(), LEASTS, GRIDS)
def test_what_a_recording_holds_is_not_copied(span: Span, least: int, grid: int) -> None:
    length = length_of(span, least, grid)
    sound = np.arange(length, dtype=np.float32)
    before = sound.copy()
    assert np.shares_memory(span_inputs(sound, length, span, GRID)["waveform"], sound)
    longer = span_inputs(sound, length + 1, span, GRID)["waveform"]
    assert not np.shares_memory(longer, sound)
    np.testing.assert_array_equal(sound, before)


@pytest.mark.parametrize(
    "changed",
    [
        {"length_s": 1e-4, "hop_s": 1e-4, "min_s": 1e-4},
        {"length_s": 0.02, "hop_s": 0.01, "min_s": 0.01},
        {"hop_s": 1e-4},
        {"min_s": 1e-4},
        {"span_s": 1e-4},
        {"span_s": 50.0},
    ],
    ids=str,
)
def test_every_accepted_length_gives_units_that_can_be_heard(changed: dict[str, float]) -> None:
    """A unit shorter than a frame is either refused or made do."""
    lengths = {"length_s": 1.0, "hop_s": 0.4, "min_s": 0.2, "span_s": 2.0}
    with suppress(ConfigError):
        config = UnitConfig(**(lengths | changed))
        found = plan_spans(plan_units(run_of(30), GRID, config), GRID, config.span_s or 1, config)
        assert found
        for span in found:
            length = length_of(span, 1, 7)
            SPECS["embedding"].check_inputs(span_inputs(sound_of(span), length, span, GRID))
