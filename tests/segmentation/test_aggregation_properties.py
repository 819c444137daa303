"""Windows to probabilities, with a network whose output differs for every frame."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import LogProbs, Occupancy
from hocket.geometry import Geometry
from hocket.segmentation.aggregation import Segmentation, SegmentationSums
from hocket.segmentation.powerset import occupancy, slot_activity
from hocket.segmentation.regions import SpeakerChange, speaker_changes
from hocket.segmentation.windows import WindowGrid, covered_frames
from tests.helpers.geometry import RATE, grid_of

REACH = 3
RAMP = 3  # frames at the ends of a window with less weight


class Found(NamedTuple):
    """All results of a recording; occupancy and speaker changes in the parts that were settled."""

    segmentation: Segmentation
    occupancy: list[Occupancy]
    change: list[SpeakerChange]


class Case(NamedTuple):
    """A recording of so many samples, and its windows."""

    samples: int
    geometry: Geometry
    starts: list[int]

    @property
    def firsts(self) -> list[int]:
        return [start // self.geometry.frame_step for start in self.starts]

    @property
    def frames(self) -> int:
        """Frames up to the end of the last window."""
        return self.firsts[-1] + self.geometry.window_frames if self.starts else 0

    def covered(self, window: int) -> int:
        return covered_frames(self.samples, self.starts[window], self.geometry)

    def in_time(self, frame: int) -> bool:
        """Whether a frame of the recording ends within it."""
        return self.geometry.frame_start(frame + 1) <= self.samples

    def log_probs(self, window: int) -> LogProbs:
        """Log-probabilities of one window, (1, frames, 7), never the same for two frames."""
        frames = np.arange(self.geometry.window_frames)
        samples = self.starts[window] + frames * self.geometry.frame_step
        logits = 4 * np.sin((samples + 0.3 * frames)[:, None] * np.arange(1, 8))
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return (logits - total).astype(np.float32)[None]

    def sum_up(self, settled: list[int] | None = None) -> Found:
        """Add all windows and settle up to the given frame after each (default: at the end)."""
        sums = SegmentationSums(self.geometry, REACH, RAMP)
        found = Found(sums.result(), [], [])
        ends = [0] * len(self.starts) if settled is None else settled
        for window, end in enumerate([*ends, self.frames]):
            if window < len(self.starts):
                sums.add(self.firsts[window], self.log_probs(window), self.covered(window))
            occupied, change = sums.settle(end)
            found.occupancy.append(occupied)
            found.change.append(change)
        return found._replace(segmentation=sums.result())


def case_of(samples: int, window: int, frame_step: int, field: int, step: int) -> Case:
    geometry = grid_of(window, frame_step, field)
    grid = WindowGrid.of(geometry, step * frame_step / RATE)
    return Case(samples, geometry, grid.starts(samples).tolist())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Recordings from no sample to many windows; the step is at most a window."""
    frame_step = draw(st.integers(1, 5))
    window = draw(st.integers(frame_step, 40))
    field = draw(st.integers(frame_step, window))
    samples = draw(st.integers(0, 4 * window + 2 * frame_step))
    return case_of(samples, window, frame_step, field, draw(st.integers(1, window // frame_step)))


@st.composite
def settled_cases(draw: st.DrawFn) -> tuple[Case, list[int]]:
    """A case, and a frame to settle up to after each window: never beyond the next window."""
    case = draw(cases())
    settled, reached = [], 0
    for after in [*case.firsts[1:], case.frames][: len(case.firsts)]:
        reached = draw(st.integers(reached, after))
        settled.append(reached)
    return case, settled


@given(cases())
def test_a_window_keeps_the_activity_of_its_slots(case: Case) -> None:
    found = case.sum_up().segmentation
    assert found.first_frames.dtype == np.int64
    assert found.first_frames.tolist() == case.firsts
    assert found.activity.dtype == np.float16
    assert found.activity.shape == (len(case.starts), case.geometry.window_frames, 3)
    for window, first in enumerate(case.firsts):
        expected_slots = slot_activity(case.log_probs(window))[0].astype(np.float16)
        for frame, slots in enumerate(found.activity[window]):
            expected = expected_slots[frame] if case.in_time(first + frame) else np.zeros(3)
            assert slots.tolist() == expected.tolist()


@given(cases())
def test_occupancy_is_the_mean_over_windows_weighted_less_at_their_ends(
    case: Case,
) -> None:
    found = case.sum_up().segmentation
    values: dict[int, list[NDArray[np.float32]]] = {}
    weights: dict[int, list[float]] = {}
    length = case.geometry.window_frames
    for window, first in enumerate(case.firsts):
        for frame, number in enumerate(occupancy(case.log_probs(window))[0], start=first):
            values.setdefault(frame, []).append(number)
            end = min(frame - first, length - 1 - frame + first) + 0.5
            weights.setdefault(frame, []).append(min(1.0, max(0.02, end / RAMP)))
    assert found.occupancy.dtype == np.float32
    assert found.occupancy.shape == (case.frames, 3)
    for frame, number in enumerate(found.occupancy.tolist()):
        if not case.in_time(frame):
            assert number == [1, 0, 0]  # nobody speaks in the padding
        elif frame not in values:  # steps of nearly a window leave frames without a window
            assert number == [0, 0, 0]
        else:
            assert number == pytest.approx(
                np.average(values[frame], 0, weights[frame]).tolist(), abs=1e-5
            )
            assert sum(number) == pytest.approx(1, abs=1e-5)


@given(cases())
def test_speaker_change_is_the_quotient_of_sums_over_windows(case: Case) -> None:
    found = case.sum_up()
    votes = np.zeros((case.frames + 1, 2))
    for first, activity in zip(case.firsts, found.segmentation.activity, strict=True):
        votes[first : first + len(activity) + 1] += speaker_changes(activity, REACH)
    changed, counted = votes[: case.frames].T
    change = np.concatenate(found.change)
    assert change.shape == (case.frames,)
    spoken = counted > 0
    assert change[spoken] == pytest.approx(changed[spoken] / np.maximum(counted[spoken], 1e-9))
    assert not change[~spoken].any()


@given(settled_cases())
def test_settling_in_parts_changes_nothing(pair: tuple[Case, list[int]]) -> None:
    case, settled = pair
    found, at_once = case.sum_up(settled), case.sum_up()
    for one, other in zip(found.segmentation, at_once.segmentation, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.concatenate(found.change), np.concatenate(at_once.change))
    np.testing.assert_array_equal(np.concatenate(found.occupancy), found.segmentation.occupancy)
    lengths = np.diff([0, *settled, case.frames]).tolist()
    assert [len(part) for part in found.occupancy] == lengths
    assert [len(part) for part in found.change] == lengths


def test_an_empty_recording_has_no_frame() -> None:
    case = case_of(0, window=40, frame_step=4, field=10, step=3)
    found = case.sum_up().segmentation
    assert found.first_frames.shape == (0,)
    assert found.activity.shape == (0, case.geometry.window_frames, 3)
    assert found.activity.dtype == np.float16
    assert found.occupancy.shape == (0, 3)
    assert found.occupancy.dtype == np.float32


def test_without_a_settled_frame_the_result_is_empty() -> None:
    geometry = case_of(0, window=40, frame_step=4, field=10, step=3).geometry
    found = SegmentationSums(geometry, REACH, RAMP).result()
    assert [part.shape[0] for part in found] == [0, 0, 0]


@pytest.mark.parametrize(("samples", "covered"), [(1, 0), (6, 0), (7, 1), (22, 4), (39, 8)])
def test_a_short_recording_is_one_window_that_is_silent_after_the_end(
    samples: int, covered: int
) -> None:
    case = case_of(samples, window=40, frame_step=4, field=10, step=3)
    found = case.sum_up().segmentation
    assert len(found.activity) == 1
    assert len(found.occupancy) == case.geometry.window_frames
    assert found.activity[0].any(axis=1).tolist() == [True] * covered + [False] * (8 - covered)
    assert found.occupancy[covered:].tolist() == [[1, 0, 0]] * (8 - covered)
    assert (found.occupancy[:covered, 1:] > 0).all()


def test_a_recording_of_exactly_one_window_is_covered_to_its_last_frame() -> None:
    case = case_of(40, window=40, frame_step=4, field=10, step=3)
    found = case.sum_up().segmentation
    assert len(found.activity) == 1
    assert found.activity.any(axis=2).all()
