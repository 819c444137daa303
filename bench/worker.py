"""One measurement in a process of its own: `python -m bench.worker`, task and answer as JSON.

Nothing but the standard library is imported before the clock starts, and nothing the benchmark
needs elsewhere (pandas, pyannote) weighs on the memory that is measured.
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
from bench.process import answer_with

if TYPE_CHECKING:
    from hocket import Diarizer


class Task(TypedDict):
    """What to measure: `clip` once, cold, then all of `files` `repeats` times, warm.

    preset: name of hocket's settings; None for the defaults.
    heard: whether to count what the networks hear of the files, in a further pass.
    """

    clip: str
    files: list[str]
    repeats: int
    threads: int
    preset: str | None
    heard: bool


class Pass(TypedDict):
    """Seconds for all files, from file to turns: as a whole and busy ones per stage."""

    seconds: float
    stages: dict[str, float]


class Answer(TypedDict):
    """Seconds from importing hocket to the turns of `clip`, the warm passes, bytes of memory.

    heard: seconds of audio that went through each network, as often as it did.
    """

    cold_start_s: float
    passes: list[Pass]
    peak_rss_bytes: int
    heard: dict[str, float] | None
    config: dict[str, object]
    runtime: dict[str, object]


def measure(task: Task) -> Answer:
    """Do one task; meant to be the only one of its process."""
    started = perf_counter()
    from hocket import Diarizer
    from hocket.config import Runtime

    config, runtime = configuration(task["preset"]), Runtime(threads=task["threads"])
    diarizer = Diarizer(config=config, runtime=runtime)
    diarizer(task["clip"])
    cold_start_s = perf_counter() - started
    passes = [_run_all(diarizer, task["files"]) for _ in range(task["repeats"])]
    peak = peak_rss_bytes()  # before anything is done that a user would not do
    return Answer(
        cold_start_s=cold_start_s,
        passes=passes,
        peak_rss_bytes=peak,
        heard=_hear_all(diarizer, task["files"]) if task["heard"] else None,
        config=asdict(config),
        runtime=asdict(runtime),
    )


def peak_rss_bytes() -> int:
    """Most memory this process ever held.

    Linux carries `ru_maxrss` over from the parent through fork and exec, so a heavy parent would be
    reported as ours; its VmHWM starts anew with the program and is preferred.
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


def _hear_all(diarizer: "Diarizer", files: Sequence[str]) -> dict[str, float]:
    from bench.heard import count_in, seconds_heard

    counted = count_in(diarizer)
    for file in files:
        diarizer(file)
    return seconds_heard(counted, diarizer.geometry.sample_rate)


if __name__ == "__main__":
    answer_with(measure(json.load(sys.stdin)))
