"""`hocket score`."""

import json
import sys
from collections import Counter
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import pytest

from hocket.cli.outcome import FAILED
from tests.helpers.command_line import hocket

TALK = "SPEAKER talk 1 0.000 10.000 <NA> <NA> {} <NA> <NA>\n"
PANEL = "SPEAKER panel 1 0.000 30.000 <NA> <NA> {} <NA> <NA>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, speaker in (("ref", "Anna"), ("hyp", "SPEAKER_00")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "talk.rttm").write_text(TALK.format(speaker))
        (tmp_path / name / "panel.rttm").write_text(PANEL.format(speaker))
    return tmp_path


def scored(*arguments: object, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    assert hocket("score", *map(str, arguments), "--json") == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_folders_are_matched_by_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hyp" / "panel.rttm").write_text("")  # nothing is found
    found = scored(folder / "hyp", folder / "ref", capsys=capsys)
    assert found["protocol"] == {"collar_s": 0, "overlap": True, "regions": False}
    rates = {uri: row["der"] for uri, row in found["recordings"].items()}  # type: ignore[attr-defined]
    assert rates == {"panel": 1, "talk": 0}
    assert found["total"]["der"] == 0.75  # type: ignore[index]
    assert found["total"]["files_right_count"] == 1  # type: ignore[index]


def test_a_table_says_what_was_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("score", folder / "hyp", folder / "ref", "--collar", "0.25") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["recording", "panel", "talk", "all", "collar"]
    assert lines[3].split()[1:3] == ["0.00", "0.00"]
    assert lines[4].startswith("collar 0.25 s, overlap scored, weighted by speech; 2 of 2 with")


def test_any_format_and_name_will_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("convert", folder / "hyp" / "talk.rttm", folder / "other.TextGrid") == 0
    found = scored(folder / "other.TextGrid", folder / "ref" / "talk.rttm", capsys=capsys)
    assert found["total"]["der"] == 0  # type: ignore[index]
    uem = folder / "talk.uem"
    uem.write_text("talk 1 0 20\n")
    (folder / "late.csv").write_text("start,end,speaker\n5,15,x\n")
    found = scored(
        *(folder / "late.csv", folder / "ref" / "talk.rttm", "--regions", uem), capsys=capsys
    )
    assert (found["total"]["miss"], found["total"]["false_alarm"]) == (0.5, 0.5)  # type: ignore[index]


def test_a_recording_without_a_hypothesis_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dropping it would improve the score."""
    (folder / "hyp" / "panel.rttm").unlink()
    assert hocket("score", folder / "hyp", folder / "ref") == FAILED
    assert "hyp: has no turns of panel" in capsys.readouterr().err


def test_a_recording_in_two_files_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "hyp" / "again.rttm").write_text(TALK.format("x"))
    assert hocket("score", folder / "hyp", folder / "ref") == FAILED
    assert "talk is in another file too" in capsys.readouterr().err


class _Rate(NamedTuple):
    errors: int
    length: int


def _cpwer(reference: list[dict[str, str]], hypothesis: list[dict[str, str]]) -> dict[str, _Rate]:
    """What meeteval.wer.cpwer returns, for speakers who say one word each."""
    ref, hyp = (Counter(row["words"].strip() for row in rows) for rows in (reference, hypothesis))
    assert all(row["speaker"] and row["session_id"] for row in (*reference, *hypothesis))
    return {"recording": _Rate(2 * sum((ref - hyp).values()), sum(ref.values()))}


def test_words_are_scored_where_both_sides_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, word in (("ref", "Hello!"), ("hyp", "hello"), ("odd", "yellow")):
        rows = f"recording,start,end,speaker,text\ntalk,0,1,A,{word}\ntalk,1,2,B,Bye.\n"
        (tmp_path / f"{name}.csv").write_text(rows)
    monkeypatch.setitem(sys.modules, "meeteval", None)
    assert hocket("score", tmp_path / "hyp.csv", tmp_path / "ref.csv") == 0
    out, err = capsys.readouterr()
    assert "cpWER" not in out
    assert err == 'hocket: cpWER needs meeteval; run "pip install meeteval"\n'
    double = ModuleType("meeteval")
    double.__spec__ = ModuleSpec("meeteval", None)
    double.io, double.wer = SimpleNamespace(SegLST=list), SimpleNamespace(cpwer=_cpwer)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "meeteval", double)
    for name, rate in (("hyp", 0.0), ("odd", 1.0)):
        found = scored(tmp_path / f"{name}.csv", tmp_path / "ref.csv", capsys=capsys)
        assert (found["total"]["cpwer"], found["total"]["words"]) == (rate, 2)  # type: ignore[index]
    assert hocket("score", tmp_path / "odd.csv", tmp_path / "ref.csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split() == ["recording", "cpWER", "%", "words"]
    assert lines[-2].split() == ["talk", "100.00", "2"]
