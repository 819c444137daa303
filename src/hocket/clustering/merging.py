"""Agglomerative clustering of groups that already contain several embeddings.

Groups are merged exactly as the linkage of all their embeddings would. The mean cosine distance of
the pairs between two groups of unit vectors is 1 less the dot product of their means, and the
Lance-Williams formula updates it after a merge from the groups' sizes alone (Lance and Williams
1967, "A general theory of classificatory sorting strategies"). scipy's linkage can only start from
single embeddings. This is Müllner's generic algorithm (2011, "Modern hierarchical, agglomerative
clustering algorithms", arXiv:1109.2378, figure 3): it keeps a lower bound of every group's distance
to its nearest group, and makes it exact only when it is the smallest. That also suits centroid
linkage, where a merge can bring means closer together. Memory is one float32 matrix of all pairs.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels

BLOCK = 512  # rows of the matrix that are computed at once

Linkage = Literal["average", "centroid"]


class Groups(NamedTuple):
    """Groups of embeddings, in order of time.

    means: (groups, dimension), means of unit vectors, so of length 1 or less.
    sizes: (groups,) number of embeddings.
    """

    means: NDArray[np.float32]
    sizes: NDArray[np.float64]

    def part(self, where: slice) -> "Groups":
        """The groups in a slice."""
        return Groups(self.means[where], self.sizes[where])

    def joined(self, labels: NDArray[np.integer]) -> "Groups":
        """One group for every label.

        Args:
            labels: (groups,), numbered from 0 without gaps.
        """
        sizes = np.bincount(labels, self.sizes).astype(np.float64)
        sums = np.zeros((len(sizes), self.means.shape[1]))
        np.add.at(sums, labels, self.means * self.sizes[:, None])
        return Groups((sums / sizes[:, None]).astype(np.float32), sizes)


def merge_nearest(
    groups: Groups,
    threshold: float,
    linkage: Linkage,
    *,
    at_least: int = 1,
    at_most: int | None = None,
) -> ClusterLabels:
    """Merge the closest groups until all are more than `threshold` apart.

    Args:
        groups: what to merge. Memory grows with the square of their number, 64 MB for 4,000.
        threshold: cosine distance, 0..2.
        linkage: distance of two groups, as in `agglomerate`.
        at_least: fewest groups to leave.
        at_most: most groups to leave, however far apart they are; None: no limit.

    Returns:
        (groups,) new group of every group, numbered from 0 by their first members.
    """
    number = len(groups.means)
    into = np.arange(number)
    if number < 2:
        return into.astype(np.int32)
    apart = _distances(groups.means, linkage)
    sizes = groups.sizes.copy()
    nearest = apart.argmin(axis=1)
    bound = apart[into, nearest]  # no group is closer than this
    left = number
    while left > max(at_least, 1):
        one = int(bound.argmin())
        if bound[one] > threshold and (at_most is None or left <= at_most):
            break
        other = int(nearest[one])
        if apart[one, other] == bound[one]:
            _merge(apart, sizes, one, other, linkage)
            into[other], bound[other] = one, np.inf
            left -= 1
            if linkage == "centroid":
                nearer = apart[one] < bound
                nearest[nearer], bound[nearer] = one, apart[one, nearer]
        nearest[one] = apart[one].argmin()
        bound[one] = apart[one, nearest[one]]
    return _numbered(into)


def _distances(means: NDArray[np.float32], linkage: Linkage) -> NDArray[np.float32]:
    """Distances of all groups, (groups, groups); infinite from a group to itself."""
    number = len(means)
    apart = np.empty((number, number), np.float32)
    # half the squared distance of a and b is |a|^2 / 2 + |b|^2 / 2 - a . b
    halves = np.full(number, 0.5, np.float32)
    if linkage == "centroid":
        halves = np.sum(means**2, axis=1) / 2
    for first in range(0, number, BLOCK):
        rows = apart[first : first + BLOCK]
        np.matmul(means[first : first + BLOCK], means.T, out=rows)
        np.subtract(halves[first : first + BLOCK, None] + halves, rows, out=rows)
    np.fill_diagonal(apart, np.inf)
    return apart


def _merge(
    apart: NDArray[np.float32], sizes: NDArray[np.float64], one: int, other: int, linkage: Linkage
) -> None:
    """Update `apart` and `sizes` in place: `other` becomes part of `one`."""
    share = sizes[other] / (sizes[one] + sizes[other])
    row = np.float32(1 - share) * apart[one] + np.float32(share) * apart[other]
    if linkage == "centroid":
        row -= np.float32(share * (1 - share)) * apart[one, other]
    row[[one, other]] = np.inf
    apart[one] = apart[:, one] = row
    apart[other] = apart[:, other] = np.inf
    sizes[one] += sizes[other]


def _numbered(into: NDArray[np.int64]) -> ClusterLabels:
    """Labels from the group that each was merged into, itself if none, (groups,)."""
    roots = into
    while (further := into[roots]).tobytes() != roots.tobytes():
        roots = further
    _, first, found = np.unique(roots, return_index=True, return_inverse=True)
    labels: ClusterLabels = np.argsort(np.argsort(first)).astype(np.int32)[found]
    return labels
