"""Masks and labels to one timeline: windows vote for clusters, the speaker count for how many."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Labels, Masks, UnitLabels, Units, Votes


def frame_votes(
    masks: Masks,
    first_frames: NDArray[np.int64],
    slot_labels: Labels,
    units: Units,
    unit_labels: UnitLabels,
    clusters: int,
) -> tuple[Votes, FrameCounts]:
    """Add the windows up on the recording's frame grid.

    Args:
        masks: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        slot_labels: (windows, slots), for frames outside any unit.
        units: stretches with a label of their own.
        unit_labels: (units,).
        clusters: number of clusters.

    Returns:
        votes: (frames, clusters), the share of the windows over a frame in which a cluster speaks.
        counts: (frames,), the number of people speaking: the rounded mean of the windows' numbers.
    """
    length = masks.shape[1]
    total = int(first_frames[-1]) + length if len(first_frames) else 0
    votes = np.zeros((total, clusters + 1), np.float32)  # the last column collects label -1
    people = np.zeros(total, np.float32)
    windows = np.zeros(total, np.float32)
    frames = np.arange(length)
    edges = np.searchsorted(units.window, np.arange(len(masks) + 1))
    for window, (mask, first) in enumerate(zip(masks, first_frames, strict=True)):
        span = slice(first, first + length)
        windows[span] += 1
        people[span] += mask.sum(axis=1)
        labels = np.repeat(slot_labels[window][None], length, axis=0)
        for unit in range(edges[window], edges[window + 1]):
            labels[units.first[unit] : units.last[unit], units.slot[unit]] = unit_labels[unit]
        spoken = np.zeros((length, clusters + 1), np.bool_)  # two slots may be one cluster
        for slot in range(mask.shape[1]):
            spoken[frames, labels[:, slot]] |= mask[:, slot] > 0
        votes[span] += spoken
    shared = np.maximum(windows, 1)
    counts = np.rint(people / shared).astype(np.int32)
    votes /= shared[:, None]
    return votes[:, :clusters], counts


def activate(votes: Votes, counts: FrameCounts) -> Activations:
    """The `counts` clusters with most votes in each frame; a cluster without votes never speaks."""
    order = np.argsort(-votes, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(votes.shape[1])[None], axis=1)
    return (rank < counts[:, None]) & (votes > 0)


def strongest(votes: Votes, activations: Activations) -> Activations:
    """Activations without overlap: where several clusters speak, only the one with most votes."""
    spoken = np.where(activations, votes, -1.0)
    single = np.zeros_like(activations)
    if votes.shape[1]:
        np.put_along_axis(single, spoken.argmax(axis=1)[:, None], True, axis=1)
    return single & activations
