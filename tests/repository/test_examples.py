"""The scripts in examples/ run, on the bundled conversation and on another recording."""

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.helpers.panel import write_clips
from tests.helpers.paths import ROOT
from tests.helpers.recognizers import TINY

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def run(script: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_runs_without_an_argument(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOCKET_ASR_MODEL", TINY)
    run(script, monkeypatch)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) > 2
    assert err == ""


def test_a_table_and_a_file_of_another_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clips(tmp_path)
    monkeypatch.chdir(tmp_path)
    run(EXAMPLES / "diarize_file.py", monkeypatch, "meeting.flac")
    assert capsys.readouterr().out.endswith("wrote meeting.rttm\n")
    assert (tmp_path / "meeting.rttm").read_text("utf-8").startswith("SPEAKER meeting 1 ")


def test_too_little_time_cancels(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from hocket import Diarizer

    script = EXAMPLES / "progress_and_cancel.py"
    monkeypatch.setattr(Diarizer, "__call__", waiting(Diarizer.__call__))
    run(script, monkeypatch, str(ROOT / "tests" / "clips" / "trn00.flac"), "0")
    assert "Result" not in capsys.readouterr().out


def waiting(call):
    """The same call, once its event is set."""

    def late(self, source, *, cancel, **others):
        assert cancel.wait(10)
        return call(self, source, cancel=cancel, **others)

    return late


def test_the_list_of_scripts_is_complete() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+\.py)`", page)) == {script.name for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_says_how_to_call_it(script: Path) -> None:
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    assert f"\npython {script.name} [RECORDING]" in text
