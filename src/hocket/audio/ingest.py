"""Streamed samples of any type, rate and channel count to mono at the graphs' rate.

However the input is divided, it is processed in the same blocks, so the output is the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.conversion import Conversion
from hocket.audio.reading import MOST_CHANNELS, check_sample_type
from hocket.audio.samples import to_float
from hocket.errors import AudioContentError
from hocket.notices import Notices

BLOCKS_PER_SECOND = 10  # samples wait for at most a tenth of a second


class StreamInput:
    """Converts the samples that a stream is fed.

    Args:
        rate: Hz, of the input.
        target_rate: Hz, of the output.
        name: the stream's name in errors.
        notices: get what is altered or guessed.

    Raises:
        AudioContentError: the rate is out of range.
    """

    def __init__(self, rate: int, target_rate: int, name: str, notices: Notices) -> None:
        conversion = Conversion(rate, target_rate, name, notices, live=True)
        self._name, self._size = name, max(1, rate // BLOCKS_PER_SECOND)
        self._waiting: list[NDArray[np.float32]] = []
        self._count = self.channels = 0
        self._ready: list[NDArray[np.float32]] = []
        self._blocks = conversion.blocks(self._take())
        self._ended = False

    def feed(self, samples: NDArray[Any]) -> Iterator[Waveform]:
        """Blocks that these samples complete; the caller may change its array afterwards."""
        columns = self._columns(samples)
        for start in range(0, len(columns), self._size):  # an hour at once is copied in parts
            yield from self._add(to_float(columns[start : start + self._size]).copy())

    def close(self) -> Iterator[Waveform]:
        """The remaining blocks."""
        self._ended = True
        if self._count:
            self._ready.append(self._joined())
        yield from self._blocks

    def _add(self, block: NDArray[np.float32]) -> Iterator[Waveform]:
        self._waiting.append(block)
        self._count += len(block)
        if self._count >= self._size:
            whole = self._joined()
            self._ready.append(whole[: self._size])
            self._waiting, self._count = [whole[self._size :]], len(whole) - self._size
            yield next(self._blocks)

    def _joined(self) -> NDArray[np.float32]:
        return np.concatenate(self._waiting)

    def _take(self) -> Iterator[NDArray[np.float32]]:
        """Blocks for the conversion, which takes one only after it was put into `_ready`."""
        while self._ready or not self._ended:
            yield self._ready.pop(0)

    def _columns(self, samples: Any) -> NDArray[Any]:
        """View (samples, channels) of (samples,) or (samples, channels)."""
        if isinstance(samples, bytes | bytearray | memoryview):
            problem = f"was fed {type(samples).__name__}, whose samples may be of any type"
            remedy = "give an array, such as np.frombuffer(content, np.int16)"
            raise AudioContentError(self._name, problem, remedy)
        array = np.asarray(samples)
        check_sample_type(array, self._name, "was fed")
        columns = array[:, None] if array.ndim == 1 else array
        valid = columns.ndim == 2 and 1 <= columns.shape[1] <= MOST_CHANNELS
        if not valid or self.channels not in (0, columns.shape[1]):
            allowed = f"{self.channels}" if self.channels else f"1 to {MOST_CHANNELS}"
            remedy = f"give (samples,) or (samples, channels) with {allowed} channels"
            raise AudioContentError(self._name, f"was fed an array of shape {array.shape}", remedy)
        self.channels = columns.shape[1]
        return columns
