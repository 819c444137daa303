"""The segmentation in two parts, so that windows that overlap share what the sinc filters hear.

The norm of a window's waveform stands before the filters, and no two windows have the same. But a
norm is a scale and a shift, and filters are linear: of a waveform as it is they give what they give
of the normalised one, but for a scale and a shift. Behind them come absolute values and the highest
of every three, which a shift does not pass through; the highest and the lowest of three it does.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from hocket_forge.pyannet import POOL, SINC_KERNEL, SINC_STRIDE, PyanNet, SincNet

FILTERS = 80
PLACE_STEP = SINC_STRIDE * POOL  # samples from one place to the next
PLACE_FIELD = SINC_KERNEL + SINC_STRIDE * (POOL - 1)  # samples that a place hears


def place_count(samples: int) -> int:
    """Places that `samples` samples give; 5325 for ten seconds."""
    return (samples - PLACE_FIELD) // PLACE_STEP + 1


def sinc_filters(sincnet: SincNet) -> nn.Conv1d:
    """The first layer."""
    filters = sincnet.conv1d[0]
    assert isinstance(filters, nn.Conv1d)
    return filters


class SincPeaks(nn.Module):
    """(B, 1, T) waveform -> (B, 160, P), of each filter the highest output of every three.

    The second half are the filters' negatives, so that the lowest outputs are known as well.
    """

    def __init__(self, sincnet: SincNet) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, FILTERS, SINC_KERNEL, stride=SINC_STRIDE, bias=False)
        self.conv.weight = sinc_filters(sincnet).weight

    def forward(self, waveform: Tensor) -> Tensor:
        heard = self.conv(waveform)
        return torch.cat(
            [functional.max_pool1d(heard, POOL), functional.max_pool1d(-heard, POOL)], dim=1
        )


class Levelling(nn.Module):
    """(B, 1, T) waveform, (B, 160, P) its peaks -> (B, 80, P) highest absolute of every three.

    As of the normalised waveform: x becomes (x - mean) / deviation, an output y becomes
    (y - mean * sum of the filter) / deviation + bias.
    """

    sums: Tensor
    bias: Tensor

    def __init__(self, sincnet: SincNet) -> None:
        super().__init__()
        filters = sinc_filters(sincnet)
        assert filters.bias is not None
        self.eps = sincnet.wav_norm1d.eps
        self.register_buffer("sums", filters.weight.detach().double().sum((1, 2)).float()[:, None])
        self.register_buffer("bias", filters.bias.detach()[:, None])

    def forward(self, waveform: Tensor, peaks: Tensor) -> Tensor:
        mean = waveform.mean(-1, keepdim=True)
        variance = (waveform - mean).square().mean(-1, keepdim=True)
        scale = torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale * self.sums
        highest, negative = peaks[:, :FILTERS], peaks[:, FILTERS:]
        return torch.maximum(highest * scale + shift, negative * scale - shift)


class AfterFilters(nn.Module):
    """(B, 80, P) highest absolute of every three -> (B, 60, F) features."""

    def __init__(self, sincnet: SincNet) -> None:
        super().__init__()
        self.conv1d, self.norm1d = sincnet.conv1d, sincnet.norm1d

    def forward(self, features: Tensor) -> Tensor:
        features = functional.leaky_relu(self.norm1d[0](features))
        for layer in (1, 2):
            features = functional.max_pool1d(self.conv1d[layer](features), POOL)
            features = functional.leaky_relu(self.norm1d[layer](features))
        return features


class SegmentationFromPeaks(nn.Module):
    """(B, 1, T) waveform, (B, 160, P) its peaks -> (B, F, 7) log-probabilities of the classes."""

    def __init__(self, network: PyanNet) -> None:
        super().__init__()
        self.levelling = Levelling(network.sincnet)
        self.network = deepcopy(network)
        self.network.sincnet = AfterFilters(network.sincnet)  # type: ignore[assignment]
        self.log_softmax = nn.LogSoftmax(dim=-1)

    def forward(self, waveform: Tensor, peaks: Tensor) -> Tensor:
        log_probs: Tensor = self.log_softmax(self.network(self.levelling(waveform, peaks)))
        return log_probs
