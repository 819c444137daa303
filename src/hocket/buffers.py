"""The stretch of a recording that is still needed, in one piece: what is heard is a view of it."""

from collections.abc import Callable

import numpy as np

from hocket.arrays import Waveform


class SampleBuffer:
    """Samples come in at the end and are released from the beginning.

    There are two arrays. When one is full, what is still needed moves to the beginning of the
    other, and views of the first stay valid until the next move.

    Args:
        capacity: samples of each array; grows if more than half of it is needed at once.
        settle: called before an array is written over, and returns when no view of it is in use.
    """

    def __init__(self, capacity: int, settle: Callable[[], None]) -> None:
        self._array = np.empty(capacity, np.float32)
        self._spare = np.empty(capacity, np.float32)
        self._settle = settle
        self._origin = 0  # sample of the recording at index 0 of the array
        self.needed = 0
        self.end = 0
        self.copied = 0

    def append(self, block: Waveform) -> None:
        """Copy a block to the end."""
        if self.end - self._origin + len(block) > len(self._array):
            self._move(len(block))
        start = self.end - self._origin
        self._array[start : start + len(block)] = block
        self.end += len(block)
        self.copied += block.nbytes

    def view(self, start: int, end: int) -> Waveform:
        """Samples `start` to `end` of the recording, none released and none to come."""
        return self._array[start - self._origin : end - self._origin]

    def release(self, before: int) -> None:
        """Samples before this one are not asked for again."""
        self.needed = max(self.needed, min(before, self.end))

    def _move(self, coming: int) -> None:
        self._settle()
        kept = self.view(self.needed, self.end)
        if 2 * (len(kept) + coming) > len(self._spare):
            self._spare = np.empty(4 * (len(kept) + coming), np.float32)
        self._spare[: len(kept)] = kept
        self._array, self._spare = self._spare, self._array
        self._origin = self.needed
        self.copied += kept.nbytes
