"""Slots and parts to one timeline: windows give when slots speak, parts of regions give who."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Parts, SlotActivity, Votes
from hocket.segmentation.windows import LEAST_WEIGHT, edge_weights

BLOCK = 65_536  # frames, about 18 minutes; 5 MB of votes with 20 clusters


def cluster_votes(
    activity: SlotActivity,
    first_frames: NDArray[np.int64],
    parts: Parts,
    clusters: int,
    fade: float,
    ramp: int,
    block: slice | None = None,
) -> Votes:
    """Average the windows on the recording's frame grid, as votes for clusters, (frames, clusters).

    A slot is not tied to one cluster: at each frame it votes for the clusters of the parts in which
    it is active, closer parts counting more. So a slot shared by two speakers, as in a window with
    more speakers than slots, still votes for each of them where that one speaks.

    Args:
        activity: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        parts: regions divided among clusters.
        clusters: number of clusters.
        fade: frames after which the influence of a part on its slot decays by a factor of e.
        ramp: frames at the ends of a window that weigh less.
        block: frames to return, one of `frame_blocks`; None: all of them.
    """
    length, total = activity.shape[1], frames_of(activity, first_frames)
    start, end, _ = (block or slice(total)).indices(total)
    votes = np.zeros((end - start, clusters), np.float32)
    windows, weights = np.zeros((end - start, 1), np.float32), edge_weights(length, ramp)[:, None]
    parts = _in_order(parts)
    # the parts over a window are consecutive: they follow the last one that ends before it
    ends = np.maximum.accumulate(parts.last)
    begin = np.searchsorted(ends, first_frames, side="right").tolist()
    stop = np.searchsorted(parts.first, first_frames + length).tolist()
    over = np.flatnonzero((first_frames < end) & (first_frames + length > start))
    for window in over.tolist():
        first = int(first_frames[window])
        source = slice(max(0, start - first), min(length, end - first))
        target = slice(first + source.start - start, first + source.stop - start)
        windows[target] += weights[source]
        near = Parts(*(column[begin[window] : stop[window]] for column in parts))
        inside = near.last > first
        if inside.any():
            slots = activity[window].astype(np.float32)
            near = Parts(*(column[inside] for column in near))
            weighted = weights * _window_votes(slots, first, near, clusters, fade)
            votes[target] += weighted[source]
    votes /= np.maximum(windows, LEAST_WEIGHT)
    return votes


def frames_of(activity: SlotActivity, first_frames: NDArray[np.int64]) -> int:
    """Number of frames that windows of (windows, frames, slots), in order of time, reach up to."""
    return int(first_frames[-1]) + activity.shape[1] if len(first_frames) else 0


def frame_blocks(total: int) -> list[slice]:
    """Slices of BLOCK frames that cover all `total` frames; at least one slice.

    The votes of a recording of hours in one piece would take more memory than everything else.
    """
    return [slice(first, min(first + BLOCK, total)) for first in range(0, max(total, 1), BLOCK)]


def _in_order(parts: Parts) -> Parts:
    """Parts in order of their first frames."""
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
    # high if the slot speaks for long in a part, and in most of it
    affinity = spoken**2 / (ends - starts)[:, None]
    frame = np.arange(length)
    distance = np.maximum(np.maximum(starts[:, None] - frame, frame + 1 - ends[:, None]), 0)
    # the constant lets distant parts count where none is close
    decay = (np.exp(-np.arange(length + 1) / fade) + 1e-4).astype(np.float32)
    nearness = decay[distance]
    by_cluster = np.zeros((len(starts), slots.shape[1], clusters), np.float32)
    by_cluster[np.arange(len(starts)), :, near.cluster] = affinity
    weight = (nearness.T @ by_cluster.reshape(len(starts), -1)).reshape(length, -1, clusters)
    share = slots / np.maximum(nearness.T @ affinity, 1e-9)
    votes = np.zeros((length, clusters), np.float32)
    for slot in range(slots.shape[1]):
        votes += share[:, slot, None] * weight[:, slot]
    return votes


def activate(votes: Votes, counts: FrameCounts) -> Activations:
    """Activate the clusters with most votes in each frame, (frames, clusters).

    Args:
        votes: (frames, clusters). A cluster without votes is never active.
        counts: (frames,) number of speakers.
    """
    active = np.zeros(votes.shape, np.bool_)
    rest, frames = votes.copy(), np.arange(len(votes))
    # ties go to the first cluster
    for taken in range(min(int(counts.max(initial=0)), rest.shape[1])):
        best = rest.argmax(axis=1)
        speaks = (taken < counts) & (rest[frames, best] > 0)
        active[frames[speaks], best[speaks]] = True
        rest[frames, best] = -1
    return active


def exclusive_activations(
    votes: Votes, activations: Activations, order: NDArray[np.integer] | None = None
) -> Activations:
    """Activations without overlap: where several clusters speak, only that with most votes.

    Args:
        votes: (frames, clusters).
        activations: (frames, columns).
        order: (columns,) cluster of every column of `activations`; None: column i is cluster i.
    """
    single = np.zeros_like(activations)
    if activations.size:
        columns = votes if order is None else votes[:, order]
        spoken = np.where(activations, columns, np.float32(-1))
        np.put_along_axis(single, spoken.argmax(axis=1)[:, None], True, axis=1)
        single &= activations
    return single
