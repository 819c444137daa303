"""Made-up talks: vectors of people who take turns, for tests of what is done with clusters."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.clustering import VoiceVectors

DIMENSION = 64
# cosine of two units of one voice, and what a unit has of the one before it, as of real speech
WITHIN, OVERLAP = 0.5, 0.6
UNIT_S = 0.6


class Talk(NamedTuple):
    """What is clustered, the region of each voice, and who it is."""

    voices: VoiceVectors
    regions: NDArray[np.int64]
    speakers: NDArray[np.int64]


def voices_of(vectors: NDArray[np.floating], seconds: float | NDArray[np.float64]) -> VoiceVectors:
    """Voices with these directions, and so much speech each."""
    embeddings = vectors.astype(np.float32)
    spoken = np.broadcast_to(seconds, len(vectors)) * 1.0
    return VoiceVectors(unit_length(embeddings), embeddings, spoken, np.zeros(len(vectors)))


def talk(
    turns: Sequence[int],
    cosine: float = 0.0,
    seed: int = 0,
    subsegments: int = 6,
    dimension: int = DIMENSION,
) -> Talk:
    """People who speak in that order.

    Args:
        turns: who speaks in every region.
        cosine: of any two people.
        seed: of the people, and of their units.
        subsegments: of every region.
        dimension: of the vectors; the more, the less noise there is along any direction.
    """
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.asarray(turns, np.int64), subsegments)
    number = int(speakers.max()) + 1
    shared, *own = np.linalg.qr(rng.normal(size=(dimension, number + 1)))[0].T
    people = np.sqrt(cosine) * shared + np.sqrt(1 - cosine) * np.array(own)
    noise = _scaled(rng.normal(size=(len(speakers), dimension)))
    noise[1:] += OVERLAP * noise[:-1]
    vectors = np.sqrt(WITHIN) * people[speakers] + np.sqrt(1 - WITHIN) * _scaled(noise)
    regions = np.repeat(np.arange(len(turns)), subsegments)
    return Talk(voices_of(vectors, UNIT_S), regions, speakers)


def _scaled(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
