"""`bench long`: joined recordings, the runs, and their ratios."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.annotations import Region, Turn
from bench.corpus import find_audio
from bench.errors import BenchError
from bench.speed import long
from bench.speed.long import measure_long, write_joined
from bench.tests.helpers import run, write_recording


def write_constant(path: Path, value: float, seconds: float, rate: int = 16_000) -> None:
    """A recording of one value, in both of two channels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.full((round(seconds * rate), 2), value, np.float32)
    soundfile.write(str(path), samples, rate, subtype="PCM_16")


def test_recordings_are_joined_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long, "BLOCK", 5000)  # blocks that do not end where recordings do
    write_constant(tmp_path / "in/a.wav", 0.25, 1.0)
    write_constant(tmp_path / "in/b.wav", 0.5, 0.5)
    write_joined(find_audio(tmp_path / "in"), 3.25, tmp_path / "out.flac")
    samples, rate = soundfile.read(str(tmp_path / "out.flac"), always_2d=True)
    assert (rate, samples.shape) == (16_000, (52_000, 1))
    quarters = samples[:, 0].reshape(-1, 4000)
    assert (quarters == quarters[:, :1]).all()
    assert quarters[:, 0].tolist() == [0.25] * 4 + [0.5] * 2 + [0.25] * 4 + [0.5] * 2 + [0.25]


def test_a_short_file_has_the_same_share_of_every_recording(tmp_path: Path) -> None:
    write_constant(tmp_path / "in/a.wav", 0.25, 3.0)
    write_constant(tmp_path / "in/b.wav", 0.5, 1.0)
    write_joined(find_audio(tmp_path / "in"), 2.0, tmp_path / "out.flac")
    samples, _ = soundfile.read(str(tmp_path / "out.flac"))
    assert len(samples) == 32_000
    assert np.count_nonzero(samples == 0.25) == pytest.approx(24_000, abs=1)
    assert np.count_nonzero(samples == 0.5) == pytest.approx(8000, abs=1)


def test_other_rates_are_resampled_without_seams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long, "BLOCK", 1000)
    seconds = np.arange(2 * 44_100) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 440 * seconds)
    (tmp_path / "in").mkdir()
    soundfile.write(str(tmp_path / "in/a.wav"), tone, 44_100)
    write_joined(find_audio(tmp_path / "in"), 2.0, tmp_path / "out.flac")
    samples, _ = soundfile.read(str(tmp_path / "out.flac"))
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)
    middle = slice(1000, -1000)
    np.testing.assert_allclose(samples[middle], expected[middle], atol=2e-3)


def test_a_recording_without_samples_is_named(tmp_path: Path) -> None:
    write_constant(tmp_path / "in/empty.wav", 0.0, 0.0)
    with pytest.raises(BenchError, match="empty: holds no samples; exclude it with --select"):
        write_joined(find_audio(tmp_path / "in"), 1.0, tmp_path / "out.flac")


def test_a_recording_libsndfile_does_not_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.m4a").write_bytes(b"?")
    (unread,) = find_audio(tmp_path)
    known = replace(unread, listed_regions=(Region(0.0, 1.0),))
    with pytest.raises(BenchError, match=r"one: one\.m4a cannot be read"):
        write_joined([known], 1.0, tmp_path / "out.flac")


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Tasks of the processes, which take 2, 20 and 4 s and 100, 300 and 200 MB."""
    given: list[dict[str, Any]] = []
    results = iter([(2.0, 100), (20.0, 300), (4.0, 200)])

    def run_module(module: str, task: dict[str, Any]) -> dict[str, Any]:
        (file,) = task["files"]
        given.append({**task, "module": module, "seconds": soundfile.info(file).duration})
        seconds, megabytes = next(results)
        return {
            "passes": [{"seconds": seconds, "stages": {"embedding": seconds / 2}}],
            "peak_rss_bytes": megabytes * 1_000_000,
            "config": {},
        }

    monkeypatch.setattr(long, "run_module", run_module)
    return given


def test_the_short_recording_runs_before_and_after_the_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: list[dict[str, Any]]
) -> None:
    monkeypatch.setattr(long, "SHORT_S", 9.0)
    write_constant(tmp_path / "a.wav", 0.25, 2.0)
    found = measure_long(find_audio(tmp_path), 36 / 3600, 3, "fast", lambda _: None)
    assert [task["seconds"] for task in tasks] == [9.0, 36.0, 9.0]
    assert {(task["module"], task["threads"], task["preset"]) for task in tasks} == {
        ("bench.speed.worker", 3, "fast")
    }
    assert found["short"]["x_real_time"] == 3.0
    assert found["long"]["x_real_time"] == 1.8
    assert found["speed_ratio"] == 0.6
    assert (found["short"]["peak_rss_mb"], found["long"]["peak_rss_mb"]) == (200, 300)
    assert found["long"]["stages"] == {"embedding": 10.0}


@pytest.mark.usefixtures("tasks")
def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "SHORT_S", 1.0)
    corpus, output = tmp_path / "corpus", tmp_path / "out.json"
    write_recording(corpus, "one", [Turn(0.0, 2.0, "anna")])
    result = run("long", corpus, "--hours", "0.001", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert (found["command"], found["threads"], found["preset"]) == ("long", 2, None)
    assert found["long"]["audio_minutes"] == 0.06
    assert "700 MB allowed" in result.stdout
