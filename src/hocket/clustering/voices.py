"""Voice vectors: what clusterers cluster, and the centroids that come out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, unit_length
from hocket.clustering.tracks import Tracks

BLOCK = 4_096  # voices that are added up at once


class VoiceVectors(NamedTuple):
    """Voice vectors with the amount of speech behind each.

    vectors: (voices, dimension), unit length.
    embeddings: (voices, dimension), as the network gave them.
    seconds: (voices,) of speech.
    narrow: (voices,), how far each came through a narrow band or a telephone, 0..1.
    telephone: (voices,), how far through a telephone; None: not known.
    tracks: local speakers that they are; None: not known.
    """

    vectors: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]
    narrow: NDArray[np.float64]
    telephone: NDArray[np.float64] | None = None
    tracks: Tracks | None = None

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "VoiceVectors":
        """Some of the voices."""
        vectors, embeddings, seconds, narrow, telephone, tracks = self
        return VoiceVectors(
            vectors[rows],
            embeddings[rows],
            seconds[rows],
            narrow[rows],
            None if telephone is None else telephone[rows],
            None if tracks is None else tracks.at(rows),
        )


def centroids_of(voices: VoiceVectors, labels: ClusterLabels) -> Centroids:
    """Direction of the mean of every cluster's vectors, weighted by speech; -1 is no cluster."""
    sums = np.zeros((int(labels.max(initial=-1)) + 1, voices.vectors.shape[1]))
    members = np.argsort(labels, kind="stable")
    members = members[np.searchsorted(labels[members], 0) :]
    for first in range(0, len(members), BLOCK):
        some = members[first : first + BLOCK]
        clusters, starts = np.unique(labels[some], return_index=True)
        spoken = voices.vectors[some] * voices.seconds[some, None]
        sums[clusters] += np.add.reduceat(spoken, starts)
    return unit_length(sums.astype(np.float32))
