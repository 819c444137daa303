"""Average-linkage clustering of voice vectors, cut at a distance or at a number of speakers."""

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.voices import Voices
from hocket.config import SpeakerCount

# the linkage needs all pairs at once: 6,000 vectors are 144 MB
MAX_LINKED = 6_000


def agglomerate(
    voices: Voices, threshold: float, min_cluster_s: float, count: SpeakerCount
) -> NDArray[np.int32]:
    """Group voice vectors by average cosine distance.

    Merging stops at `threshold`. Clusters with less speech than `min_cluster_s` are outliers, not
    speakers; where the number of the others does not meet `count`, merging stops earlier or later,
    at the nearest point where it does.

    Args:
        voices: what to cluster.
        threshold: cosine distance from which two clusters are two speakers, 0..2.
        min_cluster_s: seconds of speech a cluster needs to be a speaker.
        count: how many speakers there may be.

    Returns:
        (voices,) cluster of every voice, numbered from 0; -1 for outliers, and for voices left out
        because there are more than MAX_LINKED.
    """
    labels = np.full(len(voices.vectors), -1, np.int32)
    linked = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MAX_LINKED), dtype=int))
    if len(linked) < 2:
        labels[linked] = 0
        return labels
    from scipy.cluster.hierarchy import linkage  # imported here: it loads slower than all of hocket

    merges = linkage(voices.vectors[linked], method="average", metric="cosine")
    seconds = _node_seconds(merges, voices.seconds[linked])
    kept = int(np.count_nonzero(merges[:, 2] <= threshold))
    kept, min_cluster_s = _meet_count(merges, seconds, kept, min_cluster_s, count)
    labels[linked] = _cut(merges[:kept], seconds, min_cluster_s)
    return labels


def _node_seconds(merges: NDArray[np.float64], seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speech under every node of the tree: the leaves, then the merges in order."""
    nodes = np.concatenate([seconds, np.zeros(len(merges))])
    for index, (left, right) in enumerate(merges[:, :2].astype(int)):
        nodes[len(seconds) + index] = nodes[left] + nodes[right]
    return nodes


def _meet_count(
    merges: NDArray[np.float64],
    seconds: NDArray[np.float64],
    kept: int,
    min_cluster_s: float,
    count: SpeakerCount,
) -> tuple[int, float]:
    """Number of merges to keep, and the least speech of a speaker, so that `count` is met."""
    leaves = len(merges) + 1
    heavy = (seconds >= min_cluster_s).astype(int)
    left, right = merges[:, :2].astype(int).T
    change = heavy[leaves:] - heavy[left] - heavy[right]
    speakers = heavy[:leaves].sum() + np.concatenate([[0], np.cumsum(change)])
    wanted = max(int(speakers[kept]), count.minimum)
    wanted = wanted if count.maximum is None else min(wanted, count.maximum)
    if speakers[kept] == wanted:
        return kept, min_cluster_s
    fitting = np.flatnonzero(speakers == wanted)
    if len(fitting):
        return int(fitting[np.abs(fitting - kept).argmin()]), min_cluster_s
    return max(0, leaves - wanted), 0.0  # too little speech for that many: any cluster counts


def _cut(
    merges: NDArray[np.float64], seconds: NDArray[np.float64], min_cluster_s: float
) -> NDArray[np.int32]:
    """Clusters after the given merges, numbered from 0 by most speech; -1 for outliers."""
    leaves = (len(seconds) + 1) // 2
    root = np.arange(len(seconds))
    for index in range(len(merges) - 1, -1, -1):
        root[merges[index, :2].astype(int)] = root[leaves + index]
    roots = np.unique(root[:leaves])
    roots = roots[np.argsort(-seconds[roots], kind="stable")]
    speakers = roots[seconds[roots] >= min_cluster_s]
    number = np.full(len(seconds), -1, np.int32)
    number[speakers] = np.arange(len(speakers))
    return number[root[:leaves]]
