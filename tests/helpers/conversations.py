"""Synthetic conversations: embeddings of speakers who take turns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.clustering import VoiceVectors

DIMENSION = 64
# cosine of two subsegments of one voice, and the share of the noise of the one before, as in speech
WITHIN, OVERLAP = 0.5, 0.6
SUBSEGMENT_S = 0.6
SUBSEGMENTS_OF_A_TURN, LONG_DIMENSION = 8, 192


class Conversation(NamedTuple):
    """Voice vectors, and the region and the speaker of each."""

    voices: VoiceVectors
    regions: NDArray[np.int64]
    speakers: NDArray[np.int64]


def voices_of(vectors: NDArray[np.floating], seconds: float | NDArray[np.float64]) -> VoiceVectors:
    """Voice vectors of these directions, each with so much speech."""
    embeddings = vectors.astype(np.float32)
    spoken = np.broadcast_to(seconds, len(vectors)) * 1.0
    return VoiceVectors(unit_length(embeddings), embeddings, spoken, np.zeros(len(vectors)))


def conversation(
    turns: Sequence[int],
    cosine: float = 0.0,
    seed: int = 0,
    subsegments: int = 6,
    dimension: int = DIMENSION,
) -> Conversation:
    """Speakers who take turns in this order.

    Args:
        turns: the speaker of each region.
        cosine: of any two speakers.
        seed: of speakers and noise.
        subsegments: of each region.
        dimension: of the vectors; the larger, the less noise along any direction.
    """
    rng = np.random.default_rng(seed)
    speakers = np.repeat(np.asarray(turns, np.int64), subsegments)
    number = int(speakers.max()) + 1
    shared, *own = np.linalg.qr(rng.normal(size=(dimension, number + 1)))[0].T
    centres = np.sqrt(cosine) * shared + np.sqrt(1 - cosine) * np.array(own)
    noise = _scaled(rng.normal(size=(len(speakers), dimension)))
    noise[1:] += OVERLAP * noise[:-1]
    vectors = np.sqrt(WITHIN) * centres[speakers] + np.sqrt(1 - WITHIN) * _scaled(noise)
    regions = np.repeat(np.arange(len(turns)), subsegments)
    return Conversation(voices_of(vectors, SUBSEGMENT_S), regions, speakers)


def long_conversation(number: int, speakers: int, seed: int) -> Conversation:
    """So many subsegments of speakers who take turns of SUBSEGMENTS_OF_A_TURN."""
    turns = np.random.default_rng(seed).integers(speakers, size=-(-number // SUBSEGMENTS_OF_A_TURN))
    turns[:speakers] = np.arange(speakers)[: len(turns)]
    found = conversation(
        turns.tolist(), seed=seed, subsegments=SUBSEGMENTS_OF_A_TURN, dimension=LONG_DIMENSION
    )
    first = np.arange(number)
    return Conversation(found.voices.at(first), found.regions[:number], found.speakers[:number])


def _scaled(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
