"""The filter bank against kaldi-native-fbank, and its parts against a frame-by-frame loop."""

import kaldi_native_fbank
import numpy as np
import pytest
import torch
from hocket_forge.fbank import Fbank, WindowShape
from numpy.typing import NDArray
from torch.nn import functional

FloatArray = NDArray[np.float64]
Waveform = NDArray[np.float32]

WORST = 1e-3  # one bin near the logarithm's floor
MEAN = 5e-5
SETTINGS: list[tuple[WindowShape, float]] = [("povey", 1.0), ("hamming", 32_768.0)]


def kaldi(audio: Waveform, window: WindowShape, scale: float) -> NDArray[np.float32]:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = 80
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(16_000, (audio * np.float32(scale)).tolist())
    online.input_finished()
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


def fbank(audio: Waveform, window: WindowShape, scale: float) -> NDArray[np.float32]:
    features = Fbank(window, scale)(torch.from_numpy(audio.copy())[None, None])
    found: NDArray[np.float32] = features[0].T.numpy()
    return found


def assert_close(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert found.shape == expected.shape
    gap = np.abs(found - expected)
    assert gap.max() <= WORST
    assert gap.mean() <= MEAN


@pytest.mark.parametrize(("window", "scale"), SETTINGS)
@pytest.mark.parametrize("samples", [400, 559, 560, 16_123, 160_000])
def test_speech_gives_kaldis_features(
    speech: Waveform, window: WindowShape, scale: float, samples: int
) -> None:
    audio = speech[112_000 : 112_000 + samples]
    expected = kaldi(audio, window, scale)
    assert len(expected) == 1 + (samples - 400) // 160
    assert_close(fbank(audio, window, scale), expected)


@pytest.mark.parametrize(("window", "scale"), SETTINGS)
@pytest.mark.parametrize("loudness", [1e-4, 0.3])
def test_noise_gives_kaldis_features(window: WindowShape, scale: float, loudness: float) -> None:
    noise = np.random.default_rng(8).uniform(-loudness, loudness, 24_000).astype(np.float32)
    assert_close(fbank(noise, window, scale), kaldi(noise, window, scale))


@pytest.mark.parametrize(("window", "scale"), SETTINGS)
def test_silence_gives_kaldis_floor(window: WindowShape, scale: float) -> None:
    silence = np.zeros(1_000, np.float32)
    found = fbank(silence, window, scale)
    assert np.array_equal(found, kaldi(silence, window, scale))
    assert np.allclose(found, np.log(np.finfo(np.float32).eps))


def spectrum_of_one_frame(frame: FloatArray, window: WindowShape) -> NDArray[np.complex128]:
    """Kaldi's steps, one by one, in float64."""
    frame = frame - frame.mean()
    before = np.concatenate([frame[:1], frame[:-1]])
    frame = frame - 0.97 * before
    frame = frame * (np.hamming(400) if window == "hamming" else np.hanning(400) ** 0.85)
    spectrum: NDArray[np.complex128] = np.fft.rfft(frame, 512)[:256]
    return spectrum


@pytest.mark.parametrize(("window", "scale"), SETTINGS)
def test_the_analysis_convolution_equals_kaldis_steps_frame_by_frame(
    speech: Waveform, window: WindowShape, scale: float
) -> None:
    audio = speech[112_000:116_000].astype(np.float64) + 0.25  # an offset that must be removed
    starts = range(0, len(audio) - 399, 160)
    expected = np.stack(
        [spectrum_of_one_frame(audio[start : start + 400] * scale, window) for start in starts]
    )
    analysis = Fbank(window, scale).analysis.double()
    found = functional.conv1d(torch.from_numpy(audio)[None, None], analysis, stride=160)[0].numpy()
    real, imaginary = found[:256].T, found[256:].T
    allowed = 2e-6 * np.abs(expected).max()  # the matrix is float32
    assert np.abs(real - expected.real).max() < allowed
    assert np.abs(imaginary - expected.imag).max() < allowed


def test_rows_of_a_batch_do_not_mix(speech: Waveform) -> None:
    first, second = speech[:8_000].copy(), speech[112_000:120_000].copy()
    both = Fbank()(torch.from_numpy(np.stack([first, second])[:, None])).numpy()
    for row, audio in zip(both, (first, second), strict=True):
        assert np.allclose(row.T, fbank(audio, "povey", 1.0), atol=1e-4)
