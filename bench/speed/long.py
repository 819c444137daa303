"""A recording of hours beside one of minutes: memory and speed, each in its own process."""

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import soundfile
import soxr

from bench.corpus import Recording
from bench.errors import BenchError
from bench.process import run_module
from bench.report import Progress
from bench.speed.worker import Task, TaskResult

SAMPLE_RATE = 16_000
BLOCK = 60 * SAMPLE_RATE  # samples read and written at once
SHORT_S = 600.0
RSS_ALLOWED_MB = 700.0
LEAST_RATIO = 0.85  # of the speed on the short recording


def measure_long(
    recordings: Sequence[Recording],
    hours: float,
    threads: int,
    preset: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Run a recording of ten minutes and one of `hours`, both made of the same recordings.

    Every process first diarizes half a minute as a warm-up, which counts in the memory but not in
    the time. The short recording is run before and after the long one.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        lengths = {"clip": 30.0, "short": SHORT_S, "long": hours * 3600}
        files = {each: folder / f"{each}.flac" for each in lengths}
        for each, seconds in lengths.items():
            progress(f"writing {seconds / 60:g} minutes")
            write_joined(recordings, seconds, files[each])
        results: dict[str, list[TaskResult]] = {"short": [], "long": []}
        for each in ("short", "long", "short"):
            progress(f"running the {each} recording")
            task = Task(
                clip=str(files["clip"]),
                files=[str(files[each])],
                repeats=1,
                threads=threads,
                preset=preset,
                count_input=False,
            )
            results[each].append(cast("TaskResult", run_module("bench.speed.worker", task)))
    rows = {each: _row(lengths[each], found) for each, found in results.items()}
    return {
        "preset": preset,
        "threads": threads,
        "config": results["long"][0]["config"],
        **rows,
        "speed_ratio": round(rows["long"]["x_real_time"] / rows["short"]["x_real_time"], 4),
        "least_speed_ratio": LEAST_RATIO,
        "rss_allowed_mb": RSS_ALLOWED_MB,
    }


def write_joined(recordings: Sequence[Recording], seconds: float, path: Path) -> None:
    """Join the recordings, repeatedly if needed, to a FLAC file of this length.

    If it is shorter than all of them together, it has the same share of each, from the beginning,
    so that the density of speech is the same. The file has one channel, 16 kHz and 16 bits, and is
    written block by block.
    """
    durations = [recording.duration_s() for recording in recordings]
    part = min(1.0, seconds / sum(durations)) if any(durations) else 1.0
    left = round(seconds * SAMPLE_RATE)
    with soundfile.SoundFile(str(path), "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as output:
        for recording, duration in cycle(zip(recordings, durations, strict=True)):
            # one sample more than its part, so that rounding does not make the file too short
            most = min(left, math.ceil(part * duration * SAMPLE_RATE) + 1)
            written = 0
            for block in _blocks(recording):
                piece = block[: most - written]
                output.write(piece)
                written += len(piece)
                if written == most:
                    break
            left -= written
            if left == 0:
                return
            if not written:
                raise BenchError(f"{recording.uri}: holds no samples; exclude it with --select")


def _blocks(recording: Recording) -> Any:
    try:
        with soundfile.SoundFile(str(recording.audio)) as audio:
            # one resampler for the whole file, since separate ones would click between blocks
            rate = audio.samplerate
            stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1) if rate != SAMPLE_RATE else None
            while len(block := audio.read(BLOCK, dtype="float32", always_2d=True)):
                mono = block.mean(axis=1)
                if stream is not None:
                    last = audio.tell() == audio.frames
                    mono = np.asarray(stream.resample_chunk(mono, last=last))
                yield mono
    except soundfile.LibsndfileError as error:
        raise BenchError(f"{recording.uri}: {recording.audio.name} cannot be read") from error


def _row(audio_s: float, results: Sequence[TaskResult]) -> dict[str, Any]:
    seconds = [result["passes"][0]["seconds"] for result in results]
    return {
        "audio_minutes": round(audio_s / 60, 3),
        "seconds": [round(value, 3) for value in seconds],
        "x_real_time": round(audio_s / median(seconds), 2),
        "peak_rss_mb": round(max(each["peak_rss_bytes"] for each in results) / 1e6, 1),
        "stages": {
            stage: round(value, 3) for stage, value in results[0]["passes"][0]["stages"].items()
        },
    }
