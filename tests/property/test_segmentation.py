"""Windows to probabilities, with a graph that believes something else of every frame it hears."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import LogProbs, Waveform
from hocket.geometry import Geometry
from hocket.graph import SPECS, Tensors
from hocket.powerset import occupancy, slot_activity
from hocket.segmentation import Segmentation, segment
from hocket.windows import SlicedWindows, slice_windows

RATE = 100


class FickleGraph:
    """A segmentation graph of any geometry; it keeps what it is given.

    What it says of a frame depends on the sound there and on the frame's place in the window, so
    two windows never agree.
    """

    spec = SPECS["segmentation"]
    metadata: Mapping[str, str] = {}

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self.calls: list[NDArray[np.float32]] = []

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.spec.check_inputs(inputs)
        self.calls.append(inputs["waveform"][:, 0].copy())
        windows = [self.log_probs(window) for window in self.calls[-1]]
        return {"log_probs": np.stack(windows)}

    def log_probs(self, window: NDArray[np.float32]) -> LogProbs:
        """What it says of one window, (frames, 7)."""
        places = np.arange(self.geometry.window_frames)
        heard = window[places * self.geometry.frame_step].astype(np.float64)
        logits = 4 * np.sin((heard + 0.3 * places)[:, None] * np.arange(1, 8))
        total = np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return (logits - total).astype(np.float32)


class Case(NamedTuple):
    """A recording, in which every sample tells its place, and how it is cut."""

    waveform: Waveform
    geometry: Geometry
    windows: SlicedWindows

    def segment(self, batch_windows: int = 4) -> Segmentation:
        graph = FickleGraph(self.geometry)
        return segment(self.windows, graph, self.geometry, batch_windows, lambda _: None)

    def in_time(self, frame: int) -> bool:
        """Whether a frame of the recording ends within it."""
        return self.geometry.frame_start(frame + 1) <= len(self.waveform)

    def says(self, window: int) -> LogProbs:
        """What the graph says of one window, (1, frames, 7)."""
        samples = np.concatenate([self.windows.regular, self.windows.tail])[window]
        return FickleGraph(self.geometry).log_probs(samples)[None]


def case_of(samples: int, window: int, frame_step: int, field: int, step: int) -> Case:
    frames = 1 + (window - field) // frame_step
    geometry = Geometry(RATE, window, frame_step, field, frames, 3)
    waveform = np.arange(1, samples + 1, dtype=np.float32)
    return Case(waveform, geometry, slice_windows(waveform, geometry, step * frame_step / RATE))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Recordings of no sample to many windows; the step is at most a window."""
    frame_step = draw(st.integers(1, 5))
    window = draw(st.integers(frame_step, 40))
    field = draw(st.integers(frame_step, window))
    samples = draw(st.integers(0, 4 * window + 2 * frame_step))
    return case_of(samples, window, frame_step, field, draw(st.integers(1, window // frame_step)))


@given(cases())
def test_a_window_keeps_what_the_graph_says_of_its_slots(case: Case) -> None:
    found = case.segment()
    assert found.activity.dtype == np.float16
    assert found.activity.shape == (len(case.windows), case.geometry.window_frames, 3)
    for window, first in enumerate(case.windows.first_frames.tolist()):
        said = slot_activity(case.says(window))[0].astype(np.float16)
        for frame, slots in enumerate(found.activity[window]):
            expected = said[frame] if case.in_time(first + frame) else np.zeros(3)
            assert slots.tolist() == expected.tolist()


@given(cases())
def test_how_many_speak_is_the_mean_over_the_windows(case: Case) -> None:
    found = case.segment()
    heard: dict[int, list[NDArray[np.float32]]] = {}
    for window, first in enumerate(case.windows.first_frames.tolist()):
        for frame, people in enumerate(occupancy(case.says(window))[0], start=first):
            heard.setdefault(frame, []).append(people)
    assert found.occupancy.dtype == np.float32
    assert found.occupancy.shape == (max(heard, default=-1) + 1, 3)
    for frame, people in enumerate(found.occupancy.tolist()):
        if not case.in_time(frame):
            assert people == [1, 0, 0]  # padding is nobody
        elif frame not in heard:  # windows may lie a window apart, less what a frame reaches over
            assert people == [0, 0, 0]
        else:
            assert people == pytest.approx(np.mean(heard[frame], axis=0).tolist(), abs=1e-5)
            assert sum(people) == pytest.approx(1, abs=1e-5)


@given(cases(), st.integers(1, 9))
def test_the_size_of_a_batch_changes_nothing(case: Case, size: int) -> None:
    for one, other in zip(case.segment(1), case.segment(size), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@given(cases(), st.integers(1, 9))
def test_the_graph_hears_all_windows_and_progress_is_told_call_by_call(
    case: Case, size: int
) -> None:
    graph, told = FickleGraph(case.geometry), list[int]()
    found = segment(case.windows, graph, case.geometry, size, told.append)
    np.testing.assert_array_equal(found.first_frames, case.windows.first_frames)
    assert told == [len(call) for call in graph.calls]
    assert all(1 <= number <= size for number in told)
    heard = [row.tolist() for call in graph.calls for row in call]
    rows = np.concatenate([case.windows.regular, case.windows.tail])
    assert heard == rows.tolist()


def test_an_empty_recording_has_no_frame_and_needs_no_graph() -> None:
    case = case_of(0, window=40, frame_step=4, field=10, step=3)
    graph = FickleGraph(case.geometry)
    found = segment(case.windows, graph, case.geometry, 4, lambda _: pytest.fail("told"))
    assert graph.calls == []
    assert found.first_frames.shape == (0,)
    assert found.activity.shape == (0, case.geometry.window_frames, 3)
    assert found.occupancy.shape == (0, 3)


@pytest.mark.parametrize(("samples", "heard"), [(1, 0), (6, 0), (7, 1), (22, 4), (39, 8)])
def test_a_short_recording_is_one_window_silent_behind_its_end(samples: int, heard: int) -> None:
    case = case_of(samples, window=40, frame_step=4, field=10, step=3)
    found = case.segment()
    assert len(found.activity) == 1
    assert len(found.occupancy) == case.geometry.window_frames
    assert found.activity[0].any(axis=1).tolist() == [True] * heard + [False] * (8 - heard)
    assert found.occupancy[heard:].tolist() == [[1, 0, 0]] * (8 - heard)
    assert (found.occupancy[:heard, 1:] > 0).all()


def test_a_recording_of_just_one_window_is_heard_to_its_last_frame() -> None:
    case = case_of(40, window=40, frame_step=4, field=10, step=3)
    found = case.segment()
    assert len(found.activity) == 1
    assert found.activity.any(axis=2).all()
