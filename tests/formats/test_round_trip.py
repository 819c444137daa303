"""What is written is read back: turns and text, in names of many scripts."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.errors import FormatError
from hocket.formats import FORMATS, kaldi, written
from hocket.formats.files import READABLE, READERS, format_of, read_transcripts, write_transcripts
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn

NAMES = (
    *(
        "Anna",
        "Ben O'Neil",
        "Zoë",
        "Łukasz",
        "Ольга",
        "Ελένη",
        "李小龍",
        "さくら",
        "김민준",
        "مريم",
    ),
    *("علی‌رضا", "דוד", "अनन्या", "আনিকা", "தமிழ்", "สมชาย", "გიორგი", "Արամ", "አበበ", "Nguyễn"),
)
TEXTS = ("Good morning.", "¿Qué tal?", "你好,世界", "נו, מה נשמע", "a, b & <c>", '"quoted"', "=1+2")
WITH_TEXT = (
    "jsonl",
    "csv",
    "tsv",
    "textgrid",
    "eaf",
    "audacity",
    "lhotse",
    "seglst",
    "labelstudio",
)
TURNS = [name for name in READABLE if name in FORMATS and name not in ("srt", "vtt")]
NO_BLANKS = ("rttm", "kaldi")  # in names


@st.composite
def transcripts(draw: st.DrawFn, *, text: bool = False, uri: str = "talk") -> Transcript:
    """Segments without overlap, whose times are whole milliseconds."""
    lengths = draw(st.lists(st.integers(1, 5_000_000), min_size=2, max_size=12))
    time, edges = 0, []
    for length in lengths:
        time += length
        edges.append(time / 1000)
    segments = []
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        said = draw(st.sampled_from(TEXTS)) if text else ""
        segments.append(Segment(Turn(start, end, draw(st.sampled_from(NAMES))), said))
    return of_segments(uri, segments)


def again(transcript: Transcript, name: str) -> Transcript:
    """The transcript, written and read."""
    content = written(transcript, name)
    if isinstance(content, str):
        read = FORMATS[name].read
        assert read is not None
        [found] = read(content, transcript.uri)
    else:
        [found] = kaldi.read(content, transcript.uri)
    return found


def rows(transcript: Transcript) -> list[tuple[float, float, str, str]]:
    return [
        (round(s.turn.start, 3), round(s.turn.end, 3), s.turn.speaker, s.text)
        for s in transcript.segments
    ]


@pytest.mark.parametrize("name", TURNS)
@given(transcript=transcripts())
def test_turns_come_back(name: str, transcript: Transcript) -> None:
    found = again(transcript, name)
    expected = rows(transcript)
    if name in NO_BLANKS:
        expected = [(*times, who.replace(" ", "_"), said) for *times, who, said in expected]
    assert rows(found) == expected
    assert found.uri == "talk"


@pytest.mark.parametrize("name", WITH_TEXT)
@given(transcript=transcripts(text=True))
def test_text_comes_back(name: str, transcript: Transcript) -> None:
    assert rows(again(transcript, name)) == rows(transcript)


@pytest.mark.parametrize("name", ["srt", "vtt"])
@given(transcript=transcripts())
def test_subtitles_of_turns_come_back(name: str, transcript: Transcript) -> None:
    found = rows(again(transcript, name))
    spoken = [(start, end, who) for start, end, who, _ in found]
    for start, end, who, _ in rows(transcript):
        if end - start >= 0.4:
            inside = [each for each in spoken if each[0] <= start and end <= each[1] + 0.4]
            assert who in {each[2] for each in inside}


@given(transcript=transcripts(text=True))
def test_text_of_subtitles_comes_back(transcript: Transcript) -> None:
    for name in ("srt", "vtt"):
        found = again(transcript, name)
        said = " ".join(segment.text for segment in found.segments).split()
        assert "".join(said) == "".join("".join(s.text.split()) for s in transcript.segments)
        assert {s.turn.speaker for s in found.segments} == {*transcript.speakers}


def test_several_recordings_in_one_file() -> None:
    first = of_segments("a", [Segment(Turn(0.5, 2.0, "Anna"))])
    second = of_segments("b", [Segment(Turn(1.0, 3.0, "Ben")), Segment(Turn(2.0, 4.0, "Anna"))])
    with TemporaryDirectory() as folder:
        for name, chosen in FORMATS.items():
            if chosen.joinable and chosen.read:
                place = Path(folder) / f"all.{chosen.suffix}"
                write_transcripts([first, second], place, name)
                found = read_transcripts(place)
                assert [each.uri for each in found] == ["a", "b"]
                assert [rows(each) for each in found] == [rows(first), rows(second)]


def test_suffixes_name_formats() -> None:
    assert {name: format_of(Path(f"x.{each.suffix}")) for name, each in FORMATS.items()} == {
        name: name for name in FORMATS
    }
    assert format_of(Path("x.TEXTGRID")) == "textgrid"
    assert format_of(Path("x.mp3")) is None


def test_a_name_is_never_a_formula() -> None:
    hostile = of_segments("=cmd()", [Segment(Turn(0, 1, "=1+1"), "@sum")])
    for name in ("csv", "tsv"):
        cells = str(written(hostile, name)).splitlines()[1].split("," if name == "csv" else "\t")
        assert [cell[0] for cell in cells] == ["'", "0", "1", "'", "'"]
        [found] = FORMATS[name].read(str(written(hostile, name)), "x")  # type: ignore[misc]
        assert (found.uri, rows(found)[0][2:]) == ("=cmd()", ("=1+1", "@sum"))


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("rttm", "SPEAKER a 1 NaN 1 <NA> <NA> x <NA> <NA>", "a:1: found 'NaN'; give seconds"),
        ("rttm", "SPEAKER a 1 1 -1 <NA> <NA> x <NA> <NA>", "found '-1'; give seconds"),
        ("rttm", "SPEAKER a 1 1", "found 4 fields"),
        ("srt", "1\n00:00:0x,000 --> 00:00:01,000\nhi", "a:2: found '00:00:0x"),
        ("srt", "hello", "holds no cue"),
        ("srt", "1\n00:00:02,000 --> 00:00:01,000\nhi", "ends before it starts"),
        ("csv", "a,b,c\n1,2,3", "give the columns start, end and speaker"),
        ("csv", "start,end,speaker\n1,x,y", "a:2: found 'x'"),
        ("csv", "start,end,speaker\n3,1,y", "ends at 1, before it starts at 3"),
        ("tsv", "start\tend\tspeaker\ninf\t1\ty", "found 'inf'"),
        ("json", "{", "is no JSON"),
        ("json", "[1]", "holds no object with turns"),
        ("json", '{"turns": [{"start": 1}], "uri": "x"}', "KeyError"),
        ("jsonl", '{"start": 0, "end": 1}', "lacks 'speaker'"),
        ("jsonl", "[]", "cannot be read"),
        ("lhotse", '{"recording_id": "a", "start": 0, "duration": -1}', "found '-1'"),
        ("seglst", "{}", "holds no list"),
        ("seglst", '[{"session_id": "a"}]', "segment 1: lacks 'start_time'"),
        ("labelstudio", "{}", "holds no list of tasks"),
        ("labelstudio", '[{"annotations": [{}]}]', "a task lacks 'result'"),
        ("textgrid", "hello", "is no TextGrid"),
        ("textgrid", 'Object class = "TextGrid"\n0\n1\n<exists>', "is a short TextGrid"),
        ("eaf", "<a", "is no XML"),
        ("eaf", "<a/>", "is no ELAN file"),
        ("eaf", '<!DOCTYPE x [<!ENTITY a "b">]><ANNOTATION_DOCUMENT/>', "has a document type"),
        ("audacity", "hello", "give start, end and label with tabs"),
        ("lab", "0 1", "give start, end and speaker"),
    ],
)
def test_what_cannot_be_read_is_one_line(name: str, text: str, problem: str) -> None:
    read = FORMATS[name].read
    assert read is not None
    with pytest.raises(FormatError) as caught:
        read(text, "a")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
@given(junk=st.text(max_size=200))
def test_any_text_is_read_or_refused(name: str, junk: str) -> None:
    with suppress(FormatError):
        READERS[name](junk, "a")


def test_rttm_of_others_is_read() -> None:
    text = (
        ";; a comment\nSPKR-INFO a 1 <NA> <NA> <NA> unknown x <NA>\n"
        "SPEAKER a 1 0.5 1.5 <NA> <NA> Anna Maria von B <NA> <NA>\n"
        "SPEAKER\ta\t1\t2\t1e0\t<NA>\t<NA>\tben\t0.25\n"
        "SPEAKER a 2 3 0 <NA> <NA> nobody <NA> <NA>\n"
    )
    read = FORMATS["rttm"].read
    assert read is not None
    [found] = read(text, "x")
    assert rows(found) == [(0.5, 2.0, "Anna Maria von B", ""), (2.0, 3.0, "ben", "")]
    assert [segment.turn.confidence for segment in found.segments] == [None, 0.25]


@pytest.mark.parametrize("name", WITH_TEXT)
@pytest.mark.parametrize("time", [0.0, 1.0, 2.0, 9.0])
def test_text_without_length_or_behind_the_end_is_kept(name: str, time: float) -> None:
    segments = (Segment(Turn(0.0, 0.5, "Anna"), "first"), Segment(Turn(time, time, "Ben"), "gone?"))
    found = again(Transcript("talk", 2.0, segments), name)
    assert [segment.text for segment in found.segments].count("gone?") == 1
    assert all(segment.turn.end <= 2 for segment in found.segments)


def test_blanks_of_unicode_divide_neither_fields_nor_lines() -> None:
    read = FORMATS["rttm"].read
    assert read is not None
    [found] = read("SPEAKER a\u00a0b 1 1 2 <NA> <NA> c\u2028d <NA> <NA>\n", "x")
    assert (found.uri, rows(found)) == ("a\u00a0b", [(1.0, 3.0, "c\u2028d", "")])


def test_twenty_thousand_turns_are_read_in_no_time() -> None:
    turns = [Segment(Turn(n * 1.5, n * 1.5 + 1, f"s{n % 7}")) for n in range(20_000)]
    long = replace(of_segments("long", turns), duration=30_000)
    for name in ("rttm", "csv", "eaf", "textgrid", "srt"):
        assert len(again(long, name).segments) == 20_000
