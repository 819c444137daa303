"""Embeddings to labels. A clusterer is a pure function; a new one is a file and a line here."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.assignment import assign_slots, assign_units
from hocket.clustering.voices import Voices, centroids_of, slot_embeddings, unit_length
from hocket.config import SpeakerCount

__all__ = [
    "CLUSTERERS",
    "Clusterer",
    "Voices",
    "assign_slots",
    "assign_units",
    "centroids_of",
    "slot_embeddings",
    "unit_length",
]


class Clusterer(Protocol):
    """Groups voice vectors: (voices,) cluster of each, numbered from 0, -1 for outliers."""

    def __call__(
        self, voices: Voices, threshold: float, min_cluster_s: float, count: SpeakerCount, /
    ) -> NDArray[np.int32]:
        """Group `voices`; the parameters are those of `ClusterConfig`."""
        ...


CLUSTERERS: dict[str, Clusterer] = {"agglomerative": agglomerate}
