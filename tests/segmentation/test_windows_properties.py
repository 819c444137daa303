"""Windows cover the recording on the frame grid, and sums over them come out frame by frame."""

from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.config import WindowConfig
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.segmentation.windows import FrameSums, WindowGrid, covered_frames
from tests.helpers.geometry import RATE, SHIPPED, grid_of


class Cut(NamedTuple):
    """A recording of so many samples, and the step of its windows."""

    samples: int
    geometry: Geometry
    step_frames: int

    @property
    def grid(self) -> WindowGrid:
        step_s = self.step_frames * self.geometry.frame_step / RATE
        return WindowGrid.of(self.geometry, step_s)

    @property
    def starts(self) -> list[int]:
        starts = self.grid.starts(self.samples)
        assert starts.dtype == np.int64
        assert starts.ndim == 1
        found: list[int] = starts.tolist()
        return found

    @property
    def regular(self) -> list[int]:
        """Starts of the windows within the recording, one step apart."""
        step = self.step_frames * self.geometry.frame_step
        return list(range(0, self.samples - self.geometry.window_samples + 1, step))


@st.composite
def cuts(draw: st.DrawFn, shortest: int = 0) -> Cut:
    """Recordings from no sample to several windows; the step is at most a window."""
    frame_step = draw(st.integers(1, 7))
    window = draw(st.integers(frame_step, 50))
    samples = draw(st.integers(shortest * window, 4 * window + 2 * frame_step))
    geometry = grid_of(window, frame_step, draw(st.integers(frame_step, window)))
    return Cut(samples, geometry, draw(st.integers(1, window // frame_step)))


def covered(starts: list[int], length: int, samples: int) -> set[int]:
    """Samples that some window contains."""
    return {sample for start in starts for sample in range(start, min(start + length, samples))}


@given(cuts())
def test_every_sample_is_in_a_window(cut: Cut) -> None:
    found = covered(cut.starts, cut.geometry.window_samples, cut.samples)
    assert found == set(range(cut.samples))


@pytest.mark.parametrize("step_s", [2.5, 9.99, 10.0, 15.0])
def test_no_accepted_step_skips_samples(step_s: float) -> None:
    with suppress(ConfigError):
        grid = WindowGrid.of(SHIPPED, WindowConfig(step_s=step_s).step_s)
        starts = grid.starts(35 * 16_000).tolist()
        assert all(after - before <= 160_000 for before, after in pairwise(starts))
        assert starts[0] == 0
        assert starts[-1] + 160_000 >= 35 * 16_000


def test_a_step_longer_than_a_window_is_refused_with_the_longest_allowed() -> None:
    with pytest.raises(ConfigError, match=r"^step_s is 12\.5; give at most [\d.]+") as caught:
        WindowGrid.of(SHIPPED, 12.5)
    longest = float(str(caught.value).split("at most ")[1].split(",")[0])
    assert 9.9 < longest < 10
    assert WindowGrid.of(SHIPPED, longest).step <= 160_000


@given(cuts())
def test_windows_start_on_frames_in_order_and_never_twice(cut: Cut) -> None:
    starts = cut.starts
    assert all(start % cut.geometry.frame_step == 0 for start in starts)
    assert all(before < after for before, after in pairwise(starts))
    assert starts[:1] == ([0] if cut.samples else [])


@given(cuts())
def test_windows_are_one_step_apart_wherever_they_fit(cut: Cut) -> None:
    assert cut.starts[: len(cut.regular)] == cut.regular
    assert len(cut.starts) <= len(cut.regular) + 1


@given(cuts())
def test_windows_are_counted_as_samples_arrive(cut: Cut) -> None:
    assert cut.grid.whole(cut.samples) == len(cut.regular)
    assert cut.grid.count(cut.samples) == len(cut.starts)


@given(cuts())
def test_there_is_a_tail_only_if_regular_windows_end_early(cut: Cut) -> None:
    reached = cut.regular[-1] + cut.geometry.window_samples if cut.regular else 0
    assert (len(cut.starts) > len(cut.regular)) == (reached < cut.samples)


@given(cuts(shortest=1))
def test_the_tail_is_padded_by_less_than_a_frame(cut: Cut) -> None:
    excess = cut.starts[-1] + cut.geometry.window_samples - cut.samples
    assert excess < cut.geometry.frame_step


@given(cuts(shortest=1))
def test_the_tail_starts_after_the_last_whole_window_and_before_the_next(cut: Cut) -> None:
    """So a stream may release everything before its last window, and no more."""
    last = cut.regular[-1]
    assert all(last < start <= last + cut.grid.step for start in cut.starts[len(cut.regular) :])


@given(st.integers(1, 39))
def test_a_recording_shorter_than_a_window_is_one_window(samples: int) -> None:
    assert WindowGrid.of(grid_of(40, 3, 3), 0.1).starts(samples).tolist() == [0]


def test_an_empty_recording_has_no_windows() -> None:
    starts = WindowGrid.of(SHIPPED, 2.5).starts(0)
    assert starts.shape == (0,)
    assert starts.dtype == np.int64


def test_ten_hours_on_the_shipped_grid() -> None:
    grid = WindowGrid.of(SHIPPED, 2.5)
    samples = 36_000 * 16_000
    starts = grid.starts(samples)
    assert grid.step == 148 * 270
    assert len(starts) == 1 + -(-(samples - 160_000) // grid.step) == grid.count(samples)
    assert int(starts[-1]) + 160_000 - samples in range(270)


def test_a_step_is_rounded_to_at_least_one_whole_frame() -> None:
    geometry = grid_of(40, 4, 4)
    for step_s, frames in [(0.001, 1), (0.05, 1), (0.07, 2), (0.11, 3)]:
        assert WindowGrid.of(geometry, step_s).step == 4 * frames


@given(cuts())
def test_covered_frames_of_a_window_end_within_the_recording(cut: Cut) -> None:
    geometry = cut.geometry
    for start in cut.starts:
        first = start // geometry.frame_step
        ends = [geometry.frame_start(first + frame + 1) for frame in range(geometry.window_frames)]
        assert covered_frames(cut.samples, start, geometry) == sum(
            end <= cut.samples for end in ends
        )


@given(cuts(shortest=1))
def test_a_whole_window_is_covered_to_its_last_frame(cut: Cut) -> None:
    for start in cut.regular:
        end = start + cut.geometry.window_samples
        assert covered_frames(end, start, cut.geometry) == cut.geometry.window_frames


class Overlap(NamedTuple):
    """Windows of numbers at increasing frames, and the frame up to which to settle after each."""

    firsts: list[int]
    values: list[NDArray[np.float64]]
    settled: list[int]


@st.composite
def overlaps(draw: st.DrawFn) -> Overlap:
    """Windows may overlap, touch, or leave frames between them."""
    steps = draw(st.lists(st.integers(0, 9), max_size=6))
    firsts = np.cumsum(np.array(steps, np.int64)).tolist()
    lengths = [draw(st.integers(1, 8)) for _ in firsts]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = [rng.integers(-50, 50, (length, 2)).astype(np.float64) for length in lengths]
    settled, reached = [], 0
    for after in [*firsts[1:], max([0, *firsts]) + 12][: len(firsts)]:
        reached = draw(st.integers(reached, after))
        settled.append(reached)
    return Overlap(firsts, values, settled)


@given(overlaps())
def test_sums_do_not_depend_on_how_they_are_settled(
    overlap: Overlap,
) -> None:
    end = max([0, *overlap.firsts]) + 12
    whole = np.zeros((end, 2))
    sums, handed = FrameSums(2, np.float64), list[NDArray[np.floating]]()
    for first, values, settled in zip(*overlap, strict=True):
        whole[first : first + len(values)] += values
        sums.add(first, values)
        handed.append(sums.settle(settled))
        assert sums.settled == settled
    handed.append(sums.settle(end))
    np.testing.assert_array_equal(np.concatenate(handed), whole)


@given(overlaps())
def test_only_unsettled_sums_are_kept(overlap: Overlap) -> None:
    sums = FrameSums(2, np.float64)
    for first, values, settled in zip(*overlap, strict=True):
        sums.add(first, values)
        sums.settle(settled)
        assert len(sums._sums) <= max(0, first + 8 - settled)
        assert sums._sums.base is None  # a view would keep all of the earlier sums


@given(overlaps())
def test_inputs_and_returned_sums_are_not_changed(overlap: Overlap) -> None:
    before = [values.copy() for values in overlap.values]
    sums, handed = FrameSums(2, np.float64), list[NDArray[np.floating]]()
    kept = list[NDArray[np.floating]]()
    for first, values, settled in zip(*overlap, strict=True):
        sums.add(first, values)
        handed.append(sums.settle(settled))
        kept.append(handed[-1].copy())
    for now, then in zip([*overlap.values, *handed], [*before, *kept], strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_have_the_requested_dtype(dtype: type[np.floating]) -> None:
    sums = FrameSums(3, dtype)
    assert sums.settle(0).shape == (0, 3)
    sums.add(0, np.ones((4, 3), np.float16))
    assert sums.settle(6).dtype == dtype
