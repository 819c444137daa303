"""Embeddings in two dimensions: principal components."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

COMPONENTS = 2


class Projection(NamedTuple):
    """Vectors along their principal components.

    points: (vectors, 2).
    shares: (2,) of the variance of the vectors, that lie along each component; zero without any.
    """

    points: NDArray[np.float64]
    shares: NDArray[np.float64]


def principal_components(vectors: NDArray[np.floating]) -> Projection:
    """Project vectors on the two directions in which they vary most.

    The largest coordinate of a direction is positive, so that equal vectors give equal points.

    Args:
        vectors: (vectors, dimension), finite.
    """
    points, shares = np.zeros((len(vectors), COMPONENTS)), np.zeros(COMPONENTS)
    if not vectors.size:
        return Projection(points, shares)
    centered = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centered, full_matrices=False)
    for number, direction in enumerate(directions[:COMPONENTS]):
        sign = 1.0 if direction[np.abs(direction).argmax()] > 0 else -1.0
        points[:, number] = centered @ (sign * direction)
    variance = lengths**2
    if variance.sum() > 0:
        shares[: len(variance)] = (variance / variance.sum())[:COMPONENTS]
    return Projection(points, shares)
