"""Band levels: which bands a sound lacks, at any loudness, and unknown where nothing is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import firwin, oaconvolve

from hocket.arrays import Waveform
from hocket.embedding.bands import band_levels, band_powers, hop_of, levels_of, size_of, stacked
from hocket.embedding.channels import membership

RATE = 16_000
FULL, MEDIUM, NARROW, TELEPHONE = range(4)
GAINS = st.floats(-60, 60).map(lambda db: 10 ** (db / 20))


def noise(seconds: float, seed: int = 0) -> Waveform:
    return np.random.default_rng(seed).normal(size=round(seconds * RATE)).astype(np.float32)


def within(sound: Waveform, low: float, high: float) -> Waveform:
    """The part of a sound between two frequencies, in Hz; 0 and 8000 are no edges."""
    if low <= 0 and high >= RATE / 2:
        return sound
    edges = [hertz for hertz in (low, high) if 0 < hertz < RATE / 2]
    pass_zero = low <= 0
    taps = firwin(1023, edges, pass_zero=pass_zero, fs=RATE, window=("kaiser", 12.0))
    return oaconvolve(sound, taps, mode="same").astype(np.float32)


def weights(sound: Waveform, rate: int = RATE) -> list[float]:
    (found,) = membership(band_levels(sound, rate)[None])
    return found.round(6).tolist()


@pytest.mark.parametrize(
    ("low", "high", "band"),
    [
        (0, 8_000, FULL),
        (300, 8_000, FULL),
        (0, 7_000, FULL),
        (0, 5_300, MEDIUM),
        (300, 5_300, MEDIUM),
        (0, 4_000, NARROW),
        (0, 3_400, NARROW),
        (300, 4_000, TELEPHONE),
        (300, 3_400, TELEPHONE),
    ],
)
def test_noise_of_a_band_has_the_class_of_the_band(low: float, high: float, band: int) -> None:
    expected = [float(index == band) for index in range(4)]
    assert weights(within(noise(2.0), low, high)) == expected


@pytest.mark.parametrize(
    ("hertz", "place"), [(130, 0), (4_900, 1), (6_100, 2), (3_000, None), (7_500, None)]
)
def test_a_tone_is_in_its_band_and_in_no_other(hertz: float, place: int | None) -> None:
    times = np.arange(RATE) / RATE
    steady = np.sin(2 * np.pi * 1_000 * times)
    tone = np.sin(2 * np.pi * hertz * times)
    levels = band_levels((0.1 * (steady + tone)).astype(np.float32), RATE)
    bins = np.array([4, 38, 42]) / 51  # bins in these bands, for 51 in the reference band
    for index, level in enumerate(levels.tolist()):
        expected = -10 * np.log10(bins[index]) if index == place else -60
        assert level < -40 if index != place else level == pytest.approx(expected, abs=1.0)


@given(gain=GAINS, seed=st.integers(0, 9), high=st.sampled_from([3_400, 5_300, 8_000]))
def test_loudness_does_not_matter(gain: float, seed: int, high: float) -> None:
    sound = within(noise(0.5, seed), 0, high)
    louder = band_levels(sound * np.float32(gain), RATE)
    np.testing.assert_allclose(louder, band_levels(sound, RATE), atol=0.01)


@given(
    seconds=st.floats(0.5, 3.0), silence=st.floats(0.1, 5.0), high=st.sampled_from([3_400, 5_300])
)
def test_pauses_do_not_matter(seconds: float, silence: float, high: float) -> None:
    """Down to a tenth of speech, whatever faint noise the pauses have."""
    sound = within(noise(seconds, 3), 0, high)
    sound[-800:] *= np.linspace(1, 0, 800, dtype=np.float32)  # a hard cut would be a click
    alone = band_levels(sound, RATE)
    pause = 1e-5 * noise(silence, 4)
    both = band_levels(np.concatenate([sound, pause]), RATE)
    np.testing.assert_allclose(both[0], alone[0], atol=3.0)
    assert membership(both[None]).argmax() == membership(alone[None]).argmax()


def test_a_moment_of_hiss_is_enough_for_full_band() -> None:
    vowels = within(noise(3.0), 0, 3_000)
    assert weights(vowels)[NARROW] == 1
    hiss = 0.3 * noise(0.3, 1)
    assert weights(np.concatenate([vowels[:24_000], hiss, vowels[24_000:]]))[FULL] == 1


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 1_023])
def test_levels_of_a_sound_shorter_than_two_frames_are_unknown(samples: int) -> None:
    assert np.isnan(band_levels(noise(1.0)[:samples], RATE)).all()
    assert np.isfinite(band_levels(noise(1.0)[:1_024], RATE)).all()


@pytest.mark.parametrize("value", [0.0, 1e-38, 3e38])
def test_levels_of_silence_and_of_overflowing_sounds_are_unknown(value: float) -> None:
    assert np.isnan(band_levels(np.full(RATE, value, np.float32), RATE)).all()


def test_levels_of_a_lone_low_tone_are_finite() -> None:
    hum = np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.isfinite(band_levels(hum, RATE)).all()


@pytest.mark.parametrize("rate", [100, 8_000])
def test_levels_are_unknown_at_a_rate_that_does_not_reach_the_bands(rate: int) -> None:
    assert np.isnan(band_levels(noise(1.0), rate)).all()


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_frequencies_are_in_hertz_at_any_rate(rate: int) -> None:
    times = np.arange(rate) / rate
    tones = sum(np.sin(2 * np.pi * hertz * times) for hertz in (130, 1_000, 4_900))
    levels = band_levels(np.asarray(tones, np.float32), rate)
    assert levels[:2].min() > 0
    assert levels[2] < -40


@given(samples=st.integers(512, 9_000), seed=st.integers(0, 5))
def test_powers_of_a_frame_depend_on_the_frame_only(samples: int, seed: int) -> None:
    """So the powers of a part are those of the part of the sound."""
    sound = noise(1.0, seed)[:samples]
    powers = band_powers(sound, RATE)
    size, hop = size_of(RATE), hop_of(RATE)
    assert (size, hop) == (512, 256)
    assert powers.shape == (1 + (samples - size) // hop, 4)
    index = len(powers) // 2
    alone = band_powers(sound[index * hop : index * hop + size], RATE)
    assert powers[index : index + 1].tobytes() == alone.tobytes()
    spectrum = np.abs(np.fft.rfft(np.hanning(size) * sound[index * hop :][:size])) ** 2
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    bounds = [(60, 200), (400, 2_000), (4_300, 5_500), (5_500, 6_800)]
    expected = [spectrum[(hertz >= low) & (hertz < high)].mean() for low, high in bounds]
    np.testing.assert_allclose(powers[index], expected, rtol=1e-4)


def test_levels_are_those_of_the_loudest_twentieth() -> None:
    powers = np.ones((100, 4), np.float32)
    powers[:4] = (1, 1, 1e6, 1e6)  # fewer frames do not count
    np.testing.assert_allclose(levels_of(powers), 0, atol=1e-5)
    powers[:8] = (1, 10, 100, 1_000)
    np.testing.assert_allclose(levels_of(powers), [-10, 10, 20], atol=1e-4)


def test_levels_of_no_crops_are_an_empty_array() -> None:
    assert stacked([]).shape == (0, 3)
