"""Activations to turns: frames become seconds here."""

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, segments_of
from hocket.geometry import Geometry
from hocket.turns import Turn

_NUMBERED = re.compile(r"(CH\d+_)?SPEAKER_\d\d+")


def tidy(activations: Activations, min_pause: int, min_turn: int) -> Activations:
    """Close pauses shorter than `min_pause`, then drop turns shorter than `min_turn`.

    Args:
        activations: (frames, clusters).
        min_pause: frames.
        min_turn: frames.
    """
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
    """Clusters that are ever active, in order of their first active frame."""
    speaking = np.flatnonzero(activations.any(axis=0))
    first_frames = [int(activations[:, cluster].argmax()) for cluster in speaking]
    return speaking[np.argsort(np.array(first_frames, np.int64), kind="stable")]


def speaker_name(number: int) -> str:
    """Label of a speaker without a name, such as SPEAKER_00: the convention of RTTM files."""
    return f"SPEAKER_{number:02d}"


def is_numbered(name: str) -> bool:
    """Whether a name is the label of a speaker without a name."""
    return bool(_NUMBERED.fullmatch(name))


def channel_speaker(channel: int, speaker: str) -> str:
    """Label of a speaker of a channel, such as CH2_SPEAKER_00."""
    return f"CH{channel}_{speaker}"


def speaker_names(number: int) -> tuple[str, ...]:
    """The labels SPEAKER_00, SPEAKER_01, … of `number` speakers."""
    return tuple(map(speaker_name, range(number)))


def to_turns(
    activations: Activations, names: tuple[str, ...], geometry: Geometry, samples: int
) -> tuple[Turn, ...]:
    """Turns in order of time.

    Args:
        activations: (frames, speakers).
        names: of the speakers.
        geometry: frame grid.
        samples: length of the recording; turns end within it.
    """
    turns = []
    for speaker, name in enumerate(names):
        for first, last in segments_of(activations[:, speaker]).tolist():
            start = min(geometry.frame_start(first), samples)
            end = min(geometry.frame_start(last), samples)
            if end > start:
                turns.append(Turn(geometry.seconds_of(start), geometry.seconds_of(end), name))
    return tuple(sorted(turns))
