"""Bands and rates of telephones."""

from functools import cache

import numpy as np
import soxr
from scipy.signal import firwin, oaconvolve

from bench.people.voices import RATE, Sound

TELEPHONE_HZ = (300.0, 3400.0)  # ITU-T G.712: what a PCM telephone channel passes
TELEPHONE_RATE = 8_000
TAPS = 511  # a transition band of 100 Hz; odd, so that the delay is a whole number of samples


def in_telephone_band(sound: Sound) -> Sound:
    """A sound, (samples,) at 16 kHz, in the band of a telephone circuit, without delay."""
    # the filter delays by half of its taps, which is removed
    found: Sound = oaconvolve(sound, _telephone_filter(), mode="full").astype(np.float32)
    return found[TAPS // 2 : TAPS // 2 + len(sound)]


def resampled(sound: Sound, rate: int, wanted: int) -> Sound:
    """Resample a sound to another rate in Hz, without delay."""
    if rate == wanted:
        return sound
    return np.asarray(soxr.resample(sound, rate, wanted), np.float32)


@cache
def _telephone_filter() -> Sound:
    return np.asarray(firwin(TAPS, TELEPHONE_HZ, pass_zero=False, fs=RATE), np.float32)
