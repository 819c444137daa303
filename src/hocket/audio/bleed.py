"""Bleed: a voice that a channel picks up from another one, quieter than its own channel does.

Two channels share a sound if their cross-spectra agree on a delay (Knapp and Carter 1976, "The
generalized correlation method for estimation of time delay", with the phase transform). Then the
level of the leak is the least difference of the two levels that is common while the first has
sound: the second channel's own voice only makes it larger. What is not louder than the leak is
bleed.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.audio.samples import Block

PART_S = 0.02  # length of what has one level
SPECTRUM_S = 0.5  # length of what is correlated
LOWEST_HZ, HIGHEST_HZ = 300, 3_800  # above hum, below the highest of a telephone
LEAST_SPECTRA = 2  # before a delay can be common
PEAK = 8.0  # height of the common delay, in standard deviations of all; chance gives 4 to 5
SILENT = 1e-10  # power; -100 dB
SMOOTH = 5  # parts of a mean level; single parts vary by several dB
TAIL = 4  # parts of a leak behind its source: reverberation
EARLIEST_S, LATEST_S = -0.03, 0.24  # of a leak behind its source; devices begin at various times
SOUND_DB = 15.0  # over the floor of a channel
FLOOR = 0.05  # quantile of levels
COMMON = 0.2  # quantile of differences of levels
SPREAD_DB = 6.0  # of bleed over its common level
STEADY = 11  # parts, of which the majority decides
LEAST_PARTS = 30  # with sound, before a leak is known
SPEECH = 0.75  # quantile of the levels of sound
PAUSE = 0.25  # of the way from the floor to speech, in dB
PAUSE_RANGE_DB = 25.0  # of speech over the floor, from which on pauses are known
HISTORY_S, REFRESH_S = 60.0, 0.5  # of a stream: what leaks are found in, and how often they are
CONTEXT = round(LATEST_S / PART_S) + TAIL + STEADY  # parts before those that are decided
EARLY_S, EARLY_FLOOR_DB = 10.0, -50.0  # a stream may begin with speech, which is no floor

Levels: TypeAlias = NDArray[np.float64]  # (parts, channels), dB
Delays: TypeAlias = NDArray[np.float64]  # (from, into), parts
Floor: TypeAlias = NDArray[np.float64]  # (channels,) dB
PartMask: TypeAlias = NDArray[np.bool_]  # (parts, channels)


class Leaks(NamedTuple):
    """What leaks from each channel into each other one, both (from, into).

    levels: dB, relative to the channel itself; -inf where nothing leaks.
    delays: parts.
    """

    levels: NDArray[np.float64]
    delays: NDArray[np.int64]


class Survey:
    """Powers and common sounds of all channels.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.part, self._rate = max(1, round(PART_S * rate)), rate
        self._size = 2 * max(1, round(SPECTRUM_S * rate / 2))
        frequencies = np.fft.rfftfreq(self._size, 1 / rate)
        self._band = (frequencies >= LOWEST_HZ) & (frequencies <= min(HIGHEST_HZ, 0.45 * rate))
        self._parts: list[NDArray[np.float64]] = []
        self._rest = self._spectral_rest = np.zeros((0, 0), np.float32)
        self._sums = np.zeros((0, 0, 0), np.complex128)  # (channels, channels, frequencies)
        self._counts = np.zeros((0, 0), np.int64)

    @property
    def channels(self) -> int:
        """Number of channels; 0 before the first block."""
        return self._rest.shape[1]

    def observe(self, block: Block) -> int:
        """Take the next block; the number of parts that it ends.

        A later part of a file may have other channels; those that the first has not do not count,
        and those that are missing are silent.
        """
        if not self.channels:
            self._begin(block.shape[1])
        if block.shape[1] != self.channels:
            more = max(0, self.channels - block.shape[1])
            block = np.pad(block, ((0, 0), (0, more)))[:, : self.channels]
        if self.channels > 1:
            self._spectral_rest = np.concatenate([self._spectral_rest, block])
            for start in range(0, len(self._spectral_rest) - self._size + 1, self._size):
                self._correlate(self._spectral_rest[start : start + self._size])
            left = len(self._spectral_rest) % self._size
            self._spectral_rest = self._spectral_rest[len(self._spectral_rest) - left :]
        return self._measure(block)

    def _begin(self, channels: int) -> None:
        self._rest = self._spectral_rest = np.zeros((0, channels), np.float32)
        self._sums = np.zeros((channels, channels, int(self._band.sum())), np.complex128)
        self._counts = np.zeros((channels, channels), np.int64)

    def _measure(self, block: Block) -> int:
        """Add the powers of the parts that a block ends, and return their number."""
        block = np.concatenate([self._rest, block])
        count = len(block) // self.part
        self._rest = block[count * self.part :]
        parts = block[: count * self.part].reshape(count, self.part, self.channels)
        # float64, in which the square of any float32 is finite
        self._parts.append(np.einsum("pfc,pfc->pc", parts, parts, dtype=np.float64) / self.part)
        return count

    def _correlate(self, samples: Block) -> None:
        """Add the phases of the cross-spectra of all pairs that have sound."""
        windowed = samples * np.hanning(self._size)[:, None]
        spectra = np.fft.rfft(windowed, axis=0)[self._band].T
        loud = np.mean(windowed**2, axis=0) > SILENT
        for one in range(self.channels):
            both = loud[one] & loud[one + 1 :]
            rows = np.flatnonzero(both) + one + 1
            cross = spectra[rows] * spectra[one].conj()
            self._sums[one, rows] += cross / np.maximum(np.abs(cross), 1e-30)
            self._counts[one, rows] += 1

    def powers(self, last: int | None = None) -> NDArray[np.float64]:
        """Powers, (parts, channels), of all parts or only the last ones."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        if not self._parts:
            return np.zeros((0, self.channels))
        return self._parts[0] if last is None else self._parts[0][-last:]

    def forget(self, kept: int) -> None:
        """Keep the powers of so many parts, the last ones."""
        self._parts = [self.powers(kept)]

    def delays(self) -> Delays:
        """Parts by which what leaks comes later, NaN where two channels share no sound."""
        found = np.full((self.channels, self.channels), np.nan)
        earliest, latest = (round(edge * self._rate) for edge in (EARLIEST_S, LATEST_S))
        for one, other in zip(*np.nonzero(self._counts >= LEAST_SPECTRA), strict=True):
            spectrum = np.zeros(len(self._band), np.complex128)
            spectrum[self._band] = self._sums[one, other]
            heights = np.abs(np.fft.irfft(spectrum, self._size))
            least = PEAK * float(np.sqrt(np.mean(heights**2)))
            for pair, sign in (((one, other), 1), ((other, one), -1)):
                possible = np.arange(earliest, latest)
                of_delay = heights[sign * possible]
                if of_delay.max() > least:
                    found[pair] = possible[of_delay.argmax()] / self.part
        return found


def levels_of(powers: NDArray[np.float64]) -> Levels:
    """Levels of means over SMOOTH parts, (parts, channels)."""
    return 10 * np.log10(np.maximum(_means(powers, SMOOTH), SILENT))


def floor_of(levels: Levels) -> Floor:
    """The level of each channel where it has nothing but noise."""
    if not len(levels):
        return np.zeros(levels.shape[1])
    floor: Floor = np.quantile(levels, FLOOR, axis=0)
    return floor


def leaks_of(levels: Levels, floor: Floor, delays: Delays) -> Leaks:
    """How loud each channel is in each other one.

    Args:
        levels: of all channels.
        floor: of each channel.
        delays: of the leaks, NaN where there are none.
    """
    found = Leaks(np.full(delays.shape, -np.inf), np.nan_to_num(delays).round().astype(np.int64))
    if not len(levels):
        return found
    active = sounding(levels, floor)
    for one, other in zip(
        *np.nonzero(np.triu(np.isfinite(delays) | np.isfinite(delays.T))), strict=True
    ):
        pairs = [pair for pair in ((one, other), (other, one)) if np.isfinite(delays[pair])]
        pairs.sort(key=lambda pair: _leak(levels, pair, int(found.delays[pair]), active))
        explained = np.zeros_like(active)
        for pair in pairs:
            found.levels[pair] = _leak(levels, pair, int(found.delays[pair]), active & ~explained)
            # what may leak from one channel shows nothing of the other
            explained[:, pair[1]] = _explained(levels, pair, found)
    return found


def _leak(levels: Levels, pair: tuple[int, int], delay: int, active: PartMask) -> float:
    """Level of one channel in another; -inf if there is too little sound to say.

    Args:
        levels: of all channels.
        pair: from which channel, into which.
        delay: of the leak, in parts.
        active: parts in which channels have sound that may leak.
    """
    one, other = pair
    parts = _later(active[:, one], delay, 0)
    if np.count_nonzero(parts) < LEAST_PARTS:
        return -np.inf
    source = _later(levels[:, one], delay, 0)
    return float(np.quantile(levels[parts, other] - source[parts], COMMON))


def _explained(levels: Levels, pair: tuple[int, int], leaks: Leaks) -> NDArray[np.bool_]:
    """Parts in which a channel is no louder than what leaks from another one, (parts,)."""
    one, other = pair
    source = _later(levels[:, one], leaks.delays[pair], TAIL)
    found: NDArray[np.bool_] = levels[:, other] <= source + leaks.levels[pair] + SPREAD_DB
    return found


def bleed_of(levels: Levels, floor: Floor, leaks: Leaks) -> PartMask:
    """Parts in which a channel has nothing but what leaks into it, (parts, channels)."""
    found, active = np.zeros(levels.shape, np.bool_), sounding(levels, floor)
    for one, other in zip(*np.nonzero(np.isfinite(leaks.levels)), strict=True):
        source = _later(active[:, one], leaks.delays[one, other], TAIL)
        found[:, other] |= source & _explained(levels, (one, other), leaks)
    majority: PartMask = _means(found.astype(np.float64), STEADY) > 0.5
    return majority


def pauses_of(levels: Levels, floor: Floor, bleed: PartMask) -> PartMask:
    """Parts without a voice: bleed, and what is near the channel's floor, (parts, channels).

    Where speech is less than PAUSE_RANGE_DB over the floor, levels do not show pauses.
    """
    found = bleed.copy()
    for channel, own in enumerate((sounding(levels, floor) & ~bleed).T):
        if not own.any():
            continue
        speech = np.quantile(levels[own, channel], SPEECH)
        if speech - floor[channel] > PAUSE_RANGE_DB:
            most = floor[channel] + PAUSE * (speech - floor[channel])
            found[:, channel] |= levels[:, channel] < most
    return found


def sounding(levels: Levels, floor: Floor) -> PartMask:
    """Parts with more than the floor of their channel, (parts, channels)."""
    found: PartMask = levels > floor + SOUND_DB
    return found


class LiveBleed:
    """Silences bleed in a stream, by what came before.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self._survey = Survey(rate)
        self._history, self._refresh = round(HISTORY_S / PART_S), round(REFRESH_S / PART_S)
        self._floor: Floor = np.zeros(0)
        self._leaks = Leaks(np.zeros((0, 0)), np.zeros((0, 0), np.int64))
        self._new = self._rest = 0  # parts since the leaks were found; samples of an open part

    def without(self, block: Block) -> Block:
        """The next block, with zeros where a channel has nothing but bleed."""
        count = self._survey.observe(block)
        part, first = self._survey.part, self._rest
        self._rest = (first + len(block)) % part
        self._new += count
        if self._new >= self._refresh:
            self._look_back()
        if not np.isfinite(self._leaks.levels).any():
            return block
        levels = levels_of(self._survey.powers(count + CONTEXT))
        bleed = bleed_of(levels, self._floor, self._leaks)
        # an open part is what the last whole part is
        bleed = np.concatenate([bleed[len(bleed) - count :], bleed[-1:]])
        rows = (first + np.arange(len(block))) // part
        return np.where(bleed[rows], np.float32(0), block)

    def leaking(self) -> list[int]:
        """Numbers of the channels into which others leak, from 1, as far as is known."""
        return [
            1 + int(index) for index in np.flatnonzero(np.isfinite(self._leaks.levels).any(axis=0))
        ]

    def _look_back(self) -> None:
        self._survey.forget(self._history)
        self._new = 0
        levels = levels_of(self._survey.powers())
        self._floor = floor_of(levels)
        if len(levels) < EARLY_S / PART_S:
            self._floor = np.minimum(self._floor, EARLY_FLOOR_DB)
        self._leaks = leaks_of(levels, self._floor, self._survey.delays())


def _later(values: NDArray[Any], delay: int, tail: int) -> NDArray[Any]:
    """Values so many parts later: the largest of `tail` parts before, (parts,).

    Where nothing is known, the first or the last value stands.
    """
    rows = np.arange(len(values))
    shifted = values[np.clip(rows - delay, 0, max(0, len(values) - 1))]
    if not tail:
        return shifted
    padded = np.pad(shifted, (tail, 0), mode="edge")
    largest: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(padded, tail + 1).max(axis=-1)
    return largest


def _means(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Means over `length` rows around each, fewer at both ends."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    first = np.maximum(np.arange(len(values)) - length // 2, 0)
    last = np.minimum(np.arange(len(values)) + length // 2 + 1, len(values))
    means: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)[:, None]
    return means
