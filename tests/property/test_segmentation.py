"""Windows to probabilities, with a graph that believes something else of every frame it hears."""

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

RATE = 100
REACH = 3
RAMP = 3  # frames at the ends of a window that count less


class Found(NamedTuple):
    """What comes of all windows of a recording; occupancy and takeover as they were handed out."""

    segmentation: Segmentation
    occupancy: list[Occupancy]
    change: list[SpeakerChange]


class Case(NamedTuple):
    """A recording of so many samples, and how it is cut."""

    samples: int
    geometry: Geometry
    starts: list[int]

    @property
    def firsts(self) -> list[int]:
        return [start // self.geometry.frame_step for start in self.starts]

    @property
    def frames(self) -> int:
        """Frames that some window reaches or passes."""
        return self.firsts[-1] + self.geometry.window_frames if self.starts else 0

    def heard(self, window: int) -> int:
        return covered_frames(self.samples, self.starts[window], self.geometry)

    def in_time(self, frame: int) -> bool:
        """Whether a frame of the recording ends within it."""
        return self.geometry.frame_start(frame + 1) <= self.samples

    def says(self, window: int) -> LogProbs:
        """What the graph says of one window, (1, frames, 7): never the same of a frame twice."""
        places = np.arange(self.geometry.window_frames)
        heard = self.starts[window] + places * self.geometry.frame_step
        logits = 4 * np.sin((heard + 0.3 * places)[:, None] * np.arange(1, 8))
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return (logits - total).astype(np.float32)[None]

    def sum_up(self, settled: list[int] | None = None) -> Found:
        """Add all windows, settling up to the given frame after each; by default, at the end."""
        sums = SegmentationSums(self.geometry, REACH, RAMP)
        found = Found(sums.result(), [], [])
        ends = [0] * len(self.starts) if settled is None else settled
        for window, end in enumerate([*ends, self.frames]):
            if window < len(self.starts):
                sums.add(self.firsts[window], self.says(window), self.heard(window))
            occupied, change = sums.settle(end)
            found.occupancy.append(occupied)
            found.change.append(change)
        return found._replace(segmentation=sums.result())


def case_of(samples: int, window: int, frame_step: int, field: int, step: int) -> Case:
    frames = 1 + (window - field) // frame_step
    geometry = Geometry(RATE, window, frame_step, field, frames, 3)
    grid = WindowGrid.of(geometry, step * frame_step / RATE)
    return Case(samples, geometry, grid.starts(samples).tolist())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Recordings of no sample to many windows; the step is at most a window."""
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
def test_a_window_keeps_what_the_graph_says_of_its_slots(case: Case) -> None:
    found = case.sum_up().segmentation
    assert found.first_frames.dtype == np.int64
    assert found.first_frames.tolist() == case.firsts
    assert found.activity.dtype == np.float16
    assert found.activity.shape == (len(case.starts), case.geometry.window_frames, 3)
    for window, first in enumerate(case.firsts):
        said = slot_activity(case.says(window))[0].astype(np.float16)
        for frame, slots in enumerate(found.activity[window]):
            expected = said[frame] if case.in_time(first + frame) else np.zeros(3)
            assert slots.tolist() == expected.tolist()


@given(cases())
def test_how_many_speak_is_the_mean_over_the_windows_which_count_less_at_their_ends(
    case: Case,
) -> None:
    found = case.sum_up().segmentation
    heard: dict[int, list[NDArray[np.float32]]] = {}
    weights: dict[int, list[float]] = {}
    length = case.geometry.window_frames
    for window, first in enumerate(case.firsts):
        for frame, people in enumerate(occupancy(case.says(window))[0], start=first):
            heard.setdefault(frame, []).append(people)
            end = min(frame - first, length - 1 - frame + first) + 0.5
            weights.setdefault(frame, []).append(min(1.0, max(0.02, end / RAMP)))
    assert found.occupancy.dtype == np.float32
    assert found.occupancy.shape == (case.frames, 3)
    for frame, people in enumerate(found.occupancy.tolist()):
        if not case.in_time(frame):
            assert people == [1, 0, 0]  # padding is nobody
        elif frame not in heard:  # windows may lie a window apart, less what a frame reaches over
            assert people == [0, 0, 0]
        else:
            assert people == pytest.approx(
                np.average(heard[frame], 0, weights[frame]).tolist(), abs=1e-5
            )
            assert sum(people) == pytest.approx(1, abs=1e-5)


@given(cases())
def test_a_takeover_is_what_the_windows_hear_at_its_edge(case: Case) -> None:
    found = case.sum_up()
    votes = np.zeros((case.frames + 1, 2))
    for first, activity in zip(case.firsts, found.segmentation.activity, strict=True):
        votes[first : first + len(activity) + 1] += speaker_changes(activity, REACH)
    changed, heard = votes[: case.frames].T
    change = np.concatenate(found.change)
    assert change.shape == (case.frames,)
    spoken = heard > 0
    assert change[spoken] == pytest.approx(changed[spoken] / np.maximum(heard[spoken], 1e-9))
    assert not change[~spoken].any()


@given(settled_cases())
def test_where_frames_are_settled_changes_nothing(pair: tuple[Case, list[int]]) -> None:
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


def test_nothing_settled_is_no_frame_yet() -> None:
    geometry = case_of(0, window=40, frame_step=4, field=10, step=3).geometry
    found = SegmentationSums(geometry, REACH, RAMP).result()
    assert [part.shape[0] for part in found] == [0, 0, 0]


@pytest.mark.parametrize(("samples", "heard"), [(1, 0), (6, 0), (7, 1), (22, 4), (39, 8)])
def test_a_short_recording_is_one_window_silent_behind_its_end(samples: int, heard: int) -> None:
    case = case_of(samples, window=40, frame_step=4, field=10, step=3)
    found = case.sum_up().segmentation
    assert len(found.activity) == 1
    assert len(found.occupancy) == case.geometry.window_frames
    assert found.activity[0].any(axis=1).tolist() == [True] * heard + [False] * (8 - heard)
    assert found.occupancy[heard:].tolist() == [[1, 0, 0]] * (8 - heard)
    assert (found.occupancy[:heard, 1:] > 0).all()


def test_a_recording_of_just_one_window_is_heard_to_its_last_frame() -> None:
    case = case_of(40, window=40, frame_step=4, field=10, step=3)
    found = case.sum_up().segmentation
    assert len(found.activity) == 1
    assert found.activity.any(axis=2).all()
