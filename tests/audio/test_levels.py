"""Number and level of samples are kept; NaN and infinity become zero."""

import numpy as np
import pytest

from hocket.audio import levels
from hocket.errors import AudioContentError
from tests.helpers.audio import RATE, encode, noise, read, tone

# --- lengths and levels


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "W64"])
@pytest.mark.parametrize("count", [0, 1, 1600, 14400])
def test_short_files_keep_every_sample(
    kind: str, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    samples = noise(count)
    recording = read(encode(samples, kind=kind, subtype="PCM_24"))
    np.testing.assert_allclose(recording.samples, samples, atol=2**-23)
    assert recording.duration == count / RATE
    assert caplog.messages == ([] if count else ["audio: holds no samples"])


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_silence_and_clipped_dc_keep_their_level(value: float) -> None:
    read_back = read(encode(np.full(RATE, value, "f4"), subtype="FLOAT"))
    assert (read_back.samples == np.float32(value)).all()


@pytest.mark.parametrize("level", [1.4, 0.01, 32767.0, 1e30])
def test_only_floats_of_a_wrong_scale_are_rescaled(level: float) -> None:
    samples = tone(hz=1000, level=level)
    for source, options in (
        (samples, {"sample_rate": RATE}),
        (encode(samples, subtype="FLOAT"), {}),
    ):
        recording = read(source, **options)
        scale = np.float32(recording.samples.max() / samples.max())
        assert (scale != 1) == (level > 1.5)
        assert np.log2(scale) == round(np.log2(scale))  # no digit changes
        np.testing.assert_array_equal(recording.samples, samples * scale)
        assert 0.005 < recording.samples.max() < 1.5
        assert [notice.kind for notice in recording.notices] == ["level"] * int(scale != 1)


@pytest.mark.parametrize("value", [50.0, -1e5, 1e30])
@pytest.mark.parametrize(("first", "count"), [(0, 1), (30_000, 1), (30_000, 5), (63_999, 1)])
def test_a_line_stands_in_place_of_wild_samples(value: float, first: int, count: int) -> None:
    clean = tone(4.0, hz=50, level=0.2)
    wild = clean.copy()
    wild[first : first + count] = value
    recording = read(wild, sample_rate=RATE)
    found = recording.samples
    assert np.abs(found - clean)[first : first + count].max() < 0.02
    rest = np.delete(np.arange(len(clean)), np.arange(first, first + count))
    np.testing.assert_array_equal(found[rest], clean[rest])
    [notice] = recording.notices
    assert notice.kind == "outliers"
    assert notice.text.startswith(f"{count} sample")
    assert notice.start == pytest.approx(first / RATE, abs=1e-4)


def test_overshoot_of_resampling_is_kept() -> None:
    square = np.sign(tone(rate=48000, hz=100) + 1e-9).astype("f4")
    result = read(square, sample_rate=48000).samples
    assert 1.05 < result.max() < levels.LOUDEST
    assert np.median(np.abs(result)) == pytest.approx(1, abs=1e-3)


def test_averaging_channels_does_not_overflow() -> None:
    result = read(np.full((RATE, 2), 3e38, "f4"), sample_rate=RATE).samples
    assert 0.05 < result.min() == result.max() < 0.2


def test_the_largest_numbers_are_scaled_before_they_are_resampled() -> None:
    result = read(np.full(9000, 3.4e38, "f4") * np.sign(noise(9000)), sample_rate=44100).samples
    assert 0.05 < np.abs(result).max() < 0.5


# --- NaN and infinity


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_become_zero(bad: float, caplog: pytest.LogCaptureFixture) -> None:
    samples = noise(1000)
    samples[10:20] = bad
    expected = np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
    for source, options in (
        (samples, {"sample_rate": RATE}),
        (encode(samples, subtype="FLOAT"), {}),
    ):
        caplog.clear()
        np.testing.assert_array_equal(read(source, name="x\n", **options).samples, expected)
        assert caplog.messages == [r"x\n: 10 samples (1 %) are NaN or infinite, taken as 0"]
    assert np.isnan(samples[10]) or np.isinf(samples[10])


def test_one_channel_of_nan_counts_as_silence() -> None:
    samples = np.stack([tone(), np.full(RATE, np.nan, "f4")], axis=1)
    np.testing.assert_allclose(read(samples, sample_rate=RATE).samples, tone() / 2, atol=1e-7)


def test_float64_values_beyond_float32_count_as_infinite(caplog: pytest.LogCaptureFixture) -> None:
    assert read(np.array([0.5, 1e300]), sample_rate=RATE).samples.tolist() == [0.5, 0.0]
    assert "(50 %)" in caplog.text


@pytest.mark.parametrize("rate", [RATE, 8000])
def test_a_recording_of_only_nan_is_refused(rate: int) -> None:
    with pytest.raises(AudioContentError, match="all its samples are NaN"):
        read(np.full((500, 2), np.nan), sample_rate=rate)
