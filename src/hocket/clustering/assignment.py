"""Clusters for slots and for units: one slot is one cluster, unless a run's own voice objects."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, Embeddings, Labels, UnitLabels, Units


def assign_slots(embeddings: Embeddings, centroids: Centroids) -> Labels:
    """Give every slot that has an embedding its cluster, the best one-to-one choice per window.

    Args:
        embeddings: (windows, slots, dimension), unit length or zero.
        centroids: (clusters, dimension).

    Returns:
        (windows, slots); -1 where a slot has no embedding, or where a window has more voices than
        there are clusters.
    """
    from scipy.optimize import linear_sum_assignment  # imported here: only this step needs it

    present = np.any(embeddings != 0, axis=2)
    similarity = embeddings @ centroids.T
    labels = np.full(present.shape, -1, np.int32)
    for window in np.flatnonzero(present.any(axis=1)):
        slots = np.flatnonzero(present[window])
        rows, clusters = linear_sum_assignment(similarity[window, slots], maximize=True)
        labels[window, slots[rows]] = clusters
    return labels


def assign_units(
    vectors: NDArray[np.float32],
    units: Units,
    slot_labels: Labels,
    centroids: Centroids,
    loyalty: float,
) -> UnitLabels:
    """Give every unit its cluster: its slot's, unless another is more similar by `loyalty`.

    Args:
        vectors: (units, dimension), unit length or zero.
        units: where the units lie.
        slot_labels: (windows, slots).
        centroids: (clusters, dimension).
        loyalty: difference of cosines that moves a unit away from its slot's cluster.

    Returns:
        (units,).
    """
    labels = slot_labels[units.window, units.slot].copy()
    present = np.any(vectors != 0, axis=1)
    if not len(centroids) or not present.any():
        return labels
    similarity = vectors @ centroids.T
    kept = np.flatnonzero(labels >= 0)
    similarity[kept, labels[kept]] += loyalty
    labels[present] = similarity[present].argmax(axis=1)
    return labels
