"""What is embedded: short pieces of runs, each given to the graph as its own samples repeated."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket import embedding
from hocket.arrays import Runs, UnitEmbeddings, Units, Waveform
from hocket.config import UnitConfig
from hocket.embedding import embed, plan_units, unit_seconds
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.graph import SPECS, Tensors

GRID = Geometry(100, 200, 4, 10, 48, 3)
CONFIG = UnitConfig(length_s=1.0, hop_s=0.4, min_s=0.2, grid_s=0.3)
LENGTH, HOP, LEAST = 25, 10, 5  # in frames
GRID_SAMPLES = 30

Sound = tuple[float, ...]


class FakeGraph:
    """An embedding graph that keeps what it is given; an embedding is the sound's number, from 1.

    Equal numbers of sounds and embeddings let a test find the sound behind an embedding.
    """

    spec = SPECS["embedding"]
    metadata: Mapping[str, str] = {"dimension": "4"}

    def __init__(self) -> None:
        self.calls: list[NDArray[np.float32]] = []

    @property
    def sounds(self) -> list[Sound]:
        return [tuple(sound.tolist()) for call in self.calls for sound in call]

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.spec.check_inputs(inputs)
        assert inputs["masks"].all()
        first = 1 + len(self.sounds)
        self.calls.append(inputs["waveform"][:, 0].copy())
        numbers = np.arange(first, 1 + len(self.sounds), dtype=np.float32)
        return {"embeddings": np.tile(numbers[:, None, None], (1, 1, 4))}


class MeanGraph(FakeGraph):
    """An embedding graph whose embeddings depend on the sound alone."""

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        super().run(inputs)
        sounds = inputs["waveform"][:, 0]
        columns = [sounds[:, 0], sounds[:, -1], sounds.max(axis=1), sounds.min(axis=1)]
        return {"embeddings": np.stack(columns, axis=1)[:, None]}


@st.composite
def run_arrays(draw: st.DrawFn) -> Runs:
    """Runs in order of time, some of them touching, of one frame to several units."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 90)), max_size=7))
    ends = np.cumsum(np.array(pairs, np.int64).reshape(-1))
    return ends.reshape(-1, 2)


RUNS = run_arrays()


def run_of(frames: int, first: int = 3) -> Runs:
    return np.array([[first, first + frames]], np.int64)


def spans_of(runs: Runs, config: UnitConfig = CONFIG) -> Iterator[list[tuple[int, int]]]:
    """First and last frame of the units of each run."""
    units = plan_units(runs, GRID, config)
    for run in range(len(runs)):
        mine = units.run == run
        yield list(zip(units.first[mine].tolist(), units.last[mine].tolist(), strict=True))


@given(RUNS)
def test_units_cover_the_runs_that_are_long_enough_and_nothing_else(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), spans_of(runs), strict=True):
        covered = {frame for start, end in spans for frame in range(start, end)}
        assert covered == (set(range(first, last)) if last - first >= LEAST else set())


@given(RUNS)
def test_a_run_up_to_the_length_is_one_unit_and_longer_ones_have_units_of_it(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), spans_of(runs), strict=True):
        if LEAST <= last - first <= LENGTH:
            assert spans == [(first, last)]
        assert all(end - start == min(LENGTH, last - first) for start, end in spans)


@given(RUNS)
def test_units_are_spread_evenly_and_as_few_as_the_hop_lets_them_be(runs: Runs) -> None:
    for (first, last), spans in zip(runs.tolist(), spans_of(runs), strict=True):
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
        graph = FakeGraph()
        assert embed_all(runs, graph).shape == (0, 4)
        assert graph.calls == []


@pytest.mark.parametrize(
    ("frames", "units"), [(4, 0), (5, 1), (25, 1), (26, 2), (35, 2), (36, 3), (45, 3), (46, 4)]
)
def test_a_run_has_as_many_units_as_it_needs(frames: int, units: int) -> None:
    assert [len(spans) for spans in spans_of(run_of(frames))] == [units]


