"""What is embedded: pieces of runs, each given to the graph as its own samples repeated."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket import embedding
from hocket.arrays import Masks, UnitEmbeddings, Units, Waveform
from hocket.config import UnitConfig
from hocket.embedding import embed, plan_units, unit_frames
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.graph import SPECS, Tensors
from hocket.masks import voice_masks

FRAMES = 48
GRID = Geometry(
    sample_rate=100,
    window_samples=200,
    frame_step=4,
    receptive_field=10,
    window_frames=FRAMES,
    slots=3,
)
CONFIG = UnitConfig(min_run_s=0.4, max_piece_s=1.0, min_clean_s=0.2, min_voice_s=0.12, grid_s=0.2)
MIN_RUN, MAX_PIECE, MIN_VOICE = 10, 25, 3  # in frames
GRID_SAMPLES, MAX_SAMPLES = 20, 100
STEP = 12  # frames from window to window

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
def mask_arrays(draw: st.DrawFn) -> Masks:
    """Slots that speak in runs, with and without overlap, (windows, frames, slots)."""
    masks = np.zeros((draw(st.integers(0, 3)), FRAMES, 3), np.uint8)
    lengths = st.lists(st.integers(0, 35), max_size=6)
    for window in range(len(masks)):
        for slot in range(3):
            runs = draw(lengths)
            speaks = np.repeat(np.arange(len(runs)) % 2, runs)[:FRAMES]
            masks[window, : len(speaks), slot] = speaks
    return masks


MASKS = mask_arrays()


def clean_runs(masks: Masks, window: int, slot: int) -> list[tuple[int, int]]:
    """Runs of frames in which a slot speaks and no other does."""
    runs = []
    alone = [row.sum() == 1 and row[slot] == 1 for row in masks[window]]
    for speaks, places in groupby(range(FRAMES), key=lambda frame: bool(alone[frame])):
        frames = list(places)
        if speaks:
            runs.append((frames[0], frames[-1] + 1))
    return runs


def rows(units: Units) -> Iterator[tuple[int, int, int, int]]:
    yield from zip(*(column.tolist() for column in units), strict=True)


def units_of(units: Units, window: int, slot: int) -> list[tuple[int, int]]:
    return [(first, last) for *place, first, last in rows(units) if place == [window, slot]]


@given(MASKS)
def test_pieces_tile_the_long_runs_and_nothing_else(masks: Masks) -> None:
    units = plan_units(masks, GRID, CONFIG)
    for window, slot in np.ndindex(len(masks), 3):
        long_runs = [run for run in clean_runs(masks, window, slot) if run[1] - run[0] >= MIN_RUN]
        found = units_of(units, window, slot)
        if not masks[window, :, slot].any():
            assert found == []
        elif not long_runs:
            assert found == [(0, FRAMES)]
        else:
            tiled = [frame for first, last in found for frame in range(first, last)]
            assert tiled == [frame for first, last in long_runs for frame in range(first, last)]
            assert {first for first, _ in long_runs} <= {first for first, _ in found}


@given(MASKS)
def test_pieces_of_a_run_are_equal_and_not_too_long(masks: Masks) -> None:
    units = plan_units(masks, GRID, CONFIG)
    for window, slot in np.ndindex(len(masks), 3):
        for first, last in clean_runs(masks, window, slot):
            lengths = [b - a for a, b in units_of(units, window, slot) if first <= a and b <= last]
            if last - first >= MIN_RUN:
                assert max(lengths) <= MAX_PIECE + 1
                assert max(lengths) - min(lengths) <= 1
                assert len(lengths) == -(-(last - first) // MAX_PIECE)


@given(MASKS)
def test_units_are_in_order_of_windows(masks: Masks) -> None:
    units = plan_units(masks, GRID, CONFIG)
    assert np.all(np.diff(units.window) >= 0)
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in units)


def test_silence_and_no_windows_have_no_units() -> None:
    for windows in (0, 2):
        units = plan_units(np.zeros((windows, FRAMES, 3), np.uint8), GRID, CONFIG)
        assert [column.shape for column in units] == [(0,)] * 4


@pytest.mark.parametrize(("frames", "pieces"), [(25, 1), (26, 2), (48, 2)])
def test_a_run_is_cut_into_as_few_pieces_as_can_be(frames: int, pieces: int) -> None:
    masks = np.zeros((1, FRAMES, 3), np.uint8)
    masks[0, :frames, 1] = 1
    assert len(units_of(plan_units(masks, GRID, CONFIG), 0, 1)) == pieces


@pytest.mark.parametrize(
    "changed",
    [
        {"min_run_s": 1e-4},
        {"max_piece_s": 1e-4},
        {"max_piece_s": 0.01, "min_voice_s": 0.005},
        {"min_voice_s": 1e-4},
        {"grid_s": 1e-4},
    ],
    ids=str,
)
def test_every_accepted_length_can_be_embedded_with(changed: dict[str, float]) -> None:
    """A piece shorter than a frame or a grid finer than a sample is either refused or made do."""
    lengths = {"min_run_s": 0.4, "max_piece_s": 1.0, "min_voice_s": 0.12, "grid_s": 0.2}
    masks = np.zeros((1, FRAMES, 3), np.uint8)
    masks[0, :30, 0] = 1
    with suppress(ConfigError):
        config = UnitConfig(**(lengths | changed))
        found = embed_all(masks, plan_units(masks, GRID, config), FakeGraph(), config)
        assert found.any()


def first_frames_of(masks: Masks) -> NDArray[np.int64]:
    return np.arange(len(masks), dtype=np.int64) * STEP


def recording_of(masks: Masks) -> Waveform:
    """A waveform with room for all windows, in which every sample tells its place."""
    return np.arange(1, GRID.frame_start(len(masks) * STEP + FRAMES) + 9, dtype=np.float32)


def embed_all(
    masks: Masks, units: Units, graph: FakeGraph, config: UnitConfig = CONFIG
) -> UnitEmbeddings:
    starts, waveform = first_frames_of(masks), recording_of(masks)
    return embed(waveform, starts, masks, units, graph, GRID, config, lambda _: None)


def samples_of(masks: Masks, row: tuple[int, int, int, int]) -> list[float]:
    """Samples around the centres of a unit's frames, frame by frame."""
    window, slot, first, last = row
    waveform, samples = recording_of(masks), list[float]()
    for frame in range(first, last):
        if masks[window, frame, slot]:
            centre = 5 + 4 * (window * STEP + frame)
            samples += waveform[centre - 2 : centre + 2].tolist()
    return samples


