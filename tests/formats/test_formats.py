"""Every format: syntax, names with special characters, rounding, silence."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hocket.formats import FORMATS, written
from hocket.formats.table import FORMULA
from hocket.result import Result
from hocket.transcript import Segment, of_segments, transcript_of
from hocket.turns import Turn, rttm_field
from tests.helpers.documents import document

ANY_NAME = st.text(st.characters(), max_size=12)  # lone surrogates too, as in file names
NAMES = st.text(max_size=12)
HOSTILE = ["a b", "\u00a0", "\u3000x", "\u2028", "x\ny", "\r", "\x1c\x1f", "\u200b", "", "\udcff"]
VTT_TIME = r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}"
SRT_TIME = r"\d{2,}:[0-5]\d:[0-5]\d,\d{3}"


def result_of(turns: list[Turn], duration: float, uri: str = "talk") -> Result:
    return Result(
        uri=uri,
        turns=tuple(turns),
        exclusive_turns=tuple(turns[:1]),
        speakers=tuple(dict.fromkeys(turn.speaker for turn in turns)),
        embeddings=np.zeros((0, 4), np.float32),
        duration=duration,
        seconds={"decode": 0.1},
    )


DIALOGUE = result_of(
    [
        Turn(0.0225, 1.5, "anna"),
        Turn(1.25, 62.0004, "ben"),
        Turn(3661.9996, 3725.5, "anna"),
    ],
    duration=3725.25,
)
EMPTY = result_of([], duration=0.0)


def named(name: str) -> Result:
    """One turn of a speaker with this name."""
    return result_of([Turn(0.5, 1.5, name)], 2.0)


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Turns of any length inside recordings of up to 120 hours."""
    duration = draw(st.floats(0.001, 432_000))
    moments = st.floats(0, duration)
    pairs = draw(st.lists(st.tuples(moments, moments).map(sorted), max_size=5))
    turns = [Turn(start, end, draw(st.sampled_from("abc"))) for start, end in pairs if end > start]
    return result_of(sorted(turns), duration)


def rttm_times(written: str) -> list[tuple[Decimal, Decimal]]:
    """Start and duration of every line."""
    fields = [line.split(" ") for line in written.splitlines()]
    return [(Decimal(line[3]), Decimal(line[4])) for line in fields]


def test_rttm() -> None:
    assert document(DIALOGUE, "rttm") == (
        "SPEAKER talk 1 0.022 1.478 <NA> <NA> anna <NA> <NA>\n"
        "SPEAKER talk 1 1.250 60.750 <NA> <NA> ben <NA> <NA>\n"
        "SPEAKER talk 1 3662.000 63.250 <NA> <NA> anna <NA> <NA>\n"
    )


def test_json() -> None:
    assert json.loads(document(DIALOGUE, "json")) == {
        "uri": "talk",
        "duration": 3725.25,
        "speakers": ["anna", "ben"],
        "turns": [
            {"start": 0.022, "end": 1.5, "speaker": "anna"},
            {"start": 1.25, "end": 62.0, "speaker": "ben"},
            {"start": 3662.0, "end": 3725.25, "speaker": "anna"},
        ],
        "exclusive_turns": [{"start": 0.022, "end": 1.5, "speaker": "anna"}],
    }


def test_confidence_is_written_if_known() -> None:
    turns = (Turn(0.5, 1.5, "anna", 0.12345), Turn(1.5, 2.0, "ben"), Turn(2.0, 3.0, "anna", 1.0))
    result = replace(
        result_of(list(turns), 3.0), exclusive_turns=turns, count_confidence={1: 0.0625, 2: 0.9}
    )
    lines = [line.split(" ") for line in document(result, "rttm").splitlines()]
    assert [len(line) for line in lines] == [10, 10, 10]
    assert [line[8] for line in lines] == ["0.123", "<NA>", "1.000"]
    content = json.loads(document(result, "json"))
    assert content["count_confidence"] == {"1": 0.062, "2": 0.9}
    for name in ("turns", "exclusive_turns"):
        assert [turn.get("confidence") for turn in content[name]] == [0.123, None, 1.0]
    plain = replace(result, turns=tuple(replace(turn, confidence=None) for turn in turns))
    for name in ("txt", "srt", "vtt", "csv"):
        assert document(result, name) == document(plain, name)


def test_turns_that_differ_only_in_confidence_are_equal_and_in_order() -> None:
    sure, unsure = Turn(0.0, 1.0, "a", 0.9), Turn(0.0, 1.0, "a", 0.1)
    assert sure == unsure
    assert not sure < unsure
    assert hash(sure) == hash(unsure)


def test_text() -> None:
    assert document(DIALOGUE, "txt") == (
        "00:00:00.022 - 00:00:01.500  anna\n"
        "00:00:01.250 - 00:01:02.000  ben\n"
        "01:01:02.000 - 01:02:05.250  anna\n"
    )


