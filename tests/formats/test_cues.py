"""Subtitles are short enough to read, never overlap, and lose nothing."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.formats.cues import LEAST_MS, LINE_WIDTH, LINES, LONGEST_MS, Cue, cues_of, width_of
from hocket.transcript import Segment, Transcript, Word, of_segments
from hocket.turns import Turn

WORDS = st.sampled_from(
    ("so", "what", "do", "we", "need.", "A", "telescope,", "naturally!", "观测站", "unimaginably")
)


@st.composite
def spoken(draw: st.DrawFn) -> Transcript:
    """Segments of several speakers, which may overlap, with the times of words or without."""
    segments = []
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, 60_000)) / 1000
        time, words = start, []
        for text in draw(st.lists(WORDS, min_size=1, max_size=40)):
            end = time + draw(st.integers(20, 900)) / 1000
            words.append(Word(time, end, text))
            time = end + draw(st.sampled_from((0.0, 0.0, 0.1, 1.5)))
        turn = Turn(start, words[-1].end, draw(st.sampled_from(("Anna", "Ben", ""))))
        text = " ".join(word.text for word in words)
        segments.append(Segment(turn, text, tuple(words) if draw(st.booleans()) else ()))
    return of_segments("talk", segments)


@given(spoken(), st.sampled_from((0, 3)))
def test_cues_fit_and_never_overlap(transcript: Transcript, prefix: int) -> None:
    cues = cues_of(transcript, prefix=prefix)
    for cue in cues:
        assert 1 <= len(cue.lines) <= LINES
        taken = prefix + width_of(cue.speakers[0]) if prefix and cue.speakers[0] else 0
        assert width_of(cue.lines[0]) <= LINE_WIDTH - taken
        assert all(width_of(line) <= LINE_WIDTH for line in cue.lines)
        assert cue.end > cue.start >= 0
    for before, after in pairwise(cues):
        assert before.end <= after.start
    said = "".join("".join(cue.lines) for cue in cues).replace(" ", "")
    assert sorted(said) == sorted("".join("".join(s.text.split()) for s in transcript.segments))


@given(spoken())
def test_nothing_is_shown_long_before_or_after_it_is_said(transcript: Transcript) -> None:
    """Where nobody speaks at once."""
    segment = transcript.segments[0]
    alone = of_segments("talk", [segment])
    cues = cues_of(alone)
    assert cues[0].start == round(segment.turn.start * 1000)
    assert all(cue.end - cue.start <= LONGEST_MS + LEAST_MS for cue in cues)
    assert cues[-1].end <= round(segment.turn.end * 1000) + LONGEST_MS


def test_a_short_answer_stays_for_a_second_where_there_is_time() -> None:
    answers = [Segment(Turn(1.0, 1.2, "Anna"), "Yes."), Segment(Turn(5.0, 5.2, "Ben"), "No.")]
    assert cues_of(Transcript("talk", 10.0, tuple(answers))) == [
        Cue(1000, 2000, ("Anna",), ("Yes.",)),
        Cue(5000, 6000, ("Ben",), ("No.",)),
    ]


def test_speech_at_once_is_shown_with_both_names() -> None:
    turns = [Turn(0.0, 3.0, "Anna"), Turn(2.0, 4.0, "Ben"), Turn(3.8, 6.0, "Anna")]
    assert cues_of(of_segments("talk", map(Segment, turns))) == [
        Cue(0, 2000, ("Anna",)),
        Cue(2000, 3000, ("Anna", "Ben")),
        Cue(3000, 4000, ("Ben",)),  # both for 0.2 s are not shown
        Cue(4000, 6000, ("Anna",)),
    ]


@pytest.mark.parametrize("text", ["x" * 1_000_000, "words " * 170_000])
def test_a_megabyte_is_cut_into_cues(text: str) -> None:
    segment = Segment(Turn(0.0, 60.0, "Anna"), text)
    cues = cues_of(of_segments("talk", [segment]))
    assert sum(len("".join(cue.lines).replace(" ", "")) for cue in cues) == len(
        text.replace(" ", "")
    )