@given(MASKS)
def test_the_graph_hears_the_samples_of_a_unit_repeated(masks: Masks) -> None:
    voices = voice_masks(masks, 5)
    units = plan_units(masks, GRID, CONFIG)
    graph = FakeGraph()
    embeddings = embed_all(voices, units, graph)
    for embedding_, row in zip(embeddings, rows(units), strict=True):
        samples = samples_of(voices, row)
        if len(samples) < 4 * MIN_VOICE:
            assert not embedding_.any()
        else:
            sound = graph.sounds[int(embedding_[0]) - 1]
            assert sound == tuple(samples[place % len(samples)] for place in range(len(sound)))
            assert len(sound) % GRID_SAMPLES == 0
            rounded_up = len(samples) <= len(sound) < len(samples) + GRID_SAMPLES
            assert rounded_up or (len(sound) == MAX_SAMPLES < len(samples))


@given(MASKS)
def test_every_unit_with_enough_speech_is_embedded_once(masks: Masks) -> None:
    units = plan_units(masks, GRID, CONFIG)
    graph = FakeGraph()
    embeddings = embed_all(masks, units, graph)
    frames = [
        int(masks[window, first:last, slot].sum()) for window, slot, first, last in rows(units)
    ]
    enough = [number >= MIN_VOICE for number in frames]
    assert embeddings.shape == (len(frames), 4)
    assert embeddings.dtype == np.float32
    assert sorted(embeddings[enough, 0].tolist()) == list(range(1, 1 + sum(enough)))
    assert len(graph.sounds) == sum(enough)


