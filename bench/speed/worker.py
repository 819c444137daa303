"""One measurement in a process of its own: `python -m bench.speed.worker`, JSON in and out.

Only the standard library is imported before the clock starts, so that imports of the benchmark
(pandas, pyannote) do not count in the measured memory.
"""

import json
import re
import resource
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypedDict

from bench.presets import configuration
from bench.process import print_result

if TYPE_CHECKING:
    from hocket import Diarizer


class Task(TypedDict):
    """What to measure: `clip` once, cold, then all `files`, `repeats` times, warm.

    preset: preset of hocket; None: the defaults.
    count_input: whether to count the input of the networks for the files, in a further pass.
    """

    clip: str
    files: list[str]
    repeats: int
    threads: int
    preset: str | None
    count_input: bool


class Pass(TypedDict):
    """Seconds for all files, from file to turns: in all, and busy seconds per stage."""

    seconds: float
    stages: dict[str, float]


class TaskResult(TypedDict):
    """Seconds from importing hocket to the turns of `clip`, the warm passes, and peak memory.

    network_input: seconds of audio that went through each network; overlaps count repeatedly.
    """

    cold_start_s: float
    passes: list[Pass]
    peak_rss_bytes: int
    network_input: dict[str, float] | None
    config: dict[str, object]
    runtime: dict[str, object]


def measure(task: Task) -> TaskResult:
    """Measure one task, as the only one of its process."""
    started = perf_counter()
    from hocket import Diarizer
    from hocket.config import Runtime

    config, runtime = configuration(task["preset"]), Runtime(threads=task["threads"])
    diarizer = Diarizer(config=config, runtime=runtime)
    diarizer(task["clip"])
    cold_start_s = perf_counter() - started
    passes = [_run_all(diarizer, task["files"]) for _ in range(task["repeats"])]
    peak = peak_rss_bytes()  # before the counting pass
    return TaskResult(
        cold_start_s=cold_start_s,
        passes=passes,
        peak_rss_bytes=peak,
        network_input=_count_input(diarizer, task["files"]) if task["count_input"] else None,
        config=asdict(config),
        runtime=asdict(runtime),
    )


def peak_rss_bytes() -> int:
    """Peak resident memory of this process.

    On Linux `ru_maxrss` keeps the value of the parent through fork and exec, so a large parent
    would count. VmHWM starts anew with the program.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        status = ""
    if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
        return int(found[1]) * 1024
    maximum = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return maximum if sys.platform == "darwin" else maximum * 1024


def _run_all(diarizer: "Diarizer", files: Sequence[str]) -> Pass:
    stages: dict[str, float] = {}
    total_s = 0.0
    for file in files:
        started = perf_counter()
        result = diarizer(file)
        total_s += perf_counter() - started
        for stage, seconds in result.seconds.items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    return Pass(seconds=total_s, stages=stages)


def _count_input(diarizer: "Diarizer", files: Sequence[str]) -> dict[str, float]:
    from bench.speed.network_input import count_input, input_seconds

    counters = count_input(diarizer)
    for file in files:
        diarizer(file)
    return input_seconds(counters, diarizer.geometry.sample_rate)


if __name__ == "__main__":
    print_result(measure(json.load(sys.stdin)))
