"""Slots of the segmentation's windows that the subsegments of a recording belong to.

A window separates up to three local speakers, its slots, with context that the embedding lacks:
what comes just before and after. Two subsegments in different slots of one window are seldom the
same speaker; subsegments of one slot may be two (docs/decisions/021-splits-and-merges.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import SlotActivity, Subsegments

LEAST_FRAMES = 6  # of a subsegment in a window
LEAST_SPOKEN = 0.2  # mean activity of all slots together over these frames


class Tracks(NamedTuple):
    """The windows in which at least half of each subsegment lies, and its slots there.

    Every row has as many columns as the subsegment in most windows needs.

    window: (voices, columns) number of the window, -1 for none.
    share: (voices, columns, slots) share of each slot in the subsegment's speech; sums to 1.
    """

    window: NDArray[np.int64]
    share: NDArray[np.float32]

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Tracks":
        """The tracks in these rows."""
        return Tracks(self.window[rows], self.share[rows])


class Links(NamedTuple):
    """How often two halves of a cluster share slots, in windows that contain both.

    same: probability that a voice of one half and one of the other are in one slot, weighted mean
        over windows; NaN if no window contains both.
    pairs: square root of the number of such pairs in a window, summed over windows.
    """

    same: float
    pairs: float


def tracks_of(
    activity: SlotActivity, first_frames: NDArray[np.int64], subsegments: Subsegments
) -> Tracks:
    """Windows and slots of subsegments.

    Args:
        activity: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        subsegments: in order of time.

    Returns:
        Tracks with a row for every subsegment.
    """
    length, number = activity.shape[1], len(subsegments.first)
    last = np.maximum.accumulate(subsegments.last) if number else subsegments.last
    begin = np.searchsorted(last, first_frames, side="right")
    stop = np.searchsorted(subsegments.first, first_frames + length)
    windows: list[list[int]] = [[] for _ in range(number)]
    shares: list[list[NDArray[np.float32]]] = [[] for _ in range(number)]
    for window, first in enumerate(first_frames.tolist()):
        rows = np.arange(begin[window], stop[window])
        ends = np.clip(subsegments.first[rows] - first, 0, length), subsegments.last[rows] - first
        frames = np.clip(ends[1], 0, length) - ends[0]
        summed = np.zeros((length + 1, activity.shape[2]), np.float32)
        np.cumsum(activity[window], axis=0, dtype=np.float32, out=summed[1:])
        spoken = summed[ends[0] + frames] - summed[ends[0]]
        total = spoken.sum(axis=1)
        enough = (frames >= LEAST_FRAMES) & (
            2 * frames >= subsegments.last[rows] - subsegments.first[rows]
        )
        enough &= total >= LEAST_SPOKEN * frames
        for row, share in zip(
            rows[enough].tolist(), spoken[enough] / total[enough, None], strict=True
        ):
            windows[row].append(window)
            shares[row].append(share)
    columns = max(map(len, windows), default=0)
    tracks = Tracks(
        np.full((number, columns), -1), np.zeros((number, columns, activity.shape[2]), np.float32)
    )
    for row, (numbers, each) in enumerate(zip(windows, shares, strict=True)):
        if numbers:
            tracks.window[row, : len(numbers)] = numbers
            tracks.share[row, : len(numbers)] = each
    return tracks


def links_of(tracks: Tracks, regions: NDArray[np.int64], halves: NDArray[np.int64]) -> Links:
    """How often windows assign two halves of a cluster to one slot.

    Pairs within a region are left out, as they carry no information.

    Args:
        tracks: of the voices.
        regions: (voices,) region of each.
        halves: (voices,) 0 or 1.
    """
    voice, column = np.nonzero(tracks.window >= 0)
    window, share = tracks.window[voice, column], tracks.share[voice, column].astype(np.float64)
    half = halves[voice]
    windows, of_window = np.unique(window, return_inverse=True)
    inside = np.unique(np.stack([window, regions[voice]]), axis=1, return_inverse=True)
    shared, pairs = _across(of_window, half, share, len(windows))
    within, own = _across(inside[1].ravel(), half, share, inside[0].shape[1])
    at = np.searchsorted(windows, inside[0][0])
    shared -= np.bincount(at, within, len(windows))
    pairs -= np.bincount(at, own, len(windows))
    both = pairs > 0.5
    if not both.any():
        return Links(np.nan, 0.0)
    weights = np.sqrt(pairs[both])
    return Links(float(np.average(shared[both] / pairs[both], weights=weights)), weights.sum())


def _across(
    group: NDArray[np.int64], half: NDArray[np.int64], share: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pairs across the halves, for each group: sum of their shared slots, and number, (groups,)."""
    key = 2 * group + half
    number = np.bincount(key, minlength=2 * groups).reshape(groups, 2).astype(np.float64)
    slots = [np.bincount(key, column, 2 * groups).reshape(groups, 2) for column in share.T]
    shared = np.sum([slot.prod(axis=1) for slot in slots], axis=0)
    return shared, number.prod(axis=1)
