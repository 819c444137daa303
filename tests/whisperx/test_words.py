"""Speakers in a transcript of whisperX's form: right, in place, and nothing else is touched."""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.attribution import attribute
from hocket.errors import ArgumentError, ConfigError
from hocket.formats import whisper
from hocket.result import Result
from hocket.turns import Turn
from hocket.whisperx import assign_word_speakers
from hocket.whisperx.table import table_of
from tests.formats.test_formats import result_of

TURNS = (Turn(0.0, 3.0, "Anna"), Turn(3.0, 6.0, "Ben"), Turn(20.0, 22.0, "Anna"))
RESULT = replace(result_of([*TURNS], 30.0), exclusive_turns=TURNS)
TABLE = table_of(TURNS)


def word(text: str, start: float | None = None, length: float = 0.3) -> dict[str, Any]:
    times = {} if start is None else {"start": start, "end": start + length, "score": 0.9}
    return {"word": text, **times}


def segment(*words: dict[str, Any], **known: Any) -> dict[str, Any]:
    text = " ".join(str(each["word"]) for each in words)
    return {"start": 0.0, "end": 30.0, "text": text, "words": [*words], **known}


def named(*segments: dict[str, Any], turns: Any = TABLE, **options: Any) -> list[list[str | None]]:
    content = assign_word_speakers(turns, {"segments": [*segments]}, **options)
    return [[word.get("speaker") for word in each["words"]] for each in content["segments"]]


@pytest.mark.parametrize("turns", [TABLE, RESULT, RESULT.to_annotation()], ids=type)
def test_turns_may_be_a_table_a_result_or_an_annotation(turns: Any) -> None:
    words = [word("Hello.", 1.0), word("Yes.", 4.0), word("Well.", 20.5)]
    assert named(segment(*words), turns=turns) == [["Anna", "Ben", "Anna"]]


def test_a_table_may_come_from_elsewhere() -> None:
    table = pd.DataFrame({"speaker": [7, 8], "end": [3, 6], "start": [0, 3]})
    assert named(segment(word("a", 1.0), word("b", 5.0)), turns=table) == [["7", "8"]]


def test_a_word_across_a_change_goes_with_its_sentence() -> None:
    """More of "though." is in Ben's turn; the largest overlap alone would give it to him."""
    words = [word("in", 2.0, 0.5), word("Jersey", 2.5, 0.4), word("though.", 2.9, 0.25)]
    assert named(segment(*words, word("Well,", 3.6))) == [["Anna", "Anna", "Anna", "Ben"]]


def test_a_word_without_times_goes_with_its_neighbors() -> None:
    first = segment(word("2014"), word("was", 1.0), word("7"), word("good.", 1.5), word("1999."))
    change = segment(word("Well.", 2.2), word("2020"), word("20"), word("it", 4.0), word("3"))
    middle = segment(word("so", 1.0), word("4"), word("no", 5.0))
    assert named(first, change, middle) == [
        ["Anna"] * 5,
        ["Anna", "Ben", "Ben", "Ben", "Ben"],  # the sentence ends before the number
        ["Anna", "Anna", "Ben"],
    ]


def test_words_without_any_times_share_those_of_their_segment() -> None:
    words = [word(text) for text in ("one", "two", "three", "four", "five", "six")]
    assert named(segment(*words, start=2.0, end=4.0)) == [["Anna"] * 3 + ["Ben"] * 3]


def test_a_segment_has_the_speaker_of_most_of_its_words() -> None:
    one = segment(word("a", 1.0, 1.5), word("b", 4.0), word("c", 5.0), word("d", 12.0))
    content = assign_word_speakers(TABLE, {"segments": [one, segment(word("e", 12.0))]})
    assert [each.get("speaker") for each in content["segments"]] == ["Ben", None]


def test_without_alignment_only_segments_get_speakers() -> None:
    content = {
        "language": "en",
        "segments": [
            {"start": 0.5, "end": 2.5, "text": "good morning"},
            {"start": 3.2, "end": 5.5, "text": ""},
        ],
    }
    expected = deepcopy(content)
    for row, who in zip(expected["segments"], ("Anna", "Ben"), strict=True):
        row["speaker"] = who  # type: ignore[index]
    assert assign_word_speakers(TABLE, content) == expected


def test_words_outside_of_speech_have_a_speaker_only_if_the_nearest_is_wanted() -> None:
    rows = [word("near", 6.5), word("far", 9.0), word("later", 17.0), word("last", 29.0)]
    content = {"segments": [segment(*rows, speaker="Cleo")]}
    rows[1]["speaker"] = "Cleo"  # of an earlier run
    assign_word_speakers(TABLE, content)
    assert [row.get("speaker") for row in rows] == ["Ben", None, None, None]
    assert content["segments"][0]["speaker"] == "Ben"
    assign_word_speakers(TABLE, content, fill_nearest=True)
    assert [row.get("speaker") for row in rows] == ["Ben", "Ben", "Anna", "Anna"]


