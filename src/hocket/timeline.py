"""Activations to turns: seconds begin here."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, segments_of
from hocket.geometry import Geometry
from hocket.result import Turn


def tidy(activations: Activations, min_pause: int, min_turn: int) -> Activations:
    """Close pauses of fewer than `min_pause` frames, then drop turns of fewer than `min_turn`."""
    tidied = activations.copy()
    for cluster in range(activations.shape[1]):
        column = tidied[:, cluster]
        turns = segments_of(column)
        for (_, end), (start, _) in pairwise(turns):
            if start - end < min_pause:
                column[end:start] = True
        for start, end in segments_of(column):
            if end - start < min_turn:
                column[start:end] = False
    return tidied


def order_of_appearance(activations: Activations) -> NDArray[np.int64]:
    """Clusters that speak at all, in the order in which they first do."""
    speaking = np.flatnonzero(activations.any(axis=0))
    first_frames = [int(activations[:, cluster].argmax()) for cluster in speaking]
    return speaking[np.argsort(np.array(first_frames, np.int64), kind="stable")]


def speaker_names(number: int) -> tuple[str, ...]:
    """SPEAKER_00, SPEAKER_01, …, the names RTTM tools are used to."""
    return tuple(f"SPEAKER_{index:02d}" for index in range(number))


def to_turns(
    activations: Activations, names: tuple[str, ...], geometry: Geometry, samples: int
) -> tuple[Turn, ...]:
    """Turns in order of time, within a recording of `samples` samples."""
    turns = []
    for cluster, name in enumerate(names):
        for first, last in segments_of(activations[:, cluster]).tolist():
            start = min(geometry.frame_start(first), samples)
            end = min(geometry.frame_start(last), samples)
            if end > start:
                turns.append(Turn(geometry.seconds_of(start), geometry.seconds_of(end), name))
    return tuple(sorted(turns))
