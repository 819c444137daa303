"""`bench speed`: passes, first results, arithmetic, and the measured processes."""

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.annotations import Turn
from bench.corpus import find_recordings
from bench.errors import BenchError
from bench.process import run_module
from bench.speed import arithmetic, end_to_end, peak
from bench.speed.end_to_end import summarize_passes, write_clip
from bench.speed.network_input import count_input, input_seconds
from bench.speed.worker import Pass
from bench.tests.helpers import run, write_recording, write_rttm
from hocket import Diarizer
from tests.helpers.paths import CONVERSATION

MODELS = {
    "rows": {
        "a": {"name": "segmentation", "macs": 1_000_000_000},
        "b": {"name": "embedding-campplus", "macs": None},
        "c": {"name": "embedding-campplus", "macs": 5_000_000_000},
    }
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of 2 s."""
    folder = tmp_path / "corpus"
    write_recording(folder, "real/one", [Turn(0.0, 2.0, "anna")])
    write_recording(folder, "panel/two", [Turn(0.5, 1.0, "anna")])
    return folder


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
    with pytest.raises(BenchError, match="cannot be cut"):
        write_clip(find_recordings(tmp_path), tmp_path / "clip.wav")


def test_hocket_runs_in_processes_of_its_own(
    tmp_path: Path, corpus: Path, fake_hocket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"float32": {"1": 10.0, "2": 16.0}, "int8": None}
    monkeypatch.setattr(end_to_end, "measure_peaks", lambda threads: rates)
    monkeypatch.setattr(end_to_end, "read_models", lambda: MODELS)
    output = tmp_path / "out.json"
    result = run("speed", corpus, "--repeats", "1", "--preset", "fast", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    one, two = found["rows"]
    assert (one["runtime"], two["runtime"]) == ({"threads": 1}, {"threads": 2})
    assert (found["preset"], found["config"]["name"]) == ("fast", "fast")
    assert two["stages"]["embedding"]["seconds"] == 1.0
    assert two["stages"]["embedding"]["x_real_time"] == 4.0
    assert two["stages"]["cached"]["seconds"] == 2.0  # both files use the cache of the clip
    assert len(one["end_to_end"]["repeats_s"]) == len(one["cold_start"]["repeats_s"]) == 1
    assert one["cold_start"]["clip_s"] == one["cached_start"]["clip_s"] == 2.0
    assert {name: found[name] for name in two} == two
    # the stand-in is a few lines and NumPy: far below the memory of this process
    assert 0 < found["peak_rss_mb"]["clip"] < 80
    # 30 s and 1.5 s go through the networks, for either recording of 2 s
    assert found["network_input_per_audio_s"] == {"segmentation": 15.0, "embedding": 0.75}
    assert found["mmacs_per_audio_s"] == {"segmentation": 1500.0, "embedding": 375.0}
    # 3 s through the embedding are 1.5 GMAC, done in a busy second by one of two workers
    assert two["arithmetic"]["embedding"] == {
        "gmacs": 1.5,
        "gmacs_per_s": 1.5,
        "peak_percent": 18.8,
    }
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    for words in ("1 thread ", "2 threads ", "cold start: ", "the start after it: ", "end to end"):
        assert words in result.stdout
    (fake_hocket / "__init__.py").write_text("raise RuntimeError('no models')")
    result = run("speed", corpus)
    assert result.exit_code == 1
    assert result.stderr.strip() == "Error: the measuring process failed: RuntimeError: no models"


def test_a_cached_start_has_the_folder_of_the_cold_start(monkeypatch: pytest.MonkeyPatch) -> None:
    caches: list[str] = []

    def keep(_module: str, _task: object, cache: str) -> None:
        caches.append(cache)

    monkeypatch.setattr(end_to_end, "run_module", keep)
    end_to_end._measure("clip", [], 2, 1, None, count_input=False)
    cold, cached, colder, _, warm = caches
    assert cold == cached
    assert len({cold, colder, warm}) == 3
    assert not any(Path(cache).exists() for cache in caches)


def test_a_process_that_dies_without_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BenchError, match=r"failed: exit status 3"):
        run_module("dies", {})


def test_multiplications_are_those_of_the_network_input() -> None:
    network_input = {"segmentation": 20.0, "embedding": 4.0}
    found = arithmetic.count_macs(network_input, "campplus", MODELS)
    assert found == {"segmentation": 2e9, "embedding": 2e9}
    with pytest.raises(BenchError, match="has no multiplications of embedding-other"):
        arithmetic.count_macs(network_input, "other", MODELS)


def test_the_network_input_is_counted_at_the_calls() -> None:
    class Graph:
        metadata = "kept"

        def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            return {"got": inputs}

    diarizer: Any = SimpleNamespace(segmentation_graph=Graph(), embedding_graph=Graph())
    counters = count_input(diarizer)
    given = {"waveform": np.zeros((2, 1, 300))}
    assert diarizer.segmentation_graph.run(given) == {"got": given}
    assert diarizer.segmentation_graph.metadata == "kept"
    with pytest.raises(BenchError, match="does not call 'run' of its embedding graph"):
        input_seconds(counters, 100)
    diarizer.embedding_graph.run({"waveform": np.zeros((1, 1, 50))})
    assert input_seconds(counters, 100) == {"segmentation": 6.0, "embedding": 0.5}


def test_a_loaded_diarizer_calls_the_counters() -> None:
    diarizer = Diarizer().load()
    counters = count_input(diarizer)
    sound, rate = soundfile.read(CONVERSATION, dtype="float32", start=6 * 16_000, frames=96_000)
    diarizer(sound, sample_rate=rate)
    found = input_seconds(counters, rate)
    assert found["segmentation"] >= 6
    assert 0 < found["embedding"] < 12


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
    products = [lambda: time.sleep(0.02)] * 4
    # four at once take as long as one
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
