"""Words get the speaker whose turn they are in; at a change, the likeliest sequence decides."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.attribution import SEGMENT_PAUSE_S, attribute, attributed
from hocket.result import Result
from hocket.transcript import Segment, Transcript, Word, of_segments
from hocket.turns import Turn


def result_of(*turns: Turn, duration: float = 60.0) -> Result:
    names = tuple(dict.fromkeys(turn.speaker for turn in turns))
    rows = np.zeros((len(names), 4), np.float32)
    return Result("talk", tuple(sorted(turns)), tuple(sorted(turns)), names, rows, duration, {})


def spoken(*words: Word) -> Transcript:
    turn = Turn(words[0].start, words[-1].end, "")
    return of_segments("talk", [Segment(turn, " ".join(w.text for w in words), words)])


def names(transcript: Transcript) -> list[tuple[str, str]]:
    return [(segment.turn.speaker, segment.text) for segment in transcript.segments]


DIALOGUE = result_of(Turn(0.0, 3.0, "Anna"), Turn(3.0, 6.0, "Ben"))


def test_words_get_the_speaker_of_their_turn() -> None:
    words = spoken(Word(0.5, 1.0, "good"), Word(1.0, 1.5, "morning"), Word(3.5, 4.0, "hello"))
    found = attribute(words, DIALOGUE)
    assert names(found) == [("Anna", "good morning"), ("Ben", "hello")]
    assert [(s.turn.start, s.turn.end) for s in found.segments] == [(0.5, 1.5), (3.5, 4.0)]
    assert {word.speaker for word in found.segments[0].words} == {"Anna"}
    assert found.notices == ()


def test_a_word_across_a_change_stays_with_the_words_it_follows_at_once() -> None:
    """More of "though" is in Ben's turn, but a pause and the end of a sentence come behind it."""
    words = spoken(
        *(Word(1.5, 2.0, "in"), Word(2.0, 2.5, "Jersey"), Word(2.5, 2.9, "now,")),
        *(Word(2.9, 3.15, "though."), Word(3.6, 4.0, "Well,"), Word(4.0, 4.5, "there")),
    )
    assert names(attribute(words, DIALOGUE)) == [
        ("Anna", "in Jersey now, though."),
        ("Ben", "Well, there"),
    ]


def test_words_in_overlap_stay_with_their_neighbors() -> None:
    both = result_of(Turn(0.0, 3.0, "Anna"), Turn(2.0, 5.0, "Ben"))
    words = [Word(start / 2, start / 2 + 0.4, f"w{start}") for start in range(10)]
    speakers = [s.turn.speaker for s in attribute(spoken(*words), both).segments]
    assert speakers == ["Anna", "Ben"]


def test_words_outside_get_the_nearest_turn_up_to_a_limit() -> None:
    turns = result_of(Turn(1.0, 3.0, "Anna"), Turn(10.0, 12.0, "Ben"))
    words = spoken(Word(3.4, 3.6, "near"), Word(6.0, 6.4, "far"), Word(9.2, 9.4, "early"))
    found = attribute(words, turns)
    assert names(found) == [("Anna", "near"), ("", "far"), ("Ben", "early")]
    assert [n.text for n in found.notices] == [
        "1 of 3 words are where nobody is found to speak; are they of this recording?"
    ]


def test_a_transcript_of_another_recording_is_noted() -> None:
    words = [Word(10.0 * i, 10.0 * i + 0.4, "word") for i in range(20)]
    found = attribute(spoken(*words), DIALOGUE)
    texts = [notice.text for notice in found.notices]
    assert any("are they of this recording?" in text for text in texts)
    assert any("13 of 20 words end after the recording, 60.0 s" in text for text in texts)
    assert sum(len(segment.words) for segment in found.segments) == 20  # nothing is lost


def test_sentences_are_kept_whole_where_asked() -> None:
    words = spoken(
        *(Word(2.0, 2.4, "I"), Word(2.4, 2.8, "do"), Word(3.4, 3.6, "not.")),
        *(Word(3.7, 4.1, "You"), Word(4.1, 4.6, "do.")),
    )
    assert names(attribute(words, DIALOGUE)) == [("Anna", "I do"), ("Ben", "not. You do.")]
    whole = attribute(words, DIALOGUE, whole_sentences=True)
    assert names(whole) == [("Anna", "I do not."), ("Ben", "You do.")]


