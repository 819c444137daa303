"""Slots and parts to one timeline: windows say when somebody speaks, the parts of runs say who."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Parts, SlotActivity, Votes
from hocket.windows import LEAST_WEIGHT, edge_weights

BLOCK = 65_536  # frames, about 18 minutes: with 20 clusters 5 MB of votes


def cluster_votes(
    activity: SlotActivity,
    first_frames: NDArray[np.int64],
    parts: Parts,
    clusters: int,
    fade: float,
    ramp: int,
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
        ramp: frames at the ends of a window that count less.
    """
    length = activity.shape[1]
    total = int(first_frames[-1]) + length if len(first_frames) else 0
    votes = np.zeros((total, clusters), np.float32)
    windows, weights = np.zeros((total, 1), np.float32), edge_weights(length, ramp)[:, None]
    parts = _in_order(parts)
    # the parts over a window lie together: after the last that ends before it
    ends = np.maximum.accumulate(parts.last)
    begin = np.searchsorted(ends, first_frames, side="right").tolist()
    stop = np.searchsorted(parts.first, first_frames + length).tolist()
    for window, first in enumerate(first_frames.tolist()):
        here = slice(first, first + length)
        windows[here] += weights
        near = Parts(*(column[begin[window] : stop[window]] for column in parts))
        heard = near.last > first
        if heard.any():
            slots = activity[window].astype(np.float32)
            near = Parts(*(column[heard] for column in near))
            votes[here] += weights * _window_votes(slots, first, near, clusters, fade)
    votes /= np.maximum(windows, LEAST_WEIGHT)
    return votes


def _in_order(parts: Parts) -> Parts:
    """Parts by where they begin."""
    order = np.argsort(parts.first, kind="stable")
    return Parts(*(column[order] for column in parts))


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
    active = np.zeros(votes.shape, np.bool_)
    for block in _blocks(votes):
        rest = votes[block].copy()
        frames = np.arange(len(rest))
        # the first of equals; nobody is left once all votes are taken
        for taken in range(min(int(counts[block].max()), rest.shape[1])):
            best = rest.argmax(axis=1)
            speaks = (taken < counts[block]) & (rest[frames, best] > 0)
            active[block][frames[speaks], best[speaks]] = True
            rest[frames, best] = -1
    return active


def strongest(
    votes: Votes, activations: Activations, order: NDArray[np.integer] | None = None
) -> Activations:
    """Activations without overlap: where several clusters speak, only the one with most votes.

    Args:
        votes: (frames, clusters).
        activations: (frames, columns).
        order: (columns,) cluster of every column of `activations`; None: they are the clusters.
    """
    single = np.zeros_like(activations)
    for block in _blocks(activations):
        columns = votes[block] if order is None else votes[block][:, order]
        spoken = np.where(activations[block], columns, np.float32(-1))
        np.put_along_axis(single[block], spoken.argmax(axis=1)[:, None], True, axis=1)
        single[block] &= activations[block]
    return single


def _blocks(of_frames: Votes | Activations) -> Iterator[slice]:
    """All frames, BLOCK at a time, if there is a column."""
    for first in range(0, len(of_frames) if of_frames.shape[1] else 0, BLOCK):
        yield slice(first, first + BLOCK)
