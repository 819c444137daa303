"""docs/speakers.md is run as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from hocket.models import read_catalogue
from tests.commands import hocket
from tests.people import write_people
from tests.places import ROOT

PAGE = (ROOT / "docs" / "speakers.md").read_text(encoding="utf-8")


def test_all_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_people(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    examples = re.findall(r"```(sh|python)\n(.*?)```", PAGE, re.DOTALL)
    assert [kind for kind, _ in examples].count("python") == 1
    commands = [line for kind, text in examples if kind == "sh" for line in text.splitlines()]
    program = next(text for kind, text in examples if kind == "python")
    *commands, last = commands  # which needs what the program writes
    for line in commands:
        program_name, *words = shlex.split(line, comments=True)
        assert program_name == "hocket"
        assert hocket(*words) == 0, (line, capsys.readouterr().err)
    assert "Anna" in (tmp_path / "meeting.srt").read_text(encoding="utf-8")
    capsys.readouterr()
    exec(compile(program, "docs/speakers.md", "exec"), {})
    shown = capsys.readouterr().out
    assert " Anna\n" in shown
    assert "\nTrue\n" in shown
    assert hocket(*shlex.split(last)[1:]) == 0


def test_every_command_is_on_the_page() -> None:
    from hocket.cli.speakers import speakers_group

    for name in speakers_group.commands:
        assert re.search(rf"hocket speakers {name}\b|`{name}`", PAGE), name


def test_the_thresholds_of_every_model_are_in_order() -> None:
    for known in read_catalogue().calibrations.values():
        assert 0 < known["name_distance"] <= known["suggest_distance"] < 1
        assert known["name_distance"] <= known["verify_distance"] < 1
