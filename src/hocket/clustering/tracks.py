"""Which local speakers of the segmentation's windows the voices of a recording are.

A window tells up to three local speakers apart, its slots, by what the embedding does not have:
what comes just before and after. Two voices that one window takes for different slots are seldom
one speaker; voices of one slot may be two (docs/decisions/021-splits-and-merges.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import SlotActivity, Subsegments

LEAST_FRAMES = 6  # of a unit in a window
LEAST_SPOKEN = 0.2  # mean of all slots over them


class Tracks(NamedTuple):
    """The windows in which at least half of each voice lies; all of them have as many places.

    window: (voices, places) number of the window, -1 for none.
    share: (voices, places, slots), how far the voice is each slot's; they add up to one.
    """

    window: NDArray[np.int64]
    share: NDArray[np.float32]

    def at(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Tracks":
        """Those of some of the voices."""
        return Tracks(self.window[rows], self.share[rows])


class Links(NamedTuple):
    """How far two halves are of the same slots where windows hold both.

    same: probability that a voice of one half and one of the other are of one slot, mean over
        windows; NaN if there is no window with both.
    pairs: square roots of the numbers of such pairs, added up over windows.
    """

    same: float
    pairs: float


def tracks_of(
    activity: SlotActivity, first_frames: NDArray[np.int64], subsegments: Subsegments
) -> Tracks:
    """Windows and slots of units.

    Args:
        activity: (windows, frames, slots).
        first_frames: (windows,) first frame of every window.
        subsegments: in order of time.
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
    places = max(map(len, windows), default=0)
    found = Tracks(
        np.full((number, places), -1), np.zeros((number, places, activity.shape[2]), np.float32)
    )
    for row, (numbers, each) in enumerate(zip(windows, shares, strict=True)):
        if numbers:
            found.window[row, : len(numbers)] = numbers
            found.share[row, : len(numbers)] = each
    return found


def links_of(tracks: Tracks, regions: NDArray[np.int64], halves: NDArray[np.int64]) -> Links:
    """How far the windows take two halves for one local speaker; voices of one region say nothing.

    Args:
        tracks: of the voices.
        regions: (voices,) region of each.
        halves: (voices,) 0 or 1.
    """
    voice, place = np.nonzero(tracks.window >= 0)
    window, share = tracks.window[voice, place], tracks.share[voice, place].astype(np.float64)
    half = halves[voice]
    windows, of_window = np.unique(window, return_inverse=True)
    inside = np.unique(np.stack([window, regions[voice]]), axis=1, return_inverse=True)
    total, pairs = _across(of_window, half, share, len(windows))
    within, own = _across(inside[1].ravel(), half, share, inside[0].shape[1])
    at = np.searchsorted(windows, inside[0][0])
    total -= np.bincount(at, within, len(windows))
    pairs -= np.bincount(at, own, len(windows))
    both = pairs > 0.5
    if not both.any():
        return Links(np.nan, 0.0)
    weights = np.sqrt(pairs[both])
    return Links(float(np.average(total[both] / pairs[both], weights=weights)), weights.sum())


def _across(
    group: NDArray[np.int64], half: NDArray[np.int64], share: NDArray[np.float64], groups: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of pairs across the halves within groups: shared slots added up, and how many, (groups,)."""
    key = 2 * group + half
    number = np.bincount(key, minlength=2 * groups).reshape(groups, 2).astype(np.float64)
    slots = [np.bincount(key, column, 2 * groups).reshape(groups, 2) for column in share.T]
    shared = np.sum([slot.prod(axis=1) for slot in slots], axis=0)
    return shared, number.prod(axis=1)
