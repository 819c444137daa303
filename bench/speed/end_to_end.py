"""Speed from file to turns, first results and peak memory, each in fresh processes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import soundfile

from bench.corpus import Recording
from bench.errors import BenchError
from bench.process import run_module
from bench.speed.arithmetic import achieved, count_macs, read_models
from bench.speed.peak import measure_peaks
from bench.speed.worker import Pass, Task, TaskResult

CLIP_S = 30.0


def measure_speed(
    recordings: Sequence[Recording],
    repeats: int,
    threads: Sequence[int],
    preset: str | None = None,
) -> dict[str, object]:
    """Measure hocket on `recordings`, a row for each number of threads.

    The fields of the last row are repeated at the top, for pages that show a single row.
    """
    files = [str(recording.audio.resolve()) for recording in recordings]
    audio_s = sum(recording.duration_s() for recording in recordings)
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        clip_s = write_clip(recordings, clip)
        measured = {
            number: _measure(
                str(clip), files, repeats, number, preset, count_input=number == threads[-1]
            )
            for number in threads
        }
    warm = measured[threads[-1]].warm
    network_input = warm["network_input"]
    assert network_input is not None, "the last worker counts it"
    graphs = cast("dict[str, str]", warm["config"].get("graphs", {}))
    macs = count_macs(network_input, graphs["embedding"], read_models())
    peaks = measure_peaks(threads)
    precisions = _precisions(graphs)
    rows = [
        {
            "threads": number,
            "runtime": each.warm["runtime"],
            **each.starts(clip_s),
            **summarize_passes(each.warm["passes"], audio_s),
            "arithmetic": _arithmetic(macs, each.warm["passes"], number, peaks, precisions),
        }
        for number, each in measured.items()
    ]
    return {
        "preset": preset,
        "config": warm["config"],
        "precisions": precisions,
        "repeats": repeats,
        "files": len(files),
        "audio_minutes": round(audio_s / 60, 3),
        "network_input_per_audio_s": {
            name: round(value / audio_s, 3) for name, value in network_input.items()
        },
        "mmacs_per_audio_s": {
            stage: round(count / audio_s / 1e6, 1) for stage, count in macs.items()
        },
        "peak_gmacs_per_s": peaks,
        "rows": rows,
        **rows[-1],
    }


def _precisions(graphs: Mapping[str, str]) -> dict[str, str]:
    """The precision in which the networks of these settings compute on this machine, by stage."""
    from hocket import models
    from hocket.config import GraphConfig

    config = GraphConfig(**graphs)
    stages = ("segmentation", "embedding")
    return {stage: models.choice_of(stage, config).precision for stage in stages}


class ThreadResults(NamedTuple):
    """Results of all processes with one number of threads."""

    cold: list[TaskResult]
    cached: list[TaskResult]
    warm: TaskResult

    def starts(self, clip_s: float) -> dict[str, object]:
        """First results of the clip, and memory."""
        alone = max(each["peak_rss_bytes"] for each in (*self.cold, *self.cached))
        return {
            "cold_start": _start(self.cold, clip_s),
            "cached_start": _start(self.cached, clip_s),
            "peak_rss_mb": {
                "clip": round(alone / 1e6, 1),
                "corpus": round(self.warm["peak_rss_bytes"] / 1e6, 1),
            },
        }


def _measure(
    clip: str,
    files: list[str],
    repeats: int,
    threads: int,
    preset: str | None,
    *,
    count_input: bool,
) -> ThreadResults:
    """Run all processes with one number of threads.

    A cold start has an empty folder for compiled graphs. The cached start after it has the folder
    that the cold start filled.
    """
    start = Task(clip=clip, files=[], repeats=0, threads=threads, preset=preset, count_input=False)
    cold, cached = [], []
    for _ in range(repeats):
        with TemporaryDirectory() as cache:
            cold.append(_run(start, cache))
            cached.append(_run(start, cache))
    full: Task = {**start, "files": files, "repeats": repeats, "count_input": count_input}
    with TemporaryDirectory() as cache:
        return ThreadResults(cold, cached, _run(full, cache))


def _run(task: Task, cache: str) -> TaskResult:
    return cast("TaskResult", run_module("bench.speed.worker", task, cache))


def summarize_passes(passes: Sequence[Pass], audio_s: float) -> dict[str, Any]:
    """Medians over the passes, and their speed relative to `audio_s`.

    Stages run at the same time, so their busy seconds add up to more than the time end to end.
    `share_percent` is of that sum.
    """
    runs = [run["stages"] for run in passes]
    stages = dict.fromkeys(stage for run in runs for stage in run)
    seconds = {stage: median(run.get(stage, 0.0) for run in runs) for stage in stages}
    totals = [run["seconds"] for run in passes]
    busy = sum(seconds.values())
    return {
        "end_to_end": {**_spread(totals), "x_real_time": _times(audio_s, median(totals))},
        "stages": {
            stage: {
                "seconds": round(value, 4),
                "share_percent": round(100 * value / busy, 2) if busy else None,
                "x_real_time": _times(audio_s, value),
            }
            for stage, value in seconds.items()
        },
    }


def write_clip(recordings: Sequence[Recording], path: Path) -> float:
    """Write a clip with speech to `path` as 16-bit WAV, and return its length in seconds.

    It is cut from the shortest recording that is long enough. It starts at the first turn, or as
    near to it as the end of the recording allows: silence would skip half of the stages.
    """
    durations = {recording: recording.duration_s() for recording in recordings}
    enough = [recording for recording in recordings if durations[recording] >= CLIP_S]
    # min and max return the first of equals, and the order of recordings is fixed
    source = (
        min(enough, key=durations.__getitem__)
        if enough
        else max(recordings, key=durations.__getitem__)
    )
    first_turn_s = min((turn.start for turn in source.turns()), default=0.0)
    start = max(0.0, min(first_turn_s, durations[source] - CLIP_S))
    try:
        with soundfile.SoundFile(str(source.audio)) as audio:
            audio.seek(round(start * audio.samplerate))
            samples = audio.read(round(CLIP_S * audio.samplerate))
            soundfile.write(str(path), samples, audio.samplerate, subtype="PCM_16")
            return len(samples) / float(audio.samplerate)
    except soundfile.LibsndfileError as error:
        raise BenchError(f"{source.uri}: {source.audio.name} cannot be cut to a clip") from error


def _arithmetic(
    macs: Mapping[str, float],
    passes: Sequence[Pass],
    threads: int,
    peaks: Mapping[str, Mapping[str, float] | None],
    precisions: Mapping[str, str],
) -> dict[str, dict[str, float | None]]:
    busy = {stage: median(run["stages"].get(stage, 0.0) for run in passes) for stage in macs}
    own_peaks = {
        stage: (peaks.get(precision) or {}).get(str(threads))
        for stage, precision in precisions.items()
    }
    return achieved(macs, busy, median(run["seconds"] for run in passes), threads, own_peaks)


def _start(results: Sequence[TaskResult], clip_s: float) -> dict[str, object]:
    return {
        "clip_s": round(clip_s, 3),
        **_spread([each["cold_start_s"] for each in results]),
    }


def _spread(seconds: Sequence[float]) -> dict[str, object]:
    """The median, and all values to show their spread."""
    return {
        "seconds": round(median(seconds), 4),
        "repeats_s": [round(value, 4) for value in seconds],
    }


def _times(audio_s: float, seconds: float) -> float | None:
    return round(audio_s / seconds, 2) if seconds > 0 else None
