"""`hocket transcribe` and `hocket transcript`: what goes where, and what is one line."""

import json
import sys
from pathlib import Path

import pytest

from hocket.cli import transcribe as command
from hocket.cli.outcome import FAILED, UNUSABLE, USAGE
from hocket.recognition import engine, live, transcribe
from tests.helpers.command_line import StandardInput, hocket
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import TINY, Clock

WORDS = {
    "segments": [
        {
            "start": 7.0,
            "end": 9.0,
            "text": "Hello there.",
            "words": [
                {"word": "Hello", "start": 7.0, "end": 7.5, "score": 0.9},
                {"word": "there.", "start": 7.5, "end": 8.0, "score": 0.8},
            ],
        },
        {
            "start": 22.0,
            "end": 24.0,
            "text": "=HYPERLINK(1) <b>",
            "words": [
                {"word": "=HYPERLINK(1)", "start": 22.0, "end": 23.0},
                {"word": "<b>\u202e\x07", "start": 23.0, "end": 24.0},
            ],
        },
    ]
}


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.json").write_text(json.dumps(WORDS))
    place = tmp_path / "talk.flac"
    place.write_bytes(CONVERSATION.read_bytes())
    return place


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The recognizer that every command opens."""
    found = Clock()
    monkeypatch.setattr(transcribe, "open_recognizer", lambda *_: found)
    return found


def test_lines_of_a_conversation_and_the_same_in_files(
    talk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOCKET_ASR_MODEL", TINY)
    assert hocket("transcribe", talk) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert any("SPEAKER_01: " in line and "Yankee" in line for line in lines)
    assert any("SPEAKER_00: " in line and "New Jersey" in line for line in lines)
    assert hocket("transcribe", talk, "-o", "made/", "--format", "txt,json,md") == 0
    assert Path("made/talk.txt").read_text() == out
    content = json.loads(Path("made/talk.json").read_text())
    assert content["language"] == "en"
    assert {"start", "end", "word", "speaker", "score"} == content["segments"][1]["words"][0].keys()
    assert content["settings"]
    assert Path("made/talk.md").read_text().startswith("# talk\n\n**SPEAKER_00** (0:06)")


def test_standard_input_is_kept_for_the_second_reading(
    talk: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hocket("transcribe", talk) == 0
    expected = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", StandardInput(talk.read_bytes()))
    again = Clock()
    monkeypatch.setattr(transcribe, "open_recognizer", lambda *_: again)
    assert hocket("transcribe", "-") == 0
    assert capsys.readouterr().out == expected
    assert clock.calls == again.calls > 1


def test_a_failure_half_way_writes_what_there_is(
    talk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transcribe, "open_recognizer", lambda *_: Clock(fails_at=2))
    assert hocket("transcribe", talk, "-o", "talk.json") == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"hocket: {talk}: the recognizer failed (no memory left); the turns are kept\n"
    content = json.loads(Path("talk.json").read_text())
    assert len(content["turns"]) == 7
    assert any(segment["text"] for segment in content["segments"])
    assert not content["segments"][-1]["text"]


def test_no_words_leave_the_turns_and_a_notice(
    talk: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(transcribe, "open_recognizer", lambda *_: Clock(silent=True))
    assert hocket("transcribe", talk) == 0
    assert len(capsys.readouterr().out.splitlines()) == 7
    assert hocket("transcribe", talk, "--strict", "-o", "talk.rttm") == FAILED
    assert "no words were recognized; the turns are kept" in caplog.text + capsys.readouterr().err
    assert len(Path("talk.rttm").read_text().splitlines()) == 7


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (("talk.flac", "--engine", "sphinx"), USAGE, "'sphinx' is not one of 'auto'"),
        (("talk.flac", "--model", "."), UNUSABLE, "holds no model for faster-whisper"),
        (("talk.flac", "--format", "docx"), USAGE, "docx cannot go to standard output; give -o"),
        ((), USAGE, "give FILE..., or --example alone"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    talk: Path,
    arguments: tuple[str, ...],
    code: int,
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hocket("transcribe", *arguments) == code
    err = capsys.readouterr().err
    assert problem in err
    assert err.count("\n") == 1


def test_a_missing_recognizer_is_reported_before_inference(
    talk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    monkeypatch.setattr(command, "diarize_one", lambda *_: pytest.fail("diarized"))
    assert hocket("transcribe", talk) == UNUSABLE
    expected = "hocket: no speech recognizer is installed; run \"pip install 'hocket[asr]'\"\n"
    assert capsys.readouterr().err == expected


def test_words_of_a_file_get_the_speakers_of_a_recording_or_of_turns(
    talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("transcript", talk, "--words", "words.json") == 0
    out, err = capsys.readouterr()
    assert [line.split("  ")[1] for line in out.splitlines()] == [
        "SPEAKER_00: Hello there.",
        r"SPEAKER_01: =HYPERLINK(1) <b>\u202e\x07",
    ]
    assert err == ""
    for turns in ("talk.json", "talk.rttm"):
        assert hocket("diarize", talk, "-o", turns) == 0
        assert hocket("transcript", turns, "--words", "words.json") == 0
        assert capsys.readouterr().out == out
    assert hocket("transcript", talk, "--words", "words.json", "-o", "talk.csv") == 0
    assert ",'=HYPERLINK(1)" in Path("talk.csv").read_text()
    assert hocket("transcript", talk, "--words", "words.json", "-o", "talk.docx") == 0
    assert Path("talk.docx").read_bytes().startswith(b"PK")


def test_words_of_another_recording_are_told(
    talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"word": "x", "start": 100 + i, "end": 100.5 + i} for i in range(9)]
    odd = {"segments": [{"start": 100, "end": 110, "text": "x", "words": rows}]}
    Path("odd.json").write_text(json.dumps(odd))
    assert hocket("transcript", talk, "--words", "odd.json", "--strict") == FAILED
    err = capsys.readouterr().err
    assert "9 of 9 words end after the recording, 30.0 s" in err
    told = "9 of 9 words are where nobody is found to speak; are they of this recording?"
    assert err.count(told) == 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ('{"a": 1}', "JSON of no known shape"),
        ("{", "is no JSON"),
        ('{"segments": []}{"x": 1}', "is no JSON"),
    ],
)
def test_words_that_cannot_be_read_are_one_line_before_inference(
    talk: Path,
    words: str,
    problem: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("odd.json").write_text(words)
    assert hocket("transcript", talk, "--words", "odd.json") == FAILED
    err = capsys.readouterr().err
    assert problem in err
    assert "odd.json" in err
    assert err.count("\n") == 1


def test_a_format_that_is_not_that_of_the_words_is_told(
    talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("transcript", talk, "--words", "words.json", "--from", "aws") == FAILED
    assert "is not what Amazon Transcribe writes; leave --from out" in capsys.readouterr().err


def test_live_lines_from_a_pipe(
    talk: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(live, "open_recognizer", lambda *_: Clock())
    assert hocket("transcribe", "--live", talk, "--format", "jsonl") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["recording"] for row in rows} == {"talk"}
    assert {row["speaker"] for row in rows} >= {"SPEAKER_00", "SPEAKER_01"}
    monkeypatch.setattr(live, "open_recognizer", lambda *_: Clock(fails_at=2))
    monkeypatch.setattr(sys, "stdin", StandardInput(talk.read_bytes()))
    assert hocket("transcribe", "--live", "-") == FAILED
    out, err = capsys.readouterr()
    assert "w1 w1" in out
    assert err == "hocket: the recognizer failed (no memory left); the turns are kept\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--mic",), "--mic is for --live; give both"),
        (("--live", "a", "b"), "--live is for one FILE or -; found 2"),
        (("--live", "-", "--num-speakers", "2"), "--live goes with the recognizer's options"),
        (("--live", "-", "--threshold", "0.3"), "--live goes with the recognizer's options"),
        (("--live", "-", "--start", "0"), "--live goes with the recognizer's options"),
        (("--live", "-", "--format", "srt"), "--live writes txt or jsonl; give one of them"),
    ],
)
def test_options_that_do_not_go_with_live(
    arguments: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("transcribe", *arguments) == USAGE
    assert problem in capsys.readouterr().err


def test_a_library_that_a_format_needs_is_missed_before_inference(
    talk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    monkeypatch.setattr(command, "diarize_one", lambda *_: pytest.fail("diarized"))
    for arguments in (("-o", "talk.docx"), ("-o", "made/", "--format", "srt,docx")):
        assert hocket("transcript", talk, "--words", "words.json", *arguments) == UNUSABLE
        err = capsys.readouterr().err
        assert "docx is not installed" in err
        assert "run \"pip install 'hocket[docx]'\"" in err
        assert err.count("\n") == 1
