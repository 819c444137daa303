"""Slow, obvious NumPy versions of the small graphs, written without looking at the modules."""

import numpy as np
from numpy.typing import NDArray

from hocket_forge.post_embedding import MIN_ACTIVITY, MIN_NORM, MIN_RUN

Array = NDArray[np.float32]


def post_embedding(
    embeddings: Array, database: Array, segments: Array
) -> dict[str, NDArray[np.float64]]:
    """Design table's `post_embedding`, one slot and one speaker at a time, in float64."""
    distances = np.array(
        [[_cosine_distance(e, d) for d in database] for e in embeddings], np.float64
    ).reshape(len(embeddings), len(database))
    activity = segments[0].sum(axis=0, dtype=np.float64)
    valid = [
        float(
            active > MIN_ACTIVITY
            and _has_direction(e)
            and np.linalg.norm(e.astype(float)) > MIN_NORM
        )
        for active, e in zip(activity, embeddings, strict=True)
    ]
    filtered = np.stack([_long_runs(column) for column in segments[0].T], axis=1)[None]
    return {
        "distances": distances,
        "activity": activity,
        "valid": np.array(valid),
        "filtered": filtered.astype(np.float64),
    }


def _has_direction(vector: Array) -> bool:
    return bool(np.isfinite(vector).all() and np.any(vector != 0))


def _cosine_distance(left: Array, right: Array) -> float:
    if not (_has_direction(left) and _has_direction(right)):
        return float("inf")
    a, b = left.astype(np.float64), right.astype(np.float64)
    return float(1 - (a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)))


def _long_runs(column: Array) -> Array:
    kept = column.copy()
    start = None
    for frame in range(len(column) + 1):
        active = frame < len(column) and column[frame] > 0
        if active and start is None:
            start = frame
        if not active and start is not None:
            if frame - start < MIN_RUN:
                kept[start:frame] = 0
            start = None
    return kept
