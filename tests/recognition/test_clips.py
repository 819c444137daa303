"""Clips hold all speech once, are short enough, and their words get the recording's times."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.recognition.clips import Clip, ClipRules, clips_of
from hocket.transcript import Word
from hocket.turns import Turn

RATE = 1_000
RULES = ClipRules()
LONGEST_S = 20.0


def ramp(seconds: float) -> np.ndarray:
    """Samples whose values are their own times."""
    return np.arange(round(seconds * RATE), dtype=np.float32) / RATE


def blocks(samples: np.ndarray, size: int = 700) -> list[np.ndarray]:
    return [samples[first : first + size] for first in range(0, len(samples), size)]


@st.composite
def some_turns(draw: st.DrawFn) -> list[Turn]:
    times = st.integers(0, 90_000).map(lambda ms: ms / 1000)
    pairs = draw(st.lists(st.tuples(times, times).map(sorted), max_size=12))
    return [Turn(start, end, draw(st.sampled_from("ab"))) for start, end in pairs if end > start]


@given(turns=some_turns(), size=st.sampled_from((90, 16_000)))
def test_all_speech_is_in_clips_once_and_with_its_time(turns: list[Turn], size: int) -> None:
    samples = ramp(80.0)  # turns may end later
    clips = list(clips_of(blocks(samples, size), turns, RATE, longest_s=LONGEST_S))
    covered = np.zeros(len(samples), int)
    for clip in clips:
        assert len(clip.samples) <= LONGEST_S * RATE
        for start, end, offset in clip.pieces:
            piece = clip.samples[round(start * RATE) : round(end * RATE)]
            first = round(offset * RATE)
            assert np.array_equal(piece, samples[first : first + len(piece)])
            covered[first : first + len(piece)] += 1
    assert covered.max(initial=0) <= 1
    for turn in turns:
        assert covered[round(turn.start * RATE) : round(turn.end * RATE)].all()
    near = np.zeros(len(samples), bool)
    reach = round((RULES.margin_s + RULES.pause_s) * RATE) + 1
    for turn in turns:
        near[max(0, round(turn.start * RATE) - reach) : round(turn.end * RATE) + reach] = True
    assert not covered[~near].any()


def test_pauses_within_a_clip_are_replaced() -> None:
    turns = [Turn(1.0, 3.0, "a"), Turn(5.0, 6.0, "b"), Turn(6.15, 7.0, "a")]
    [clip] = clips_of(blocks(ramp(10.0)), turns, RATE, longest_s=LONGEST_S)
    assert [tuple(np.round(piece, 3)) for piece in clip.pieces] == [
        (0.0, 2.2, 0.9),
        (2.3, 4.5, 4.9),
    ]
    assert clip.speech_s == pytest.approx(4.4)
    assert not clip.samples[2_200:2_300].any()


def test_long_speech_is_cut_where_it_is_quiet_near_a_change() -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 50 * RATE).astype(np.float32)
    for time in (13.0, 16.0):
        samples[round((time - 0.1) * RATE) : round((time + 0.1) * RATE)] *= 0.3
    turns = [Turn(0.0, 16.0, "a"), Turn(16.0, 30.0, "b")]
    first, second = clips_of(blocks(samples), turns, RATE, longest_s=LONGEST_S)
    assert first.pieces[0][1] == pytest.approx(16.0, abs=0.1)  # as quiet at 13 s
    assert second.pieces[0][2] == pytest.approx(first.pieces[0][1])


def test_speech_of_an_excerpt_has_the_times_of_the_whole() -> None:
    [clip] = clips_of(
        blocks(ramp(4.0)), [Turn(61.0, 62.0, "a")], RATE, longest_s=LONGEST_S, start_s=60.0
    )
    assert clip.pieces[0] == pytest.approx((0.0, 1.2, 60.9))
    assert clip.samples[0] == pytest.approx(0.9)


def test_words_get_the_times_of_the_piece_that_holds_their_middle() -> None:
    clip = Clip(np.zeros(5_000, np.float32), ((0.0, 2.0, 10.0), (2.1, 4.0, 30.0)))
    words = [
        Word(0.5, 1.0, "a"),
        Word(1.8, 2.4, "b"),  # its middle is in the silence: it ends with the piece before
        Word(1.9, 2.6, "c"),
        Word(3.5, 9.0, "d"),
    ]
    assert [(round(w.start, 3), round(w.end, 3)) for w in clip.in_recording(words)] == [
        (10.5, 11.0),
        (30.0, 30.3) if (1.8 + 2.4) / 2 >= 2.1 else (11.8, 12.0),
        (30.0, 30.5),
        (31.4, 31.9),
    ]


@given(
    words=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)).map(sorted), max_size=8),
    turns=some_turns(),
)
def test_no_word_is_outside_the_speech(words: list[list[float]], turns: list[Turn]) -> None:
    for clip in clips_of(blocks(ramp(90.0)), turns, RATE, longest_s=LONGEST_S):
        found = clip.in_recording(Word(start, end, "w") for start, end in words)
        for word in found:
            assert any(
                offset - 1e-6 <= word.start <= word.end <= offset + last - first + 1e-6
                for first, last, offset in clip.pieces
            )


def test_nobody_speaks_or_nothing_is_there() -> None:
    assert list(clips_of(blocks(ramp(5.0)), [], RATE, longest_s=LONGEST_S)) == []
    assert list(clips_of([], [Turn(1.0, 2.0, "a")], RATE, longest_s=LONGEST_S)) == []
    silence = [np.zeros(40 * RATE, np.float32)]
    clips = list(clips_of(silence, [Turn(0.0, 40.0, "a")], RATE, longest_s=LONGEST_S))
    assert sum(clip.speech_s for clip in clips) == pytest.approx(40.0)
    assert all(before.pieces[0][2] < after.pieces[0][2] for before, after in pairwise(clips))


def test_parts_without_words_are_recognized_once_more() -> None:
    turns = [Turn(1.0, 5.0, "a"), Turn(8.0, 14.0, "b")]
    [clip] = clips_of(blocks(ramp(20.0)), turns, RATE, longest_s=LONGEST_S)
    words = [Word(0.2, 1.0, "one"), Word(6.0, 6.4, "two"), Word(8.0, 8.2, "three")]
    first, last = clip.without_words(words, 2.0)
    assert [tuple(np.round(piece, 3)) for piece in first.pieces] == [
        (0.0, 3.2, 1.9),
        (3.3, 5.0, 7.9),
    ]
    assert first.samples[0] == pytest.approx(1.9)
    assert first.samples[-1] == pytest.approx(9.599, abs=0.002)
    assert [tuple(np.round(piece, 3)) for piece in last.pieces] == [(0.0, 2.3, 11.8)]
    assert clip.without_words(words, 6.0) == []
