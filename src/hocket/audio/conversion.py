"""Blocks of any rate and number of channels to mono blocks at the graphs' rate.

non-finite to 0 --> one channel --> usual level --> soxr --> without echo
"""

from collections.abc import Iterable, Iterator

import numpy as np

from hocket.arrays import Waveform
from hocket.audio.echo import EchoRemover
from hocket.audio.levels import Leveler
from hocket.audio.mixing import Mixer
from hocket.audio.samples import Block, finite
from hocket.errors import AudioContentError
from hocket.notices import Notices

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000


class Conversion:
    """Converts the blocks of one recording.

    Args:
        rate: Hz, of the input.
        target_rate: Hz, of the output.
        name: the recording's name in errors.
        notices: get what is altered or guessed.
        channel: number of the only channel to use, from 1. Default: all are mixed.
        start_s: where the blocks begin in the recording, in seconds.
        live: give a block for every block, which waits for no sound behind it.

    Raises:
        AudioContentError: the rate is out of range.
    """

    def __init__(
        self,
        rate: int,
        target_rate: int,
        name: str,
        notices: Notices,
        *,
        channel: int | None = None,
        start_s: float = 0.0,
        live: bool = False,
    ) -> None:
        if not LOWEST_RATE <= rate <= HIGHEST_RATE or int(rate) != rate:
            remedy = f"give a whole number of {LOWEST_RATE} to {HIGHEST_RATE} Hz"
            raise AudioContentError(name, f"has a sample rate of {rate!r} Hz", remedy)
        self._rate, self._target_rate, self._name = rate, target_rate, name
        self._notices = notices
        first = round(start_s * rate)
        self._mixer = Mixer(rate, notices, channel, first=first, live=live)
        self._leveler = Leveler(rate, notices, first=first, live=live)
        self._echo = EchoRemover(target_rate, notices, live=live)
        self._values = self._bad = 0

    @property
    def audible_s(self) -> float:
        """Length of what is not silent in the blocks so far, in seconds."""
        return self._leveler.audible_s

    def blocks(self, blocks: Iterable[Block]) -> Iterator[Waveform]:
        """Mono blocks at the target rate, which are never overwritten.

        Raises:
            AudioContentError: no sample is finite.
        """
        leveled = self._leveler.blocks(self._mixer.blocks(map(self._finite, blocks)))
        sound = leveled if self._rate == self._target_rate else self._resampled(leveled)
        yield from self._echo.blocks(sound)
        if self._values and self._bad == self._values:
            remedy = "check the program that wrote it"
            raise AudioContentError(self._name, "all its samples are NaN or infinite", remedy)
        if self._bad:
            share = 100 * self._bad / self._values
            text = f"{self._bad} samples ({share:.3g} %) are NaN or infinite, taken as 0"
            self._notices.add("not a number", text)

    def _resampled(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        import soxr

        resampler = soxr.ResampleStream(self._rate, self._target_rate, 1, quality="HQ")
        for block in blocks:
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)

    def _finite(self, block: Block) -> Block:
        """The block with zeros for NaN and infinity."""
        self._values += block.size
        kept = finite(block)
        if kept is not block:
            self._bad += int(np.count_nonzero(~np.isfinite(block)))
        return kept
