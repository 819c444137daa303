"""Samples of any type, rate and number of channels to mono at the graphs' rate, as they come.

However samples are divided, they pass in the same blocks, so the same numbers come out.
"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.decoding import to_float
from hocket.audio.reading import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, mono_blocks
from hocket.errors import AudioContentError

BLOCKS_A_SECOND = 10  # none waits for longer than a tenth of a second

logger = logging.getLogger("hocket")


class StreamInput:
    """Takes what a stream is fed.

    Args:
        rate: Hz, of what comes in.
        target_rate: Hz, of what goes out.
        name: what errors call the stream.
    """

    def __init__(self, rate: int, target_rate: int, name: str) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE or int(rate) != rate:
            remedy = f"give a whole number of {LOWEST_RATE} to {HIGHEST_RATE} Hz"
            raise AudioContentError(name, f"has a sample rate of {rate!r} Hz", remedy)
        self._name, self._size = name, max(1, rate // BLOCKS_A_SECOND)
        self._waiting: list[NDArray[np.float32]] = []
        self._count = self.channels = 0
        self._given: list[NDArray[np.float32]] = []
        self._blocks = mono_blocks(self._take(), name, rate, target_rate)
        self._ended = False

    def feed(self, samples: NDArray[Any]) -> Iterator[Waveform]:
        """Blocks that are whole with these samples; what was given may be changed afterwards."""
        columns = self._columns(samples)
        for start in range(0, len(columns), self._size):  # an hour at once is not copied at once
            yield from self._add(to_float(columns[start : start + self._size]).copy())

    def close(self) -> Iterator[Waveform]:
        """What is left."""
        self._ended = True
        if self._count:
            self._given.append(self._joined())
        yield from self._blocks

    def _add(self, block: NDArray[np.float32]) -> Iterator[Waveform]:
        self._waiting.append(block)
        self._count += len(block)
        if self._count >= self._size:
            whole = self._joined()
            self._given.append(whole[: self._size])
            self._waiting, self._count = [whole[self._size :]], len(whole) - self._size
            yield next(self._blocks)

    def _joined(self) -> NDArray[np.float32]:
        return np.concatenate(self._waiting)

    def _take(self) -> Iterator[NDArray[np.float32]]:
        """Blocks for the chain behind this one, which asks for one whenever there is one."""
        while self._given or not self._ended:
            yield self._given.pop(0)

    def _columns(self, samples: NDArray[Any]) -> NDArray[Any]:
        """View (samples, channels) of (samples,) or (samples, channels)."""
        array = np.asarray(samples)
        if array.dtype.kind not in "iuf" or array.dtype.str[1:] in ("i8", "u8"):
            remedy = "give floats in -1..1, or integers of 8 to 32 bits"
            raise AudioContentError(self._name, f"was fed an array of {array.dtype}", remedy)
        columns = array[:, None] if array.ndim == 1 else array
        usual = columns.ndim == 2 and 1 <= columns.shape[1] <= MOST_CHANNELS
        if not usual or self.channels not in (0, columns.shape[1]):
            same = f"{self.channels}" if self.channels else f"1 to {MOST_CHANNELS}"
            remedy = f"give (samples,) or (samples, channels) with {same} channels"
            raise AudioContentError(self._name, f"was fed an array of shape {array.shape}", remedy)
        self.channels = columns.shape[1]
        return columns
