"""Windows cover the recording, lie on the frame grid and are views of the waveform."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import Waveform, Windows
from hocket.config import WindowConfig
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.windows import SlicedWindows, slice_windows

RATE = 100
SHIPPED = Geometry(16_000, 160_000, 270, 991, 589, 3)

Cut = tuple[Waveform, Geometry, int]
"""A waveform, the geometry it is cut for, and the step in frames."""


def numbered(samples: int) -> Waveform:
    """A waveform in which every sample tells its place, from 1."""
    return np.arange(1, samples + 1, dtype=np.float32)


def geometry_of(window_samples: int, frame_step: int, receptive_field: int = 0) -> Geometry:
    field = max(receptive_field, frame_step)
    frames = 1 + (window_samples - field) // frame_step
    return Geometry(RATE, window_samples, frame_step, field, frames, 3)


@st.composite
def cuts(draw: st.DrawFn, shortest: int = 0) -> Cut:
    """Recordings of no sample to several windows; the step is at most a window."""
    frame_step = draw(st.integers(1, 7))
    window = draw(st.integers(frame_step, 50))
    samples = draw(st.integers(shortest * window, 4 * window + 2 * frame_step))
    geometry = geometry_of(window, frame_step, draw(st.integers(0, window)))
    return numbered(samples), geometry, draw(st.integers(1, window // frame_step))


def slice_cut(cut: Cut) -> SlicedWindows:
    waveform, geometry, step_frames = cut
    return slice_windows(waveform, geometry, step_frames * geometry.frame_step / RATE)


def everything(windows: SlicedWindows) -> Windows:
    return np.concatenate([windows.regular, windows.tail])


def heard(windows: SlicedWindows) -> NDArray[np.float32]:
    """Numbers of the samples that some window holds; padding is 0 and not among them."""
    values = np.unique(everything(windows))
    return values[values > 0]


@given(cuts())
def test_every_sample_is_in_a_window(cut: Cut) -> None:
    np.testing.assert_array_equal(heard(slice_cut(cut)), cut[0])


@pytest.mark.parametrize("step_s", [2.5, 9.99, 10.0, 15.0])
def test_no_accepted_step_leaves_sound_unheard(step_s: float) -> None:
    waveform = numbered(35 * 16_000)
    with suppress(ConfigError):
        step = WindowConfig(step_s=step_s).step_s
        windows = slice_windows(waveform, SHIPPED, step)
        missed = len(waveform) - len(heard(windows))
        assert missed == 0


def test_a_step_longer_than_a_window_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(ConfigError, match=r"^step_s is 12\.5; give at most [\d.]+") as caught:
        slice_windows(numbered(9), SHIPPED, 12.5)
    longest = float(str(caught.value).split("at most ")[1].split(",")[0])
    windows = slice_windows(numbered(35 * 16_000), SHIPPED, longest)
    assert len(heard(windows)) == 35 * 16_000


@given(cuts())
def test_a_window_holds_the_samples_from_its_first_frame_on(cut: Cut) -> None:
    waveform, geometry, _ = cut
    windows = slice_cut(cut)
    rows = everything(windows)
    assert len(rows) == len(windows) == len(windows.first_frames)
    for row, first_frame in zip(rows, windows.first_frames.tolist(), strict=True):
        start = first_frame * geometry.frame_step
        expected = waveform[start : start + geometry.window_samples].tolist()
        padding = [0.0] * (geometry.window_samples - len(expected))
        assert row.tolist() == expected + padding
    assert rows.dtype == np.float32


@given(cuts())
def test_first_frames_rise_from_zero(cut: Cut) -> None:
    first_frames = slice_cut(cut).first_frames
    assert np.all(np.diff(first_frames) > 0)
    assert first_frames[:1].tolist() in ([], [0])


@given(cuts())
def test_regular_windows_lie_one_step_apart_wherever_they_fit(cut: Cut) -> None:
    waveform, geometry, step_frames = cut
    windows = slice_cut(cut)
    last_start = len(waveform) - geometry.window_samples
    starts = range(0, last_start + 1, step_frames * geometry.frame_step)
    found = windows.first_frames[: len(windows.regular)] * geometry.frame_step
    assert found.tolist() == list(starts)


@given(cuts(shortest=1))
def test_regular_windows_are_views(cut: Cut) -> None:
    windows = slice_cut(cut)
    assert all(np.shares_memory(window, cut[0]) for window in windows.regular)


@given(cuts(shortest=1))
def test_the_tail_is_padded_by_less_than_a_frame(cut: Cut) -> None:
    _, geometry, _ = cut
    tail = slice_cut(cut).tail
    assert np.count_nonzero(tail == 0) < geometry.frame_step


@given(cuts())
def test_there_is_a_tail_only_where_regular_windows_end_early(cut: Cut) -> None:
    waveform = cut[0]
    windows = slice_cut(cut)
    reached = windows.regular.max(initial=0)
    assert len(windows.tail) == (reached < len(waveform))
    assert windows.tail.max(initial=0) in {0, len(waveform)}


@given(st.integers(1, 39))
def test_a_recording_shorter_than_a_window_is_one_padded_window(samples: int) -> None:
    windows = slice_windows(numbered(samples), geometry_of(40, 3), 0.1)
    assert len(windows) == 1
    assert windows.first_frames.tolist() == [0]
    assert windows.tail[0].tolist() == [*range(1, samples + 1), *[0] * (40 - samples)]


@given(cuts())
def test_the_waveform_stays_as_it_was(cut: Cut) -> None:
    slice_cut(cut)
    np.testing.assert_array_equal(cut[0], numbered(len(cut[0])))


def test_an_empty_waveform_has_no_windows() -> None:
    windows = slice_windows(numbered(0), SHIPPED, 2.5)
    assert len(windows) == 0
    assert windows.first_frames.shape == (0,)
    assert list(windows.batches(4)) == []


@given(cuts(), st.integers(1, 40))
def test_batches_are_all_windows_in_order(cut: Cut, size: int) -> None:
    windows = slice_cut(cut)
    batches = list(windows.batches(size))
    assert all(1 <= len(batch) <= size for batch in batches)
    rows = [row.tolist() for batch in batches for row in batch]
    assert rows == everything(windows).tolist()


def test_a_step_is_rounded_to_whole_frames_and_never_to_none() -> None:
    geometry = geometry_of(40, 4)
    waveform = numbered(400)
    for step_s, frames in [(0.001, 1), (0.05, 1), (0.07, 2), (0.11, 3)]:
        first_frames = slice_windows(waveform, geometry, step_s).first_frames
        assert set(np.diff(first_frames[:-1]).tolist()) == {frames}


@given(cuts())
def test_heard_frames_of_the_last_window_end_within_the_recording(cut: Cut) -> None:
    waveform, geometry, _ = cut
    windows = slice_cut(cut)
    first = int(windows.first_frames.max(initial=0))
    ends = [geometry.frame_start(first + frame + 1) for frame in range(geometry.window_frames)]
    assert windows.heard_frames == sum(end <= len(waveform) for end in ends)
