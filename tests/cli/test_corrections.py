"""Constraints on the command line; those of docs/corrections.md."""

import json
import re
import shutil
from pathlib import Path

import pytest

from hocket.cli import diarize as cli_diarize
from hocket.cli.outcome import FAILED, USAGE
from tests.helpers.command_line import hocket
from tests.helpers.panel import write_clips
from tests.helpers.paths import CONVERSATION, ROOT

PAGE = (ROOT / "docs" / "corrections.md").read_text(encoding="utf-8")
EXAMPLE = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(CONVERSATION, tmp_path / "meeting.flac")
    (tmp_path / "corrections.json").write_text(EXAMPLE[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_constraints_of_the_page_are_met(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", "meeting.flac", "--constraints", "corrections.json") == 0
    out, err = capsys.readouterr()
    assert " Anna " in out
    assert " SPEAKER_00 " not in out  # the speaker named Anna has no other name
    assert err == ""


def test_a_contradiction_is_reported_before_inference(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_diarize, "diarize_one", lambda *_: pytest.fail("diarized"))
    pair = '{"same": [[7, 9], [15, 17.5]]}', '{"different": [[7, 9], [15, 17.5]]}'
    (folder / "odd.json").write_text(f"[{pair[0]}, {pair[1]}]")
    assert hocket("diarize", "meeting.flac", "--constraints", "odd.json") == USAGE
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert all(quoted in err for quoted in pair)
    (folder / "names.json").write_text('[{"is": "A", "at": [7, 9]}, {"is": "B", "at": [15, 17]}]')
    words = ("diarize", "meeting.flac", "--constraints", "names.json", "--num-speakers", "1")
    assert hocket(*words) == USAGE
    assert "name 2 speakers (A, B) but at most 1" in capsys.readouterr().err
    for words in (("none.json",), ("odd.json", "meeting.flac")):
        assert hocket("diarize", "meeting.flac", "--constraints", *words) == USAGE


def test_an_unknown_label_is_reported_with_the_known_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd.json").write_text('[{"is": "SPEAKER_07", "at": [7, 9]}]')
    assert hocket("diarize", "meeting.flac", "--constraints", "odd.json") == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "SPEAKER_00, SPEAKER_01; give one" in err


def turns_of(capsys: pytest.CaptureFixture[str]) -> list[tuple[float, float, str]]:
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows]


def test_a_name_by_constraint_overrides_the_store(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clips(folder)
    for name in ("Anna", "Ben"):
        assert hocket("speakers", "enroll", name, f"{name.lower()}.flac", "--store", "team.db") == 0
    capsys.readouterr()
    usual = ("diarize", "meeting.flac", "--store", "team.db")
    assert hocket(*usual) == 0
    known = turns_of(capsys)
    assert {"Anna", "Ben"} <= {name for _, _, name in known}
    for wrong in ("Zoe", "Anna"):
        start, end = max(
            ((start, end) for start, end, name in known if name == "Ben"),
            key=lambda turn: turn[1] - turn[0],
        )
        segment = [start + 0.1, end - 0.1]
        (folder / "names.json").write_text(json.dumps([{"is": wrong, "at": segment}]))
        assert hocket(*usual, "--constraints", "names.json") == 0
        found = turns_of(capsys)
        assert [turn[:2] for turn in found] == [turn[:2] for turn in known]
        for before, after in zip(known, found, strict=True):
            assert (before[2] == "Ben") == (after[2] == wrong)
