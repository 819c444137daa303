"""Voice vectors: what clusterers cluster, and the centroids that come out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, Embeddings, Masks, Units


class Voices(NamedTuple):
    """Voice vectors with the amount of speech behind each."""

    vectors: NDArray[np.float32]  # (voices, dimension), unit length
    seconds: NDArray[np.float64]  # (voices,)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length one along the last axis; zero stays zero."""
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def centroids_of(voices: Voices, labels: NDArray[np.int32]) -> Centroids:
    """Direction of the mean of every cluster's vectors, weighted by speech."""
    sums = np.zeros((int(labels.max(initial=-1)) + 1, voices.vectors.shape[1]))
    member = labels >= 0
    np.add.at(sums, labels[member], voices.vectors[member] * voices.seconds[member, None])
    return unit_length(sums.astype(np.float32))


def slot_embeddings(masks: Masks, units: Units, voices: Voices) -> Embeddings:
    """Direction of the mean of every slot's units, weighted by speech; zero without any."""
    windows, _, slots = masks.shape
    sums = np.zeros((windows, slots, voices.vectors.shape[1]), np.float32)
    np.add.at(sums, (units.window, units.slot), voices.vectors * voices.seconds[:, None])
    return unit_length(sums)
