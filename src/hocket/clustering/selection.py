"""Clusters to speakers: which of them are people, and which are others' coughs and mixtures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.config import ResolvedClustering, SpeakerCount

LONG_S = 240.0
# cosine over which belief in a cluster falls from 73 % to 27 %: the slope of a logistic regression
# of "is a person" on similarity, 766 clusters of 96 simulated recordings
SPURIOUS_WIDTH = 0.1


class Odds(NamedTuple):
    """What was judged of every speaker and left as it was, natural logarithms of odds.

    split: (speakers,) that it is two speakers, by the likeliest division of it; -inf if none of it
        is long enough to be divided.
    apart: (speakers,) that it and the nearest speaker with more speech are two; inf for the first.
    """

    split: NDArray[np.float64]
    apart: NDArray[np.float64]


class Selection(NamedTuple):
    """The clusters that are speakers, numbered from 0 by most speech."""

    labels: ClusterLabels  # (voices,) -1 for voices of no speaker
    spurious: NDArray[np.float64]  # (speakers,) probability that it is nobody
    odds: Odds | None = None  # of `find_speakers`


def duplicate_limit(
    seconds: NDArray[np.float64], config: ResolvedClustering
) -> NDArray[np.float64]:
    """Cosine up to which clusters may resemble a larger one and still be another speaker.

    The embedding of a second of speech is noisy, and a mixture of two voices lies between them, so a
    small cluster must differ more: the limit grows with the logarithm of its speech. The longer a
    recording, the more stray seconds add up, so beyond LONG_S of speech a cluster's share of it
    counts, not its seconds (docs/decisions/007-small-clusters.md).

    Args:
        seconds: (clusters,) speech of all clusters.
        config: thresholds.

    Returns:
        (clusters,).
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

    Every cluster has a worth: the seconds it would put right if it were a person, less those it
    would put wrong if not, each by its probability. Clusters worth more than nothing are speakers;
    where they are too few or too many for `count`, those worth most are.

    Args:
        voices: what was clustered.
        labels: (voices,) cluster of every voice, numbered from 0.
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
    belief = -np.tanh(excess / SPURIOUS_WIDTH)  # 2 p - 1 of a logistic
    belief[seconds < config.min_speaker_s] = -1
    belief[0] = 1  # somebody speaks
    worth = seconds * belief
    wanted = max(int(np.count_nonzero(worth > 0)), count.minimum)
    wanted = wanted if count.maximum is None else min(wanted, count.maximum)
    kept = np.sort(np.argsort(-worth, kind="stable")[:wanted])
    number = np.full(len(order), -1, np.int32)
    number[order[kept]] = np.arange(len(kept))
    return Selection(number[labels], (1 - belief[kept]) / 2)


def _similarity_to_larger(centroids: Centroids) -> NDArray[np.float64]:
    """Largest cosine of every centroid to those before it, (clusters,); -1 for the first."""
    nearest = np.full(len(centroids), -1.0)
    for cluster in range(1, len(centroids)):
        nearest[cluster] = (centroids[:cluster] @ centroids[cluster]).max()
    return nearest
