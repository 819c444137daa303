"""The segmentation in two parts, so that overlapping windows share the outputs of the sinc filters.

The waveform of every window is normalized before the filters, so overlapping windows have different
filter outputs. But normalization is a scale and a shift, and the filters are linear: their outputs
for the original and the normalized waveform differ only by a scale and a shift. The filters are
followed by absolute values and the maximum of every three. A shift does not commute with these, but
it does with the maximum and the minimum of every three.

A place is a pooled sinc frame, and its peaks are its sinc features: the graphs have these names.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from hocket_forge.pyannet import POOL, SINC_KERNEL, SINC_STRIDE, PyanNet, SincNet

FILTERS = 80
PLACE_STEP = SINC_STRIDE * POOL  # samples from one pooled sinc frame to the next
PLACE_FIELD = SINC_KERNEL + SINC_STRIDE * (POOL - 1)  # samples that one depends on


def place_count(samples: int) -> int:
    """Number of pooled sinc frames of `samples` samples; 5325 for ten seconds."""
    return (samples - PLACE_FIELD) // PLACE_STEP + 1


def sinc_filters(sincnet: SincNet) -> nn.Conv1d:
    """The sinc filters: the first layer."""
    filters = sincnet.conv1d[0]
    assert isinstance(filters, nn.Conv1d)
    return filters


class SincPeaks(nn.Module):
    """(B, 1, T) waveform -> (B, 160, P), for each filter the maximum of every three outputs.

    The second half has the maxima of the negated outputs, which are the negated minima.
    """

    def __init__(self, sincnet: SincNet) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, FILTERS, SINC_KERNEL, stride=SINC_STRIDE, bias=False)
        self.conv.weight = sinc_filters(sincnet).weight

    def forward(self, waveform: Tensor) -> Tensor:
        filtered = self.conv(waveform)
        return torch.cat(
            [functional.max_pool1d(filtered, POOL), functional.max_pool1d(-filtered, POOL)], dim=1
        )


class PeakNormalization(nn.Module):
    """(B, 1, T) waveform and its peaks (B, 160, P) -> (B, 80, P), as of the normalized waveform.

    The result is the maximum absolute output of every three. As a sample x becomes
    (x - mean) / deviation, an output y becomes (y - mean * sum of filter) / deviation + bias.
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
        maxima, negated = peaks[:, :FILTERS], peaks[:, FILTERS:]
        return torch.maximum(maxima * scale + shift, negated * scale - shift)


class AfterFilters(nn.Module):
    """(B, 80, P) maximum absolute outputs of every three -> (B, 60, F) features."""

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
    """(B, 1, T) waveform and its peaks (B, 160, P) -> (B, F, 7) log-probabilities of classes."""

    def __init__(self, network: PyanNet) -> None:
        super().__init__()
        self.levelling = PeakNormalization(
            network.sincnet
        )  # node names in the file have "levelling"
        self.network = deepcopy(network)
        self.network.sincnet = AfterFilters(network.sincnet)  # type: ignore[assignment]
        self.log_softmax = nn.LogSoftmax(dim=-1)

    def forward(self, waveform: Tensor, peaks: Tensor) -> Tensor:
        log_probs: Tensor = self.log_softmax(self.network(self.levelling(waveform, peaks)))
        return log_probs