def test_words_apart_from_segments_get_the_same_speakers() -> None:
    words = [word("2014"), word("yes", 1.0), word("no", 4.0)]
    content = {"segments": [segment(*words[:2]), segment(*words[2:])], "word_segments": words}
    copied = json.loads(json.dumps(content))
    fewer = json.loads(json.dumps({**content, "word_segments": words[1:]}))
    for each, names in ((content, ["Anna", "Anna", "Ben"]), (copied, ["Anna", "Anna", "Ben"]),
                        (fewer, ["Anna", "Ben"])):  # fmt: skip
        assign_word_speakers(TABLE, each)
        assert [row["speaker"] for row in each["word_segments"]] == names
        assert each["segments"] == content["segments"]


def test_words_have_the_speakers_of_the_transcript_command() -> None:
    """In overlap, a result has turns without overlap too, and they count."""
    turns = (Turn(0.0, 4.0, "Anna"), Turn(2.0, 6.0, "Ben"))
    alone = (Turn(0.0, 3.0, "Anna"), Turn(3.0, 6.0, "Ben"))
    result = replace(result_of([*turns], 6.0), exclusive_turns=alone)
    words = [word(f"w{n}", n / 2, 0.4) for n in range(11)]
    [transcript] = whisper.read(json.dumps({"segments": [segment(*words)]}), "talk")
    expected = [w.speaker for each in attribute(transcript, result).segments for w in each.words]
    assert named(segment(*words), turns=result) == [expected]


TIMES = st.one_of(st.none(), st.floats(-1, 40), st.just(float("nan")))
TEXTS = st.sampled_from(("so", "yes.", "2014", "", " é "))


@st.composite
def some_words(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for text in draw(st.lists(TEXTS, max_size=8)):
        times = {"start": draw(TIMES), "end": draw(TIMES), "score": 0.5}
        known = draw(st.sets(st.sampled_from(("start", "end", "score"))))
        rows.append({"word": text, **{key: times[key] for key in known}})
    return rows


@given(
    parts=st.lists(some_words(), max_size=4),
    known=st.sampled_from(((), TURNS[:1], TURNS)),
    fill=st.booleans(),
)
def test_nothing_but_speakers_is_written(
    parts: list[list[dict[str, Any]]], known: tuple[Turn, ...], fill: bool
) -> None:
    rows = [segment(*words, chars=None, start=5.0, end=3.0) for words in parts]
    content = {
        "segments": rows,
        "word_segments": [row for words in parts for row in words],
        "language": "en",
    }
    before = repr(content)
    found = assign_word_speakers(table_of(known), content, fill_nearest=fill)
    assert found is content
    names = {turn.speaker for turn in known}
    for row in (*rows, *(row for words in parts for row in words)):
        assert row.pop("speaker", None) in {None, *names}
    assert repr(content) == before


@given(words=some_words())
def test_with_the_nearest_every_word_has_a_speaker(words: list[dict[str, Any]]) -> None:
    rows = [segment(*words)] if words else []
    assert all(name for names in named(*rows, fill_nearest=True) for name in names)


WRONG_CONTENT: list[tuple[Any, type[Exception], str]] = [
    ([segment()], ArgumentError, "transcript_result is .* a list; give MutableMapping"),
    ({"text": "", "language": "en"}, ConfigError, "no 'segments', but 'text', 'language'; give"),
    ({"segments": "x"}, ArgumentError, "segments is 'x'"),
    ({"segments": ["x"]}, ArgumentError, r"segments\[0\] is 'x'"),
    ({"segments": [segment(), {"text": "x"}]}, ConfigError, r"segments\[1\] has no times"),
    ({"segments": [segment(word("x", 1.0) | {"end": "2"})]}, ArgumentError, r"\['end'\] is '2'"),
    ({"segments": [segment(word("x", 1.0) | {"word": 3})]}, ArgumentError, r"\['word'\] is 3"),
    ({"segments": [], "word_segments": [1]}, ArgumentError, r"word_segments\[0\] is 1"),
]


@pytest.mark.parametrize(("content", "kind", "message"), WRONG_CONTENT)
def test_another_transcript_is_an_error(content: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        assign_word_speakers(TABLE, content)


WRONG_TURNS: list[tuple[Any, type[Exception], str]] = [
    ((TABLE, {}), ArgumentError, r"is of type tuple; give .* \(the first of two values"),
    (None, ArgumentError, "is of type NoneType"),
    (TABLE.drop(columns=["start", "speaker"]), ConfigError, "has no column start or speaker"),
    (TABLE.assign(end=float("nan")), ConfigError, "row 0 starts at 0.0 and ends at nan"),
    (TABLE.assign(start=9.0), ConfigError, "row 0 starts at 9.0 and ends at 3.0"),
]


@pytest.mark.parametrize(("turns", "kind", "message"), WRONG_TURNS)
def test_other_turns_are_an_error(turns: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        assign_word_speakers(turns, {"segments": []})


def test_wrong_options_are_errors() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'fill_nearest'"):
        assign_word_speakers(TABLE, {"segments": []}, fill_nearst=True)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="speaker_embeddings is True, a bool"):
        assign_word_speakers(TABLE, {"segments": []}, True)  # type: ignore[arg-type]


def test_a_result_without_turns_is_no_error() -> None:
    nobody: Result = result_of([], 5.0)
    assert named(segment(word("a", 1.0)), turns=nobody, fill_nearest=True) == [[None]]
