"""Agglomerative clustering of embeddings, stopped at a distance."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels
from hocket.clustering.merging import Groups, Linkage, merge_nearest
from hocket.clustering.voices import VoiceVectors

# most embeddings that are clustered with all their pairs: about an hour and a quarter of speech
MAX_LINKED = 4_000
# of more, those close in time and distance are merged first, in blocks of this many (about ten
# minutes) up to this distance (docs/decisions/010-long-recordings.md)
COARSE_BLOCK = 1_000
COARSE_DISTANCE = 0.3


def agglomerate(
    voices: VoiceVectors, threshold: float, at_least: int, linkage: Linkage = "average"
) -> ClusterLabels:
    """Merge the closest clusters until all are more than `threshold` apart.

    Merging stops early if it would leave fewer than `at_least` clusters. More than MAX_LINKED
    embeddings are first merged within blocks of time into at most MAX_LINKED groups, or twice
    `at_least` if that is more; these are then merged as all their embeddings would be.

    Args:
        voices: what to cluster, in order of time.
        threshold: cosine distance, 0..2.
        at_least: fewest clusters; there are never more than embeddings.
        linkage: distance of two clusters. average: mean cosine distance of their pairs. centroid:
            half the squared distance of their means, which for two single embeddings is also their
            cosine distance.

    Returns:
        (voices,) cluster of each embedding, numbered from 0 without gaps.
    """
    groups, labels = _coarse(voices.vectors, threshold, at_least, linkage)
    return merge_nearest(groups, threshold, linkage, at_least=at_least)[labels]


def _coarse(
    vectors: NDArray[np.float32], threshold: float, at_least: int, linkage: Linkage
) -> tuple[Groups, ClusterLabels]:
    """Few enough groups to cluster with all their pairs, and the group of every vector.

    Each pass merges within blocks: first all groups up to a distance, then the closest ones until
    the block is half as large, or small enough. At least `at_least` groups remain, as no block
    falls below the smaller of that number and half of its size.
    """
    most = max(MAX_LINKED, 2 * at_least)
    distance = min(COARSE_DISTANCE, threshold)
    groups = Groups(vectors, np.ones(len(vectors)))
    labels = np.arange(len(vectors), dtype=np.int32)
    while (number := len(groups.sizes)) > most:
        merged = np.empty(number, np.int32)
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
            merged[first:last] = block + found
            found += int(block.max()) + 1
        groups, labels = groups.joined(merged), merged[labels]
    return groups, labels
