"""Clusters to speakers: which are speakers of their own, and which are spurious or duplicates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.config import ResolvedClustering, SpeakerCount

LONG_S = 240.0
# cosine over which the probability of a speaker of its own falls from 73 % to 27 %: slope of a
# logistic regression on similarity, with 766 clusters of 96 simulated recordings
SPURIOUS_WIDTH = 0.1


class Odds(NamedTuple):
    """Natural logarithm of the odds of splits and merges that were considered but not made.

    split: (speakers,) that it is two speakers, by its likeliest division; -inf if it is too short
        to be divided.
    apart: (speakers,) that it and the nearest speaker with more speech are two; inf for the first.
    """

    split: NDArray[np.float64]
    apart: NDArray[np.float64]


class Selection(NamedTuple):
    """The clusters that are speakers, numbered from 0 by decreasing speech.

    labels: (voices,) speaker of each, -1 for none.
    spurious: (speakers,) probability that it is not a speaker of its own.
    odds: of `resolve_speakers`; None: not computed.
    """

    labels: ClusterLabels
    spurious: NDArray[np.float64]
    odds: Odds | None = None


def duplicate_limit(
    seconds: NDArray[np.float64], config: ResolvedClustering
) -> NDArray[np.float64]:
    """Highest cosine to a larger cluster at which a cluster is still another speaker.

    The embedding of a second of speech is noisy, and a mixture of two voices lies between them. So
    a small cluster must differ more: the limit grows with the logarithm of its speech. The longer a
    recording, the more stray seconds accumulate, so beyond LONG_S of speech the cluster's share of
    it counts instead of its seconds (docs/decisions/007-small-clusters.md).

    Args:
        seconds: (clusters,) speech of all clusters.
        config: thresholds.

    Returns:
        (clusters,) cosine.
    """
    counted = seconds * LONG_S / max(LONG_S, float(seconds.sum()))
    doublings = np.log2(np.maximum(counted, 1e-3))
    limit = config.duplicate_at_1s + config.duplicate_growth * doublings
    return np.minimum(limit, config.duplicate_most)


def select_speakers(
    voices: VoiceVectors,
    labels: ClusterLabels,
    config: ResolvedClustering,
    count: SpeakerCount,
) -> Selection:
    """Keep the clusters that are speakers.

    The gain of a cluster is the expected number of seconds that keeping it labels right, less those
    that it labels wrong. Clusters with a positive gain are speakers; if there are too few or too
    many of them for `count`, those with the highest gain are.

    Args:
        voices: what was clustered.
        labels: (voices,) cluster of each, numbered from 0.
        config: how similar two speakers may be, and how much speech one needs.
        count: how many speakers there may be.
    """
    if not len(labels):
        return Selection(labels, np.zeros(0))
    totals = np.bincount(labels, voices.seconds).astype(np.float64)
    order = np.argsort(-totals, kind="stable")
    seconds = totals[order]
    excess = _similarity_to_larger(centroids_of(voices, labels)[order]) - duplicate_limit(
        seconds, config
    )
    certainty = -np.tanh(excess / SPURIOUS_WIDTH)  # 2 p - 1 with p of a logistic regression
    certainty[seconds < config.min_speaker_s] = -1
    certainty[0] = 1  # the largest cluster is a speaker
    gain = seconds * certainty
    wanted = max(int(np.count_nonzero(gain > 0)), count.minimum)
    wanted = wanted if count.maximum is None else min(wanted, count.maximum)
    kept = np.sort(np.argsort(-gain, kind="stable")[:wanted])
    number = np.full(len(order), -1, np.int32)
    number[order[kept]] = np.arange(len(kept))
    return Selection(number[labels], (1 - certainty[kept]) / 2)


def _similarity_to_larger(centroids: Centroids) -> NDArray[np.float64]:
    """Highest cosine of each centroid to those before it, (clusters,); -1 for the first."""
    nearest = np.full(len(centroids), -1.0)
    for cluster in range(1, len(centroids)):
        nearest[cluster] = (centroids[:cluster] @ centroids[cluster]).max()
    return nearest
