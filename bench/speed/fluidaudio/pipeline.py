"""A pipeline in the shape of FluidAudio's, on hocket's graphs.

It processes one window of 10 s after another, without overlap. A window is copied out of the
recording, copied again for each of three slots, and every slot is embedded by its own call over the
whole window. Every call has three rows, of which FluidAudio fills one. Distances, activity and
filtered segments come from host loops over slots and known speakers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.speed.fluidaudio.graphs import sliced
from bench.speed.sessions import Session, open_session, read_model

Floats = NDArray[np.float32]
HostLoops = Callable[[Floats, Floats, Floats], dict[str, Floats]]

SAMPLE_RATE = 16_000
WINDOW = 160_000  # samples, 10 s
SLOTS = 3
LEAST_CLEAN = 10  # frames; FluidAudio embeds no slot with fewer
NEW_SPEAKER_FROM = 0.5  # distance; determines only how many speakers the loops compare with


@dataclass(frozen=True)
class Shape:
    """Variants of the pipeline.

    rows: rows of every embedding call, of which one holds a mask.
    step_s: distance between the starts of windows.
    """

    rows: int = SLOTS
    step_s: float = 10.0


@dataclass
class StageTimes:
    """Seconds per stage, and the input of the networks: windows, and embedded rows of 10 s."""

    seconds: dict[str, float] = field(default_factory=dict)
    windows: int = 0
    rows: int = 0

    def network_input(self) -> dict[str, float]:
        """Seconds of audio that each network received."""
        window_s = WINDOW / SAMPLE_RATE
        return {"segmentation": self.windows * window_s, "embedding": self.rows * window_s}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside the block to a stage."""
        started = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started


@dataclass(frozen=True)
class Graphs:
    """Sessions of the pipeline; `embedding` has one Slice per frame."""

    segmentation: Session
    decode: Session
    inputs: Session
    embedding: Session

    @classmethod
    def open(cls, threads: int) -> "Graphs":
        """Open hocket's graphs in float32, each with `threads` threads."""
        return cls(
            segmentation=open_session(read_model("segmentation"), threads),
            decode=open_session(read_model("powerset_decode"), threads),
            inputs=open_session(read_model("embedding_inputs"), threads),
            embedding=open_session(sliced(read_model("embedding"), WINDOW), threads),
        )


def run_pipeline(waveform: Floats, graphs: Graphs, loops: HostLoops, shape: Shape) -> StageTimes:
    """Run the pipeline over a recording of (samples,) at 16 kHz."""
    times = StageTimes()
    dimension = int(graphs.embedding.get_modelmeta().custom_metadata_map["dimension"])
    known = np.zeros((0, dimension), np.float32)
    for start in range(0, len(waveform), round(shape.step_s * SAMPLE_RATE)):
        with times.stage("windows"):
            audio = _copied(waveform, start)[None, None]
        with times.stage("segmentation"):
            (log_probs,) = graphs.segmentation.run(None, {"waveform": audio})
            (masks,) = graphs.decode.run(None, {"log_probs": log_probs})
        with times.stage("inputs"):
            copies, clean = graphs.inputs.run(None, {"audio": audio, "masks": masks})
        embeddings = np.zeros((SLOTS, dimension), np.float32)
        with times.stage("embedding"):
            for slot in np.flatnonzero(clean.sum(axis=1) >= LEAST_CLEAN).tolist():
                embeddings[slot] = _embed(copies[: shape.rows], clean[slot], graphs.embedding)
                times.rows += shape.rows
        with times.stage("post_embedding"):
            outputs = loops(embeddings, known, masks)
            known = np.concatenate([known, embeddings[_are_new(outputs)]])
        times.windows += 1
    return times


def _copied(waveform: Floats, start: int) -> Floats:
    window = np.zeros(WINDOW, np.float32)
    part = waveform[start : start + WINDOW]
    window[: len(part)] = part
    return window


def _embed(copies: Floats, mask: Floats, embedding: Session) -> Floats:
    """Embedding of one slot: its mask is in the first row, the others are empty."""
    masks = np.zeros((len(copies), 1, len(mask)), np.float32)
    masks[0, 0] = mask
    (found,) = embedding.run(None, {"waveform": copies[:, None], "masks": masks})
    vector: Floats = found[0, 0]
    return vector


def _are_new(outputs: dict[str, Floats]) -> NDArray[np.bool_]:
    """Which slots are new speakers, (slots,)."""
    nearest = outputs["distances"].min(axis=1, initial=np.inf)
    new: NDArray[np.bool_] = (outputs["valid"] > 0) & (nearest > NEW_SPEAKER_FROM)
    return new
