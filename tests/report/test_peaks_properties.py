"""A waveform is the same whatever blocks a recording comes in, and takes bounded memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hocket.report.peaks import FIRST_SAMPLES, MOST, PeakMeter, outline
from tests.helpers.audio import noise


@given(st.lists(st.integers(0, 5_000), max_size=8), st.integers(0, 400_000))
def test_peaks_are_those_of_the_samples(cuts: list[int], samples: int) -> None:
    sound = noise(samples)
    meter = PeakMeter()
    for block in np.split(sound, np.minimum(np.cumsum(cuts), samples)):
        meter.add(block)
    peaks = meter.peaks()
    step = FIRST_SAMPLES
    while samples // step >= MOST:
        step *= 2
    stretches = [sound[first : first + step] for first in range(0, samples, step)]
    assert np.array_equal(peaks, [(part.min(), part.max()) for part in stretches]) or not samples
    assert len(peaks) == len(stretches) <= MOST
    assert meter.samples == samples
    assert meter.stretches() == samples / step


def test_the_loudest_sample_has_the_full_height() -> None:
    peaks = np.float32([[-0.25, 0.1], [-0.01, 0.02]])
    assert outline(peaks, 100) == [(-100, 40), (-4, 8)]
    assert outline(peaks * 0, 100) == [(0, 0), (0, 0)]
    assert outline(peaks[:0], 100) == []
