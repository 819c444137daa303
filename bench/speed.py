"""Speed from file to turns, cold start and peak memory, each in fresh processes."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

import soundfile

from bench.corpus import Recording
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.worker import Answer, Pass, Task

CLIP_S = 30.0


def measure_speed(recordings: Sequence[Recording], repeats: int, threads: int) -> dict[str, object]:
    """Measure hocket on `recordings` with `threads` threads.

    Cold starts are `repeats` processes that do one clip of 30 s each (shorter if no recording is as
    long). One more process does the clip as a warm-up, then all recordings `repeats` times.
    """
    files = [str(recording.audio.resolve()) for recording in recordings]
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        clip_s = write_clip(recordings, clip)
        cold_task = Task(clip=str(clip), files=[], repeats=0, threads=threads)
        cold = [_ask_worker(cold_task) for _ in range(repeats)]
        warm_task = Task(clip=str(clip), files=files, repeats=repeats, threads=threads)
        warm = _ask_worker(warm_task)
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "config": warm["config"],
        "runtime": warm["runtime"],
        "repeats": repeats,
        "files": len(files),
        "audio_minutes": round(audio_s / 60, 3),
        "cold_start": {
            "clip_s": round(clip_s, 3),
            **_spread([answer["cold_start_s"] for answer in cold]),
        },
        "peak_rss_mb": {
            "clip": round(max(answer["peak_rss_bytes"] for answer in cold) / 1e6, 1),
            "corpus": round(warm["peak_rss_bytes"] / 1e6, 1),
        },
        **summarize_passes(warm["passes"], audio_s),
    }


def summarize_passes(passes: Sequence[Pass], audio_s: float) -> dict[str, object]:
    """Medians of the passes and how many times faster than `audio_s` they are.

    Stage `other` is the time end to end that no stage accounts for.
    """
    runs = [{**run["stages"], "other": _unaccounted(run)} for run in passes]
    stages = dict.fromkeys(stage for run in runs for stage in run)
    seconds = {stage: median(run.get(stage, 0.0) for run in runs) for stage in stages}
    totals = [run["seconds"] for run in passes]
    return {
        "end_to_end": {**_spread(totals), "x_real_time": _times(audio_s, median(totals))},
        "stages": {
            stage: {"seconds": round(value, 4), "x_real_time": _times(audio_s, value)}
            for stage, value in seconds.items()
        },
    }


def write_clip(recordings: Sequence[Recording], path: Path) -> float:
    """Write a clip with speech in it to `path` as 16-bit WAV; its length in seconds.

    It is cut from the shortest recording that is long enough and starts at the first turn, or as
    near to it as the end of the recording allows: a clip of silence would skip half of the stages.
    """
    durations = {recording: recording.duration_s() for recording in recordings}
    enough = [recording for recording in recordings if durations[recording] >= CLIP_S]
    # min and max take the first of equals, and recordings are in a fixed order.
    source = (
        min(enough, key=durations.__getitem__)
        if enough
        else max(recordings, key=durations.__getitem__)
    )
    first_turn_s = min((turn.start_s for turn in source.turns()), default=0.0)
    start_s = max(0.0, min(first_turn_s, durations[source] - CLIP_S))
    try:
        with soundfile.SoundFile(str(source.audio)) as audio:
            audio.seek(round(start_s * audio.samplerate))
            samples = audio.read(round(CLIP_S * audio.samplerate))
            soundfile.write(str(path), samples, audio.samplerate, subtype="PCM_16")
            return len(samples) / float(audio.samplerate)
    except soundfile.LibsndfileError as error:
        raise BenchError(f"{source.uri}: {source.audio.name} cannot be cut to a clip") from error


def _ask_worker(task: Task) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "bench.worker"],
        cwd=REPOSITORY,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise BenchError(f"the measuring process failed: {reason[0]}")
    return cast("Answer", json.loads(done.stdout.splitlines()[-1]))


def _spread(seconds: Sequence[float]) -> dict[str, object]:
    """The median, and every value for the reader who wonders how far to trust it."""
    return {
        "seconds": round(median(seconds), 4),
        "repeats_s": [round(value, 4) for value in seconds],
    }


def _unaccounted(run: Pass) -> float:
    stages: Mapping[str, float] = run["stages"]
    return max(0.0, run["seconds"] - sum(stages.values()))


def _times(audio_s: float, seconds: float) -> float | None:
    return round(audio_s / seconds, 2) if seconds > 0 else None
