"""The buffer of samples: what is heard is a view of it, and stays what it was while it is heard."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Waveform
from hocket.buffers import SampleBuffer

Steps = list[tuple[int, int]]
"""Samples that come in, and how many of those that are there are released after it."""

CAPACITIES = st.sampled_from([0, 1, 7, 20, 64, 1000])


@st.composite
def step_lists(draw: st.DrawFn) -> Steps:
    pairs = st.tuples(st.integers(0, 30), st.integers(0, 40))
    return draw(st.lists(pairs, max_size=30))


STEPS = step_lists()


def sound(start: int, end: int) -> Waveform:
    """A stretch of a recording in which every sample tells its place."""
    return np.arange(start, end, dtype=np.float32)


class Replay:
    """A buffer that was given blocks; it keeps all views that questions could hold."""

    def __init__(self, capacity: int) -> None:
        self.buffer = SampleBuffer(capacity, self.settle)
        self.moves = 0
        self.moved = 0  # samples
        self.lent: list[tuple[int, int, int, Waveform]] = []  # moves before, start, end, view

    def settle(self) -> None:
        """As the engine does: what was lent before the last move is taken back."""
        self.check()
        self.lent = [one for one in self.lent if one[0] == self.moves]
        self.moves += 1
        self.moved += self.buffer.end - self.buffer.needed

    def check(self) -> None:
        for _, start, end, view in self.lent:
            np.testing.assert_array_equal(view, sound(start, end))

    def lend(self, start: int, end: int) -> Waveform:
        view = self.buffer.view(start, end)
        self.lent.append((self.moves, start, end, view))
        return view

    def run(self, steps: Steps, check: Callable[[], None] = lambda: None) -> None:
        for coming, released in steps:
            end = self.buffer.end
            self.buffer.append(sound(end, end + coming))
            assert self.buffer.end == end + coming
            self.lend(self.buffer.needed, self.buffer.end)
            self.check()
            self.buffer.release(self.buffer.needed + released)
            check()


@given(CAPACITIES, STEPS)
def test_what_is_needed_is_the_recording(capacity: int, steps: Steps) -> None:
    replay = Replay(capacity)
    buffer = replay.buffer

    def check() -> None:
        for start in range(buffer.needed, buffer.end, 5):
            view = buffer.view(start, buffer.end)
            np.testing.assert_array_equal(view, sound(start, buffer.end))

    replay.run(steps, check)


@given(CAPACITIES, STEPS)
def test_views_stay_what_they_were_until_the_move_after_the_next(
    capacity: int, steps: Steps
) -> None:
    replay = Replay(capacity)
    replay.run(steps)  # checks all that were lent since the move before the last
    replay.check()


def test_no_view_is_written_over_before_the_buffer_asked_that_none_is_in_use() -> None:
    asked: list[list[float]] = []
    buffer = SampleBuffer(40, lambda: asked.append(first.tolist()))
    buffer.append(sound(0, 32))
    first = buffer.view(0, 32)
    buffer.release(30)
    buffer.append(sound(32, 44))  # moves: what was first is left alone
    assert asked == [list(range(32))]
    assert first.tolist() == list(range(32))
    buffer.append(sound(44, 64))
    buffer.release(64)
    buffer.append(sound(64, 74))  # moves again: what was first is written over
    assert asked == [list(range(32))] * 2
    assert buffer.view(64, 74).tolist() == list(range(64, 74))
    assert first.tolist() == [*range(64, 74), *range(10, 32)]


@given(CAPACITIES, STEPS)
def test_every_copied_byte_is_counted(capacity: int, steps: Steps) -> None:
    replay = Replay(capacity)
    replay.run(steps)
    assert replay.buffer.copied == 4 * (replay.buffer.end + replay.moved)


@given(CAPACITIES, STEPS)
def test_views_are_no_copies(capacity: int, steps: Steps) -> None:
    replay = Replay(capacity)
    replay.run(steps)
    buffer = replay.buffer
    if buffer.end > buffer.needed:
        view = buffer.view(buffer.needed, buffer.end)
        assert np.shares_memory(view, buffer.view(buffer.needed, buffer.end))
        assert view.dtype == np.float32


@given(CAPACITIES, STEPS)
def test_what_is_released_comes_from_the_beginning_and_never_back(
    capacity: int, steps: Steps
) -> None:
    buffer = SampleBuffer(capacity, lambda: None)
    needed = 0
    for coming, released in steps:
        buffer.append(sound(buffer.end, buffer.end + coming))
        buffer.release(released)
        needed = max(needed, min(released, buffer.end))
        assert buffer.needed == needed


@given(CAPACITIES, STEPS)
def test_memory_is_bounded_by_what_is_needed_at_once(capacity: int, steps: Steps) -> None:
    replay, most = Replay(capacity), 0
    buffer = replay.buffer
    for coming, released in steps:
        replay.run([(coming, released)])
        most = max(most, buffer.end - buffer.needed + released + coming)
    arrays = {id(array): array for array in (buffer._array, buffer._spare)}
    assert len(arrays) == 2
    assert all(len(array) <= max(capacity, 4 * most) for array in arrays.values())


@pytest.mark.parametrize("capacity", [0, 10, 1000])
def test_a_long_recording_is_moved_seldom_and_copied_little_more_than_once(capacity: int) -> None:
    """Of a thousand blocks the last is always needed."""
    replay = Replay(capacity)
    buffer = replay.buffer
    for _ in range(1000):
        buffer.append(sound(buffer.end, buffer.end + 10))
        buffer.release(buffer.end - 10)
    assert len(buffer._array) <= max(capacity, 80)
    assert replay.moves <= 1000 * 10 / (max(capacity, 40) / 2 - 10)
    assert buffer.copied <= 2 * 4 * buffer.end


def test_a_block_longer_than_the_buffer_makes_it_grow() -> None:
    replay = Replay(10)
    replay.run([(5, 0), (400, 0), (3, 0)])
    np.testing.assert_array_equal(replay.buffer.view(0, 408), sound(0, 408))
