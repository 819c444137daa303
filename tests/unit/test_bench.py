"""The benchmark: known scores, what it finds, what it writes, and that it names no machine."""

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
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from bench import environment
from bench.__main__ import main
from bench.corpus import Recording, Region, Turn, find_recordings, read_rttm, read_uem
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import number, table, write_results
from bench.scoring import Errors, count_speakers, score, summarize
from bench.speed import summarize_passes, write_clip
from bench.worker import Pass

TEN_SECONDS = [Region(0.0, 10.0)]
ANNA_THEN_BEN = [Turn(0.0, 6.0, "anna"), Turn(6.0, 10.0, "ben")]

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


def write_recording(
    folder: Path, name: str, turns: list[Turn], duration_s: float = 2.0, suffix: str = ".wav"
) -> Path:
    """A quiet recording and its RTTM below `folder`; the path of the RTTM."""
    audio = folder / f"{name}{suffix}"
    audio.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(str(audio), np.zeros(round(duration_s * 8000), np.float32), 8000)
    return write_rttm(audio.with_suffix(".rttm"), turns)


def write_rttm(path: Path, turns: list[Turn]) -> Path:
    """The turns as an RTTM file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"SPEAKER {path.stem} 1 {start_s:.3f} {end_s - start_s:.3f} <NA> <NA> {speaker} <NA> <NA>\n"
        for start_s, end_s, speaker in turns
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


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


# Scoring


def test_equal_turns_have_no_error() -> None:
    found = score(ANNA_THEN_BEN, ANNA_THEN_BEN, TEN_SECONDS)
    assert found.errors == Errors(speech_s=10.0)
    assert (found.speakers_reference, found.speakers_found) == (2, 2)


def test_names_of_speakers_do_not_matter() -> None:
    swapped = [Turn(0.0, 6.0, "ben"), Turn(6.0, 10.0, "anna")]
    assert score(ANNA_THEN_BEN, swapped, TEN_SECONDS).errors.rates()["der_percent"] == 0


def test_half_of_the_speech_missed() -> None:
    found = score([Turn(0.0, 10.0, "anna")], [Turn(0.0, 5.0, "x")], TEN_SECONDS)
    assert found.errors.rates() == {
        "der_percent": 50.0,
        "miss_percent": 50.0,
        "false_alarm_percent": 0.0,
        "confusion_percent": 0.0,
    }


def test_speech_where_nobody_speaks_is_a_false_alarm() -> None:
    found = score([Turn(0.0, 4.0, "anna")], [Turn(0.0, 6.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=4.0, false_alarm_s=2.0)
    assert found.errors.rates()["der_percent"] == 50.0


def test_two_people_under_one_name_are_confused() -> None:
    found = score(ANNA_THEN_BEN, [Turn(0.0, 10.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=10.0, confusion_s=4.0)
    assert (found.speakers_reference, found.speakers_found) == (2, 1)


def test_overlap_is_scored() -> None:
    both = [Turn(0.0, 10.0, "anna"), Turn(4.0, 6.0, "ben")]
    found = score(both, [Turn(0.0, 10.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=12.0, missed_s=2.0)


def test_there_is_no_collar() -> None:
    found = score([Turn(1.0, 5.0, "anna")], [Turn(1.1, 5.0, "x")], TEN_SECONDS)
    assert found.errors.missed_s == pytest.approx(0.1)


def test_only_the_regions_are_scored() -> None:
    found = score(ANNA_THEN_BEN, [Turn(0.0, 3.0, "x")], [Region(0.0, 3.0), Region(5.0, 6.0)])
    assert found.errors == Errors(speech_s=4.0, missed_s=1.0)
    assert (found.speakers_reference, found.speakers_found) == (1, 1)


def test_regions_that_overlap_are_scored_once() -> None:
    found = score(ANNA_THEN_BEN, [], [Region(0.0, 6.0), Region(4.0, 10.0)])
    assert found.errors == Errors(speech_s=10.0, missed_s=10.0)


def test_turns_with_equal_bounds_do_not_replace_one_another() -> None:
    pair = [Turn(0.0, 2.0, "anna"), Turn(0.0, 2.0, "ben"), Turn(0.0, 2.0, "anna")]
    assert score(pair, pair, TEN_SECONDS).errors == Errors(speech_s=6.0)


def test_nothing_found() -> None:
    found = score(ANNA_THEN_BEN, [], TEN_SECONDS)
    assert found.errors == Errors(speech_s=10.0, missed_s=10.0)
    assert found.speakers_found == 0


@pytest.mark.parametrize(("hypothesis", "percent"), [([], 0.0), (ANNA_THEN_BEN, 100.0)])
def test_nobody_speaks(hypothesis: list[Turn], percent: float) -> None:
    found = score([], hypothesis, TEN_SECONDS)
    assert found.errors.rates()["der_percent"] == percent
    assert found.errors.rates()["miss_percent"] is None
    assert found.speakers_reference == 0


def test_rates_are_weighted_by_speech_not_averaged_over_files() -> None:
    long = score([Turn(0.0, 9.0, "anna")], [Turn(0.0, 9.0, "x")], TEN_SECONDS)
    short = score([Turn(0.0, 1.0, "anna")], [], TEN_SECONDS)
    summary = summarize([long, short])
    assert summary["der_percent"] == 10.0  # the mean of 0 and 100 would be 50
    assert (summary["files"], summary["files_right_count"]) == (2, 1)


def test_summary_is_what_pyannote_accumulates() -> None:
    generator = np.random.default_rng(7)
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    scores = []
    for _ in range(5):
        reference, hypothesis = ([random_turn(generator) for _ in range(8)] for _ in range(2))
        scores.append(score(reference, hypothesis, TEN_SECONDS))
        metric(annotate(reference), annotate(hypothesis), uem=Timeline([Segment(0, 10)]))
    assert summarize(scores)["der_percent"] == pytest.approx(100 * abs(metric), abs=1e-3)


def random_turn(generator: np.random.Generator) -> Turn:
    """One of three speakers for up to 4 s, perhaps past the tenth second."""
    start_s = float(generator.uniform(0, 9))
    return Turn(start_s, start_s + float(generator.uniform(0.1, 4)), str(generator.integers(3)))


def annotate(turns: list[Turn]) -> Annotation:
    """The turns as pyannote has them."""
    records = ((Segment(turn.start_s, turn.end_s), i, turn.speaker) for i, turn in enumerate(turns))
    return Annotation.from_records(records)


def test_summary_of_nothing() -> None:
    assert summarize([])["files"] == 0


def test_speakers_are_counted_inside_the_regions() -> None:
    assert count_speakers(ANNA_THEN_BEN, TEN_SECONDS) == 2
    assert count_speakers(ANNA_THEN_BEN, [Region(7.0, 9.0)]) == 1


# Corpus


def test_recordings_are_audio_with_an_rttm_beside_it(tmp_path: Path) -> None:
    write_recording(tmp_path, "real/two", ANNA_THEN_BEN)
    write_recording(tmp_path, "meeting/day/one", ANNA_THEN_BEN, suffix=".flac")
    write_recording(tmp_path, "top.with.dots", ANNA_THEN_BEN, suffix=".WAV")
    write_rttm(tmp_path / "timelines/three.rttm", ANNA_THEN_BEN)
    write_recording(tmp_path, "voices/four", []).unlink()
    (tmp_path / "real/two.uem").write_text("two 1 0.5 1.5\n")
    found = find_recordings(tmp_path)
    assert [(recording.uri, recording.kind) for recording in found] == [
        ("meeting/day/one", "meeting"),
        ("real/two", "real"),
        ("top.with.dots", ""),
    ]
    assert found[1].regions() == [Region(0.5, 1.5)]
    assert found[0].regions() == [Region(0.0, 2.0)]
    assert found[0].turns() == ANNA_THEN_BEN


def test_a_recording_in_two_formats_counts_once(tmp_path: Path) -> None:
    write_recording(tmp_path, "one", ANNA_THEN_BEN)
    write_recording(tmp_path, "one", ANNA_THEN_BEN, suffix=".flac")
    assert [recording.audio.name for recording in find_recordings(tmp_path)] == ["one.flac"]


def test_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"found no audio with an \.rttm"):
        find_recordings(tmp_path)


def test_audio_libsndfile_does_not_read_needs_a_uem(tmp_path: Path) -> None:
    write_rttm(tmp_path / "phone.rttm", ANNA_THEN_BEN)
    (tmp_path / "phone.m4a").write_bytes(b"not for libsndfile")
    with pytest.raises(BenchError, match="phone: cannot read the duration"):
        find_recordings(tmp_path)[0].duration_s()
    (tmp_path / "phone.uem").write_text("phone 1 0 4\nphone 1 6 9.5\n")
    assert find_recordings(tmp_path)[0].duration_s() == 9.5


def test_rttm_lines_that_are_no_turns_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "one.rttm"
    path.write_text(
        ";; a comment\n"
        "SPKR-INFO one 1 <NA> <NA> <NA> unknown NA <NA> <NA>\n"
        "SPEAKER one 1 1.5 0 <NA> <NA> nobody <NA> <NA>\n\n"
        "SPEAKER one 1 1.5 0.25 <NA> <NA> NA <NA> <NA>\n"
    )
    assert read_rttm(path) == [Turn(1.5, 1.75, "NA")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SPEAKER one 1 1.5\n", "one.rttm:1: found 4 fields"),
        ("\nSPEAKER one 1 x 2 <NA> <NA> a <NA> <NA>\n", "one.rttm:2: found 'x'"),
        ("SPEAKER one 1 nan 2 <NA> <NA> a <NA> <NA>\n", "found 'nan'"),
        ("SPEAKER one 1 1 -2 <NA> <NA> a <NA> <NA>\n", "found '-2'"),
        ("SPEAKER one 1 1 2 0 0 a\nSPEAKER two 1 1 2 0 0 a\n", "turns of 2 recordings"),
        ("SPEAKER one 1 1 2 0 0 \udce9\n", "not UTF-8"),
    ],
)
def test_unusable_rttm(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "one.rttm"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BenchError, match=re.escape(message)):
        read_rttm(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found no region"),
        ("one 1 0\n", "one.uem:1: found 3 fields"),
        ("one 1 5 5\n", "ends before it starts"),
        ("one 1 0 5\ntwo 1 0 5\n", "of 2 recordings"),
    ],
)
def test_unusable_uem(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "one.uem"
    path.write_text(text)
    with pytest.raises(BenchError, match=message):
        read_uem(path)


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
    assert lines[5] == ["all", "33.33", "33.33", "0.00", "0.00", "3.0", "1", "of", "2", "right"]


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