@given(MASKS, st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0, 40.0]))
def test_batches_hold_equal_lengths_of_about_so_many_seconds(masks: Masks, batch_s: float) -> None:
    graph = FakeGraph()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "BATCH_S", batch_s)
        embed_all(masks, plan_units(masks, GRID, CONFIG), graph)
    lengths = [call.shape[1] for call in graph.calls]
    for length in set(lengths):
        sizes = [len(call) for call in graph.calls if call.shape[1] == length]
        assert set(sizes[:-1]) <= {max(sizes)}  # all full but the last
        assert max(sizes) == 1 or max(sizes) * length <= 100 * batch_s + length / 2


def test_a_full_batch_holds_as_many_seconds_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "BATCH_S", 3.0)
    masks = np.zeros((8, FRAMES, 3), np.uint8)
    masks[:, :MAX_PIECE, 0] = 1  # a second each
    graph = FakeGraph()
    embed_all(masks, plan_units(masks, GRID, CONFIG), graph)
    assert [call.shape for call in graph.calls] == [(3, 100), (3, 100), (2, 100)]


@given(MASKS, st.floats(0.05, 10))
def test_batches_do_not_change_embeddings(masks: Masks, batch_s: float) -> None:
    units = plan_units(masks, GRID, CONFIG)
    expected = embed_all(masks, units, MeanGraph())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "BATCH_S", batch_s)
        np.testing.assert_array_equal(embed_all(masks, units, MeanGraph()), expected)


@given(MASKS)
def test_progress_is_told_after_every_call(masks: Masks) -> None:
    graph, told = FakeGraph(), list[tuple[int, int]]()
    units = plan_units(masks, GRID, CONFIG)

    def advance(number: int) -> None:
        told.append((len(graph.calls), number))

    starts, waveform = first_frames_of(masks), recording_of(masks)
    embed(waveform, starts, masks, units, graph, GRID, CONFIG, advance)
    skipped = len(units.window) - sum(map(len, graph.calls))
    calls = [(number, len(call)) for number, call in enumerate(graph.calls, start=1)]
    assert told == ([(0, skipped)] if skipped else []) + calls


def test_a_few_words_are_not_embedded() -> None:
    masks = np.zeros((1, FRAMES, 3), np.uint8)
    masks[0, : MIN_VOICE - 1, 0] = 1
    masks[0, 20 : 20 + MIN_VOICE, 1] = 1
    graph = FakeGraph()
    embeddings = embed_all(masks, plan_units(masks, GRID, CONFIG), graph)
    assert embeddings.any(axis=1).tolist() == [False, True]
    assert len(graph.sounds) == 1


@st.composite
def unit_rows(draw: st.DrawFn, masks: Masks) -> list[tuple[int, int, int, int]]:
    places = st.tuples(st.integers(0, len(masks) - 1), st.integers(0, 2))
    edges = st.tuples(st.integers(0, FRAMES), st.integers(0, FRAMES))
    pairs = draw(st.lists(st.tuples(places, edges), max_size=6))
    return [(window, slot, min(span), max(span)) for (window, slot), span in pairs]


@given(MASKS.filter(len), st.data())
def test_frames_of_a_unit_are_counted_under_the_mask(masks: Masks, data: st.DataObject) -> None:
    chosen = data.draw(unit_rows(masks))
    found = unit_frames(masks, Units(*np.array(chosen, np.int64).reshape(-1, 4).T))
    expected = [
        sum(int(masks[window, frame, slot]) for frame in range(first, last))
        for window, slot, first, last in chosen
    ]
    assert found.tolist() == expected
    assert found.shape == (len(chosen),)
