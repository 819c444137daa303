"""Agglomerative clustering of voice vectors, cut at a distance."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import UnitLabels
from hocket.clustering.voices import Voices, centroids_of

# a linkage needs all pairs at once: 6,000 vectors are 144 MB and take 2 s
MAX_LINKED = 6_000
# of more vectors, those this near in time and voice are merged first
COARSE_DISTANCE = 0.3


Linkage = Literal["average", "centroid"]


def agglomerate(
    voices: Voices, threshold: float, at_least: int, linkage: Linkage = "average"
) -> UnitLabels:
    """Group voice vectors, the nearest groups first, until groups are `threshold` apart.

    Merging stops early where it would leave fewer than `at_least` groups. More than MAX_LINKED
    vectors are merged in two steps: neighbours in time first, within blocks, then the groups. The
    second step holds MAX_LINKED groups, or `at_least` for every block if that is more.

    Args:
        voices: what to cluster.
        threshold: cosine distance, 0..2.
        at_least: fewest groups; there are never more than vectors.
        linkage: how far groups are apart: the mean cosine distance of their pairs, or half the
            squared distance of their means, which for single voices is the cosine distance too.

    Returns:
        (voices,) cluster of every voice, numbered from 0 without gaps.
    """
    number = len(voices.vectors)
    if number <= MAX_LINKED:
        return _cut(voices.vectors, threshold, at_least, linkage)
    blocks = -(-number // MAX_LINKED)
    distance = min(COARSE_DISTANCE, threshold)
    coarse = np.empty(number, np.int32)
    found = 0
    for block in np.array_split(np.arange(number), blocks):
        # no block may fill more than its share of the second step, nor starve it
        share = max(MAX_LINKED // blocks, at_least)
        labels = _cut(voices.vectors[block], distance, at_least, linkage, share)
        coarse[block] = labels + found
        found += int(labels.max()) + 1
    return _cut(centroids_of(voices, coarse), threshold, at_least, linkage)[coarse]


def _cut(
    vectors: NDArray[np.float32],
    threshold: float,
    at_least: int,
    linkage: Linkage,
    at_most: int = MAX_LINKED,
) -> UnitLabels:
    """Clusters of all `vectors` linked at once."""
    leaves = len(vectors)
    if leaves < 2:
        return np.zeros(leaves, np.int32)
    merges, apart = _link(vectors, linkage)
    kept = int(np.count_nonzero(np.maximum.accumulate(apart) <= threshold))
    kept = max(min(kept, leaves - at_least), leaves - at_most, 0)
    root = np.arange(2 * leaves - 1)
    for index in range(kept - 1, -1, -1):
        root[merges[index, :2].astype(int)] = root[leaves + index]
    return np.unique(root[:leaves], return_inverse=True)[1].astype(np.int32)


def _link(
    vectors: NDArray[np.float32], linkage: Linkage
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """All merges in scipy's form, and how far apart each found its groups, (vectors - 1,)."""
    from scipy.cluster import hierarchy  # imported here: it loads slower than all of hocket

    if linkage == "average":
        merges = hierarchy.linkage(vectors, method="average", metric="cosine")
        return merges, merges[:, 2]
    merges = hierarchy.linkage(vectors.astype(np.float64), method="centroid", metric="euclidean")
    return merges, merges[:, 2] ** 2 / 2
