"""`hocket convert`."""

from pathlib import Path

import pytest

from hocket.cli.outcome import FAILED, USAGE
from hocket.formats import FORMATS
from hocket.formats.files import READABLE
from tests.helpers.command_line import hocket

RTTM = (
    "SPEAKER talk 1 0.500 1.500 <NA> <NA> Anna <NA> <NA>\n"
    "SPEAKER talk 1 1.750 2.000 <NA> <NA> Ben <NA> <NA>\n"
)
OTHER = "SPEAKER panel 1 0.250 0.500 <NA> <NA> Cleo <NA> <NA>\n"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    place = tmp_path / "talk.rttm"
    place.write_text(RTTM)
    return place


@pytest.mark.parametrize("name", [name for name in READABLE if name in FORMATS and name != "kaldi"])
def test_there_and_back(talk: Path, name: str) -> None:
    there, back = talk.parent / f"there/talk.{FORMATS[name].suffix}", talk.parent / "back.rttm"
    assert hocket("convert", talk, there) == 0
    assert hocket("convert", there, back) == 0
    if name in ("srt", "vtt"):  # both speak for 0.25 s, which is not shown
        assert back.read_text() == RTTM.replace("1.750 2.000", "2.000 1.750")
    else:
        assert back.read_text() == RTTM


def test_a_folder_of_several_formats_and_recordings(talk: Path, tmp_path: Path) -> None:
    talk.write_text(RTTM + OTHER)
    made = tmp_path / "made"
    assert hocket("convert", talk, made, "--format", "srt,csv,kaldi") == 0
    names = {path.name for path in made.iterdir()}
    assert names == {
        f"{stem}.{each}" for stem in ("talk", "panel") for each in ("srt", "csv", "kaldi")
    }
    assert hocket("convert", made / "panel.kaldi", tmp_path / "panel.rttm") == 0
    assert (tmp_path / "panel.rttm").read_text() == OTHER
    assert hocket("convert", talk, tmp_path / "all.csv") == 0
    assert (tmp_path / "all.csv").read_text().count("\n") == 4


def test_nothing_is_overwritten_unasked(
    talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "talk.srt"
    output.write_text("mine")
    assert hocket("convert", talk, output) == USAGE
    assert "exists; give --overwrite" in capsys.readouterr().err
    assert output.read_text() == "mine"
    assert hocket("convert", talk, output, "--overwrite") == 0
    assert "[Anna]" in output.read_text()


@pytest.mark.parametrize(
    ("content", "name", "code", "problem"),
    [
        ("SPEAKER a 1 x 1 <NA> <NA> b", "bad.rttm", FAILED, "bad.rttm:1: found 'x'; give seconds"),
        ("", "empty.rttm", FAILED, "holds no turns"),
        ("{}", "odd.json", FAILED, "JSON of no known shape"),
        ("hello", "notes.docx", FAILED, "no format that can be read; give one with --from"),
    ],
)
def test_what_cannot_be_converted_is_one_line(
    tmp_path: Path,
    content: str,
    name: str,
    code: int,
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_text(content)
    assert hocket("convert", tmp_path / name, tmp_path / "out.srt") == code
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.srt").exists()


def test_a_format_that_does_not_exist(talk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("convert", talk, talk.parent / "out.odt") == USAGE
    assert "no format has this suffix; give --format" in capsys.readouterr().err
