"""Slots and parts to one timeline: windows say when somebody speaks, the parts of runs say who."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Parts, SlotActivity, Votes
from hocket.segmentation.windows import LEAST_WEIGHT, edge_weights

BLOCK = 65_536  # frames, about 18 minutes: with 20 clusters 5 MB of votes


def cluster_votes(
    activity: SlotActivity,
    first_frames: NDArray[np.int64],
    parts: Parts,
    clusters: int,
    fade: float,
    ramp: int,
    block: slice | None = None,
) -> Votes:
    """Add the windows up on the recording's frame grid, (frames, clusters).

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
        block: the frames wanted, one of `frame_blocks`; None: all of them.
    """
    length, total = activity.shape[1], frames_of(activity, first_frames)
    start, end, _ = (block or slice(total)).indices(total)
    votes = np.zeros((end - start, clusters), np.float32)
    windows, weights = np.zeros((end - start, 1), np.float32), edge_weights(length, ramp)[:, None]
    parts = _in_order(parts)
    # the parts over a window lie together: after the last that ends before it
    ends = np.maximum.accumulate(parts.last)
    begin = np.searchsorted(ends, first_frames, side="right").tolist()
    stop = np.searchsorted(parts.first, first_frames + length).tolist()
    over = np.flatnonzero((first_frames < end) & (first_frames + length > start))
    for window in over.tolist():
        first = int(first_frames[window])
        mine = slice(max(0, start - first), min(length, end - first))
        here = slice(first + mine.start - start, first + mine.stop - start)
        windows[here] += weights[mine]
        near = Parts(*(column[begin[window] : stop[window]] for column in parts))
        heard = near.last > first
        if heard.any():
            slots = activity[window].astype(np.float32)
            near = Parts(*(column[heard] for column in near))
            said = weights * _window_votes(slots, first, near, clusters, fade)
            votes[here] += said[mine]
    votes /= np.maximum(windows, LEAST_WEIGHT)
    return votes


def frames_of(activity: SlotActivity, first_frames: NDArray[np.int64]) -> int:
    """Frames of the recording that windows reach."""
    return int(first_frames[-1]) + activity.shape[1] if len(first_frames) else 0


def frame_blocks(total: int) -> list[slice]:
    """All frames, BLOCK at a time; one block, if there are none.

    The votes of hours in one piece are more than all else that is known of them.
    """
    return [slice(first, min(first + BLOCK, total)) for first in range(0, max(total, 1), BLOCK)]


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
    near_by = (np.exp(-np.arange(length + 1) / fade) + 1e-4).astype(np.float32)
    nearness = near_by[distance]
    claimed = np.zeros((len(starts), slots.shape[1], clusters), np.float32)
    claimed[np.arange(len(starts)), :, near.cluster] = belonging
    weight = (nearness.T @ claimed.reshape(len(starts), -1)).reshape(length, -1, clusters)
    share = slots / np.maximum(nearness.T @ belonging, 1e-9)
    votes = np.zeros((length, clusters), np.float32)
    for slot in range(slots.shape[1]):
        votes += share[:, slot, None] * weight[:, slot]
    return votes


def activate(votes: Votes, counts: FrameCounts) -> Activations:
    """The `counts` clusters with most votes in each frame; a cluster without votes never speaks."""
    active = np.zeros(votes.shape, np.bool_)
    rest, frames = votes.copy(), np.arange(len(votes))
    # the first of equals; nobody is left once all votes are taken
    for taken in range(min(int(counts.max(initial=0)), rest.shape[1])):
        best = rest.argmax(axis=1)
        speaks = (taken < counts) & (rest[frames, best] > 0)
        active[frames[speaks], best[speaks]] = True
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
    if activations.size:
        columns = votes if order is None else votes[:, order]
        spoken = np.where(activations, columns, np.float32(-1))
        np.put_along_axis(single, spoken.argmax(axis=1)[:, None], True, axis=1)
        single &= activations
    return single