def test_srt() -> None:
    assert document(DIALOGUE, "srt") == (
        "1\n00:00:00,022 --> 00:00:01,500\n[anna]\n"  # both for 0.25 s: too short to be shown
        "\n2\n00:00:01,500 --> 00:01:02,000\n[ben]\n"
        "\n3\n01:01:02,000 --> 01:02:05,250\n[anna]\n"
    )


def test_vtt() -> None:
    assert document(DIALOGUE, "vtt") == (
        "WEBVTT\n"
        "\n00:00:00.022 --> 00:00:01.500\n<v anna>anna</v>\n"
        "\n00:00:01.500 --> 00:01:02.000\n<v ben>ben</v>\n"
        "\n01:01:02.000 --> 01:02:05.250\n<v anna>anna</v>\n"
    )


def test_csv() -> None:
    assert document(DIALOGUE, "csv") == (
        "recording,start,end,speaker\n"
        "talk,0.022,1.500,anna\n"
        "talk,1.250,62.000,ben\n"
        "talk,3662.000,3725.250,anna\n"
    )


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [
        ("rttm", ""),
        ("txt", ""),
        ("srt", ""),
        ("vtt", "WEBVTT\n"),
        ("csv", "recording,start,end,speaker\n"),
        ("tsv", "recording\tstart\tend\tspeaker\n"),
        *(("jsonl", ""), ("audacity", ""), ("lab", ""), ("lhotse", ""), ("seglst", "[]\n")),
    ],
)
def test_silence_is_valid_in_every_format(format_name: str, expected: str) -> None:
    assert document(EMPTY, format_name) == expected


def test_silence_is_valid_json() -> None:
    content = json.loads(document(EMPTY, "json"))
    assert content["turns"] == content["exclusive_turns"] == content["speakers"] == []
    assert content["duration"] == 0


