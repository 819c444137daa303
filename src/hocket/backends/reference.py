"""The small graphs in NumPy: the reference for tests, and the fallback if a file is missing.

Written for clarity, not speed: one slot, known speaker or segment at a time, in float64.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import segments_of
from hocket.graph import SPECS, Tensors
from hocket.segmentation.powerset import SLOTS_OF_CLASS

MIN_ACTIVITY = 10.0  # frames; a valid slot is active for more
MIN_NORM = 0.1  # the direction of a shorter embedding is not reliable
MIN_SEGMENT = 59  # frames, 1.0 s; shorter segments are removed

Outputs = dict[str, NDArray[np.float32]]


class ReferenceGraph:
    """One of the small graphs, computed by NumPy."""

    def __init__(self, name: str) -> None:
        self.spec = SPECS[name]
        self.metadata: Mapping[str, str] = {"graph": name}
        self._compute = _FUNCTIONS[name]

    def run(self, inputs: Tensors) -> Outputs:
        """Outputs by name; see `hocket.graph.Graph.run`."""
        self.spec.check_inputs(inputs)
        return self._compute(**inputs)


def powerset_decode(log_probs: NDArray[np.float32]) -> Outputs:
    """The slots of the most probable class in every frame; the first class wins a tie.

    Args:
        log_probs: (windows, frames, 7).

    Returns:
        masks (windows, frames, 3).
    """
    return {"masks": SLOTS_OF_CLASS[np.argmax(log_probs, axis=-1)]}


def embedding_inputs(audio: NDArray[np.float32], masks: NDArray[np.float32]) -> Outputs:
    """One copy of the audio per slot, and the frames in which that slot speaks alone.

    Args:
        audio: (1, 1, samples).
        masks: (1, frames, 3).

    Returns:
        waveforms (3, samples) and clean_masks (3, frames).
    """
    alone = masks[0].sum(axis=1) < 2
    clean = np.stack([masks[0, :, slot] * alone for slot in range(3)])
    return {"waveforms": np.stack([audio[0, 0]] * 3), "clean_masks": clean.astype(np.float32)}


def post_embedding(
    embeddings: NDArray[np.float32],
    database: NDArray[np.float32],
    segments: NDArray[np.float32],
) -> Outputs:
    """Distances to known speakers, activity, validity, and segments without the short ones.

    Args:
        embeddings: (slots, dimension).
        database: (speakers, dimension); it may be empty.
        segments: (1, frames, slots), zeros and ones.

    Returns:
        distances (slots, speakers), 1 - cosine, infinite where either vector is zero, NaN or
        infinite; activity (slots,) in frames; valid (slots,); filtered (1, frames, slots).
    """
    distances = np.full((len(embeddings), len(database)), np.inf)
    directions, known = map(_direction, embeddings), [*map(_direction, database)]
    for slot, direction in enumerate(directions):
        for speaker, other in enumerate(known):
            if direction is not None and other is not None:
                distances[slot, speaker] = 1 - direction @ other
    activity = segments[0].sum(axis=0, dtype=np.float64)
    with np.errstate(over="ignore"):  # a length that overflows float32 is long enough
        long_enough = [
            # the graph compares float32 numbers
            _has_direction(embedding)
            and np.float32(np.linalg.norm(embedding.astype(np.float64))) > np.float32(MIN_NORM)
            for embedding in embeddings
        ]
    valid = (activity > MIN_ACTIVITY) & np.array(long_enough)
    filtered = np.zeros_like(segments)
    for slot in range(segments.shape[2]):
        for first, last in segments_of(segments[0, :, slot] > 0).tolist():
            if last - first >= MIN_SEGMENT:
                filtered[0, first:last, slot] = segments[0, first:last, slot]
    return {
        "distances": distances.astype(np.float32),
        "activity": activity.astype(np.float32),
        "valid": valid.astype(np.float32),
        "filtered": filtered,
    }


def _has_direction(vector: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(vector).all() and np.any(vector != 0))


def _direction(vector: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The vector at unit length; None if it has no direction."""
    if not _has_direction(vector):
        return None
    exact = vector.astype(np.float64)
    unit: NDArray[np.float64] = exact / np.linalg.norm(exact)
    return unit


_FUNCTIONS: dict[str, Callable[..., Outputs]] = {
    "powerset_decode": powerset_decode,
    "embedding_inputs": embedding_inputs,
    "post_embedding": post_embedding,
}
REFERENCES = frozenset(_FUNCTIONS)
"""Graphs that NumPy can compute instead of a runtime."""
