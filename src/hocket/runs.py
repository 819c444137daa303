"""Probabilities to runs: the stretches of a recording in which one person speaks alone."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import FrameCounts, Occupancy, Runs, SlotActivity, stretches
from hocket.config import RunConfig
from hocket.geometry import Geometry


def count_people(occupancy: Occupancy, config: RunConfig) -> FrameCounts:
    """Number of people speaking in each frame of the recording, 0 to 2."""
    anybody = occupancy[:, 1] + occupancy[:, 2] > config.min_speech
    several = occupancy[:, 2] > config.min_overlap
    return anybody.astype(np.int32) + (anybody & several)


def find_runs(
    activity: SlotActivity,
    first_frames: NDArray[np.int64],
    counts: FrameCounts,
    geometry: Geometry,
    config: RunConfig,
) -> Runs:
    """Stretches in which one person speaks, cut where windows hear another person take over.

    A recording in which everybody always speaks at once has none; there, all speech is taken for
    one, since some voice is better than none.

    Args:
        activity: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        counts: (frames,) of the recording.
        geometry: frame grid.
        config: thresholds.
    """
    alone = stretches(counts == 1)
    if not len(alone):
        return stretches(counts > 0)
    reach = geometry.frames_of(config.takeover_s)
    takeover = _takeover(activity, first_frames, len(counts), reach)
    rows: list[tuple[int, int]] = []
    for first, last in alone.tolist():
        edges = [first, *_cuts(takeover[first : last + 1], first, config.min_takeover), last]
        rows += pairwise(edges)
    return np.array(rows, np.int64).reshape(-1, 2)


def _takeover(
    activity: SlotActivity, first_frames: NDArray[np.int64], frames: int, reach: int
) -> NDArray[np.float64]:
    """Probability that other slots speak in the `reach` frames after an edge than before it.

    Edge i lies before frame i, (frames + 1,); windows count by how much speech they hear there.
    """
    length = activity.shape[1]
    edge = np.arange(length + 1)
    before, after = np.maximum(edge - reach, 0), np.minimum(edge + reach, length)
    changed, heard = np.zeros(frames + 1), np.zeros(frames + 1)
    for window, first in zip(activity, first_frames, strict=True):
        summed = np.zeros((length + 1, window.shape[1]))
        np.cumsum(window, axis=0, dtype=np.float64, out=summed[1:])
        left, right = summed - summed[before], summed[after] - summed
        pairs = left.sum(axis=1) * right.sum(axis=1)
        changed[first : first + length + 1] += pairs - (left * right).sum(axis=1)
        heard[first : first + length + 1] += pairs
    return changed / np.maximum(heard, 1e-9)


def _cuts(takeover: NDArray[np.float64], first: int, least: float) -> list[int]:
    """The middle of the most probable edges of every stretch with a takeover, none at an end."""
    cuts = []
    for start, end in stretches(takeover > least).tolist():
        peak = takeover[start:end]
        cut = start + int(np.flatnonzero(peak >= peak.max() - 1e-3).mean())
        if 0 < cut < len(takeover) - 1:
            cuts.append(first + cut)
    return cuts
