"""Streamed samples of any type, rate and channel count to mono at the graphs' rate.

However the input is divided, it is processed in the same blocks, so the output is the same.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.bleed import LiveBleed
from hocket.audio.conversion import Conversion
from hocket.audio.reading import EACH, MIX, MOST_CHANNELS, check_channels, check_sample_type
from hocket.audio.samples import Block, to_float
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
        channels: mix, each, or the number of the only channel to use, from 1.

    Raises:
        AudioContentError: the rate is out of range.
        ConfigError: the channels are none of these.
    """

    def __init__(
        self,
        rate: int,
        target_rate: int,
        name: str,
        notices: Notices,
        channels: int | str = MIX,
    ) -> None:
        check_channels(channels)
        self._rates, self._notices = (rate, target_rate), notices
        self._name = name
        self._waiting: list[NDArray[np.float32]] = []
        self._count = self.channels = 0
        only = channels if isinstance(channels, int) else None
        # each: made when the number of channels is known
        self._lines = [_Line(self._conversion(notices, only))]
        self._size = max(1, rate // BLOCKS_PER_SECOND)
        self._bleed = LiveBleed(rate) if channels == EACH else None

    @property
    def lines(self) -> int:
        """Number of mono signals: 1, or that of the channels; 0 while that is not known."""
        return len(self._lines) if self._bleed is None else self.channels

    def feed(self, samples: NDArray[Any]) -> Iterator[tuple[Waveform, ...]]:
        """Blocks that these samples complete, one of every mono signal, all of one length.

        The caller may change its array afterwards.
        """
        columns = self._columns(samples)
        for start in range(0, len(columns), self._size):  # an hour at once is copied in parts
            yield from self._add(to_float(columns[start : start + self._size]).copy())

    def close(self) -> Iterator[tuple[Waveform, ...]]:
        """The remaining blocks."""
        if self._count:
            yield self._converted(np.concatenate(self._waiting))
        if self.lines:
            yield from zip(*(line.close() for line in self._lines), strict=True)

    def _add(self, block: Block) -> Iterator[tuple[Waveform, ...]]:
        self._waiting.append(block)
        self._count += len(block)
        if self._count >= self._size:
            whole = np.concatenate(self._waiting)
            self._waiting, self._count = [whole[self._size :]], len(whole) - self._size
            yield self._converted(whole[: self._size])

    def _converted(self, block: Block) -> tuple[Waveform, ...]:
        if self._bleed is None:
            return (self._lines[0].convert(block),)
        kept = self._bleed.without(block)
        for number in self._bleed.leaking():
            text = "voices of other channels are left out"
            self._notices.about(f"channel {number}").add("bleed", text)
        return tuple(line.convert(kept[:, i, None]) for i, line in enumerate(self._lines))

    def _conversion(self, notices: Notices, channel: int | None = None) -> Conversion:
        return Conversion(*self._rates, self._name, notices, channel=channel, live=True)

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
        if not self.channels and self._bleed is not None:
            about = [self._notices.about(f"channel {1 + i}") for i in range(columns.shape[1])]
            self._lines = [_Line(self._conversion(notices)) for notices in about]
        self.channels = columns.shape[1]
        return columns


class _Line:
    """A mono signal that is converted block by block."""

    def __init__(self, conversion: Conversion) -> None:
        self._ready: list[Block] = []
        self._blocks, self._ended = conversion.blocks(self._take()), False

    def convert(self, block: Block) -> Waveform:
        """The next block, converted."""
        self._ready.append(block)
        return next(self._blocks)

    def close(self) -> Iterator[Waveform]:
        """What the conversion still holds."""
        self._ended = True
        yield from self._blocks

    def _take(self) -> Iterator[Block]:
        """Blocks for the conversion, which takes one only after it was put into `_ready`."""
        while self._ready or not self._ended:
            yield self._ready.pop(0)
