"""Voice vectors: the embeddings of subsegments that are clustered, and the clusters' centroids."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, unit_length
from hocket.clustering.tracks import Tracks

BLOCK = 4_096  # embeddings added up at once


class VoiceVectors(NamedTuple):
    """Embeddings of subsegments, and what is known of each subsegment.

    vectors: (voices, dimension), unit length, without the effect of the channel.
    embeddings: (voices, dimension), raw network output.
    seconds: (voices,) of speech.
    narrow: (voices,) weight of narrow band and telephone, 0..1.
    telephone: (voices,) weight of telephone alone, 0..1; None: unknown.
    tracks: their windows and slots; None: unknown.
    """

    vectors: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    seconds: NDArray[np.float64]
    narrow: NDArray[np.float64]
    telephone: NDArray[np.float64] | None = None
    tracks: Tracks | None = None

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "VoiceVectors":
        """The voice vectors in these rows."""
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
    """Mean of each cluster's vectors, weighted by speech and scaled to unit length.

    Args:
        voices: what was clustered.
        labels: (voices,) cluster of each, -1 for none.

    Returns:
        (clusters, dimension); zero for a cluster without embeddings.
    """
    sums = np.zeros((int(labels.max(initial=-1)) + 1, voices.vectors.shape[1]))
    members = np.argsort(labels, kind="stable")
    members = members[np.searchsorted(labels[members], 0) :]
    for first in range(0, len(members), BLOCK):
        block = members[first : first + BLOCK]
        clusters, starts = np.unique(labels[block], return_index=True)
        weighted = voices.vectors[block] * voices.seconds[block, None]
        sums[clusters] += np.add.reduceat(weighted, starts)
    return unit_length(sums.astype(np.float32))