@given(ANY_NAME, ANY_NAME)
@example(" \t", "\n")
def test_rttm_lines_have_ten_fields_whatever_the_names(uri: str, speaker: str) -> None:
    found = document(result_of([Turn(0.5, 1.5, speaker)] * 2, 2.0, uri), "rttm")
    assert found.endswith("\n")
    lines = found.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert len(line.split(" ")) == len(line.split()) == 10
        assert line.split()[3:5] == ["0.500", "1.000"]
        line.encode("utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_rttm_fields_hold_no_white_space_and_are_never_empty(name: str) -> None:
    found = rttm_field(name)
    assert len(found.split()) == 1
    assert found.isprintable()
    assert document(named(name), "rttm").split()[7] == found


def test_rttm_keeps_printable_names_of_any_script() -> None:
    assert rttm_field("Zoë-Łukasz_李") == "Zoë-Łukasz_李"
    assert rttm_field("Anna B") == "Anna_B"


@given(results())
def test_no_turn_ends_after_the_recording(result: Result) -> None:
    recording = Decimal(result.duration) + Decimal("1e-9")
    for start, duration in rttm_times(document(result, "rttm")):
        assert start >= 0
        assert duration > 0
        assert start + duration <= recording
    content = json.loads(document(result, "json"))
    assert all(turn["end"] <= content["duration"] for turn in content["turns"])


@given(results())
def test_times_are_right_to_the_millisecond(result: Result) -> None:
    audible = [turn for turn in result.turns if turn.duration > 0.0021]
    found = rttm_times(document(result, "rttm"))
    for turn in audible:
        assert any(
            abs(float(start) - turn.start) <= 0.0006
            and abs(float(start + length) - turn.end) <= 0.0011
            for start, length in found
        )
    assert len(found) >= len(audible)


def test_turns_that_meet_still_meet_after_rounding() -> None:
    moments = [0.0, 0.02253, 0.70051, 1.0005, 1.9999]
    turns = [Turn(start, end, "a") for start, end in pairwise(moments)]
    found = rttm_times(document(result_of(turns, 2.0), "rttm"))
    assert len(found) == 4
    for (start, length), (following, _) in pairwise(found):
        assert start + length == following


def test_a_turn_shorter_than_a_millisecond_is_left_out() -> None:
    result = result_of([Turn(1.0001, 1.0002, "a"), Turn(1.9996, 1.99995, "b")], 1.99995)
    empty = replace(EMPTY, duration=result.duration)
    for name in FORMATS.keys() - {"json", "kaldi", "docx"}:
        assert document(result, name) == document(empty, name)
    assert json.loads(document(result, "json"))["turns"] == []


@given(NAMES, NAMES)
@example('"', "\u2028")
def test_json_keeps_names_and_is_one_line(uri: str, speaker: str) -> None:
    found = document(result_of([Turn(0.5, 1.5, speaker)], 2.0, uri), "json")
    assert found.count("\n") == 1
    assert found.endswith("\n")
    content = json.loads(found)
    assert content["uri"] == uri
    assert content["speakers"] == [speaker]
    assert content["turns"] == [{"start": 0.5, "end": 1.5, "speaker": speaker}]


def test_json_is_readable_in_any_script() -> None:
    assert "Łukasz 李" in document(named("Łukasz 李"), "json")


PLAIN = NAMES.filter(lambda name: name.isprintable() and not name.startswith(FORMULA))


@given(PLAIN, PLAIN)
@example('say "hi", Anna', " ,")
def test_csv_keeps_printable_names(uri: str, speaker: str) -> None:
    found = document(result_of([Turn(0.5, 1.5, speaker)] * 2, 2.0, uri), "csv")
    rows = list(csv.DictReader(io.StringIO(found, newline="")))
    expected = {"recording": uri, "start": "0.500", "end": "1.500", "speaker": speaker}
    assert rows == [expected] * 2


@given(ANY_NAME, ANY_NAME)
@example("\r", "a\rb")
@example("\x00", "two\nlines")
def test_csv_is_one_line_per_turn_whatever_the_names(uri: str, speaker: str) -> None:
    found = document(result_of([Turn(0.5, 1.5, speaker)] * 2, 2.0, uri), "csv")
    assert len(found.splitlines()) == 3
    rows = list(csv.reader(io.StringIO(found, newline="")))
    assert [row[1:3] for row in rows[1:]] == [["0.500", "1.500"]] * 2
    assert {len(row) for row in rows} == {4}


def test_csv_quotes_only_what_needs_it() -> None:
    rows = document(replace(named("O'Neil, Pat"), uri='a"b'), "csv").splitlines()
    assert rows[1] == '"a""b",0.500,1.500,"O\'Neil, Pat"'


@given(results())
def test_srt_cues_are_numbered_and_separated_by_blank_lines(result: Result) -> None:
    found = document(result, "srt")
    cues = found.removesuffix("\n").split("\n\n") if found else []
    for number, cue in enumerate(cues, start=1):
        pattern = rf"{number}\n{SRT_TIME} --> {SRT_TIME}(\n\[[abc]\])+"
        assert re.fullmatch(pattern, cue)
    assert bool(cues) == bool(rttm_times(document(result, "rttm")))


@given(results())
def test_vtt_cues_follow_the_header_after_blank_lines(result: Result) -> None:
    header, *cues = document(result, "vtt").removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    for cue in cues:
        assert re.fullmatch(rf"{VTT_TIME} --> {VTT_TIME}(\n<v [abc]>[abc]</v>)+", cue)


def test_times_go_beyond_a_hundred_hours() -> None:
    late = result_of([Turn(360_000.0, 363_661.001, "a")], 400_000.0)
    assert "100:00:00.000 --> 101:01:01.001" in document(late, "vtt")


@pytest.mark.parametrize("format_name", ["txt", "srt", "vtt"])
@pytest.mark.parametrize("name", ["blank\n\nline", "carriage\rreturn"])
def test_a_name_does_not_break_lines(format_name: str, name: str) -> None:
    usual, found = (
        len(re.split(r"\r\n|\r|\n", document(named(one), format_name))) for one in ("anna", name)
    )
    assert found == usual


@pytest.mark.parametrize("name", ["R&D", "a < b", "a > b", "&amp;", "-->"])
def test_vtt_escapes_what_its_markup_means(name: str) -> None:
    payload = document(named(name), "vtt").splitlines()[-1]
    found = re.fullmatch(r"<v ([^<>]*)>([^<>]*)</v>", payload)
    assert found is not None
    assert [html.unescape(part) for part in found.groups()] == [name, name]
    assert "-->" not in payload


@pytest.mark.parametrize("format_name", [name for name, one in FORMATS.items() if one.joinable])
def test_joinable_results_may_follow_each_other(format_name: str) -> None:
    chosen = FORMATS[format_name]
    results = map(transcript_of, (DIALOGUE, EMPTY, named("cleo")))
    parts = [str(chosen.write(each)) for each in results]
    lines = (chosen.header(False) + "".join(parts)).splitlines()
    assert lines == [line for part in (chosen.header(False), *parts) for line in part.splitlines()]


def test_lines_name_whom_they_can() -> None:
    segments = [
        Segment(Turn(0.0, 1.0, ""), "hello\nthere"),
        Segment(Turn(1.0, 2.0, "Anna"), "hi"),
        Segment(Turn(2.0, 3.0, "Ben")),
    ]
    lines = str(written(of_segments("talk", segments), "txt")).splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == ["hello there", "Anna: hi", "Ben"]
