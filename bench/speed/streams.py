"""Speed of streams with blocks of several lengths, and their memory after hours."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.corpus import Recording
from bench.report import Progress
from bench.speed.host_loops import RecordingGraph, measure_host_loops

if TYPE_CHECKING:
    from hocket.config import Runtime

BLOCKS_S = (0.1, 1.0, 10.0)
"""Lengths of blocks: of a microphone, a network connection, a file."""

ROUNDS = 3  # alternating; results are medians
SPEED_ALLOWED = 60.0  # times real time, at least
SETTLED_S = 600.0  # length of a stream after which its memory may hardly grow
GROWTH_ALLOWED_MB = 50.0
RATE = 16_000

Sound = NDArray[np.float32]


def measure_streams(
    recordings: Sequence[Recording], hours: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Stream all recordings: memory first, then speed by block, then the host loops."""
    from hocket.config import Runtime

    runtime = Runtime(threads=threads)
    progress(f"{hours:g} hours")
    memory = measure_memory(recordings, hours * 3600, runtime)
    sounds = [np.concatenate(list(blocks_of(recording, 60.0))) for recording in recordings]
    audio_s = sum(map(len, sounds)) / RATE
    taken: dict[float, list[float]] = {block: [] for block in BLOCKS_S}
    for done in range(ROUNDS):
        progress(f"blocks, round {done + 1} of {ROUNDS}")
        for block in BLOCKS_S:
            taken[block].append(sum(stream_seconds(sound, block, runtime) for sound in sounds))
    return {
        "x_real_time": {
            "allowed": SPEED_ALLOWED,
            "blocks": {f"{block:g}": round(audio_s / median(taken[block]), 2) for block in taken},
            "rounds": {
                f"{block:g}": [round(audio_s / each, 2) for each in taken[block]] for block in taken
            },
        },
        "memory": memory,
        "post_embedding": _post_embedding(sounds[-1], runtime),
    }


def stream_seconds(sound: Sound, block_s: float, runtime: "Runtime") -> float:
    """Seconds of a new stream for a sound, without loading the graphs."""
    from hocket import Stream

    stream = Stream(RATE, runtime=runtime, refinable=False)
    size = round(block_s * RATE)
    started = perf_counter()
    for start in range(0, len(sound), size):
        stream.feed(sound[start : start + size])
    stream.finish()
    return perf_counter() - started


def measure_memory(
    recordings: Sequence[Recording], seconds: float, runtime: "Runtime"
) -> dict[str, Any]:
    """Memory of this process after ten minutes and its maximum later, on looped recordings."""
    from hocket import Stream

    stream = Stream(RATE, runtime=runtime, refinable=False)
    fed, settled, most = 0.0, 0.0, 0.0
    endless = (block for each in cycle(recordings) for block in blocks_of(each, 10.0))
    for block in endless:
        stream.feed(block)
        fed += len(block) / RATE
        if fed >= SETTLED_S:
            settled = settled or resident_mb()
            most = max(most, resident_mb())
        if fed >= seconds:
            break
    return {
        "hours": round(fed / 3600, 3),
        "speakers": len(stream.state.names),
        "after_ten_minutes_mb": round(settled, 1),
        "most_after_that_mb": round(most, 1),
        "growth_mb": round(most - settled, 1),
        "growth_allowed_mb": GROWTH_ALLOWED_MB,
    }


def resident_mb() -> float:
    """Resident memory of this process, on Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    import resource

    return pages * resource.getpagesize() / 1e6


def _post_embedding(sound: Sound, runtime: "Runtime") -> dict[str, Any]:
    """Share of the `post_embedding` graph in the time of a stream, and that of host loops."""
    from hocket import Stream

    stream = Stream(RATE, runtime=runtime, refinable=False)
    channel = stream._channels.one  # noqa: SLF001 - what it calls is measured
    graph = RecordingGraph(channel.rules.graph)
    channel.rules = replace(channel.rules, graph=graph)
    started = perf_counter()
    for start in range(0, len(sound), RATE):
        stream.feed(sound[start : start + RATE])
    stream.finish()
    return measure_host_loops(graph.graph, graph.inputs, perf_counter() - started)


def blocks_of(recording: Recording, seconds: float) -> Iterator[Sound]:
    """A recording in blocks of this length, (samples,) or (samples, channels) each."""
    import soundfile

    with soundfile.SoundFile(str(recording.audio)) as file:
        yield from file.blocks(round(seconds * file.samplerate), dtype="float32")
