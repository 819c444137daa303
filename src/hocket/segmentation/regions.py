"""Probabilities to runs: the stretches of a recording in which one person speaks alone."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import FrameCounts, Occupancy, Regions, segments_of
from hocket.config import RegionConfig

SpeakerChange = NDArray[np.float64]
"""Probability that another person takes over at an edge; edge i lies before frame i, (frames,)."""


def count_people(occupancy: Occupancy, config: RegionConfig) -> FrameCounts:
    """Number of people speaking in each frame of the recording, 0 to 2."""
    anybody = occupancy[:, 1] + occupancy[:, 2] > config.min_speech
    several = occupancy[:, 2] > config.min_overlap
    return anybody.astype(np.int32) + (anybody & several)


def speaker_changes(activity: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    """What one window says of takeovers at its edges, (frames + 1, 2), to be added up over windows.

    Column 0 is how much other slots speak in the `reach` frames after an edge than before it,
    column 1 how much any do; their quotient is the probability of a takeover. So windows count by
    how much speech they hear there.

    Args:
        activity: (frames, slots).
        reach: frames on either side.
    """
    length = len(activity)
    edge = np.arange(length + 1)
    before, after = np.maximum(edge - reach, 0), np.minimum(edge + reach, length)
    summed = np.zeros((length + 1, activity.shape[1]))
    np.cumsum(activity, axis=0, dtype=np.float64, out=summed[1:])
    left, right = summed - summed[before], summed[after] - summed
    pairs = left.sum(axis=1) * right.sum(axis=1)
    return np.stack([pairs - (left * right).sum(axis=1), pairs], axis=1)


class RegionFinder:
    """Finds runs as frames come in, the same however frames are divided.

    A run is a stretch in which one person speaks alone, cut where windows hear another person take
    over, and after `longest_s`, so that what is still open never grows. Until somebody has spoken
    alone, all speech is taken for one: in a recording in which everybody always speaks at once,
    some voice is better than none.

    Args:
        config: thresholds.
        longest: frames of the longest run.
    """

    def __init__(self, config: RegionConfig, longest: int) -> None:
        self._least_change = config.min_change
        self._alone, self._anybody = _Stretches(longest), _Stretches(longest)
        self.found_single = False

    @property
    def needed(self) -> int:
        """First frame that a run still to come may hold."""
        return self._alone.needed if self.found_single else self._anybody.needed

    def feed(self, counts: FrameCounts, change: SpeakerChange) -> Regions:
        """Runs that end within the next frames.

        When `found_single` turns true, all runs given out before are void.
        """
        self.found_single |= bool((counts == 1).any())
        alone = self._alone.feed(counts == 1, change)
        anybody = self._anybody.feed(counts > 0, change)
        return self._regions(alone if self.found_single else anybody)

    def close(self) -> Regions:
        """Runs that end with the recording."""
        return self._regions((self._alone if self.found_single else self._anybody).close())

    def _regions(self, found: "list[_Stretch]") -> Regions:
        rows: list[tuple[int, int]] = []
        for stretch in found:
            inner = _cuts(stretch, self._least_change) if self.found_single else []
            rows += pairwise([stretch.first, *inner, stretch.last])
        return np.array(rows, np.int64).reshape(-1, 2)


class _Stretch(NamedTuple):
    first: int
    last: int
    change: SpeakerChange


class _Stretches:
    """Segments of true frames, as they end, none longer than `longest`."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._open = np.zeros(0)  # takeovers of the frames of the stretch that has not ended
        self._frames = 0

    @property
    def needed(self) -> int:
        return self._frames - len(self._open)

    def feed(self, active: NDArray[np.bool_], change: SpeakerChange) -> list[_Stretch]:
        base = self.needed
        active = np.concatenate([np.ones(len(self._open), np.bool_), active])
        change = np.concatenate([self._open, change])
        self._frames, self._open = base + len(active), np.zeros(0)
        found = []
        for start, last in segments_of(active).tolist():
            first = start
            while last - first > self._longest:
                found.append(self._stretch(base, first, first + self._longest, change))
                first += self._longest
            if last == len(active):
                self._open = change[first:]
            else:
                found.append(self._stretch(base, first, last, change))
        return found

    def close(self) -> list[_Stretch]:
        """The stretch that had not ended, if there is one."""
        found = [_Stretch(self.needed, self._frames, self._open)] if len(self._open) else []
        self._open = np.zeros(0)
        return found

    @staticmethod
    def _stretch(base: int, first: int, last: int, change: SpeakerChange) -> _Stretch:
        return _Stretch(base + first, base + last, change[first:last])


def _cuts(stretch: _Stretch, least: float) -> list[int]:
    """The middle of the most probable edges of every takeover within a stretch."""
    cuts = []
    for start, end in segments_of(stretch.change > least).tolist():
        peak = stretch.change[start:end]
        cut = start + int(np.flatnonzero(peak >= peak.max() - 1e-3).mean())
        if cut > 0:
            cuts.append(stretch.first + cut)
    return cuts
