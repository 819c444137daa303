"""PyanNet, pyannote's segmentation network, with its sinc filters as a plain convolution.

Structure: instance norm -> sinc convolution and two convolutions, each followed by max pooling and
instance norm -> four bidirectional LSTM layers -> two linear layers -> classifier over 7 powerset
classes. Attribute names follow the published checkpoint, so its tensors load by name.
Reference: Bredin, "pyannote.audio 2.1 speaker diarization pipeline", Interspeech 2023;
Ravanelli & Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 16_000
WINDOW_SAMPLES = 160_000  # the ten seconds the network was trained on
SINC_KERNEL = 251
SINC_STRIDE = 10
POOL = 3
CONV_KERNEL = 5
MIN_LOW_HZ = 50.0  # lowest cutoff and narrowest band of the trained sinc filters
MIN_BAND_HZ = 50.0
CLASSES = 7

FRAME_STEP = SINC_STRIDE * POOL**3  # 270 samples
_STRIDES = (SINC_STRIDE, POOL, 1, POOL, 1, POOL)
_KERNELS = (SINC_KERNEL, POOL, CONV_KERNEL, POOL, CONV_KERNEL, POOL)
RECEPTIVE_FIELD = 1 + sum(
    (kernel - 1) * math.prod(_STRIDES[:layer]) for layer, kernel in enumerate(_KERNELS)
)  # 991 samples


def frame_count(samples: int) -> int:
    """Number of frames of `samples` samples; 589 for ten seconds."""
    for kernel, stride in zip(_KERNELS, _STRIDES, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def bake_sinc_filters(low_hz: Tensor, band_hz: Tensor, taper: Tensor, time: Tensor) -> Tensor:
    """The 80 learned band-pass filters as plain convolution weights.

    Each pair of cutoffs gives an even filter and its odd quadrature filter. The time axis is the
    checkpoint's float32 tensor: its rounding matters at arguments near 400 rad, and recomputing it
    would change log-probabilities by up to 4e-3.

    Args:
        low_hz: learned offset of the lower cutoff over MIN_LOW_HZ, (40, 1).
        band_hz: learned offset of the bandwidth over MIN_BAND_HZ, (40, 1).
        taper: left half of the Hamming window, (125,).
        time: left half of the time axis in radians per hertz, (1, 125), ending before zero.

    Returns:
        (80, 1, 251), even filters first.
    """
    low = MIN_LOW_HZ + low_hz.abs()
    high = (low + MIN_BAND_HZ + band_hz.abs()).clamp(MIN_LOW_HZ, SAMPLE_RATE / 2)
    band = high - low
    even_left = (torch.sin(high @ time) - torch.sin(low @ time)) / (time / 2) * taper
    odd_left = (torch.cos(low @ time) - torch.cos(high @ time)) / (time / 2) * taper
    even = torch.cat([even_left, 2 * band, even_left.flip(1)], dim=1)
    odd = torch.cat([odd_left, torch.zeros_like(band), -odd_left.flip(1)], dim=1)
    return torch.cat([even, odd], dim=0).div(2 * torch.cat([band, band], dim=0))[:, None]


class SincNet(nn.Module):
    """(B, 1, T) waveform -> (B, 60, F) features."""

    def __init__(self) -> None:
        super().__init__()
        self.wav_norm1d = nn.InstanceNorm1d(1)
        self.conv1d = nn.ModuleList(
            [
                nn.Conv1d(1, 80, SINC_KERNEL, stride=SINC_STRIDE),
                nn.Conv1d(80, 60, CONV_KERNEL),
                nn.Conv1d(60, 60, CONV_KERNEL),
            ]
        )
        self.norm1d = nn.ModuleList(nn.InstanceNorm1d(width, affine=True) for width in (80, 60, 60))

    def forward(self, waveform: Tensor) -> Tensor:
        features: Tensor = self.wav_norm1d(waveform)
        for index, (conv, norm) in enumerate(zip(self.conv1d, self.norm1d, strict=True)):
            features = conv(features)
            if index == 0:
                features = features.abs()
            features = functional.leaky_relu(norm(functional.max_pool1d(features, POOL)))
        return features


class PyanNet(nn.Module):
    """(B, 1, T) waveform -> (B, F, 7) class logits."""

    def __init__(self) -> None:
        super().__init__()
        self.sincnet = SincNet()
        self.lstm = nn.LSTM(60, 128, num_layers=4, bidirectional=True, batch_first=True)
        self.linear = nn.ModuleList([nn.Linear(256, 128), nn.Linear(128, 128)])
        self.classifier = nn.Linear(128, CLASSES)

    def forward(self, waveform: Tensor) -> Tensor:
        features, _ = self.lstm(self.sincnet(waveform).transpose(1, 2))
        for linear in self.linear:
            features = functional.leaky_relu(linear(features))
        logits: Tensor = self.classifier(features)
        return logits


def load_pyannet(state: dict[str, Tensor]) -> PyanNet:
    """Build the network from the published tensors.

    The sinc filters become weights, which include the trained scale and shift of the waveform's
    norm. The shift is five times the scale, so a waveform with that shift would lose digits in
    float32. Without it, log-probabilities are four times closer to those in float64.
    """
    bank, norm = "sincnet.conv1d.0.filterbank.", "sincnet.wav_norm1d."
    filters = bake_sinc_filters(
        *(state[bank + name] for name in ("low_hz_", "band_hz_", "window_", "n_"))
    )
    scale, shift = state[norm + "weight"].double(), state[norm + "bias"].double()
    baked = {
        "sincnet.conv1d.0.weight": (filters.double() * scale).float(),
        "sincnet.conv1d.0.bias": (filters.double().sum((1, 2)) * shift).float(),
    }
    plain = {name: tensor for name, tensor in state.items() if not name.startswith((bank, norm))}
    network = PyanNet()
    network.load_state_dict(plain | baked, strict=True)
    return network.eval()
