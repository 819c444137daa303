"""Runs to parts: every frame of a run goes to the cluster whose voice is heard around it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, Parts, Runs, UnitLabels, Units

# keeps a unit with the speaker it helped to find where voices are as good as equal; up to 0.2
# this moves DER by less than 0.05
LOYALTY = 0.05


def divide_runs(
    runs: Runs,
    units: Units,
    vectors: NDArray[np.float32],
    labels: UnitLabels,
    centroids: Centroids,
) -> Parts:
    """Give every frame of a run the cluster most similar to the units over it.

    A unit counts most at its middle. A price on changing the cluster within a run was tried and
    only cost (docs/decisions/008-one-second-units.md).

    Args:
        runs: (runs, 2).
        units: where the vectors come from; runs without a unit have no part.
        vectors: (units, dimension), unit length.
        labels: (units,) cluster each unit helped to find, -1 for none.
        centroids: (clusters, dimension).
    """
    rows: list[tuple[int, int, int]] = []
    similarity = vectors @ centroids.T
    loyal = np.flatnonzero(labels >= 0)
    similarity[loyal, labels[loyal]] += LOYALTY
    edges = np.searchsorted(units.run, np.arange(len(runs) + 1))
    for run, (first, last) in enumerate(runs.tolist()):
        mine = slice(edges[run], edges[run + 1])
        if len(centroids) and edges[run] < edges[run + 1]:
            starts, ends = units.first[mine] - first, units.last[mine] - first
            found = _frame_labels(last - first, starts, ends, similarity[mine])
            cuts = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), last - first]
            rows += [(first + a, first + b, int(found[a])) for a, b in pairwise(cuts)]
    return Parts(*np.array(rows, np.int64).reshape(-1, 3).T)


def _frame_labels(
    frames: int,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    similarity: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Most similar cluster of each frame of a run, (frames,)."""
    total = np.zeros((frames, similarity.shape[1]))
    for start, end, row in zip(starts.tolist(), ends.tolist(), similarity, strict=True):
        length = end - start
        middle = np.abs((np.arange(length) + 0.5) / length * 2 - 1)
        total[start:end] += (1 - 0.9 * middle)[:, None] * row
    labels: NDArray[np.int64] = total.argmax(axis=1)
    return labels
