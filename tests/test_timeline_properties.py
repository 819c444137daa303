"""Activations to turns: short pauses and turns, order, and bounds of turns."""

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hocket.arrays import Activations
from hocket.geometry import Geometry
from hocket.timeline import order_of_appearance, speaker_names, tidy, to_turns
from tests.helpers.geometry import SHIPPED, grid_of

NAMES = ("anna", "ben", "cleo", "dora")
MIN_FRAMES = st.integers(0, 6)


@st.composite
def activation_arrays(draw: st.DrawFn) -> Activations:
    """Segments of speech and silence of up to eight frames, (frames, clusters)."""
    frames, clusters = draw(st.integers(0, 40)), draw(st.integers(0, 4))
    activations = np.zeros((frames, clusters), np.bool_)
    for cluster in range(clusters):
        lengths = draw(st.lists(st.integers(0, 8), max_size=12))
        speaks = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)[:frames]
        activations[: len(speaks), cluster] = speaks
    return activations


ACTIVATIONS = activation_arrays()


@st.composite
def grids(draw: st.DrawFn) -> Geometry:
    frame_step = draw(st.integers(1, 7))
    receptive_field = draw(st.integers(frame_step, 30))
    return grid_of(10 * receptive_field, frame_step, receptive_field)


def tidied_column(column: list[bool], min_pause: int, min_turn: int) -> list[bool]:
    """The column with short inner pauses closed, then without short turns."""
    segments = [(speaks, len(list(group))) for speaks, group in groupby(column)]
    closed: list[bool] = []
    for index, (speaks, length) in enumerate(segments):
        inner = 0 < index < len(segments) - 1
        closed += [speaks or (inner and length < min_pause)] * length
    segments = [(speaks, len(list(group))) for speaks, group in groupby(closed)]
    return [speaks and length >= min_turn for speaks, length in segments for _ in range(length)]


@given(ACTIVATIONS, MIN_FRAMES, MIN_FRAMES)
def test_short_pauses_are_closed_then_short_turns_dropped(
    activations: Activations, min_pause: int, min_turn: int
) -> None:
    tidied = tidy(activations, min_pause, min_turn)
    assert tidied.dtype == np.bool_
    assert tidied.shape == activations.shape
    for cluster in range(activations.shape[1]):
        expected = tidied_column(activations[:, cluster].tolist(), min_pause, min_turn)
        assert tidied[:, cluster].tolist() == expected


@given(ACTIVATIONS, MIN_FRAMES, MIN_FRAMES)
def test_tidying_twice_changes_nothing_more(
    activations: Activations, min_pause: int, min_turn: int
) -> None:
    before = activations.copy()
    once = tidy(activations, min_pause, min_turn)
    np.testing.assert_array_equal(tidy(once, min_pause, min_turn), once)
    np.testing.assert_array_equal(activations, before)


def test_pauses_and_turns_of_exactly_the_least_length_stay() -> None:
    column = np.array([[1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1]], np.bool_).T
    assert tidy(column, 2, 3)[:, 0].astype(int).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0]


def test_silence_at_either_end_is_not_a_pause() -> None:
    column = np.array([[0, 1, 1, 0]], np.bool_).T
    assert tidy(column, 9, 1)[:, 0].tolist() == [False, True, True, False]


@given(ACTIVATIONS, grids(), st.integers(0, 320))
def test_turns_are_in_order_and_inside_the_recording(
    activations: Activations, grid: Geometry, samples: int
) -> None:
    turns = to_turns(activations, NAMES[: activations.shape[1]], grid, samples)
    assert list(turns) == sorted(turns, key=lambda turn: (turn.start, turn.end, turn.speaker))
    for turn in turns:
        assert 0 <= turn.start < turn.end <= samples / grid.sample_rate
        assert turn.duration > 0
    for name in NAMES:
        own = [turn for turn in turns if turn.speaker == name]
        assert all(before.end < after.start for before, after in pairwise(own))


@given(ACTIVATIONS, grids(), st.integers(0, 320))
def test_a_frame_is_in_a_turn_if_its_cluster_speaks(
    activations: Activations, grid: Geometry, samples: int
) -> None:
    turns = to_turns(activations, NAMES[: activations.shape[1]], grid, samples)
    for frame, cluster in np.ndindex(activations.shape):
        centre = grid.receptive_field // 2 + frame * grid.frame_step
        moment = centre / grid.sample_rate
        covering = [
            turn
            for turn in turns
            if turn.speaker == NAMES[cluster] and turn.start <= moment < turn.end
        ]
        assert len(covering) == (activations[frame, cluster] and centre < samples)


def test_a_turn_that_reaches_the_end_of_the_recording_ends_with_it() -> None:
    grid = grid_of(100, 4, 10)  # frame 0 begins with sample 3
    turns = to_turns(np.ones((10, 1), np.bool_), ("anna",), grid, 30)
    assert [(turn.start, turn.end) for turn in turns] == [(0.03, 0.3)]
    assert to_turns(np.ones((10, 1), np.bool_), ("anna",), grid, 3) == ()


@given(ACTIVATIONS)
def test_clusters_appear_in_the_order_of_their_first_frames(activations: Activations) -> None:
    order = order_of_appearance(activations).tolist()
    columns = {cluster: column.tolist() for cluster, column in enumerate(activations.T)}
    assert set(order) == {cluster for cluster, column in columns.items() if True in column}
    firsts = [(columns[cluster].index(True), cluster) for cluster in order]
    assert firsts == sorted(firsts)


def test_the_first_to_speak_comes_first() -> None:
    activations = np.zeros((9, 4), np.bool_)
    for cluster, frame in [(0, 7), (2, 3), (3, 7)]:
        activations[frame, cluster] = True
    assert order_of_appearance(activations).tolist() == [2, 0, 3]


@given(arrays(np.bool_, st.tuples(st.just(0), st.integers(0, 3))))
def test_without_frames_there_are_no_turns(activations: Activations) -> None:
    assert order_of_appearance(activations).shape == (0,)
    assert to_turns(activations, NAMES[: activations.shape[1]], SHIPPED, 9) == ()


@pytest.mark.parametrize(("number", "last"), [(1, "SPEAKER_00"), (101, "SPEAKER_100")])
def test_names_are_numbered_and_distinct(number: int, last: str) -> None:
    names = speaker_names(number)
    assert len(set(names)) == number
    assert names[-1] == last
    assert speaker_names(0) == ()
