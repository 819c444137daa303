"""The stretch of a recording that is still needed, in the decoder's own blocks."""

from collections import deque

import numpy as np

from hocket.arrays import Waveform

Pieces = list[Waveform]
"""Samples that follow each other, in one array or several."""


class SampleBuffer:
    """Blocks come in at the end and are let go from the beginning.

    What it gives out are views of blocks, which stay as they are for as long as anybody has them.
    """

    def __init__(self) -> None:
        self._blocks: deque[Waveform] = deque()
        self._start = 0  # sample of the recording at which the first block begins
        self.end = 0

    def append(self, block: Waveform) -> None:
        """Take a block, which nobody changes from now on."""
        if len(block):
            self._blocks.append(block)
            self.end += len(block)

    def pieces(self, start: int, end: int) -> Pieces:
        """Samples `start` to `end` of the recording, none let go and none to come."""
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
        """Samples before this one are not asked for again."""
        while self._blocks and self._start + len(self._blocks[0]) <= before:
            self._start += len(self._blocks.popleft())


def fill(row: Waveform, pieces: Pieces) -> int:
    """Copy pieces to the beginning of a row and zeros to the rest; the bytes that were copied."""
    done = 0
    for piece in pieces:
        row[done : done + len(piece)] = piece
        done += len(piece)
    row[done:] = 0
    return done * row.itemsize


def joined(pieces: Pieces) -> tuple[Waveform, int]:
    """Pieces as one array, which is a view if there is only one; the bytes that were copied."""
    if len(pieces) == 1:
        return pieces[0], 0
    whole: Waveform = np.concatenate(pieces)
    return whole, whole.nbytes
