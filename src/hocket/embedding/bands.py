"""Power of a sound in the frequency bands that distinguish channels.

Telephones and codecs remove bands. Loud frames show which bands a sound lacks: fricatives fill the
high bands only for moments, and pauses contain no speech.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hocket.arrays import BandLevels, BandPowers, Waveform

BANDS_HZ = ((60.0, 200.0), (400.0, 2000.0), (4300.0, 5500.0), (5500.0, 6800.0))
"""Lower and upper frequency of each band of `BandPowers`."""

REFERENCE = 1
"""Index of the band that every channel passes; levels of the others are relative to it."""

SIZE_S, HOP_S = 0.032, 0.016  # of a short-time frame
LEAST_FRAMES = 3  # two frame lengths of sound; with less, levels are unknown
LOUD_PERCENTILE = 95.0
FAINTEST = 1e-12  # power relative to the reference, -120 dB; codecs produce exact zeros
BLOCK = 128  # frames transformed at once; more do not fit the cache


def hop_of(rate: int) -> int:
    """Samples from one short-time frame to the next, at `rate` Hz."""
    return max(1, round(HOP_S * rate))


def size_of(rate: int) -> int:
    """Samples of a short-time frame, at `rate` Hz."""
    return max(1, round(SIZE_S * rate))


def band_powers(sound: Waveform, rate: int) -> BandPowers:
    """Mean power in each band (Hann window), for every complete short-time frame of a sound.

    Args:
        sound: (samples,).
        rate: its sample rate, Hz.

    Returns:
        (frames, 4); frame i begins at sample `i * hop_of(rate)`. A band above half the sample rate
        is NaN.
    """
    size = size_of(rate)
    if len(sound) < size:
        return np.zeros((0, len(BANDS_HZ)), np.float32)
    frames = sliding_window_view(sound, size)[:: hop_of(rate)]
    window = np.hanning(size).astype(np.float32)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    bins = [np.searchsorted(hertz, edges).tolist() for edges in BANDS_HZ]
    found: BandPowers = np.full((len(frames), len(bins)), np.nan, np.float32)
    with np.errstate(over="ignore"):  # sound this loud has unknown levels
        for first in range(0, len(frames), BLOCK):
            block = slice(first, first + BLOCK)
            spectra = np.fft.rfft(frames[block] * window, axis=1)
            numbers = spectra.view(spectra.real.dtype)  # real and imaginary parts in turn
            for band, (start, stop) in enumerate(bins):
                if stop > start:
                    part = numbers[:, 2 * start : 2 * stop]
                    found[block, band] = np.einsum("fb,fb->f", part, part) / (stop - start)
    return found


def levels_of(powers: BandPowers) -> NDArray[np.float32]:
    """Levels over short-time frames, (3,) dB: low, high and highest band.

    The level of a band is the 95th percentile of its power over the frames, relative to that of the
    reference band. All levels are NaN if there are too few frames or no energy.

    Args:
        powers: (frames, 4).
    """
    unknown: NDArray[np.float32] = np.full(len(BANDS_HZ) - 1, np.nan, np.float32)
    if len(powers) < LEAST_FRAMES or not np.isfinite(powers).all():
        return unknown
    loud = np.percentile(powers, LOUD_PERCENTILE, axis=0).astype(np.float64)
    reference = loud[REFERENCE]
    if reference <= 0:
        return unknown
    others = np.delete(loud, REFERENCE) / reference
    found: NDArray[np.float32] = 10 * np.log10(np.maximum(others, FAINTEST)).astype(np.float32)
    return found


def band_levels(sound: Waveform, rate: int) -> NDArray[np.float32]:
    """Levels of a sound, (samples,) at `rate` Hz, as (3,) dB; see `levels_of`."""
    return levels_of(band_powers(sound, rate))


def stacked(levels: list[NDArray[np.float32]]) -> BandLevels:
    """Levels of any number of crops as one array, (crops, 3)."""
    return np.array(levels, np.float32).reshape(-1, len(BANDS_HZ) - 1)
