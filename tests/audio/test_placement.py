"""Frames are placed by their time stamps; wrong stamps change nothing."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.audio.placement import (
    AHEAD_S,
    LEAST_S,
    LIVE_AHEAD_S,
    LONGEST_GAP_S,
    TOLERANCE_S,
    Frame,
    Placement,
)
from hocket.notices import Notices

RATE = 1_000
LENGTH = 20  # of a frame
TOLERANCE = TOLERANCE_S * RATE


def placed(
    frames: Sequence[Frame], end: float | None = None, *, is_numbered: bool = False
) -> tuple[NDArray[np.float32], list[tuple[str, float | None, float | None]]]:
    """What the frames become, and the notices."""
    notices = Notices("sound")
    placement = Placement(RATE, notices, is_numbered=is_numbered)
    blocks = [*placement.blocks(frames), *placement.close(end)]
    found = np.concatenate(blocks)[:, 0] if blocks else np.zeros(0, np.float32)
    assert placement.seconds == len(found) / RATE
    return found, [(notice.kind, notice.start, notice.end) for notice in notices]


def frame(number: int, time: float | None, length: int = LENGTH, damaged: bool = False) -> Frame:
    """A frame whose samples are its number, from 1."""
    return Frame(np.full((length, 1), number, np.float32), time, damaged)


def steady(count: int, first: int = 1, start: float = 0.0) -> list[Frame]:
    """Frames one behind the other."""
    return [frame(first + n, start + n * LENGTH / RATE) for n in range(count)]


@given(
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=20),
    known=st.lists(st.booleans(), min_size=20, max_size=20),
)
def test_every_frame_stands_where_its_time_stamp_says(gaps: list[float], known: list[bool]) -> None:
    time, frames, expected = 0.0, [], []
    for number, gap in enumerate(gaps, 1):
        time += gap
        # a frame without a time stamp follows the one before
        has_stamp = known[number - 1] or gap > 0
        frames.append(frame(number, time if has_stamp else None))
        expected.append(round(time * RATE))
        time += LENGTH / RATE
    found, notices = placed(frames)
    for number, start in enumerate(expected, 1):
        [places] = np.nonzero(found == number)
        assert len(places) == LENGTH
        assert abs(places[0] - start) <= TOLERANCE + 1
    silent = np.count_nonzero(found == 0) / RATE
    inside = silent - (expected[0] / RATE if expected[0] > TOLERANCE else 0)
    assert bool(notices) == (inside >= LEAST_S + 1e-9) or inside == pytest.approx(LEAST_S, abs=0.01)


@pytest.mark.parametrize("stamp", [0.0, 3.0, 1e6, -5.0])
@pytest.mark.parametrize("count", [1, 5, 100])
def test_wrong_time_stamps_among_right_ones_change_nothing(stamp: float, count: int) -> None:
    frames = steady(400)
    for number in range(200, 200 + count):
        frames[number] = frames[number]._replace(time=stamp + number * LENGTH / RATE + 100)
    found, notices = placed(frames)
    np.testing.assert_array_equal(found, np.repeat(np.arange(1, 401), LENGTH))
    assert notices == []


@pytest.mark.parametrize(("again", "noted"), [(0.08, []), (0.14, [("repeated", None, None)])])
def test_frames_that_overlap_are_cut_and_noted_if_long(
    again: float, noted: list[tuple[str, None, None]]
) -> None:
    first, second = steady(10), steady(50, first=11, start=0.2 - again)
    found, notices = placed([*first, *second])
    end = 1_200 - round(1_000 * again)
    assert len(found) <= end + TOLERANCE
    [last] = np.nonzero(found == 60)
    assert abs(last[0] - (end - LENGTH)) <= TOLERANCE
    assert notices == noted


def test_frames_out_of_order_are_left_out_and_move_nothing() -> None:
    late, last = round(AHEAD_S * RATE / LENGTH) + 50, 201
    parts = [
        *(steady(100), steady(late, last, 4.0), steady(100, 101, 2.0)),
        steady(400, last + late, 4.0 + late * LENGTH / RATE),
    ]
    found, notices = placed([each for part in parts for each in part])
    expected = np.repeat(np.r_[1:101, np.zeros(100), last : last + late], LENGTH)
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert np.argmax(found == last + late) - len(expected) <= TOLERANCE
    assert notices == [("gap", 2.0, 4.0), ("repeated", None, None)]


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    found, notices = placed([*steady(400), *steady(800, first=401, start=5.0)])
    np.testing.assert_array_equal(found, np.repeat(np.arange(1, 1201), LENGTH))
    assert [kind for kind, _, _ in notices] == ["jump"]


def test_a_recording_behind_another_begins_at_its_end() -> None:
    found, notices = placed([*steady(400), *steady(400, first=401)])
    np.testing.assert_array_equal(found, np.repeat(np.arange(1, 801), LENGTH))
    assert notices == []


@pytest.mark.parametrize("jump", [-5.0, LONGEST_GAP_S + 1])
def test_a_jump_that_cannot_be_right_is_noted(jump: float) -> None:
    count = round(2 * AHEAD_S * RATE / LENGTH)
    start = count * LENGTH / RATE + jump
    found, notices = placed([*steady(count), *steady(count, first=count + 1, start=start)])
    np.testing.assert_array_equal(found, np.repeat(np.arange(1, 2 * count + 1), LENGTH))
    assert notices == [("jump", count * LENGTH / RATE, None)]


def test_a_long_loss_is_noted_with_its_times_and_short_ones_together() -> None:
    frames = [
        *steady(10),
        *steady(10, first=11, start=0.3),  # 0.1 s lost
        frame(21, 2.0, damaged=True),  # 1.5 s
        frame(22, 2.12),
        frame(23, 5.0),
    ]
    found, notices = placed(frames)
    assert notices == [("damaged", 0.5, 2.0), ("gap", 2.14, 5.0), ("damaged", 0.2, 2.12)]
    assert len(found) == 5_020


def test_what_is_lost_at_the_end_is_silence() -> None:
    found, notices = placed(steady(50), end=3.0)
    assert len(found) == 3_000
    assert notices == [("damaged", 1.0, 3.0)]


def test_nothing_is_lost_before_a_track_that_begins_late() -> None:
    found, notices = placed(steady(50, start=5.0))
    assert len(found) == 6_000
    assert not found[:5_000].any()
    assert notices == []


def test_numbered_samples_show_that_the_beginning_is_lost() -> None:
    found, notices = placed(steady(50, start=5.0), is_numbered=True)
    assert len(found) == 6_000
    assert notices == [("gap", 0.0, 5.0)]


def test_many_losses_are_ten_notices_and_one_for_all_others() -> None:
    frames = [frame(number + 1, float(2 * number)) for number in range(40)]
    _, notices = placed(frames)
    assert [kind for kind, _, _ in notices] == ["gap"] * 10 + ["damaged"]
    assert notices[-1][1:] == (20.02, 78.0)


def test_a_stream_waits_little_behind_a_gap() -> None:
    taken = 0

    def frames() -> Iterator[Frame]:
        nonlocal taken
        for each in [*steady(100), *steady(1_000, 101, 5.0)]:
            taken += 1
            yield each

    placement = Placement(RATE, Notices("sound"), live=True)
    written, latest = 0, 0.0
    for block in placement.blocks(frames()):
        written += len(block)
        if written > 5 * RATE:
            latest = max(latest, 5 + (taken - 100) * LENGTH / RATE - written / RATE)
    assert 0 < latest <= LIVE_AHEAD_S + 0.1
