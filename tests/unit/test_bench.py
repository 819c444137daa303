"""The commands of the benchmark: what they find, write and print, and that they name no machine."""

import json
import platform
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from bench import environment
from bench.annotations import Turn
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import number, table, write_results
from tests.unit.test_bench_corpus import write_recording, write_rttm
from tests.unit.test_bench_speed import FAKE_HOCKET, run


def run_der(*arguments: object, output: Path) -> dict[str, Any]:
    """The results of a `der` command that must succeed."""
    result = run("der", *arguments, "--output", output)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def fake_hocket(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in for the engine, in this process."""
    module, errors = ModuleType("hocket"), ModuleType("hocket.errors")
    monkeypatch.setitem(sys.modules, "hocket", module)
    monkeypatch.setitem(sys.modules, "hocket.errors", errors)
    monkeypatch.setattr(errors, "HocketError", ValueError, raising=False)
    exec(FAKE_HOCKET, module.__dict__)
    return module


# Environment and files


def test_environment_names_no_machine_and_no_path() -> None:
    found = environment.describe()
    assert set(found) == {"commit", "date", "cpu", "cores", "system", "python", "packages"}
    text = json.dumps(found)
    assert platform.node() not in [*text.split('"'), *text.split()]
    assert str(REPOSITORY) not in text
    assert not re.search(r'"(/|~|[A-Za-z]:\\\\)', text)
    assert isinstance(found["packages"], dict)
    assert found["packages"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("head", "status", "expected"),
    [
        (None, None, "unknown"),
        ("abc", "", "abc"),
        ("abc", " M x.py", "abc-dirty"),
        ("abc", None, "abc-dirty"),
    ],
)
def test_commit(
    monkeypatch: pytest.MonkeyPatch, head: str | None, status: str | None, expected: str
) -> None:
    answers = {"rev-parse": head, "status": status}
    monkeypatch.setattr(environment, "_git", lambda command, *_: answers[command])
    assert environment.commit() == expected


def test_equal_results_are_equal_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "new/folder/one.json", tmp_path / "two.json"
    write_results(one, {"b": 1.5, "a": {"ü": None}})
    write_results(two, {"a": {"ü": None}, "b": 1.5})
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text(encoding="utf-8") == '{\n "a": {\n  "ü": null\n },\n "b": 1.5\n}\n'


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot be written"):
        write_results(tmp_path / "file" / "one.json", {})


def test_table() -> None:
    assert table(("name", "%"), [("a", number(12.34)), ("b", number(None))]).splitlines() == [
        "name     %",
        "a     12.3",
        "b        -",
    ]


# der


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two kinds: 2 s of which the stored hypothesis has all, 1 s of which it has nothing."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/full", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/none", [Turn(0.5, 1.0, "anna"), Turn(1.0, 1.5, "ben")])
    write_rttm(tmp_path / "stored/full.rttm", [Turn(0.0, 2.0, "x")])
    write_rttm(tmp_path / "stored/none.rttm", [])
    return folder


def test_der_of_stored_hypotheses(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hocket", None)  # importing it would raise
    output = tmp_path / "out.json"
    found = run_der(corpus, "--hypotheses", tmp_path / "stored", output=output)
    assert found["all"]["der_percent"] == pytest.approx(100 / 3, abs=1e-3)
    assert found["kinds"]["real"]["der_percent"] == 0
    assert found["kinds"]["panel"]["miss_percent"] == 100
    assert found["files"]["panel/none"]["speakers_reference"] == 2
    assert found["files"]["panel/none"]["speakers_found"] == 0
    assert found["files"]["panel/none"]["count_error"] == -2
    assert found["all"]["count_error_mean_absolute"] == 1
    assert found["all"]["jer_percent"] == pytest.approx(200 / 3, abs=1e-3)
    assert found["all"]["overlap_der_percent"] is None
    assert found["all"]["worst"] == {"uri": "panel/none", "der_percent": 100.0}
    assert found["kinds"]["real"]["worst"] == {"uri": "real/full", "der_percent": 0.0}
    assert found["protocol"] == "collar 0, overlap scored, UEM, time-weighted"
    assert found["system"] == {"name": "stored", "folder": "stored"}
    assert found["audio_minutes"] == pytest.approx(4 / 60, abs=1e-3)
    assert (found["command"], found["label"], found["corpus"]) == ("der", "corpus", "corpus")
    assert str(tmp_path) not in output.read_text(encoding="utf-8")


def test_der_prints_files_kinds_and_all(tmp_path: Path, corpus: Path) -> None:
    output = tmp_path / "out.json"
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--output", output)
    lines = [line.split() for line in result.stdout.splitlines()]
    names = ["recording", "panel/none", "real/full", "panel", "real", "all"]
    assert [line[0] for line in lines[:6]] == names
    rates = ["33.33", "33.33", "0.00", "0.00", "66.67", "-"]
    assert lines[5] == ["all", *rates, "3.0", "1", "of", "2", "right"]
    assert lines[6] == ["worst:", "panel/none,", "100.00", "%"]
    assert lines[7][:7] == ["number", "of", "speakers:", "off", "by", "1.00", "on"]


def test_der_twice_gives_the_same_file(tmp_path: Path, corpus: Path) -> None:
    outputs = [tmp_path / "one.json", tmp_path / "two.json"]
    for output in outputs:
        run_der(corpus, "--hypotheses", tmp_path / "stored", output=output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_a_hypothesis_by_uri_goes_before_one_by_stem(tmp_path: Path, corpus: Path) -> None:
    write_rttm(tmp_path / "stored/real/full.rttm", [])
    stored = tmp_path / "stored"
    found = run_der(corpus, "--hypotheses", stored, output=tmp_path / "out.json")
    assert found["kinds"]["real"]["miss_percent"] == 100


def test_a_missing_hypothesis_is_an_error(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "stored/none.rttm").unlink()
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--output", tmp_path / "o")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "found no panel/none.rttm or none.rttm" in result.stderr
    assert not (tmp_path / "o").exists()


def test_results_go_where_the_label_says(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.__main__.RESULTS", tmp_path / "results")
    result = run("der", corpus, "--hypotheses", tmp_path / "stored", "--label", "night-1")
    assert result.exit_code == 0
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["der-night-1.json"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--label", "../x"),
        ("--hypotheses", ".", "--threads", "1"),
        ("--threads", "0"),
        ("--hypotheses", ".", "--preset", "fast"),
    ],
)
def test_der_arguments_that_make_no_sense(corpus: Path, arguments: tuple[str, ...]) -> None:
    assert run("der", corpus, *arguments).exit_code == 2


@pytest.mark.usefixtures("fake_hocket")
def test_der_of_the_engine(tmp_path: Path, corpus: Path) -> None:
    told = ("--threads", "3", "--preset", "fast")
    found = run_der(corpus, *told, output=tmp_path / "out.json")
    assert found["system"] == {
        "name": "hocket",
        "preset": "fast",
        "config": {"graphs": {"embedding": "campplus", "precision": "float32"}, "name": "fast"},
        "runtime": {"threads": 3},
        "num_speakers": "estimated",
    }
    assert found["stage_seconds"] == {"decode": 0.5, "embedding": 1.0}
    assert found["kinds"]["real"]["miss_percent"] == 50


def test_the_oracle_tells_how_many_speakers(tmp_path: Path, corpus: Path, fake_hocket: Any) -> None:
    write_recording(corpus, "silent", [])
    found = run_der(corpus, "--num-speakers", "oracle", output=tmp_path / "out.json")
    assert found["system"]["num_speakers"] == "oracle"
    assert fake_hocket.Diarizer.told == [2, 1, None]


@pytest.mark.usefixtures("fake_hocket")
def test_an_error_of_the_engine_is_one_line(corpus: Path) -> None:
    write_recording(corpus, "broken", [])
    result = run("der", corpus)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: broken audio"


def test_without_the_engine_der_says_so(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hocket", None)
    result = run("der", corpus)
    assert result.exit_code == 1
    assert "hocket cannot be imported" in result.stderr
