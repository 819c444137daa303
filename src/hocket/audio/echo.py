"""Echo: everything once more, late and quieter, as a loudspeaker near a microphone makes it.

An echo makes ripples in the spectrum, whose period shows its delay: a peak of the cepstrum
(Bogert, Healy and Tukey 1963, "The quefrency alanysis of time series for echoes"). Speech has none
there: its own peaks are at periods of the voice, below 20 ms. The mean of several cepstra shows how
strong the late copy is. It is subtracted, as a copy of what was cleaned before.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.samples import with_foresight
from hocket.notices import Notices

WINDOW_S = 2.0
LOWEST_HZ, HIGHEST_HZ = 150, 3_600  # within a telephone's band
ENVELOPE = 201  # bins of the mean that is subtracted: the sound's own spectrum
SHORTEST_S, LONGEST_S = 0.06, 0.6  # below is reverberation
LEAST_WINDOWS = 2
LEAST_GAIN = 0.1  # recordings without an echo have 0.03, after two windows 0.09
PEAK = 12.0  # height of an echo, in standard deviations of all delays
SILENT = 1e-7  # power of a window
TONES = 1e-5  # least median of the spectrum, over its mean; speech has 1e-2 to 1e-3
AHEAD_S = 6.0  # sound behind a block that decides
FIRST, EVERY = 6, 15  # windows that are all observed, and every so many of the rest


class Echo(NamedTuple):
    """A late copy of everything, as copies a sample apart: delays in samples, and gains."""

    delays: tuple[int, int]
    gains: tuple[float, float]

    @classmethod
    def between_samples(cls, heights: NDArray[np.float64], place: int, gain: float) -> "Echo":
        """An echo whose peak may be between two samples.

        Args:
            heights: (3,) of the peak and its neighbors.
            place: of the peak, in samples.
            gain: of the echo.
        """
        before, peak, after = heights.tolist()
        # of the parabola through the three
        offset = 0.5 * (after - before) / max(2 * peak - before - after, 1e-12)
        share = min(abs(offset), 0.5)
        other = place + (1 if offset > 0 else -1)
        taps = sorted([(place, gain * (1 - share)), (other, gain * share)])
        return cls((taps[0][0], taps[1][0]), (taps[0][1], taps[1][1]))


class EchoRemover:
    """Removes the echo of one recording.

    Args:
        rate: Hz.
        notices: get that there is an echo.
        live: decide for every block without those behind it.
    """

    def __init__(self, rate: int, notices: Notices, *, live: bool = False) -> None:
        self._rate, self._notices = rate, notices
        self._ahead = 0 if live else round(AHEAD_S * rate)
        self._size = 2 * round(WINDOW_S * rate / 2)
        self._window = np.hanning(self._size)
        frequencies = np.fft.rfftfreq(self._size, 1 / rate)
        self._band = (frequencies > LOWEST_HZ) & (frequencies < HIGHEST_HZ)
        self._sum = np.zeros(self._size // 2)
        self._count = self._seen = 0
        self._rest: Waveform = np.zeros(0, np.float32)
        self._echo: Echo | None = None
        # the end of the output, as long as echoes may be late
        self._kept = round(LONGEST_S * rate) + 1
        self._clean: Waveform = np.zeros(self._kept, np.float32)

    def blocks(self, blocks: Iterable[Waveform]) -> Iterator[Waveform]:
        """The blocks without the echo; each waits for AHEAD_S seconds behind it unless live."""
        for block, _ in with_foresight(blocks, self._observe, self._ahead):
            yield self._cleaned(block)

    def _observe(self, block: Waveform) -> None:
        """Add the cepstra of the windows that a block completes, and look for an echo."""
        self._rest = np.concatenate([self._rest, block])
        before = self._count
        while len(self._rest) >= self._size:
            window, self._rest = self._rest[: self._size], self._rest[self._size // 2 :]
            self._seen += 1
            is_used = self._seen <= FIRST or self._seen % EVERY == 0
            if is_used and float(np.mean(window**2, dtype=np.float64)) > SILENT:
                self._add(np.abs(np.fft.rfft(window * self._window)) ** 2)
        if self._count > before and self._count >= LEAST_WINDOWS:
            self._decide()

    def _add(self, powers: NDArray[np.float64]) -> None:
        """Add the cepstrum of a window with this spectrum, unless it holds only tones."""
        within = powers[self._band]
        if np.median(within) > TONES * within.mean():
            self._sum += self._cepstrum(powers)
            self._count += 1

    def _cepstrum(self, powers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Strength of each delay, (delays,)."""
        levels = np.log(powers + 1e-9 * powers.mean())
        half = ENVELOPE // 2
        sums = np.cumsum(np.pad(levels, (half + 1, half), mode="edge"))
        levels -= (sums[ENVELOPE:] - sums[:-ENVELOPE]) / ENVELOPE
        found = np.fft.irfft(np.where(self._band, levels, 0.0), self._size)[: self._size // 2]
        strengths: NDArray[np.float64] = found / self._band.mean()
        return strengths

    def _decide(self) -> None:
        first, last = (round(edge * self._rate) for edge in (SHORTEST_S, LONGEST_S))
        heights = self._sum / self._count
        deviation = float(np.sqrt(np.mean(heights[first:last] ** 2)))
        place = first + int(heights[first:last].argmax())
        gain = float(heights[place]) / self._shared(place)
        if gain < LEAST_GAIN or heights[place] < PEAK * deviation:
            self._echo = None
            return
        if self._echo is None:
            late, down = 1000 * place / self._rate, -20 * np.log10(gain)
            text = f"has an echo, {late:.0f} ms late and {down:.0f} dB down; it is removed"
            self._notices.add("echo", text)
        self._echo = Echo.between_samples(heights[place - 1 : place + 2], place, gain)

    def _shared(self, delay: int) -> float:
        """Share of a copy that is in the window of its source."""
        # sums without BLAS, whose threads would keep a core busy for a while after each call
        late, early, whole = self._window[delay:], self._window[:-delay], self._window
        return float(np.einsum("i,i->", late, early) / np.einsum("i,i->", whole, whole))

    def _cleaned(self, block: Waveform) -> Waveform:
        if self._echo is not None:
            block = self._subtracted(block, self._echo)
        self._clean = np.concatenate([self._clean, block[-self._kept :]])[-self._kept :]
        return block

    def _subtracted(self, block: Waveform, echo: Echo) -> Waveform:
        """A block without the late copies of itself and of what was before it."""
        before = len(self._clean)
        whole = np.concatenate([self._clean, block]).astype(np.float64)
        step = echo.delays[0]  # samples that do not depend on each other
        for start in range(before, len(whole), step):
            stop = min(start + step, len(whole))
            for delay, gain in zip(*echo, strict=True):
                whole[start:stop] -= gain * whole[start - delay : stop - delay]
        cleaned: Waveform = whole[before:].astype(np.float32)
        return cleaned
