"""Peaks that windows share: each window has its own, and no place of a stream is heard twice."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.audio.buffer import SampleBuffer
from hocket.graph import SPECS, GraphSpec, Tensors
from hocket.online.sinc_cache import SincCache

STEP, FIELD = 3, 7


@dataclass
class RulePeaks:
    """Of every place the samples it hears, and how much it was given."""

    given: list[int] = field(default_factory=list)
    spec: GraphSpec = SPECS["sinc_peaks"]
    metadata: Mapping[str, str] = field(
        default_factory=lambda: {"place_step": str(STEP), "place_field": str(FIELD)}
    )

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        sound = inputs["waveform"]
        places = np.lib.stride_tricks.sliding_window_view(sound[0, 0], FIELD)[::STEP]
        self.given.append(len(places))
        return {"peaks": np.resize(places.T, (160, len(places)))[None].astype(np.float32)}


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    """Lengths of blocks, and windows in their order: each begins at a place, none goes back."""
    windows, start, end = [], 0, FIELD
    for _ in range(draw(st.integers(1, 8))):
        start += STEP * draw(st.integers(0, 12))
        end = max(end + draw(st.integers(0, 30)), start + FIELD)
        windows.append((start, end))
    return draw(st.lists(st.integers(1, 40), max_size=6)), windows


@given(streams(), st.booleans())
def test_every_window_has_its_peaks_and_no_place_is_heard_twice(
    case: tuple[list[int], list[tuple[int, int]]], backwards: bool
) -> None:
    blocks, windows = case
    length = windows[-1][1]
    sound = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    graph, buffer, asked = RulePeaks(), SampleBuffer(), []
    shared = SincCache(graph)
    for block in np.split(sound, np.cumsum(blocks)[np.cumsum(blocks) < length]):
        buffer.append(block)
    for start, end in windows:
        asked.append(shared.of_window(start, end, buffer))
        buffer.release(start)
    found = [ask() for ask in (reversed(asked) if backwards else asked)]
    heard = sum(graph.given)
    for (start, end), peaks in zip(windows, reversed(found) if backwards else found, strict=True):
        expected = RulePeaks().run({"waveform": sound[None, None, start:end]})["peaks"]
        assert np.array_equal(peaks, expected)
    everywhere = {place for start, end in windows for place in places_of(start, end)}
    assert heard == len(everywhere)


def places_of(start: int, end: int) -> range:
    return range(start // STEP, (end - FIELD) // STEP + 1)


def test_threads_that_ask_at_once_have_them_found_once() -> None:
    graph, buffer = RulePeaks(), SampleBuffer()
    buffer.append(np.arange(3_000, dtype=np.float32))
    shared = SincCache(graph)
    asked = [shared.of_window(300 * n, 300 * n + 900, buffer) for n in range(7)]
    with ThreadPoolExecutor(7) as pool:
        found = list(pool.map(lambda ask: ask(), asked * 3))
    for n, peaks in enumerate(found):
        assert peaks[0, 0, 0] == 300 * (n % 7)
    assert len(graph.given) == 7


def test_what_no_later_window_holds_is_let_go() -> None:
    graph, buffer = RulePeaks(), SampleBuffer()
    shared = SincCache(graph)
    for n in range(100):
        buffer.append(np.zeros(300, np.float32))
        if n >= 3:
            shared.of_window(300 * (n - 3), 300 * (n + 1), buffer)()
            buffer.release(300 * (n - 3))
    assert len(shared._stretches) == 4
    sounds = [stretch._sound for stretch in shared._stretches]
    assert sounds == [[]] * 4  # what was heard is needed no more
