"""The part of a recording that is still needed, in the decoder's own blocks."""

from collections import deque

import numpy as np

from hocket.arrays import Waveform

Pieces = list[Waveform]
"""Consecutive samples, in one array or several."""


class SampleBuffer:
    """A queue of blocks: appended at the end, released from the beginning.

    The pieces it returns are views of the blocks; they stay valid after the blocks are released.
    """

    def __init__(self) -> None:
        self._blocks: deque[Waveform] = deque()
        self._start = 0  # sample of the recording at which the first block begins
        self.end = 0

    def append(self, block: Waveform) -> None:
        """Append a block, which must not be changed from now on."""
        if len(block):
            self._blocks.append(block)
            self.end += len(block)

    def pieces(self, start: int, end: int) -> Pieces:
        """Samples `start` to `end` of the recording, all of them appended and none released."""
        found, first = [], self._start
        for block in self._blocks:
            if first >= end:
                break
            last = first + len(block)
            if last > start:
                found.append(block[max(0, start - first) : end - first])
            first = last
        return found

    def release(self, before: int) -> None:
        """Release blocks that end before this sample; they are no longer needed."""
        while self._blocks and self._start + len(self._blocks[0]) <= before:
            self._start += len(self._blocks.popleft())


def fill(row: Waveform, pieces: Pieces) -> int:
    """Copy pieces to the beginning of a row and set the rest to zero; returns the bytes copied."""
    done = 0
    for piece in pieces:
        row[done : done + len(piece)] = piece
        done += len(piece)
    row[done:] = 0
    return done * row.itemsize


def joined(pieces: Pieces) -> tuple[Waveform, int]:
    """Pieces as one array, a view if there is only one; and the bytes copied."""
    if len(pieces) == 1:
        return pieces[0], 0
    whole: Waveform = np.concatenate(pieces)
    return whole, whole.nbytes
