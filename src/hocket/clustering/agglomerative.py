"""Agglomerative clustering of voice vectors, cut at a distance."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels
from hocket.clustering.merging import Groups, Linkage, merge_nearest
from hocket.clustering.voices import VoiceVectors

# the most voices of which all pairs are linked: about an hour and a quarter of speech
MAX_LINKED = 4_000
# of more voices, those near in time and voice are merged first, in blocks of this many (about ten
# minutes) up to this distance: docs/decisions/010-long-recordings.md
COARSE_BLOCK = 1_000
COARSE_DISTANCE = 0.3


def agglomerate(
    voices: VoiceVectors, threshold: float, at_least: int, linkage: Linkage = "average"
) -> ClusterLabels:
    """Group voice vectors, the nearest groups first, until groups are `threshold` apart.

    Merging stops early where it would leave fewer than `at_least` groups. More than MAX_LINKED
    vectors are first merged within blocks of time into at most MAX_LINKED groups, or twice
    `at_least` if that is more, and these go on merging as all their vectors would.

    Args:
        voices: what to cluster.
        threshold: cosine distance, 0..2.
        at_least: fewest groups; there are never more than vectors.
        linkage: how far groups are apart: the mean cosine distance of their pairs, or half the
            squared distance of their means, which for single voices is the cosine distance too.

    Returns:
        (voices,) cluster of every voice, numbered from 0 without gaps.
    """
    groups, group = _coarse(voices.vectors, threshold, at_least, linkage)
    return merge_nearest(groups, threshold, linkage, at_least=at_least)[group]


def _coarse(
    vectors: NDArray[np.float32], threshold: float, at_least: int, linkage: Linkage
) -> tuple[Groups, ClusterLabels]:
    """Few enough groups to merge at once, and the group of every vector.

    Every pass merges what is near within its block, and then what is nearest, until the block is
    half as large, or small enough. That leaves `at_least` groups, as no block falls below the
    smaller of that and half of its size.
    """
    most = max(MAX_LINKED, 2 * at_least)
    distance = min(COARSE_DISTANCE, threshold)
    groups = Groups(vectors, np.ones(len(vectors)))
    group = np.arange(len(vectors), dtype=np.int32)
    while (number := len(groups.sizes)) > most:
        labels = np.empty(number, np.int32)
        found = 0
        blocks = -(-number // COARSE_BLOCK)
        edges = np.linspace(0, number, blocks + 1).astype(int).tolist()
        for first, last in pairwise(edges):
            size = last - first
            share = max(size // 2, size * most // number, 1)
            block = merge_nearest(
                groups.part(slice(first, last)),
                distance,
                linkage,
                at_least=min(at_least, share),
                at_most=share,
            )
            labels[first:last] = block + found
            found += int(block.max()) + 1
        groups, group = groups.joined(labels), labels[group]
    return groups, group
