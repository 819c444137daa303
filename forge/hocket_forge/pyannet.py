"""PyanNet, pyannote's segmentation network, with its sinc filters baked into a plain convolution.

Structure: instance norm -> sinc convolution and two convolutions, each followed by max pooling and
instance norm -> four bidirectional LSTM layers -> two linear layers -> classifier over 7 power-set
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
MIN_LOW_HZ = 50.0  # lowest cut-off and narrowest band of the trained sinc filters
MIN_BAND_HZ = 50.0
CLASSES = 7

FRAME_STEP = SINC_STRIDE * POOL**3  # 270 samples
_STRIDES = (SINC_STRIDE, POOL, 1, POOL, 1, POOL)
_KERNELS = (SINC_KERNEL, POOL, CONV_KERNEL, POOL, CONV_KERNEL, POOL)
RECEPTIVE_FIELD = 1 + sum(
    (kernel - 1) * math.prod(_STRIDES[:layer]) for layer, kernel in enumerate(_KERNELS)
)  # 991 samples


def frame_count(samples: int) -> int:
    """Frames that `samples` samples give; 589 for ten seconds."""
    for kernel, stride in zip(_KERNELS, _STRIDES, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def bake_sinc_filters(low_hz: Tensor, band_hz: Tensor, taper: Tensor, time: Tensor) -> Tensor:
    """The 80 learnt band-pass filters as plain convolution weights.

    Each pair of cut-offs gives an even filter and its odd quadrature twin. The time axis is the
    checkpoint's own float32 tensor: at arguments near 400 rad its rounding shows, and recomputing
    it moves log-probabilities by up to 4e-3.

    Args:
        low_hz: learnt offset of the lower cut-off over MIN_LOW_HZ, (40, 1).
        band_hz: learnt offset of the band width over MIN_BAND_HZ, (40, 1).
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

    The sinc filters become weights, and the trained scale and shift of the waveform's norm go into
    them: the shift is five times the scale, so a waveform carrying it loses digits in float32.
    Without it, log-probabilities come four times closer to those computed in float64.
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
