"""Any rate and number of channels becomes one channel at the target rate, block by block."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.audio import reading as audio
from hocket.audio import sndfile
from hocket.errors import AudioContentError
from tests.helpers.audio import RATE, encode, noise, pitch, read, tone, wav


@pytest.mark.parametrize("channels", [2, 6, 32])
def test_channels_are_averaged(channels: int) -> None:
    samples = noise(100, channels)
    expected = samples.mean(axis=1)
    for source in (samples, samples.T):
        result = read(source, sample_rate=RATE).samples
        np.testing.assert_allclose(result, expected, atol=1e-7)
    result = read(encode(samples, subtype="FLOAT")).samples
    np.testing.assert_allclose(result, expected, atol=1e-7)


@pytest.mark.parametrize("rate", [1000, 8000, 11025, 22050, 44100, 48000, 96000, 768000])
def test_resampling_keeps_length_pitch_level_and_time(rate: int) -> None:
    samples = tone(1.3, rate, hz=300)
    result = read(samples, sample_rate=rate).samples
    assert abs(len(result) - round(len(samples) * RATE / rate)) <= 1
    assert pitch(result[1600:17600]) == 300
    np.testing.assert_allclose(result[1600:17600], tone(hz=300, seconds=1.3)[1600:17600], atol=2e-3)


@pytest.mark.parametrize("rate", [0, -1, 999, 768001])
def test_rates_out_of_range_are_refused(rate: int) -> None:
    with pytest.raises(AudioContentError, match=f"rate of {rate} Hz; give a whole number"):
        read(noise(10), sample_rate=rate)
    if rate > 0:
        with pytest.raises(AudioContentError, match=f"rate of {rate} Hz"):
            read(wav(bytes(200), 200, rate))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG", "cut FLAC", "cut MP3", "array"])
@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44100, 2)])
def test_block_size_changes_nothing(
    kind: str, rate: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = noise(rate, channels)
    options = {"sample_rate": rate} if kind == "array" else {}
    source = samples if kind == "array" else encode(samples, rate, kind.removeprefix("cut "))
    source = source[: len(source) // 2] if "cut" in kind else source
    results = []
    for frames in (997, 4096, 1 << 20):
        monkeypatch.setattr(sndfile, "BLOCK_FRAMES", frames)
        monkeypatch.setattr(audio, "BLOCK_FRAMES", frames)
        results.append(read(source, **options).samples)
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[2])


def test_multichannel_audio_is_never_held_whole_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((60 * 48000, 6), "i2"), 48000)
    read(path)  # imports modules, which would count
    tracemalloc.start()
    try:
        recording = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = 60 * 48000 * 6 * 4
    assert peak < 2 * recording.samples.nbytes + whole / 4
