"""Speed: passes, first results, arithmetic, and the processes that are measured."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from bench import arithmetic, peak, speed
from bench.__main__ import main
from bench.annotations import Turn
from bench.corpus import Recording, find_recordings
from bench.errors import BenchError
from bench.heard import count_in, seconds_heard
from bench.presets import configuration
from bench.process import ask
from bench.speed import summarize_passes, write_clip
from bench.worker import Pass
from tests.unit.test_bench_corpus import write_recording, write_rttm

FAKE_HOCKET = """
import os
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

@dataclass(frozen=True)
class Graphs:
    embedding: str = "campplus"
    precision: str = "float32"

@dataclass(frozen=True)
class Config:
    graphs: Graphs = field(default_factory=Graphs)
    name: str | None = None

    @classmethod
    def preset(cls, name):
        return cls(name=name)

@dataclass(frozen=True)
class Runtime:
    threads: int | None = None

class Graph:
    def run(self, inputs):
        return {}

class Diarizer:
    told = []

    def __init__(self, config, runtime):
        self.config = config
        self.geometry = SimpleNamespace(sample_rate=100)
        self.segmentation_graph = self.embedding_graph = Graph()

    def __call__(self, audio, num_speakers=None, listener=None):
        if "broken" in audio:
            raise ValueError("broken audio")
        Diarizer.told.append(num_speakers)
        turns = (SimpleNamespace(start_s=0.0, end_s=1.0, speaker="speaker_0"),)
        seconds = {"decode": 0.25, "embedding": 0.5}
        if cache := os.environ.get("XDG_CACHE_HOME"):
            path = os.path.join(cache, "compiled")
            seconds["cached"] = float(os.path.exists(path))
            open(path, "w").close()
        self.segmentation_graph.run({"waveform": np.empty((15, 1, 200))})
        self.embedding_graph.run({"waveform": np.empty((1, 1, 150)), "masks": None})
        for done in range(1, 5):
            np.ones(done * 100_000, np.uint8)
            if listener:
                listener("embedding", done, 4)
        np.ones(2_000_000, np.uint8)
        return SimpleNamespace(turns=turns, seconds=seconds, copied={"embedding": 1000})
