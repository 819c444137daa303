"""Sinc features that windows share: each window gets its own, each frame is computed once."""

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
class RuleSinc:
    """A rule that returns the samples of every frame, and counts frames."""

    given: list[int] = field(default_factory=list)
    spec: GraphSpec = SPECS["sinc_peaks"]
    metadata: Mapping[str, str] = field(
        default_factory=lambda: {"place_step": str(STEP), "place_field": str(FIELD)}
    )

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        sound = inputs["waveform"]
        frames = np.lib.stride_tricks.sliding_window_view(sound[0, 0], FIELD)[::STEP]
        self.given.append(len(frames))
        return {"peaks": np.resize(frames.T, (160, len(frames)))[None].astype(np.float32)}


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]]]:
    """Lengths of blocks, and windows in order: each begins at a frame, none goes back."""
    windows, start, end = [], 0, FIELD
    for _ in range(draw(st.integers(1, 8))):
        start += STEP * draw(st.integers(0, 12))
        end = max(end + draw(st.integers(0, 30)), start + FIELD)
        windows.append((start, end))
    return draw(st.lists(st.integers(1, 40), max_size=6)), windows


@given(streams(), st.booleans())
def test_every_window_gets_its_features_and_each_frame_is_computed_once(
    case: tuple[list[int], list[tuple[int, int]]], backwards: bool
) -> None:
    blocks, windows = case
    length = windows[-1][1]
    sound = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    graph, buffer, requests = RuleSinc(), SampleBuffer(), []
    cache = SincCache(graph)
    for block in np.split(sound, np.cumsum(blocks)[np.cumsum(blocks) < length]):
        buffer.append(block)
    for start, end in windows:
        requests.append(cache.of_window(start, end, buffer))
        buffer.release(start)
    found = [request() for request in (reversed(requests) if backwards else requests)]
    computed = sum(graph.given)
    for (start, end), features in zip(
        windows, reversed(found) if backwards else found, strict=True
    ):
        expected = RuleSinc().run({"waveform": sound[None, None, start:end]})["peaks"]
        assert np.array_equal(features, expected)
    everywhere = {frame for start, end in windows for frame in frames_of(start, end)}
    assert computed == len(everywhere)


def frames_of(start: int, end: int) -> range:
    return range(start // STEP, (end - FIELD) // STEP + 1)


def test_concurrent_threads_compute_each_part_once() -> None:
    graph, buffer = RuleSinc(), SampleBuffer()
    buffer.append(np.arange(3_000, dtype=np.float32))
    cache = SincCache(graph)
    requests = [cache.of_window(300 * n, 300 * n + 900, buffer) for n in range(7)]
    with ThreadPoolExecutor(7) as pool:
        found = list(pool.map(lambda request: request(), requests * 3))
    for n, features in enumerate(found):
        assert features[0, 0, 0] == 300 * (n % 7)
    assert len(graph.given) == 7


def test_parts_that_no_later_window_needs_are_released() -> None:
    graph, buffer = RuleSinc(), SampleBuffer()
    cache = SincCache(graph)
    for n in range(100):
        buffer.append(np.zeros(300, np.float32))
        if n >= 3:
            cache.of_window(300 * (n - 3), 300 * (n + 1), buffer)()
            buffer.release(300 * (n - 3))
    assert len(cache._parts) == 4
    sounds = [part._sound for part in cache._parts]
    assert sounds == [[]] * 4  # the samples of computed parts are released
