"""Voice vectors: what clusterers cluster, and the centroids that come out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, UnitLabels


class Voices(NamedTuple):
    """Voice vectors with the amount of speech behind each."""

    vectors: NDArray[np.float32]  # (voices, dimension), unit length
    embeddings: NDArray[np.float32]  # (voices, dimension), as the network gave them
    seconds: NDArray[np.float64]  # (voices,)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length one along the last axis; zero stays zero."""
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


def centroids_of(voices: Voices, labels: UnitLabels) -> Centroids:
    """Direction of the mean of every cluster's vectors, weighted by speech; -1 is no cluster."""
    sums = np.zeros((int(labels.max(initial=-1)) + 1, voices.vectors.shape[1]))
    member = labels >= 0
    np.add.at(sums, labels[member], voices.vectors[member] * voices.seconds[member, None])
    return unit_length(sums.astype(np.float32))
