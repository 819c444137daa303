"""Levels that the networks were made for: quiet and loud recordings scaled, wild samples left out.

A level is a quantile of magnitudes, so that a few wild samples change nothing. Between LOW and HIGH
samples stay as they are.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.samples import with_foresight
from hocket.notices import Notices

AHEAD_S = 20.0  # sound behind a block that its gain depends on
HISTORY_S = 60.0  # sound before the newest block that counts
PART_S = 0.1  # length of what has one level
MAGNITUDE = 0.9  # quantile of the magnitudes in a part
LOUDER = 3  # parts that may be louder than speech: a door, a cough
QUIET = 10  # every so many parts are quieter than what is between
# without sound ahead, what is quiet may be the room before anybody speaks
LEAST_PARTS, LEAST_PARTS_LIVE = 30, 100  # of sound, before a recording is taken for quiet
LOW, LOW_LIVE, HIGH = 10 ** (-45 / 20), 10 ** (-60 / 20), 10 ** (3 / 20)
TARGET = 10 ** (-20 / 20)
LEAST_RANGE = 10 ** (12 / 20)  # of speech over what is between; noise alone has less
LOUDEST = 1.5  # codecs and resampling overshoot 1 slightly
WILD = 30.0  # times the level: no voice is that much louder than all others
AUDIBLE = 10 ** (-60 / 20)
STRIDE = 4  # every so many samples are looked at


class Leveler:
    """Scales the blocks of one recording, by what came before them and comes soon after.

    Args:
        rate: Hz.
        notices: get what is changed.
        first: where the blocks begin in the recording, in samples.
        live: decide for every block without those behind it.

    audible_s: length of all parts that are not silent, in seconds.
    """

    def __init__(self, rate: int, notices: Notices, *, first: int = 0, live: bool = False) -> None:
        self._rate, self._notices = rate, notices
        self._ahead_s = 0.0 if live else AHEAD_S
        self._low, self._least = (LOW_LIVE, LEAST_PARTS_LIVE) if live else (LOW, LEAST_PARTS)
        self._part = max(1, round(PART_S * rate / STRIDE))  # magnitudes
        self._rest = np.empty(0, np.float32)
        self._levels: deque[float] = deque(maxlen=round(HISTORY_S / PART_S))
        self._gain, self._limit = 1.0, LOUDEST
        self._done = first
        self._wild, self._first_wild = 0, 0.0
        self.audible_s = 0.0

    def blocks(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """The blocks, scaled; each waits for AHEAD_S seconds of those behind it unless live."""
        for block, levels in with_foresight(blocks, self._observe, self._ahead_s * self._rate):
            yield self._scaled(block, levels)
        self._note_wild()

    def _observe(self, block: Waveform) -> NDArray[np.float32]:
        """The levels of the parts that a block completes, (parts,)."""
        magnitudes = np.concatenate([self._rest, np.abs(block[::STRIDE])])
        levels = levels_of(magnitudes, self._part)
        self._rest = magnitudes[len(levels) * self._part :]
        self._levels.extend(levels[levels > 0].tolist())
        return levels

    def _decide(self) -> None:
        """The gain for the level of speech."""
        ordered = sorted(self._levels)
        loud, quiet = ordered[max(0, len(ordered) - 1 - LOUDER)], ordered[len(ordered) // QUIET]
        now = loud * self._gain
        is_speech = len(ordered) >= self._least and loud > LEAST_RANGE * quiet
        if now > HIGH or (now < self._low and is_speech):
            before, self._gain = self._gain, gain_of(loud)
            if self._gain not in (before, 1):
                level, by = 20 * math.log10(loud), 20 * math.log10(self._gain)
                text = f"has a level of {level:.0f} dB; scaled by {by:+.0f} dB"
                self._notices.add("level", text, self._done / self._rate)
        self._limit = max(LOUDEST, WILD * loud * self._gain)

    def _scaled(self, block: Waveform, levels: NDArray[np.float32]) -> Waveform:
        if self._levels:
            self._decide()
        self.audible_s += PART_S * float(np.count_nonzero(levels * self._gain > AUDIBLE))
        first, self._done = self._done, self._done + len(block)
        if self._gain != 1:
            block = block * np.float32(self._gain)
        if peak_of(block) > self._limit:
            wild = np.abs(block) > self._limit
            if not self._wild:
                self._first_wild = (first + int(wild.argmax())) / self._rate
            self._wild += int(np.count_nonzero(wild))
            block = _bridged(block, wild)
        return block

    def _note_wild(self) -> None:
        if self._wild:
            counted = "1 sample is" if self._wild == 1 else f"{self._wild} samples are"
            text = f"{counted} far louder than all others, the first at {self._first_wild:.1f} s"
            self._notices.add("outliers", f"{text}; left out", self._first_wild)


def _bridged(block: Waveform, wild: NDArray[np.bool_]) -> Waveform:
    """A line between the samples around wild ones in their place; a click changes what is found."""
    places = np.flatnonzero(~wild)
    if not places.size:
        return np.zeros_like(block)
    found = block.copy()
    found[wild] = np.interp(np.flatnonzero(wild), places, block[places])
    return found


def levels_of(magnitudes: NDArray[np.float32], part: int) -> NDArray[np.float32]:
    """Level of every part, (parts,); what is too short for a part has none."""
    count = len(magnitudes) // part
    parts = magnitudes[: count * part].reshape(count, part)
    place = int(MAGNITUDE * (part - 1))
    found: NDArray[np.float32] = np.partition(parts, place, axis=1)[:, place]
    return found


def gain_of(level: float) -> float:
    """1 for a level in the usual range, otherwise the power of two that comes nearest to TARGET.

    A power of two changes no digit of a sample.
    """
    return 1.0 if LOW <= level <= HIGH else 2.0 ** round(math.log2(TARGET / level))


def peak_of(samples: Waveform) -> float:
    """Largest magnitude; NaN if any sample is NaN."""
    return float(max(samples.max(), -samples.min())) if samples.size else 0.0
