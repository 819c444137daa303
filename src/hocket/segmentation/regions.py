"""Frame probabilities to single-speaker regions: segments in which one speaker speaks alone."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import FrameCounts, Occupancy, Regions, segments_of
from hocket.config import RegionConfig

SpeakerChange = NDArray[np.float64]
"""Probability of a speaker change at an edge; edge i lies before frame i, (frames,)."""


def count_speakers(occupancy: Occupancy, config: RegionConfig) -> FrameCounts:
    """Number of speakers in each frame of the recording, 0 to 2, (frames,).

    Args:
        occupancy: (frames, 3).
        config: thresholds.
    """
    speech = occupancy[:, 1] + occupancy[:, 2] > config.min_speech
    overlap = occupancy[:, 2] > config.min_overlap
    return speech.astype(np.int32) + (speech & overlap)


def speaker_changes(activity: NDArray[np.floating], reach: int) -> NDArray[np.float64]:
    """Evidence of one window for speaker changes at its edges, (frames + 1, 2), to be added up.

    The columns are speech before an edge times speech after it, each summed over `reach` frames:
    column 0 by two different slots, column 1 by any two. The quotient of their sums over windows is
    the probability of a speaker change, so a window counts by the amount of speech it has there.

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
    """Finds regions as frames arrive. They do not depend on how the frames are split into calls.

    A region is a segment in which one speaker speaks alone. It is cut at speaker changes and after
    `longest` frames, so that an open region never grows beyond that. Until a frame with a single
    speaker is found, all speech counts as single-speaker: in a recording of nothing but overlap, a
    mixed embedding is better than none.

    Args:
        config: thresholds.
        longest: length of the longest region in frames.
    """

    def __init__(self, config: RegionConfig, longest: int) -> None:
        self._min_change = config.min_change
        self._single, self._speech = _SegmentFinder(longest), _SegmentFinder(longest)
        self.found_single = False

    @property
    def needed(self) -> int:
        """First frame that a later region may include."""
        return self._single.needed if self.found_single else self._speech.needed

    def feed(self, counts: FrameCounts, change: SpeakerChange) -> Regions:
        """Regions that end within the next frames, (regions, 2).

        When `found_single` becomes true, all regions returned before are void.

        Args:
            counts: (frames,) number of speakers.
            change: (frames,) probability of a speaker change.
        """
        self.found_single |= bool((counts == 1).any())
        single = self._single.feed(counts == 1, change)
        speech = self._speech.feed(counts > 0, change)
        return self._regions(single if self.found_single else speech)

    def close(self) -> Regions:
        """Regions that end with the recording, (regions, 2)."""
        return self._regions((self._single if self.found_single else self._speech).close())

    def _regions(self, found: "list[_Segment]") -> Regions:
        rows: list[tuple[int, int]] = []
        for segment in found:
            inner = _cuts(segment, self._min_change) if self.found_single else []
            rows += pairwise([segment.first, *inner, segment.last])
        return np.array(rows, np.int64).reshape(-1, 2)


class _Segment(NamedTuple):
    first: int
    last: int
    change: SpeakerChange


class _SegmentFinder:
    """Segments of true frames, returned as they end, none longer than `longest`."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._open = np.zeros(0)  # speaker changes of the frames of the open segment
        self._frames = 0

    @property
    def needed(self) -> int:
        return self._frames - len(self._open)

    def feed(self, active: NDArray[np.bool_], change: SpeakerChange) -> list[_Segment]:
        base = self.needed
        active = np.concatenate([np.ones(len(self._open), np.bool_), active])
        change = np.concatenate([self._open, change])
        self._frames, self._open = base + len(active), np.zeros(0)
        found = []
        for start, last in segments_of(active).tolist():
            first = start
            while last - first > self._longest:
                found.append(self._segment(base, first, first + self._longest, change))
                first += self._longest
            if last == len(active):
                self._open = change[first:]
            else:
                found.append(self._segment(base, first, last, change))
        return found

    def close(self) -> list[_Segment]:
        """The open segment, if there is one."""
        found = [_Segment(self.needed, self._frames, self._open)] if len(self._open) else []
        self._open = np.zeros(0)
        return found

    @staticmethod
    def _segment(base: int, first: int, last: int, change: SpeakerChange) -> _Segment:
        return _Segment(base + first, base + last, change[first:last])


def _cuts(segment: _Segment, least: float) -> list[int]:
    """For every speaker change within a segment, the middle of its most probable edges."""
    cuts = []
    for start, end in segments_of(segment.change > least).tolist():
        peak = segment.change[start:end]
        cut = start + int(np.flatnonzero(peak >= peak.max() - 1e-3).mean())
        if cut > 0:
            cuts.append(segment.first + cut)
    return cuts
