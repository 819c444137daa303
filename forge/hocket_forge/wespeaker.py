"""WeSpeaker's ResNet34-LM: a residual network on log-mel planes with statistics pooling.

Attribute names follow the published checkpoint, so its tensors load by name.
Reference: Wang et al., "WeSpeaker: a research and production oriented speaker embedding learning
toolkit", ICASSP 2023; Zeinali et al., "BUT system description to VoxCeleb speaker recognition
challenge 2019" (the network and its pooling of mel rows as channels).
"""

import math
import re
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hocket_forge.fbank import MELS, Fbank
from hocket_forge.pooling import MeanNormalization, StatisticsPooling, resample_masks

DIMENSION = 256
WIDTHS = (32, 64, 128, 256)  # channels of the four layers; each but the first halves both axes
BLOCKS = (3, 4, 6, 3)
TRUNK_STRIDE = 2 ** (len(WIDTHS) - 1)  # fbank frames per trunk frame
POOLED_ROWS = MELS // TRUNK_STRIDE
INTEGER_RANGE = 32768.0  # it was trained on the values of 16-bit samples


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; `stride` divides both axes."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut.append(nn.Conv2d(channels, width, 1, stride=stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(width))

    def forward(self, planes: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(planes)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(planes))


class ResNet34(nn.Module):
    """(B, 1, T) waveform and (B, S, F) masks -> (B, S, 256) embeddings, not normalized.

    The trunk runs once, on features that are mean-normalized over the whole waveform, as in
    training. Every mask pools its output. A mask that is empty at the trunk's frame rate gives a
    zero embedding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fbank = Fbank(window="hamming", scale=INTEGER_RANGE)
        self.normalisation = MeanNormalization()
        self.conv1 = nn.Conv2d(1, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        channels = WIDTHS[0]
        for number, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True), start=1):
            strides = [1 if number == 1 else 2] + [1] * (blocks - 1)
            layer = nn.Sequential()
            for stride in strides:
                layer.append(BasicBlock(channels, width, stride))
                channels = width
            self.add_module(f"layer{number}", layer)
        self.pooling = StatisticsPooling()
        self.seg_1 = nn.Linear(2 * channels * POOLED_ROWS, DIMENSION)

    def trunk(self, waveform: Tensor) -> Tensor:
        """(B, 1, T) -> (B, 2560, N / 8): mel rows of all channels, frame by frame."""
        planes = self.normalisation(self.fbank(waveform))[:, None]
        planes = functional.relu(self.bn1(self.conv1(planes)))
        for number in range(1, len(WIDTHS) + 1):
            planes = self.get_submodule(f"layer{number}")(planes)
        rows: Tensor = planes.flatten(1, 2)
        return rows

    def forward(self, waveform: Tensor, masks: Tensor) -> Tensor:
        trunk = self.trunk(waveform)
        trunk_masks = resample_masks(masks, trunk.shape[-1])
        embeddings: Tensor = self.seg_1(self.pooling(trunk, trunk_masks))
        spoken = (trunk_masks.amax(-1, keepdim=True) > 0).to(embeddings.dtype)
        return embeddings * spoken


def load_resnet34(state: Mapping[str, Tensor]) -> ResNet34:
    """Build the network from published tensors; counters of training steps may be missing."""
    network = ResNet34()
    counters = {k: v for k, v in network.state_dict().items() if k.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **state}, strict=True)
    return network.eval()


def recipe_weights(keys: list[str] | None = None) -> dict[str, Tensor]:
    """Weights drawn by a rule, for parity checks without the published ones.

    In sorted order of names: variances U(0.5, 1.5), running means N(0, 0.1); weights of norms
    U(0.2, 0.5), their biases N(0, 0.1); all else N(0, sqrt(2 / fan_in)).
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in ResNet34().state_dict().items()}
    names = keys or sorted(name for name in shapes if not name.endswith("num_batches_tracked"))
    generator = np.random.default_rng(34)
    return {name: torch.from_numpy(_draw(name, shapes[name], generator)) for name in names}


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float32]:
    if name.endswith("running_var"):
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    if name.endswith("running_mean"):
        return generator.normal(0, 0.1, shape).astype(np.float32)
    if re.search(r"bn|shortcut\.1", name):
        if name.endswith("weight"):
            return generator.uniform(0.2, 0.5, shape).astype(np.float32)
        return generator.normal(0, 0.1, shape).astype(np.float32)
    fan_in = math.prod(shape[1:])  # 1 for the last bias
    return generator.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
