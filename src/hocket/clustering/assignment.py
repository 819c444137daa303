"""Regions to parts: each frame of a region goes to the speaker with the highest score around it."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, Parts, Regions, Subsegments

# a subsegment stays with the speaker it helped to create if scores are nearly equal; values up to
# 0.2 change DER by less than 0.05
OWN_BONUS = 0.05
# cosine by which a certainly spurious speaker must exceed the others; with ANCHOR_BONUS it gains
# where a wrong number of speakers is requested (docs/decisions/007-small-clusters.md)
SPURIOUS_PENALTY = 0.5
# leaves every speaker at least one subsegment, so that all requested speakers are in the result
ANCHOR_BONUS = 1.0


def speaker_scores(
    vectors: NDArray[np.float32],
    labels: ClusterLabels,
    centroids: Centroids,
    spurious: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Score of every speaker for every subsegment, (subsegments, speakers), in cosine.

    It is the cosine similarity to the speaker's centroid, plus bonuses for the subsegments that
    created the speaker, less a penalty for speakers kept only because that many were requested.

    Args:
        vectors: (subsegments, dimension), unit length.
        labels: (subsegments,) speaker that each subsegment helped to create, -1 for none.
        centroids: (speakers, dimension).
        spurious: (speakers,) probability that a cluster is not a speaker of its own.
    """
    scores = vectors @ centroids.T
    scores -= np.float32(SPURIOUS_PENALTY) * spurious.astype(np.float32)
    labeled = np.flatnonzero(labels >= 0)
    scores[labeled, labels[labeled]] += OWN_BONUS
    for speaker in range(len(centroids)):
        own = np.flatnonzero(labels == speaker)
        if len(own):
            scores[own[scores[own, speaker].argmax()], speaker] += ANCHOR_BONUS
    return scores


def divide_regions(
    regions: Regions, subsegments: Subsegments, scores: NDArray[np.float32]
) -> Parts:
    """Assign every frame of a region to the speaker with the highest score there.

    The score of a frame is the weighted sum of the scores of the subsegments over it. A subsegment
    weighs most at its middle. A penalty for a speaker change within a region was tried and only
    raised DER (docs/decisions/008-one-second-units.md).

    Args:
        regions: (regions, 2).
        subsegments: what was embedded; regions without a subsegment have no part.
        scores: (subsegments, speakers), from `speaker_scores`.
    """
    rows: list[tuple[int, int, int]] = []
    edges = np.searchsorted(subsegments.region, np.arange(len(regions) + 1))
    for region, (first, last) in enumerate(regions.tolist()):
        own = slice(edges[region], edges[region + 1])
        if scores.shape[1] and edges[region] < edges[region + 1]:
            starts, ends = subsegments.first[own] - first, subsegments.last[own] - first
            labels = _frame_labels(last - first, starts, ends, scores[own])
            cuts = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), last - first]
            rows += [(first + a, first + b, int(labels[a])) for a, b in pairwise(cuts)]
    return Parts(*np.array(rows, np.int64).reshape(-1, 3).T)


def _frame_labels(
    frames: int,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Speaker with the highest score in each frame of a region, (frames,)."""
    frame = np.arange(frames)[:, None]
    inside = (frame >= starts) & (frame < ends)
    middle = np.abs((frame - starts + 0.5) / (ends - starts) * 2 - 1)
    weights = np.where(inside, 1 - 0.9 * middle, 0)
    labels: NDArray[np.int64] = (weights @ scores.astype(np.float64)).argmax(axis=1)
    return labels
