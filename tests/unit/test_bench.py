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
import soundfile
from click.testing import CliRunner, Result

from bench import environment
from bench.__main__ import main
from bench.annotations import Turn
from bench.corpus import Recording, find_recordings
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import number, table, write_results
from bench.speed import summarize_passes, write_clip
from bench.worker import Pass
from tests.unit.test_bench_corpus import write_recording, write_rttm

FAKE_HOCKET = """
from dataclasses import dataclass
from types import SimpleNamespace

@dataclass(frozen=True)
class Config:
    threshold: float = 0.5

@dataclass(frozen=True)
class Runtime:
    threads: int | None = None

class Diarizer:
    told = []

    def __init__(self, config, runtime):
        pass

    def __call__(self, audio, num_speakers=None):
        if "broken" in audio:
            raise ValueError("broken audio")
        Diarizer.told.append(num_speakers)
        turns = (SimpleNamespace(start_s=0.0, end_s=1.0, speaker="speaker_0"),)
        return SimpleNamespace(turns=turns, seconds={"decode": 0.25, "embedding": 0.5})
"""


def run(*arguments: object) -> Result:
    """A command of the benchmark."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


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
    [("--label", "../x"), ("--hypotheses", ".", "--threads", "1"), ("--threads", "0")],
)
def test_der_arguments_that_make_no_sense(corpus: Path, arguments: tuple[str, ...]) -> None:
    assert run("der", corpus, *arguments).exit_code == 2


@pytest.mark.usefixtures("fake_hocket")
def test_der_of_the_engine(tmp_path: Path, corpus: Path) -> None:
    found = run_der(corpus, "--threads", "3", output=tmp_path / "out.json")
    assert found["system"] == {
        "name": "hocket",
        "config": {"threshold": 0.5},
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


# speed


def test_speed_is_the_median_of_the_passes() -> None:
    passes = [
        Pass(seconds=2.0, stages={"decode": 0.5, "embedding": 1.0}),
        Pass(seconds=9.0, stages={"decode": 0.25, "embedding": 8.0}),
        Pass(seconds=4.0, stages={"decode": 1.0, "embedding": 2.0}),
    ]
    found = summarize_passes(passes, audio_s=100.0)
    assert found["end_to_end"] == {
        "seconds": 4.0,
        "repeats_s": [2.0, 9.0, 4.0],
        "x_real_time": 25.0,
    }
    assert found["stages"] == {
        "decode": {"seconds": 0.5, "x_real_time": 200.0},
        "embedding": {"seconds": 2.0, "x_real_time": 50.0},
        "other": {"seconds": 0.75, "x_real_time": 133.33},
    }


def test_a_stage_of_no_time_has_no_speed() -> None:
    found = summarize_passes([Pass(seconds=1.0, stages={"decode": 1.0})], audio_s=2.0)
    assert found["stages"] == {
        "decode": {"seconds": 1.0, "x_real_time": 2.0},
        "other": {"seconds": 0.0, "x_real_time": None},
    }


def clip_of(folder: Path) -> tuple[float, np.ndarray[Any, Any]]:
    """Seconds and samples of the clip cut from the recordings in a folder."""
    clip = folder / "clip.wav"
    seconds = write_clip(find_recordings(folder), clip)
    samples, _ = soundfile.read(str(clip))
    return seconds, samples


def test_the_clip_starts_at_the_first_turn(tmp_path: Path) -> None:
    write_recording(tmp_path, "long", [Turn(20.0, 21.0, "anna")], duration_s=80.0)
    marked = np.zeros(60 * 8000, np.float32)
    marked[20 * 8000] = 0.5
    write_recording(tmp_path, "right", [Turn(20.0, 21.0, "anna")], duration_s=60.0)
    soundfile.write(str(tmp_path / "right.wav"), marked, 8000)
    write_recording(tmp_path, "short", [Turn(0.0, 1.0, "anna")], duration_s=29.0)
    seconds, samples = clip_of(tmp_path)
    assert seconds == 30.0
    assert samples[0] == 0.5


def test_the_clip_is_the_longest_recording_if_none_is_long_enough(tmp_path: Path) -> None:
    write_recording(tmp_path, "one", [], duration_s=1.0)
    write_recording(tmp_path, "two", [Turn(1.0, 2.0, "anna")], duration_s=2.0)
    seconds, samples = clip_of(tmp_path)
    assert (seconds, len(samples)) == (2.0, 16000)


def test_a_clip_from_audio_libsndfile_does_not_read(tmp_path: Path) -> None:
    write_rttm(tmp_path / "one.rttm", []).with_suffix(".m4a").write_bytes(b"?")
    (tmp_path / "one.uem").write_text("one 1 0 40\n")
    recording: Recording = find_recordings(tmp_path)[0]
    with pytest.raises(BenchError, match="cannot be cut"):
        write_clip([recording], tmp_path / "clip.wav")


def test_speed_runs_the_engine_in_processes_of_its_own(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/hocket.py").write_text(FAKE_HOCKET)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "engine"))
    output = tmp_path / "out.json"
    result = run("speed", corpus, "--repeats", "2", "--threads", "1", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["runtime"] == {"threads": 1}
    assert found["stages"]["embedding"] == {"seconds": 1.0, "x_real_time": 4.0}
    assert len(found["end_to_end"]["repeats_s"]) == len(found["cold_start"]["repeats_s"]) == 2
    assert found["cold_start"]["clip_s"] == 2.0
    # The engine is a few lines: far below what this very process holds, which must not count.
    assert 0 < found["peak_rss_mb"]["clip"] < 60
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    assert "cold start: " in result.stdout
    assert "end to end" in result.stdout


def test_speed_reports_a_failing_engine_in_one_line(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/hocket.py").write_text("raise RuntimeError('no models')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "engine"))
    result = run("speed", corpus)
    assert result.exit_code == 1
    assert result.stderr.strip() == ("Error: the measuring process failed: RuntimeError: no models")
