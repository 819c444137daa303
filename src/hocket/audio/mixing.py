"""Several channels to one: their mean, or one of them where they cancel each other."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.samples import Block, with_foresight
from hocket.errors import ConfigError
from hocket.notices import Notices

AHEAD_S = 5.0  # sound behind a block that decides how it is mixed
PART_S = 0.1
CANCELLED = 0.02  # the mean's share of the channels' power; of two that are unlike it is a half
OFTEN = 0.2  # share of the parts that are cancelled, from which on one channel is used
LEAST_PARTS = 5  # that are cancelled
APART_DB = 10.0  # one channel over the next: its voice is in that channel alone
OWN_SHARE = 0.1  # of the parts with sound, in which each of two channels leads that far
SILENT = 1e-8  # power of a part; -80 dB


class Mixer:
    """Mixes the channels of one recording.

    Args:
        rate: Hz.
        notices: get that channels cancel, or that they hold different voices.
        channel: number of the only channel to use, from 1. Default: all.
        first: where the blocks begin in the recording, in frames.
        live: decide for every block without those behind it.
    """

    def __init__(
        self,
        rate: int,
        notices: Notices,
        channel: int | None = None,
        *,
        first: int = 0,
        live: bool = False,
    ) -> None:
        self._only, self._ahead_s = channel, 0.0 if live else AHEAD_S
        self._rate, self._notices = rate, notices
        self._part = max(1, round(PART_S * rate))
        # numbers of parts: with sound, cancelled, in which a channel is the loudest, and by far
        self._parts = self._cancelled = 0
        self._loudest = self._leads = np.zeros(0, int)
        self._channel: int | None = None
        self._seen = False  # the first block
        self._rest = np.empty((0, 0), np.float32)
        self._done = first

    def blocks(self, blocks: Iterable[Block]) -> Iterator[Waveform]:
        """Mono blocks; if there is more to decide, each waits for AHEAD_S seconds behind it."""
        following = iter(blocks)
        first = list(islice(following, 1))
        is_decided = self._only is not None or not first or first[0].shape[1] == 1
        frames = 0.0 if is_decided else self._ahead_s * self._rate
        for block, _ in with_foresight(chain(first, following), self._observe, frames):
            yield self._mixed(block)
        self._note_voices()

    def _check(self, channels: int) -> None:
        if self._seen:
            return
        self._seen = True
        if self._only is not None and not 1 <= self._only <= channels:
            there = "is 1 channel" if channels == 1 else f"are {channels} channels"
            raise ConfigError(f"channels is {self._only}, but there {there}; give 1 to {channels}")

    def _observe(self, block: Block) -> None:
        channels = block.shape[1]
        self._check(channels)
        if self._only is not None or channels == 1:
            return
        if self._rest.shape[1] == channels:
            block = np.concatenate([self._rest, block])
        count = len(block) // self._part
        self._rest = block[count * self._part :].copy()
        if not count:
            return
        parts = block[: count * self._part].reshape(count, self._part, channels)
        # float64, in which the square of any float32 is finite
        powers = np.einsum("pfc,pfc->pc", parts, parts, dtype=np.float64) / self._part
        means = parts.mean(axis=2, dtype=np.float64)
        mixed = np.einsum("pf,pf->p", means, means) / self._part
        loud = powers.max(axis=1) > SILENT
        self._count(powers[loud], mixed[loud])
        if self._channel is None and self._cancelled >= max(LEAST_PARTS, OFTEN * self._parts):
            self._channel = int(self._loudest.argmax())
            text = (
                f"channels cancel each other, one is inverted; channel {self._channel + 1} of "
                f"{channels} is used from here on"
            )
            self._notices.add("cancelling", text, self._done / self._rate)

    def _count(self, powers: NDArray[np.float64], mixed: NDArray[np.float64]) -> None:
        """Count parts: powers of the channels (parts, channels), and of their mean (parts,)."""
        channels = powers.shape[1]
        if len(self._leads) != channels:
            self._loudest = self._leads = np.zeros(channels, int)
        self._parts += len(powers)
        self._cancelled += int(np.count_nonzero(mixed < CANCELLED * powers.mean(axis=1)))
        loudest = powers.argmax(axis=1)
        ordered = np.sort(powers, axis=1)
        by_far = ordered[:, -1] > 10 ** (APART_DB / 10) * ordered[:, -2]
        self._loudest = self._loudest + np.bincount(loudest, minlength=channels)
        self._leads = self._leads + np.bincount(loudest[by_far], minlength=channels)

    def _mixed(self, block: Block) -> Waveform:
        self._done += len(block)
        channels = block.shape[1]
        if self._only is not None and self._only > channels:  # of a later part of the recording
            return np.zeros(len(block), np.float32)
        if self._only is not None:
            return np.ascontiguousarray(block[:, self._only - 1])
        if channels == 1:
            return np.ascontiguousarray(block[:, 0])  # a copy only if it is strided
        if self._channel is not None and self._channel < channels:
            return np.ascontiguousarray(block[:, self._channel])
        # float64, because a sum of large float32 numbers could overflow
        mean: Waveform = block.mean(axis=1, dtype=np.float64).astype(np.float32)
        return mean

    def _note_voices(self) -> None:
        own = np.flatnonzero(self._leads > OWN_SHARE * self._parts) + 1
        if len(own) > 1:
            named = f"{', '.join(map(str, own[:-1]))} and {own[-1]}"
            text = f"channels {named} hold different voices; each can be diarized by itself"
            self._notices.add("channels", f"{text} with channels=each")
