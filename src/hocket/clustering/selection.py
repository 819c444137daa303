"""Clusters to speakers: which of them are people, and which are others' coughs and mixtures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, UnitLabels
from hocket.clustering.voices import Voices, centroids_of
from hocket.config import SpeakerCount

LONG_S = 240.0
# cosine over which belief in a cluster falls from 73 % to 27 %: the slope of a logistic regression
# of "is a person" on similarity, 766 clusters of 96 simulated recordings
DOUBT_WIDTH = 0.1


class TwinLimit(NamedTuple):
    """How similar a cluster may be to a larger one and still be somebody else, in cosine.

    The vector of a second of speech is noisy and a mixture of two voices lies between them, so
    small clusters must be very different: `at_1s` for a cluster with one second of speech, `growth`
    more each time its speech doubles, `most` at most. The longer people speak, the more odd seconds
    pile up: beyond LONG_S of speech in all, a cluster's share of it counts, not its seconds
    (docs/decisions/007-small-clusters.md).
    """

    at_1s: float
    growth: float
    most: float

    def of(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The limit for clusters with so much speech, (clusters,), which are all there are."""
        counted = seconds * LONG_S / max(LONG_S, float(seconds.sum()))
        limit = self.at_1s + self.growth * np.log2(np.maximum(counted, 1e-3))
        return np.minimum(limit, self.most)


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

    labels: UnitLabels  # (voices,) -1 for voices of no speaker
    doubts: NDArray[np.float64]  # (speakers,) probability that it is nobody
    odds: Odds | None = None  # of `find_speakers`


def select_speakers(
    voices: Voices,
    labels: UnitLabels,
    limit: TwinLimit,
    min_speaker_s: float,
    count: SpeakerCount,
) -> Selection:
    """Keep the clusters that are speakers.

    Every cluster has a worth: the seconds it would put right if it were a person, less those it
    would put wrong if not, each by its probability. Clusters worth more than nothing are speakers;
    where they are too few or too many for `count`, those worth most are.

    Args:
        voices: what was clustered.
        labels: (voices,) cluster of every voice, numbered from 0.
        limit: how similar two speakers may be.
        min_speaker_s: a cluster with less speech is nobody, unless it is the largest or more are
            asked for.
        count: how many speakers there may be.
    """
    if not len(labels):
        return Selection(labels, np.zeros(0))
    totals = np.bincount(labels, voices.seconds).astype(np.float64)
    order = np.argsort(-totals, kind="stable")
    seconds = totals[order]
    excess = _similarity_to_larger(centroids_of(voices, labels)[order]) - limit.of(seconds)
    belief = -np.tanh(excess / DOUBT_WIDTH)  # 2 p - 1 of a logistic
    belief[seconds < min_speaker_s] = -1
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
