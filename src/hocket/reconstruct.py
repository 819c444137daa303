"""Slots and parts to one timeline: windows say when somebody speaks, the parts of runs say who."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Parts, SlotActivity, Votes


def cluster_votes(
    activity: SlotActivity,
    first_frames: NDArray[np.int64],
    parts: Parts,
    clusters: int,
    fade: float,
) -> Votes:
    """Add the windows up on the recording's frame grid.

    A slot is nobody in particular: at each frame it speaks for the clusters of the parts it is
    active in, the nearer the more. So a slot that stands for two people, as where a window holds
    more of them than slots, still speaks for each in turn.

    Args:
        activity: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        parts: runs divided among clusters.
        clusters: number of clusters.
        fade: frames after which what a part says of its slot elsewhere counts less by e.
    """
    length = activity.shape[1]
    total = int(first_frames[-1]) + length if len(first_frames) else 0
    votes = np.zeros((total, clusters), np.float32)
    windows = np.zeros((total, 1), np.float32)
    for slots, first in zip(activity.astype(np.float32), first_frames.tolist(), strict=True):
        here = slice(first, first + length)
        windows[here] += 1
        near = np.flatnonzero((parts.last > first) & (parts.first < first + length))
        if len(near):
            parts_here = Parts(*(column[near] for column in parts))
            votes[here] += _window_votes(slots, first, parts_here, clusters, fade)
    votes /= np.maximum(windows, 1)
    return votes


def _window_votes(
    slots: NDArray[np.float32], first: int, near: Parts, clusters: int, fade: float
) -> NDArray[np.float32]:
    """One window's probability that each cluster speaks, (frames, clusters)."""
    length = len(slots)
    starts, ends = np.clip(near.first - first, 0, length), np.clip(near.last - first, 0, length)
    summed = np.concatenate([np.zeros((1, slots.shape[1]), np.float32), slots.cumsum(axis=0)])
    spoken = summed[ends] - summed[starts]  # (parts, slots), in frames
    belonging = spoken**2 / (ends - starts)[:, None]  # much of a part, and much of it
    frame = np.arange(length)
    distance = np.maximum(np.maximum(starts[:, None] - frame, frame + 1 - ends[:, None]), 0)
    # the constant lets far parts speak where none is near
    nearness = (np.exp(-distance / fade) + 1e-4).astype(np.float32)
    of_cluster = np.zeros((len(near.cluster), clusters), np.float32)
    of_cluster[np.arange(len(near.cluster)), near.cluster] = 1
    votes = np.zeros((length, clusters), np.float32)
    for slot in range(slots.shape[1]):
        weight = belonging[:, slot, None] * nearness
        share = (weight.T @ of_cluster) / np.maximum(weight.sum(axis=0), 1e-9)[:, None]
        votes += slots[:, slot, None] * share
    return votes


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