def test_no_words_and_no_turns() -> None:
    nothing = Transcript("talk", 6.0, ())
    assert attribute(nothing, result_of()).notices == ()
    [notice] = attribute(nothing, DIALOGUE).notices
    assert notice.text == "no words were recognized; the turns are kept"
    found = attribute(spoken(Word(1.0, 2.0, "hello")), result_of())
    assert names(found) == [("", "hello")]


def test_text_without_times_of_words_is_spread_over_its_segment() -> None:
    text = Segment(Turn(2.0, 4.0, ""), "one two three four five six")
    found = attribute(of_segments("talk", [text]), DIALOGUE)
    assert names(found) == [("Anna", "one two three"), ("Ben", "four five six")]
    assert [notice.kind for notice in found.notices] == ["times"]


def test_a_segment_has_what_is_known_of_its_turn() -> None:
    turn = Turn(0.0, 3.0, "Anna", confidence=0.9, channel=2, id="SPEAKER_00")
    [segment] = attribute(spoken(Word(0.5, 1.0, "good")), result_of(turn)).segments
    known = segment.turn
    assert (known.confidence, known.channel, known.id) == (0.9, 2, "SPEAKER_00")
    assert (known.start, known.end) == (0.5, 1.0)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["你好", "世界。", "再见"], "你好世界。再见"),
        (["さくら", "さん", "OK"], "さくらさん OK"),
        (["Здравствуй,", "мир"], "Здравствуй, мир"),
        (["안녕", "하세요"], "안녕 하세요"),
    ],
)
def test_words_are_joined_as_their_script_does(texts: list[str], expected: str) -> None:
    words = [Word(0.5 + i / 5, 0.6 + i / 5, text) for i, text in enumerate(texts)]
    [segment] = attribute(spoken(*words), DIALOGUE).segments
    assert segment.text == expected


TIMES = st.integers(0, 60_000).map(lambda ms: ms / 1000)


@st.composite
def some_words(draw: st.DrawFn) -> list[Word]:
    """Words in order of their starts, which may overlap and have no length."""
    starts = sorted(draw(st.lists(TIMES, max_size=30)))
    texts = st.sampled_from(("so", "yes.", "no?", "<b>", "\u202eabc", "x" * 50))
    return [Word(s, s + draw(st.sampled_from((0.0, 0.2, 3.0))), draw(texts)) for s in starts]


@st.composite
def some_turns(draw: st.DrawFn) -> list[Turn]:
    pairs = draw(st.lists(st.tuples(TIMES, TIMES).map(sorted), max_size=10))
    speakers = st.sampled_from(("Anna", "Ben", "Cleo"))
    return [Turn(start, end, draw(speakers)) for start, end in pairs if end > start]


@given(words=some_words(), turns=some_turns(), whole=st.booleans())
def test_no_word_is_lost_and_segments_have_one_speaker(
    words: list[Word], turns: list[Turn], whole: bool
) -> None:
    result = result_of(*turns)
    segments = list(attributed(iter(words), result, whole_sentences=whole))
    kept = [word for segment in segments for word in segment.words]
    assert [(w.start, w.end, w.text) for w in kept] == [(w.start, w.end, w.text) for w in words]
    for segment in segments:
        assert {word.speaker for word in segment.words} == {segment.turn.speaker}
        assert segment.turn.speaker in {"", *result.speakers}
        assert segment.turn.start == segment.words[0].start
        assert segment.turn.end == max(word.end for word in segment.words)
    for before, after in pairwise(segments):
        paused = after.turn.start - before.turn.end >= SEGMENT_PAUSE_S
        assert paused or before.turn.speaker != after.turn.speaker


@given(words=some_words(), turns=some_turns())
def test_a_word_within_the_only_turn_near_it_is_of_its_speaker(
    words: list[Word], turns: list[Turn]
) -> None:
    segments = attributed(iter(words), result_of(*turns))
    for word in (word for segment in segments for word in segment.words):
        near = {
            turn.speaker
            for turn in turns
            if turn.end > word.start - 1.0 and turn.start < word.end + 1.0
        }
        if len(near) == 1 and any(t.start <= word.start and word.end <= t.end for t in turns):
            assert word.speaker in near


def test_three_hours_of_words_take_a_second() -> None:
    words = [Word(i / 3 + i // 10, i / 3 + i // 10 + 0.3, "word") for i in range(30_000)]
    turns = [Turn(2.0 * i, 2.0 * i + 1.9, f"S{i % 9}") for i in range(6_000)]
    assert len(list(attributed(iter(words), result_of(*turns)))) > 3_000