@pytest.mark.parametrize(
    "changed",
    [
        {"length_s": 1e-4, "hop_s": 1e-4, "min_s": 1e-4},
        {"length_s": 0.02, "hop_s": 0.01, "min_s": 0.01},
        {"hop_s": 1e-4},
        {"min_s": 1e-4},
        {"grid_s": 1e-4},
        {"grid_s": 50.0},
    ],
    ids=str,
)
def test_every_accepted_length_can_be_embedded_with(changed: dict[str, float]) -> None:
    """A unit shorter than a frame or a grid finer than a sample is either refused or made do."""
    lengths = {"length_s": 1.0, "hop_s": 0.4, "min_s": 0.2, "grid_s": 0.2}
    with suppress(ConfigError):
        found = embed_all(run_of(30), FakeGraph(), UnitConfig(**(lengths | changed)))
        assert len(found)
        assert found.any(axis=1).all()


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


def recording_of(runs: Runs) -> Waveform:
    """A waveform with room for all runs, in which every sample tells its place."""
    return np.arange(1, GRID.frame_start(int(runs.max(initial=0))) + 9, dtype=np.float32)


def embed_all(runs: Runs, graph: FakeGraph, config: UnitConfig = CONFIG) -> UnitEmbeddings:
    units = plan_units(runs, GRID, config)
    return embed(recording_of(runs), units, graph, GRID, config, lambda _: None)


def samples_of(first: int, last: int) -> list[float]:
    """Samples around the centres of frames, numbered from 1; frame 0 is centred on sample 5."""
    return [float(sample + 1) for sample in range(5 + 4 * first - 2, 5 + 4 * last - 2)]


def rows_of(units: Units) -> Iterator[tuple[int, int]]:
    yield from zip(units.first.tolist(), units.last.tolist(), strict=True)


@given(RUNS)
def test_the_graph_hears_the_samples_of_a_unit_repeated_up_to_the_grid(runs: Runs) -> None:
    units, graph = plan_units(runs, GRID, CONFIG), FakeGraph()
    for embedding_, row in zip(embed_all(runs, graph), rows_of(units), strict=True):
        samples = samples_of(*row)
        sound = graph.sounds[int(embedding_[0]) - 1]
        assert sound == tuple(samples[place % len(samples)] for place in range(len(sound)))
        assert len(sound) % GRID_SAMPLES == 0
        assert len(samples) <= len(sound) < len(samples) + GRID_SAMPLES


@given(RUNS)
def test_every_unit_is_embedded_once(runs: Runs) -> None:
    graph = FakeGraph()
    embeddings = embed_all(runs, graph)
    number = len(plan_units(runs, GRID, CONFIG).run)
    assert embeddings.shape == (number, 4)
    assert embeddings.dtype == np.float32
    assert sorted(embeddings[:, 0].tolist()) == list(range(1, 1 + number))
    assert len(graph.sounds) == number


@given(RUNS, st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0, 40.0]))
def test_batches_hold_equal_lengths_of_about_so_many_seconds(runs: Runs, batch_s: float) -> None:
    graph = FakeGraph()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "BATCH_S", batch_s)
        embed_all(runs, graph)
    lengths = [call.shape[1] for call in graph.calls]
    for length in set(lengths):
        sizes = [len(call) for call in graph.calls if call.shape[1] == length]
        assert set(sizes[:-1]) <= {max(sizes)}  # all full but the last
        assert max(sizes) == 1 or max(sizes) * length <= 100 * batch_s + length / 2


def test_a_full_batch_holds_as_many_seconds_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BATCH_S", 3.6)
    runs = np.array([[30 * run, 30 * run + LENGTH] for run in range(8)], np.int64)
    graph = FakeGraph()
    embed_all(runs, graph)
    assert [call.shape for call in graph.calls] == [(3, 120), (3, 120), (2, 120)]


@given(RUNS, st.floats(0.05, 10))
def test_batches_do_not_change_embeddings(runs: Runs, batch_s: float) -> None:
    expected = embed_all(runs, MeanGraph())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "BATCH_S", batch_s)
        np.testing.assert_array_equal(embed_all(runs, MeanGraph()), expected)


@given(RUNS)
def test_progress_is_told_after_every_call(runs: Runs) -> None:
    graph, told = FakeGraph(), list[tuple[int, int]]()

    def advance(number: int) -> None:
        told.append((len(graph.calls), number))

    embed(recording_of(runs), plan_units(runs, GRID, CONFIG), graph, GRID, CONFIG, advance)
    assert told == [(number, len(call)) for number, call in enumerate(graph.calls, start=1)]
