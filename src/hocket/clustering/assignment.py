"""Runs to parts: every frame of a run goes to the cluster whose voice is heard around it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, Parts, Regions, Subsegments

# keeps a unit with the speaker it helped to find where voices are as good as equal; up to 0.2
# this moves DER by less than 0.05
OWN_BONUS = 0.05
# cosine by which a cluster that is nobody for certain must be nearer than the others; what it and
# KEEP gain where a wrong number of speakers is told: docs/decisions/007-small-clusters.md
SPURIOUS_PENALTY = 0.5
# keeps one unit with every speaker, so that those asked for come back
ANCHOR_BONUS = 1.0


def speaker_scores(
    vectors: NDArray[np.float32],
    labels: ClusterLabels,
    centroids: Centroids,
    spurious: NDArray[np.float64],
) -> NDArray[np.float32]:
    """How strongly every speaker claims every unit, (units, speakers), in cosine.

    Who is a speaker only because so many were asked for takes less from the others.

    Args:
        vectors: (units, dimension), unit length.
        labels: (units,) speaker each unit helped to find, -1 for none.
        centroids: (speakers, dimension).
        spurious: (speakers,) probability that a speaker is nobody.
    """
    strength = vectors @ centroids.T
    strength -= np.float32(SPURIOUS_PENALTY) * spurious.astype(np.float32)
    loyal = np.flatnonzero(labels >= 0)
    strength[loyal, labels[loyal]] += OWN_BONUS
    for speaker in range(len(centroids)):
        own = np.flatnonzero(labels == speaker)
        if len(own):
            strength[own[strength[own, speaker].argmax()], speaker] += ANCHOR_BONUS
    return strength


def divide_regions(
    regions: Regions, subsegments: Subsegments, strength: NDArray[np.float32]
) -> Parts:
    """Give every frame of a run the speaker with most claim to the units over it.

    A unit counts most at its middle. A price on changing the speaker within a run was tried and
    only cost (docs/decisions/008-one-second-units.md).

    Args:
        regions: (runs, 2).
        subsegments: what was embedded; runs without a unit have no part.
        strength: (units, speakers), from `speaker_scores`.
    """
    rows: list[tuple[int, int, int]] = []
    edges = np.searchsorted(subsegments.region, np.arange(len(regions) + 1))
    for run, (first, last) in enumerate(regions.tolist()):
        mine = slice(edges[run], edges[run + 1])
        if strength.shape[1] and edges[run] < edges[run + 1]:
            starts, ends = subsegments.first[mine] - first, subsegments.last[mine] - first
            found = _frame_labels(last - first, starts, ends, strength[mine])
            cuts = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), last - first]
            rows += [(first + a, first + b, int(found[a])) for a, b in pairwise(cuts)]
    return Parts(*np.array(rows, np.int64).reshape(-1, 3).T)


def _frame_labels(
    frames: int,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    strength: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Speaker with most claim to each frame of a run, (frames,)."""
    frame = np.arange(frames)[:, None]
    inside = (frame >= starts) & (frame < ends)
    middle = np.abs((frame - starts + 0.5) / (ends - starts) * 2 - 1)
    weights = np.where(inside, 1 - 0.9 * middle, 0)
    labels: NDArray[np.int64] = (weights @ strength.astype(np.float64)).argmax(axis=1)
    return labels
