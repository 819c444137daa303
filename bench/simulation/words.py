"""Words of a voice: taken in order, each once, and cut at quiet places."""

from collections.abc import Sequence

import numpy as np

from bench.people.voices import LEVEL_STEP, MARGIN_S, RATE, Sound, loud_steps, step_levels

LEAST_S = 0.3  # with less left, there are no more words
ENOUGH = 0.75  # of the requested length
LEAST_SOUND_S = 0.05  # shorter sounds in a pause are noise
CUT_S = 0.15  # a cut moves up to this far to a quiet place
FADE_S = 0.005
STEPS_PER_S = RATE / LEVEL_STEP


class Words:
    """Words of one voice, taken from the start.

    pieces: speech, (samples,) each at 16 kHz.
    again: whether to start again at the end.
    """

    def __init__(self, pieces: Sequence[Sound], *, again: bool = False) -> None:
        speech = np.concatenate(pieces)
        steps = len(speech) // LEVEL_STEP
        self._blocks = speech[: steps * LEVEL_STEP].reshape(steps, LEVEL_STEP)
        self._levels = step_levels(speech)
        self._loud = loud_steps(speech, LEAST_SOUND_S)
        self._again = again
        self._next = 0

    @property
    def left_s(self) -> float:
        """Seconds of words left; infinite if they start again."""
        return float("inf") if self._again else (len(self._blocks) - self._next) / STEPS_PER_S

    def take(self, seconds: float) -> Sound:
        """The next words of about that length, without silence before and after.

        Returns:
            (samples,); shorter where words run out, empty if none are left.
        """
        wanted = max(1, round(seconds * STEPS_PER_S))
        first, last = self._next, self._next
        found = np.zeros(0, np.float32)
        # a pause trimmed at an end is replaced by the next words
        while self.left_s >= LEAST_S and len(found) < ENOUGH * wanted * LEVEL_STEP:
            last = self._cut(last, last + max(1, wanted - len(found) // LEVEL_STEP))
            self._next = last
            found = self._trimmed(np.arange(first, last))
        return found

    def _cut(self, first: int, wanted: int) -> int:
        """The quietest step after `first` near the wanted end; the next words begin there."""
        reach = min(round(CUT_S * STEPS_PER_S), (wanted - first) // 4)
        around = np.arange(wanted - reach, wanted + reach + 1)
        if not self._again:
            around = np.unique(np.minimum(around, len(self._blocks)))
        around = around[around > first]
        # the last step is followed by silence, or by the first step
        levels = self._levels if self._again else np.append(self._levels, 0)
        return int(around[levels[around % len(levels)].argmin()])

    def _trimmed(self, steps: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Sound:
        steps = steps % len(self._blocks)
        loud = np.flatnonzero(self._loud[steps])
        if not len(loud):
            return np.zeros(0, np.float32)
        margin = round(MARGIN_S * STEPS_PER_S)
        kept = steps[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
        return faded(self._blocks[kept].ravel())


def faded(sound: Sound) -> Sound:
    """Fade a sound in and out within 5 ms, to avoid clicks."""
    size = min(round(FADE_S * RATE), len(sound) // 2)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    found = sound.copy()
    found[:size] *= ramp
    found[len(found) - size :] *= ramp[::-1]
    return found
