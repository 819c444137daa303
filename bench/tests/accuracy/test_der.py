"""`bench der`: scores of stored hypotheses and of hocket, as printed and written."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.annotations import Turn
from bench.tests.helpers import FAKE_HOCKET, results_of, run, write_recording, write_rttm


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """2 s that the stored hypothesis has fully, and 1 s of which it has nothing."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/full", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/none", [Turn(0.5, 1.0, "anna"), Turn(1.0, 1.5, "ben")])
    write_rttm(tmp_path / "stored/full.rttm", [Turn(0.0, 2.0, "x")])
    write_rttm(tmp_path / "stored/none.rttm", [])
    return folder


@pytest.fixture
def hocket_module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for hocket in this process."""
    module, errors = ModuleType("hocket"), ModuleType("hocket.errors")
    config = ModuleType("hocket.config")
    for each in (module, errors, config):
        monkeypatch.setitem(sys.modules, each.__name__, each)
    monkeypatch.setattr(errors, "HocketError", ValueError, raising=False)
    exec(FAKE_HOCKET, module.__dict__)
    monkeypatch.setattr(config, "Runtime", module.__dict__["Runtime"], raising=False)
    return module


def test_scores_of_stored_hypotheses(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hocket", None)  # importing it would raise
    output = tmp_path / "out.json"
    found = results_of("der", corpus, "--hypotheses", tmp_path / "stored", output=output)
    assert found["all"]["der_percent"] == pytest.approx(100 / 3, abs=1e-3)
    assert found["kinds"]["real"]["der_percent"] == 0
    assert found["kinds"]["panel"]["miss_percent"] == 100
    assert found["files"]["panel/none"]["speakers_reference"] == 2
    assert found["files"]["panel/none"]["count_error"] == -2
    assert found["all"]["jer_percent"] == pytest.approx(200 / 3, abs=1e-3)
    assert found["all"]["overlap_der_percent"] is None
    assert found["all"]["worst"] == {"uri": "panel/none", "der_percent": 100.0}
    assert found["protocol"] == "collar 0, overlap scored, UEM, time-weighted"
    assert found["system"] == {"name": "stored", "folder": "stored"}
    assert (found["command"], found["label"], found["corpus"]) == ("der", "corpus", "corpus")
    first = output.read_text(encoding="utf-8")
    assert str(tmp_path) not in first
    run("der", corpus, "--hypotheses", tmp_path / "stored", "--output", output)
    assert output.read_text(encoding="utf-8") == first


def test_files_kinds_and_all_are_printed(tmp_path: Path, corpus: Path) -> None:
    output = tmp_path / "out.json"
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--output", output)
    lines = [line.split() for line in result.stdout.splitlines()]
    names = ["recording", "panel/none", "real/full", "panel", "real", "all"]
    assert [line[0] for line in lines[:6]] == names
    rates = ["33.33", "33.33", "0.00", "0.00", "66.67", "-"]
    assert lines[5] == ["all", *rates, "3.0", "1", "of", "2", "right"]
    assert lines[6] == ["worst:", "panel/none,", "100.00", "%"]
    assert lines[7][:7] == ["number", "of", "speakers:", "off", "by", "1.00", "on"]


def test_a_hypothesis_by_uri_goes_before_one_by_stem(tmp_path: Path, corpus: Path) -> None:
    write_rttm(tmp_path / "stored/real/full.rttm", [])
    stored = tmp_path / "stored"
    found = results_of("der", corpus, "--hypotheses", stored, output=tmp_path / "out.json")
    assert found["kinds"]["real"]["miss_percent"] == 100


def test_a_missing_hypothesis_is_an_error(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "stored/none.rttm").unlink()
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--output", tmp_path / "o")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "found no panel/none.rttm or none.rttm" in result.stderr
    assert not (tmp_path / "o").exists()


def test_the_label_names_the_results_file(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.report.RESULTS", tmp_path / "results")
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--label", "night-1")
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["der-night-1.json"]
    assert run("der", corpus, "--label", "../x").exit_code == 2


def test_hypotheses_exclude_settings_of_hocket(corpus: Path) -> None:
    assert run("der", corpus, "--hypotheses", ".", "--threads", "1").exit_code == 2


@pytest.mark.usefixtures("hocket_module")
def test_scores_of_hocket(tmp_path: Path, corpus: Path) -> None:
    options = ("--threads", "3", "--preset", "fast")
    found = results_of("der", corpus, *options, output=tmp_path / "out.json")
    assert found["system"] == {
        "name": "hocket",
        "preset": "fast",
        "config": {"graphs": {"embedding": "campplus", "precision": "float32"}, "name": "fast"},
        "runtime": {"threads": 3},
        "num_speakers": "estimated",
    }
    assert found["stage_seconds"] == {"decode": 0.5, "embedding": 1.0}
    assert found["kinds"]["real"]["miss_percent"] == 50


def test_the_oracle_gives_the_true_number_of_speakers(
    tmp_path: Path, corpus: Path, hocket_module: Any
) -> None:
    write_recording(corpus, "silent", [])
    found = results_of("der", corpus, "--num-speakers", "oracle", output=tmp_path / "out.json")
    assert found["system"]["num_speakers"] == "oracle"
    assert hocket_module.Diarizer.counts == [2, 1, None]


def test_an_error_of_hocket_is_one_line(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, hocket_module: Any
) -> None:
    write_recording(corpus, "broken", [])
    result = run("der", corpus)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: broken audio"
    monkeypatch.setitem(sys.modules, hocket_module.__name__, None)
    result = run("der", corpus)
    assert result.exit_code == 1
    assert "hocket cannot be imported" in result.stderr
