"""Names of recordings and results: distinct, in any script, and never overwritten unasked."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import hocket, is_rttm
from tests.helpers.paths import CONVERSATION


@pytest.fixture
def equal_stems(clip: Path) -> list[Path]:
    """Two recordings of one name in two folders, and a third of the name that the second gets."""
    places = [clip.parent / "mon" / "rec.wav", clip.parent / "tue" / "rec.wav"]
    places.append(clip.parent / "rec-2.wav")
    for place in places:
        place.parent.mkdir(exist_ok=True)
        shutil.copy(clip, place)
    return places


def test_recordings_of_one_name_are_told_apart(
    equal_stems: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", *equal_stems) == 0
    names = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert sorted(set(names)) == ["rec", "rec-2", "rec-3"]
    assert hocket("diarize", *equal_stems, "-o", tmp_path / "out") == 0
    for path in (tmp_path / "out").iterdir():
        assert is_rttm(path.read_text(), path.stem)


@pytest.mark.parametrize("target", ["one.rttm", "folder"])
def test_a_result_is_overwritten_only_if_that_is_asked_for(
    target: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / target
    result = place
    if target == "folder":
        place.mkdir()
        result = place / "clip.rttm"
    result.write_text("a reference")
    assert hocket("diarize", clip, "-o", place) == 2
    error = capsys.readouterr().err
    assert f"{result} exists; give --overwrite, --skip-existing" in error
    assert hocket("diarize", clip, "-o", place, "--skip-existing") == 0
    assert f"{result} exists; skipped" in capsys.readouterr().err
    assert hocket("diarize", clip, "-o", place, "--skip-existing", "--overwrite") == 2
    assert result.read_text() == "a reference"
    assert hocket("diarize", clip, "-o", place, "--overwrite") == 0
    assert is_rttm(result.read_text(), "clip")


def test_existing_results_are_counted_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.rttm").touch()
    sources = [tmp_path / f"{name}.flac" for name in ("a", "b", "c", "d")]  # none is there
    assert hocket("diarize", *sources, "-o", tmp_path) == 2
    assert "a.rttm exists, and 2 more results do" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp1252"])
def test_output_is_utf_8_whatever_the_console_is(encoding: str, clip: Path, tmp_path: Path) -> None:
    names = ["会議.wav", "علی‌رضا.wav", "plain.wav"]
    for name in names:
        shutil.copy(clip, tmp_path / name)
    command = [sys.executable, "-m", "hocket", "diarize", *names]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONIOENCODING": encoding, "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    found = {line.split()[1] for line in done.stdout.decode("utf-8").splitlines()}
    assert "会議" in found
    assert len(found) == 3


def test_the_bundled_example_has_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("diarize", "--example", "--format", "rttm") == 0
    assert is_rttm(capsys.readouterr().out, CONVERSATION.stem)
