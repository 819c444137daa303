"""The shape of FluidAudio's pipeline beside hocket, stage by stage, on one thread each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.corpus import Recording
from bench.report import Progress
from bench.speed.fluidaudio import SHAPES
from bench.speed.fluidaudio.graphs import count_slices, filter_bank, sliced
from bench.speed.fluidaudio.pipeline import (
    SAMPLE_RATE,
    WINDOW,
    Graphs,
    Shape,
    StageTimes,
    run_pipeline,
)
from bench.speed.network_input import count_input, input_seconds
from bench.speed.sessions import open_session, read_model
from bench.speed.timed import alternate

THREADS = 1  # of either, so that busy seconds are seconds and ratios depend only on the shape
Floats = NDArray[np.float32]


def measure_fluidaudio(
    recordings: Sequence[Recording], seconds: float, repeats: int, progress: Progress
) -> dict[str, Any]:
    """Run the beginnings of recordings through FluidAudio's shapes and hocket, alternating.

    Args:
        recordings: the corpus.
        seconds: length used of each recording, from its beginning.
        repeats: measurements of the filter bank alone and of each claim.
        progress: receives what is done next.
    """
    from bench.speed.fluidaudio.claims import measure_claims
    from hocket import Config, Diarizer
    from hocket.audio.reading import read_audio
    from hocket.backends.reference import post_embedding
    from hocket.config import GraphConfig, Runtime

    progress("opening the graphs")
    graphs = Graphs.open(THREADS)
    config = Config(graphs=GraphConfig(backend="onnxruntime", precision="float32"))
    diarizer = Diarizer(config, Runtime(threads=THREADS)).load()
    noise = np.random.default_rng(0).standard_normal(2 * WINDOW, np.float32)
    diarizer.finish(diarizer.infer(noise))  # imports in the first call are not timed
    counters, ours = count_input(diarizer), StageTimes()
    shapes = shapes_of(config.windows.step_s)
    theirs = {name: StageTimes() for name in shapes}
    audio_s = 0.0
    for recording in recordings:
        recorded = read_audio(str(recording.audio), target_rate=SAMPLE_RATE)
        waveform = np.ascontiguousarray(recorded.samples[: round(seconds * SAMPLE_RATE)])
        audio_s += len(waveform) / SAMPLE_RATE
        for name, shape in shapes.items():
            progress(f"{recording.uri}: FluidAudio's shape, {name}")
            add(theirs[name], run_pipeline(waveform, graphs, post_embedding, shape))
        progress(f"{recording.uri}: hocket")
        stages = diarizer.finish(diarizer.infer(waveform)).seconds
        for stage, taken in stages.items():
            ours.seconds[stage] = ours.seconds.get(stage, 0.0) + taken
    network_input = input_seconds(counters, SAMPLE_RATE)
    return {
        "audio_s": round(audio_s, 3),
        "threads": THREADS,
        "runtime": "ONNX Runtime, float32",
        "hocket": summary(ours.seconds, audio_s, network_input),
        SHAPES: {
            name: {
                "rows": shapes[name].rows,
                "step_s": shapes[name].step_s,
                **summary(each.seconds, audio_s, each.network_input()),
                "ratios": ratios(each.seconds, ours.seconds),
            }
            for name, each in theirs.items()
        },
        "filter_bank": measure_filter_bank(repeats),
        "claims": measure_claims(repeats),
    }


def shapes_of(step_s: float) -> dict[str, Shape]:
    """The shapes to measure; `step_s` is the distance between hocket's windows."""
    return {
        "as it ran": Shape(),
        "one row a call": Shape(rows=1),
        "as it ran, windows as dense as hocket's": Shape(step_s=step_s),
        "one row a call, windows as dense as hocket's": Shape(rows=1, step_s=step_s),
    }


def add(total: StageTimes, part: StageTimes) -> None:
    """Add the times of one recording to the total."""
    total.windows += part.windows
    total.rows += part.rows
    for stage, seconds in part.seconds.items():
        total.seconds[stage] = total.seconds.get(stage, 0.0) + seconds


def summary(
    seconds: Mapping[str, float], audio_s: float, network_input: Mapping[str, float]
) -> dict[str, Any]:
    """Seconds and share of every stage, and the input of the networks per second of audio."""
    total = sum(seconds.values())
    return {
        "seconds": round(total, 4),
        "x_real_time": round(audio_s / total, 2),
        "stages": {
            stage: {"seconds": round(value, 5), "share_percent": round(100 * value / total, 2)}
            for stage, value in seconds.items()
        },
        "segmented_per_audio_s": round(network_input["segmentation"] / audio_s, 3),
        "embedded_per_audio_s": round(network_input["embedding"] / audio_s, 3),
    }


def ratios(theirs: Mapping[str, float], ours: Mapping[str, float]) -> dict[str, float | None]:
    """Seconds of FluidAudio's shape divided by hocket's, by the purpose of the stages.

    FluidAudio's copies and inputs serve only its embedding. Those of hocket are in its stages.
    """
    ours_after = sum(ours.get(stage, 0.0) for stage in ("clustering", "reconstruct"))
    pairs = {
        "segmentation": (theirs["segmentation"], ours.get("segmentation", 0.0)),
        "embedding": (theirs["inputs"] + theirs["embedding"], ours.get("embedding", 0.0)),
        "post_embedding": (theirs["post_embedding"], ours_after),
        "all": (sum(theirs.values()), sum(ours.values())),
    }
    return {name: _ratio(*pair) for name, pair in pairs.items()}


def measure_filter_bank(repeats: int) -> dict[str, Any]:
    """Time the filter bank of one window, framed by slices and by one convolution."""
    whole = read_model("embedding")
    models = {"sliced": sliced(whole, WINDOW), "convolution": whole}
    sessions = {name: open_session(filter_bank(model), THREADS) for name, model in models.items()}
    window = np.random.default_rng(0).standard_normal((1, 1, WINDOW), np.float32)
    inputs = {"waveform": window}
    outputs = {name: session.run(None, inputs)[0] for name, session in sessions.items()}
    works = {name: partial(each.run, None, inputs) for name, each in sessions.items()}
    times = alternate(works, repeats)
    return {
        "slices": count_slices(models["sliced"]),
        "seconds_per_window": {name: round(value, 6) for name, value in times.items()},
        "ratio": _ratio(times["sliced"], times["convolution"]),
        "largest_difference": float(np.abs(outputs["sliced"] - outputs["convolution"]).max()),
    }


def _ratio(theirs: float, ours: float) -> float | None:
    return round(theirs / ours, 3) if ours > 0 else None
