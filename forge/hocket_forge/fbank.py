"""Kaldi's log-mel filter bank as one convolution, one matrix product and a logarithm.

Mean removal, pre-emphasis, window and discrete Fourier transform of a frame are all linear. Their
product is one matrix of shape (bins, 400), applied to all frames by a convolution of stride 160.
There is no slice per frame and no STFT operator.
Reference: Kaldi `feature-fbank` with dither 0, snip-edges, as kaldi-native-fbank computes it.
"""

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 16_000
FRAME_SAMPLES = 400  # 25 ms
FRAME_STEP = 160  # 10 ms
FFT_SIZE = 512  # next power of two over the frame
MELS = 80
LOW_HZ = 20.0
PREEMPHASIS = 0.97
# Kaldi's floor of the logarithm is the epsilon of float32
FLOOR = float(np.finfo(np.float32).eps)

WindowShape = Literal["povey", "hamming"]


def _window(shape: WindowShape) -> NDArray[np.float64]:
    phase = 2 * math.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1)
    if shape == "hamming":
        return 0.54 - 0.46 * np.cos(phase)
    return (0.5 - 0.5 * np.cos(phase)) ** 0.85


def _analysis_matrix(shape: WindowShape) -> NDArray[np.float64]:
    """(2 * 256, 400): a frame of samples to the real, then imaginary parts of its spectrum."""
    mean_removal = np.eye(FRAME_SAMPLES) - 1 / FRAME_SAMPLES
    preemphasis = np.eye(FRAME_SAMPLES) - PREEMPHASIS * np.eye(FRAME_SAMPLES, k=-1)
    preemphasis[0, 0] -= PREEMPHASIS  # Kaldi repeats the first sample before the frame
    bins = np.arange(FFT_SIZE // 2)[:, None]
    phase = 2 * math.pi * bins * np.arange(FRAME_SAMPLES)[None] / FFT_SIZE
    fourier = np.concatenate([np.cos(phase), -np.sin(phase)])
    return (fourier * _window(shape)) @ preemphasis @ mean_removal


def _mel(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _mel_matrix() -> NDArray[np.float64]:
    """(80, 256): triangles equally spaced on the mel scale between LOW_HZ and Nyquist."""
    low, high = _mel(LOW_HZ), _mel(SAMPLE_RATE / 2)
    edges = low + (high - low) * np.arange(MELS + 2) / (MELS + 1)
    left, center, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = _mel(np.arange(FFT_SIZE // 2) * SAMPLE_RATE / FFT_SIZE)[None]
    rising = (bins - left) / (center - left)
    falling = (right - bins) / (right - center)
    return np.clip(np.minimum(rising, falling), 0.0, None)


class Fbank(nn.Module):
    """(B, 1, T) waveform -> (B, 80, N) log-mel energies, N = 1 + (T - 400) // 160.

    Args:
        window: shape of the analysis window.
        scale: factor on the waveform; 1 keeps the range -1..1, 32768 gives 16-bit integers' range.
    """

    analysis: Tensor
    mel: Tensor

    def __init__(self, window: WindowShape = "povey", scale: float = 1.0) -> None:
        super().__init__()
        analysis = torch.from_numpy(_analysis_matrix(window) * scale).float()
        self.register_buffer("analysis", analysis[:, None], persistent=False)
        mel = torch.from_numpy(_mel_matrix()).float()
        self.register_buffer("mel", mel[:, :, None], persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        spectrum = functional.conv1d(waveform, self.analysis, stride=FRAME_STEP)
        real, imaginary = spectrum.chunk(2, dim=1)
        energy = functional.conv1d(real.square() + imaginary.square(), self.mel)
        return energy.clamp_min(FLOOR).log()
