"""The pipeline in the shape of the notes that hocket grew from, on hocket's own graphs.

Window after window of 10 s, none with another: the window is copied out of the recording, three
copies of it are made for three slots, and every slot is embedded by a call of its own over all of
the window. Every call takes three rows, of which the notes filled one. Distances, activity and
filtered segments come from loops on the host, one slot and one known speaker at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from bench.notes_graphs import sliced
from bench.sessions import Session, open_session, read_model

Floats = NDArray[np.float32]
HostLoops = Callable[[Floats, Floats, Floats], dict[str, Floats]]

SAMPLE_RATE = 16_000
WINDOW = 160_000  # samples, 10 s
SLOTS = 3
LEAST_CLEAN = 10  # frames; the notes' system embeds no slot with fewer
# Decides only how many speakers the loops compare with; nothing else depends on it.
NEW_SPEAKER_FROM = 0.5


@dataclass(frozen=True)
class Shape:
    """What may differ between runs of the notes' shape.

    rows: rows of every call of the embedding, of which one holds a mask.
    step_s: from one window to the next.
    """

    rows: int = SLOTS
    step_s: float = 10.0


@dataclass
class Spent:
    """Seconds per stage, and how much the networks heard: windows, and rows of 10 s embedded."""

    seconds: dict[str, float] = field(default_factory=dict)
    windows: int = 0
    rows: int = 0

    def heard(self) -> dict[str, float]:
        """Seconds that went through each network."""
        window_s = WINDOW / SAMPLE_RATE
        return {"segmentation": self.windows * window_s, "embedding": self.rows * window_s}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside the block to a stage."""
        started = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started


@dataclass(frozen=True)
class NotesGraphs:
    """Sessions of the notes' pipeline; `embedding` cuts its frames out one by one."""

    segmentation: Session
    decode: Session
    inputs: Session
    embedding: Session

    @classmethod
    def open(cls, threads: int) -> "NotesGraphs":
        """Graphs of hocket in float32, each with so many threads."""
        return cls(
            segmentation=open_session(read_model("segmentation"), threads),
            decode=open_session(read_model("powerset_decode"), threads),
            inputs=open_session(read_model("embedding_inputs"), threads),
            embedding=open_session(sliced(read_model("embedding"), WINDOW), threads),
        )


def run_notes(waveform: Floats, graphs: NotesGraphs, loops: HostLoops, shape: Shape) -> Spent:
    """Run the notes' pipeline over a recording of (samples,) at 16 kHz."""
    spent = Spent()
    dimension = int(graphs.embedding.get_modelmeta().custom_metadata_map["dimension"])
    known = np.zeros((0, dimension), np.float32)
    for start in range(0, len(waveform), round(shape.step_s * SAMPLE_RATE)):
        with spent.stage("windows"):
            audio = _copied(waveform, start)[None, None]
        with spent.stage("segmentation"):
            (log_probs,) = graphs.segmentation.run(None, {"waveform": audio})
            (masks,) = graphs.decode.run(None, {"log_probs": log_probs})
        with spent.stage("inputs"):
            copies, clean = graphs.inputs.run(None, {"audio": audio, "masks": masks})
        embeddings = np.zeros((SLOTS, dimension), np.float32)
        with spent.stage("embedding"):
            for slot in np.flatnonzero(clean.sum(axis=1) >= LEAST_CLEAN).tolist():
                embeddings[slot] = _embed(copies[: shape.rows], clean[slot], graphs.embedding)
                spent.rows += shape.rows
        with spent.stage("post_embedding"):
            said = loops(embeddings, known, masks)
            known = np.concatenate([known, embeddings[_are_new(said)]])
        spent.windows += 1
    return spent


def _copied(waveform: Floats, start: int) -> Floats:
    window = np.zeros(WINDOW, np.float32)
    part = waveform[start : start + WINDOW]
    window[: len(part)] = part
    return window


def _embed(copies: Floats, mask: Floats, embedding: Session) -> Floats:
    """Embedding of one slot: its mask in the first row, nothing in the others."""
    masks = np.zeros((len(copies), 1, len(mask)), np.float32)
    masks[0, 0] = mask
    (found,) = embedding.run(None, {"waveform": copies[:, None], "masks": masks})
    vector: Floats = found[0, 0]
    return vector


def _are_new(said: dict[str, Floats]) -> NDArray[np.bool_]:
    """Which slots are none of the known speakers, (slots,)."""
    nearest = said["distances"].min(axis=1, initial=np.inf)
    new: NDArray[np.bool_] = (said["valid"] > 0) & (nearest > NEW_SPEAKER_FROM)
    return new
