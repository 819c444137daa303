"""`hocket report`."""

from pathlib import Path

import pytest
import soundfile

from hocket.cli.outcome import FAILED, USAGE
from hocket.result import Result
from tests.helpers.audio import RATE, tone
from tests.helpers.command_line import hocket

RTTM = "SPEAKER tone 1 0.500 1.500 <NA> <NA> Anna <NA> <NA>\n"


@pytest.fixture
def tone_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    soundfile.write("tone.wav", tone(3.0), RATE)
    Path("tone.rttm").write_text(RTTM)
    return Path("tone.wav")


def test_turns_of_a_file_are_shown_and_nothing_is_diarized(
    tone_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("hocket.cli.report.Diarizer")
    assert hocket("report", tone_file, "--turns", "tone.rttm") == 0
    assert capsys.readouterr().out == "wrote tone.report.html\n"
    page = Path("tone.report.html").read_text(encoding="utf-8")
    assert "<bdi>Anna</bdi>" in page
    assert "data:audio/mpeg;base64," in page


def test_a_recording_is_diarized(clip: Path, tmp_path: Path) -> None:
    page, turns = tmp_path / "page.html", tmp_path / "clip.json"
    assert hocket("report", clip, "-o", page, "--preset", "fast", "--no-audio") == 0
    assert hocket("diarize", clip, "-o", turns, "--preset", "fast") == 0
    content = page.read_text(encoding="utf-8")
    assert all(speaker in content for speaker in Result.load(turns).speakers)
    assert "data:audio" not in content


def test_nothing_is_overwritten_unasked(
    tone_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Path("tone.report.html")
    page.write_text("mine")
    assert hocket("report", tone_file, "--turns", "tone.rttm") == USAGE
    assert "tone.report.html exists; give --overwrite" in capsys.readouterr().err
    assert page.read_text() == "mine"
    assert hocket("report", tone_file, "--turns", "tone.rttm", "--overwrite") == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_of_several_recordings_the_one_of_this_name_is_shown(
    tone_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = Path("all.rttm")
    several.write_text(RTTM + RTTM.replace(" tone ", " other ").replace("Anna", "Ben"))
    assert hocket("report", tone_file, "--turns", several) == 0
    page = Path("tone.report.html").read_text(encoding="utf-8")
    assert "Anna" in page
    assert "Ben" not in page
    assert hocket("report", tone_file.rename("third.wav"), "--turns", several) == FAILED
    assert "all.rttm: holds 2 recordings, not one named third" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["-"], USAGE, "a report reads its recording twice; give a file"),
        (["tone.wav", "--num-speakers", "0"], USAGE, "--num-speakers is 0; give 1 or more"),
        (["none.wav", "--turns", "tone.rttm"], FAILED, "none.wav: cannot be opened"),
        (["tone.wav", "--turns", "long.rttm"], USAGE, "give the turns of this recording"),
        (["tone.wav", "--turns", "empty.rttm"], FAILED, "empty.rttm: holds no turns"),
        (["tone.wav", "--turns", "tone.rttm", "-o", "tone.wav"], USAGE, "tone.wav exists"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    tone_file: Path,
    arguments: list[str],
    code: int,
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("long.rttm").write_text(RTTM.replace("1.500", "60.0"))
    Path("empty.rttm").write_text("")
    assert hocket("report", *arguments) == code
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