"""


def run(*arguments: object) -> Result:
    """A command of the benchmark."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of 2 s."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/one", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/two", [Turn(0.5, 1.0, "anna")])
    return folder


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the engine, for processes that are started."""
    package = tmp_path / "engine/hocket"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE_HOCKET)
    (package / "config.py").write_text("from hocket import Runtime as Runtime")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "engine"))
    return package


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
        "decode": {"seconds": 0.5, "share_percent": 20.0, "x_real_time": 200.0},
        "embedding": {"seconds": 2.0, "share_percent": 80.0, "x_real_time": 50.0},
    }


def test_a_stage_of_no_time_has_no_speed() -> None:
    stages = {"decode": 1.0, "embedding": 0.0}
    found = summarize_passes([Pass(seconds=1.0, stages=stages)], audio_s=2.0)
    assert found["stages"] == {
        "decode": {"seconds": 1.0, "share_percent": 100.0, "x_real_time": 2.0},
        "embedding": {"seconds": 0.0, "share_percent": 0.0, "x_real_time": None},
    }


def clip_of(folder: Path) -> tuple[float, np.ndarray[Any, Any]]:
    """Seconds and samples of the clip cut from the recordings in a folder."""
    clip = folder / "clip.wav"
    seconds = write_clip(find_recordings(folder), clip)
    samples, _ = soundfile.read(str(clip))
    return seconds, samples


def test_the_clip_starts_at_the_first_turn(tmp_path: Path) -> None:
    write_recording(tmp_path, "long", [Turn(20.0, 21.0, "anna")], duration=80.0)
    marked = np.zeros(60 * 8000, np.float32)
    marked[20 * 8000] = 0.5
    write_recording(tmp_path, "right", [Turn(20.0, 21.0, "anna")], duration=60.0)
    soundfile.write(str(tmp_path / "right.wav"), marked, 8000)
    write_recording(tmp_path, "short", [Turn(0.0, 1.0, "anna")], duration=29.0)
    seconds, samples = clip_of(tmp_path)
    assert seconds == 30.0
    assert samples[0] == 0.5


def test_the_clip_is_the_longest_recording_if_none_is_long_enough(tmp_path: Path) -> None:
    write_recording(tmp_path, "one", [], duration=1.0)
    write_recording(tmp_path, "two", [Turn(1.0, 2.0, "anna")], duration=2.0)
    seconds, samples = clip_of(tmp_path)
    assert (seconds, len(samples)) == (2.0, 16000)


def test_a_clip_from_audio_libsndfile_does_not_read(tmp_path: Path) -> None:
    write_rttm(tmp_path / "one.rttm", []).with_suffix(".m4a").write_bytes(b"?")
    (tmp_path / "one.uem").write_text("one 1 0 40\n")
    recording: Recording = find_recordings(tmp_path)[0]
    with pytest.raises(BenchError, match="cannot be cut"):
        write_clip([recording], tmp_path / "clip.wav")


def test_shares_are_of_what_all_stages_take() -> None:
    busy = Pass(seconds=1.0, stages={"segmentation": 0.9, "embedding": 0.9})
    found = summarize_passes([busy], audio_s=2.0)
    assert found["stages"]["embedding"]["share_percent"] == 50


def test_speed_runs_the_engine_in_processes_of_its_own(
    tmp_path: Path, corpus: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"float32": {"1": 10.0, "2": 16.0}, "int8": None}
    monkeypatch.setattr(speed, "measure_peaks", lambda threads: rates)
    monkeypatch.setattr(speed, "read_models", lambda: MODELS)
    output = tmp_path / "out.json"
    result = run("speed", corpus, "--repeats", "2", "--preset", "fast", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    one, two = found["rows"]
    assert (one["runtime"], two["runtime"]) == ({"threads": 1}, {"threads": 2})
    assert (found["preset"], found["config"]["name"]) == ("fast", "fast")
    assert two["stages"]["embedding"]["seconds"] == 1.0
    assert two["stages"]["embedding"]["x_real_time"] == 4.0
    assert len(one["end_to_end"]["repeats_s"]) == len(one["cold_start"]["repeats_s"]) == 2
    assert one["cold_start"]["clip_s"] == one["cached_start"]["clip_s"] == 2.0
    # What a page with room for one row tells is the last one.
    assert {name: found[name] for name in two} == two
    # The engine is a few lines and NumPy: far below what this very process holds.
    assert 0 < found["peak_rss_mb"]["clip"] < 80
    # 30 s and 1.5 s go through the networks, of either recording of 2 s.
    assert found["heard_per_audio_s"] == {"segmentation": 15.0, "embedding": 0.75}
    assert found["mmacs_per_audio_s"] == {"segmentation": 1500.0, "embedding": 375.0}
    # 3 s through the embedding are 1.5 GMAC, done in a busy second by one of two workers.
    assert two["arithmetic"]["embedding"] == {
        "gmacs": 1.5,
        "gmacs_per_s": 1.5,
        "peak_percent": 18.8,
    }
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    for words in ("1 thread ", "2 threads ", "cold start: ", "the start after it: ", "end to end"):
        assert words in result.stdout


@pytest.mark.usefixtures("engine")
def test_only_a_cached_start_finds_what_was_compiled(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = corpus / "clip.wav"
    write_clip(find_recordings(corpus), clip)
    answers = speed._answers(str(clip), [str(clip)], 2, 1, None, heard=False)
    assert answers.warm["passes"][0]["stages"]["cached"] == 1.0
    assert len(answers.cold) == len(answers.cached) == 2
    caches: list[str | None] = []

    def asked(_module: str, _task: object, cache: str | None) -> str | None:
        caches.append(cache)
        return cache

    monkeypatch.setattr(speed, "ask", asked)
    speed._answers("clip", [], 2, 1, None, heard=False)
    cold, cached, colder, _, warm = caches
    assert cold == cached
    assert len({cold, colder, warm}) == 3
    assert not any(Path(str(cache)).exists() for cache in caches)


def test_speed_reports_a_failing_engine_in_one_line(corpus: Path, engine: Path) -> None:
    (engine / "__init__.py").write_text("raise RuntimeError('no models')")
    result = run("speed", corpus)
    assert result.exit_code == 1
    assert result.stderr.strip() == ("Error: the measuring process failed: RuntimeError: no models")


def test_a_process_that_dies_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BenchError, match=r"failed: exit status 3"):
        ask("dies", {})


# Settings and arithmetic


def test_settings_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import hocket

    assert configuration(None) == hocket.Config()
    named = {"fast": hocket.Config()}
    monkeypatch.setattr(hocket.Config, "preset", named.__getitem__, raising=False)
    assert configuration("fast") is named["fast"]


MODELS = {
    "rows": {
        "a": {"name": "segmentation", "macs": 1_000_000_000},
        "b": {"name": "embedding-campplus", "macs": None},
        "c": {"name": "embedding-campplus", "macs": 5_000_000_000},
    }
}


def test_multiplications_are_those_of_what_was_heard() -> None:
    heard = {"segmentation": 20.0, "embedding": 4.0}
    found = arithmetic.count_macs(heard, "campplus", MODELS)
    assert found == {"segmentation": 2e9, "embedding": 2e9}
    with pytest.raises(BenchError, match="counts no multiplications of embedding-other"):
        arithmetic.count_macs(heard, "other", MODELS)


def test_what_the_networks_hear_is_counted_where_they_are_called() -> None:
    class Graph:
        metadata = "kept"

        def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return {"got": inputs}

    diarizer: Any = SimpleNamespace(segmentation_graph=Graph(), embedding_graph=Graph())
    counted = count_in(diarizer)
    given = {"waveform": np.zeros((2, 1, 300))}
    assert diarizer.segmentation_graph.run(given) == {"got": given}
    assert diarizer.segmentation_graph.metadata == "kept"
    with pytest.raises(BenchError, match="calls its embedding graph by another way than 'run'"):
        seconds_heard(counted, 100)
    diarizer.embedding_graph.run({"waveform": np.zeros((1, 1, 50))})
    assert seconds_heard(counted, 100) == {"segmentation": 6.0, "embedding": 0.5}


def test_the_forge_counts_what_hocket_runs() -> None:
    models = arithmetic.read_models()
    assert arithmetic.macs_per_second("segmentation", models) == pytest.approx(132e6, rel=0.01)
    assert arithmetic.macs_per_second("embedding-campplus", models) == pytest.approx(
        560e6, rel=0.01
    )


def test_the_share_of_the_peak_is_of_one_worker_for_a_stage_and_of_all_for_the_whole() -> None:
    macs, busy = {"segmentation": 2e9, "embedding": 6e9}, {"segmentation": 1.0, "embedding": 2.0}
    found = arithmetic.achieved(
        macs, busy, seconds=2.0, threads=2, peaks={"segmentation": 8.0, "embedding": 16.0}
    )
    assert found["segmentation"] == {"gmacs": 2.0, "gmacs_per_s": 2.0, "peak_percent": 50.0}
    assert found["embedding"] == {"gmacs": 6.0, "gmacs_per_s": 3.0, "peak_percent": 37.5}
    # at their peaks the stages would take 0.25 and 0.375 s
    assert found["end to end"] == {"gmacs": 8.0, "gmacs_per_s": 4.0, "peak_percent": 31.2}
    half = arithmetic.achieved(macs, busy, seconds=2.0, threads=2, peaks={"embedding": 16.0})
    assert half["embedding"]["peak_percent"] == 37.5
    assert half["segmentation"]["peak_percent"] is half["end to end"]["peak_percent"] is None
    unknown = arithmetic.achieved(macs, {}, seconds=2.0, threads=2, peaks={})
    assert unknown["embedding"] == {"gmacs": 6.0, "gmacs_per_s": None, "peak_percent": None}


def test_the_rate_is_of_all_products_at_once() -> None:
    import time

    products = [lambda: time.sleep(0.02)] * 4
    # Four at once take as long as one; one after the other they would be a quarter of that.
    assert peak.rate(products, macs=1) > 2 * peak.rate(products[:1], macs=1)


def test_products_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "SIZE", 32)
    found = peak.measure_peaks([1, 2])
    assert set(found) == {"float32", "int8", "bfloat16"}
    for precision in ("float32", "int8"):
        rates = found[precision]
        assert rates is not None
        assert set(rates) == {"1", "2"}
        assert min(rates.values()) > 0
    product: Any = peak._int8()
    assert (product()[0] == 32).all()
    assert product()[0].dtype == np.int32
