"""Bytes allocated and copied per second of audio: `python -m bench.speed.copies`, JSON in and out.

NumPy's allocations are counted. hocket reports the bytes it copies (`Result.copied`). The steady
state lasts from the report that a fifth of the first stage is done to the last report of any stage,
so it has no warm-up, no loading and nothing that happens once at the end.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any, TypedDict

from bench.corpus import Recording
from bench.presets import configuration
from bench.process import print_result, run_module
from bench.speed.allocations import Allocations, counted
from bench.speed.end_to_end import write_clip

SAMPLE_BYTES = 4 * 16_000  # of a second of float32 audio
COPIES_ALLOWED = 3  # times the bytes of the audio
LARGEST_ALLOWED = 1_000_000  # bytes at once, in the steady state
STEADY_FROM = 0.2  # share of the stage that reports first


class Task(TypedDict):
    """`clip` once, not counted, then all of `files`."""

    clip: str
    files: list[str]
    threads: int
    preset: str | None


class SteadyState:
    """Allocations in all, and those of the steady state, which follows from the progress."""

    def __init__(self) -> None:
        self.total, self.steady = Allocations(), Allocations()
        self._running: Allocations | None = None
        self._first: str | None = None
        self._lock = Lock()  # workers allocate while progress is reported

    def add(self, size: int) -> None:
        """Count an allocation."""
        with self._lock:
            self.total.add(size)
            if self._running is not None:
                self._running.add(size)

    def on_progress(self, stage: str, done: int, total: int) -> None:
        """Begin the steady state, or end it here unless another report follows."""
        with self._lock:
            self._first = self._first or stage
            if self._running is not None:
                self.steady = deepcopy(self._running)
            elif stage == self._first and done >= STEADY_FROM * total:
                self._running = deepcopy(self.steady)

    def end(self) -> None:
        """End the recording."""
        with self._lock:
            self._running = self._first = None


def measure_copies(
    recordings: Sequence[Recording], threads: int, preset: str | None
) -> dict[str, Any]:
    """Count over all recordings, in a separate process."""
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        write_clip(recordings, clip)
        files = [str(recording.audio.resolve()) for recording in recordings]
        task = Task(clip=str(clip), files=files, threads=threads, preset=preset)
        found = run_module("bench.speed.copies", task)
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "preset": preset,
        "threads": threads,
        "files": len(files),
        "audio_minutes": round(audio_s / 60, 3),
        **summarize_copies(found, audio_s),
    }


def count(task: Task) -> dict[str, Any]:
    """Count for one task, as the only one of its process."""
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(configuration(task["preset"]), Runtime(threads=task["threads"]))
    diarizer(task["clip"])
    allocated, copied = SteadyState(), dict[str, int]()
    with counted(allocated.add):
        for file in task["files"]:
            result = diarizer(file, progress=allocated.on_progress)
            allocated.end()
            for stage, size in result.copied.items():
                copied[stage] = copied.get(stage, 0) + size
    return {"total": asdict(allocated.total), "steady": asdict(allocated.steady), "copied": copied}


def summarize_copies(found: Mapping[str, Any], audio_s: float) -> dict[str, Any]:
    """Bytes per audio second with the limits, and the functions with large allocations."""
    total, steady, copied = found["total"], found["steady"], found["copied"]
    per_second = sum(copied.values()) / audio_s
    largest = max((each["largest"] for each in steady["requested"].values()), default=0)
    return {
        "copied_per_audio_s": {
            **{stage: round(size / audio_s, 1) for stage, size in copied.items()},
            "all": round(per_second, 1),
            "times_the_audio": round(per_second / SAMPLE_BYTES, 3),
            "allowed": COPIES_ALLOWED * SAMPLE_BYTES,
        },
        "allocated_per_audio_s": round(total["allocated"] / audio_s, 1),
        "allocations_per_audio_s": round(total["count"] / audio_s, 2),
        "steady_allocated_per_audio_s": round(steady["allocated"] / audio_s, 1),
        "steady_largest": {"bytes": largest, "allowed": LARGEST_ALLOWED},
        "requested_in_steady_state": _by_size(steady["requested"], audio_s),
        "requested": _by_size(total["requested"], audio_s),
    }


def _by_size(requested: Mapping[str, Mapping[str, int]], audio_s: float) -> list[dict[str, Any]]:
    rows = [
        {
            "function": function,
            "largest": sizes["largest"],
            "per_audio_s": round(sizes["allocated"] / audio_s, 1),
        }
        for function, sizes in requested.items()
    ]
    return sorted(rows, key=lambda row: (-row["largest"], row["function"]))


if __name__ == "__main__":
    print_result(count(json.load(sys.stdin)))
