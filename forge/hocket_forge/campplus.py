"""CAM++: a densely connected time-delay network whose layers are gated by means of their context.

Attribute names follow the published checkpoint of 3D-Speaker, so its tensors load by name.
Reference: Wang et al., "CAM++: a fast and efficient network for speaker verification using
context-aware masking", Interspeech 2023.

There are two differences from the reference; with a full mask, neither changes the output.
Context means, mean normalization and pooling cover only frames under a mask, which excludes padding
and other speakers' speech. And a gate is computed once per context segment instead of once per
frame, because the context is constant within a segment.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hocket_forge.fbank import FRAME_STEP, MELS, Fbank
from hocket_forge.pooling import (
    MeanNormalization,
    SoundNormalization,
    StatisticsPooling,
    SubsegmentPooling,
    one_sound,
    resample_masks,
    separate_sounds,
)

DIMENSION = 192
HEAD_CHANNELS = 32
GROWTH = 32
BOTTLENECK = 128
CONTEXT_SEGMENT = 100  # trunk frames, 2 s
LOCAL_SEGMENT = 20  # trunk frames, 0.4 s, that share a local gate
LOCAL_CONTEXT = 60  # trunk frames, 1.2 s, in the context of a local gate: as long as a subsegment
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of each dense block
TRUNK_STRIDE = 2  # fbank frames per trunk frame
MASK_STEP = TRUNK_STRIDE * FRAME_STEP  # samples, 20 ms, from one trunk frame to the next
SOUND_STEP = LOCAL_SEGMENT * MASK_STEP  # samples, 0.4 s: sounds on this grid share no gate


class NormRelu(nn.Module):
    """Batch norm, then rectifier."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(channels)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.batchnorm(features))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; `stride` divides the mel axis."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        width = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(width, width, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.append(nn.Conv2d(width, width, 1, stride=(stride, 1), bias=False))
            self.shortcut.append(nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(inner)) + self.shortcut(features))


class Head(nn.Module):
    """(B, 80, N) -> (B, 320, N): convolutions over mel and time, the mel axis divided by 8."""

    def __init__(self) -> None:
        super().__init__()
        width = HEAD_CHANNELS
        self.conv1 = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.layer2 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.conv2 = nn.Conv2d(width, width, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        planes = functional.relu(self.bn1(self.conv1(features[:, None])))
        planes = self.layer2(self.layer1(planes))
        return functional.relu(self.bn2(self.conv2(planes))).flatten(1, 2)


class TimeDelay(nn.Module):
    """Convolution of width 5 that halves the frame rate."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Conv1d(320, BOTTLENECK, 5, stride=TRUNK_STRIDE, padding=2, bias=False)
        self.nonlinear = NormRelu(BOTTLENECK)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.nonlinear(self.linear(features))
        return out


class Segments(NamedTuple):
    """The trunk frames of each context segment, for B utterances of N frames."""

    spread: Tensor  # (segments, N), one where the frame has the segment's gate
    weights: Tensor  # (B, N, segments), one where the frame is in the segment's context
    counts: Tensor  # (B, 1, segments), frames in the segment's context
    whole: bool  # whether the whole utterance counts as context too

    def contexts(self, features: Tensor) -> Tensor:
        """Context of every gate from features (B, C, N): the sum of two means, (B, C, segments)."""
        sums = features @ self.weights
        near = sums / self.counts.clamp_min(1.0)
        if not self.whole:
            return near + near
        total = self.counts.sum(-1, keepdim=True).clamp_min(1.0)
        return near + sums.sum(-1, keepdim=True) / total


Contexts = Callable[[Tensor], Segments]
"""A function from the frames under masks, (B, sounds, N), to their segments."""


def utterance_contexts(mask: Tensor) -> Segments:
    """Cut the frames of mask (B, 1, N) into segments of CONTEXT_SEGMENT, the last one shorter."""
    return _segments(mask, CONTEXT_SEGMENT, CONTEXT_SEGMENT, whole=True)


def local_contexts(sounds: Tensor) -> Segments:
    """Segments whose context is the LOCAL_CONTEXT frames around them, not the whole utterance.

    The output for a part of a long utterance is then nearly the output for that part alone. So one
    pass of the trunk serves all parts, however they overlap. A gate's context contains only the
    sound in its segment, or all of them if several sounds share a segment.
    """
    near = _segments(sounds.sum(1, keepdim=True), LOCAL_SEGMENT, LOCAL_CONTEXT, whole=False)
    gated = (sounds @ near.spread.T).clamp_max(1.0)  # (B, sounds, segments)
    weights = near.weights * (sounds.transpose(1, 2) @ gated).clamp_max(1.0)
    return Segments(near.spread, weights, weights.sum(1, keepdim=True), whole=False)


def _segments(mask: Tensor, step: int, context: int, *, whole: bool) -> Segments:
    """A segment every `step` frames, with a context of `context` frames around its middle."""
    frame = torch.arange(mask.shape[-1], device=mask.device)
    start = torch.arange(0, mask.shape[-1], step, device=mask.device)
    reach = (context - step) // 2
    spread = _between(frame[None], start[:, None], start[:, None] + step)
    near = _between(frame[:, None], start[None] - reach, start[None] + step + reach)
    weights = mask.transpose(1, 2) * near.to(mask.dtype)
    return Segments(spread.to(mask.dtype), weights, weights.sum(1, keepdim=True), whole)


def _between(frame: Tensor, first: Tensor, last: Tensor) -> Tensor:
    return (frame >= first) & (frame < last)


class Context(nn.Module):
    """Context-aware gate: a convolution scaled by a function of two means of its context."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK, GROWTH, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // 2, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // 2, GROWTH, 1)

    def forward(self, features: Tensor, segments: Segments) -> Tensor:
        context = segments.contexts(features)
        gate = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        local: Tensor = self.linear_local(features)
        return local * (gate @ segments.spread)


class DenseLayer(nn.Module):
    """Appends GROWTH channels to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = NormRelu(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = NormRelu(BOTTLENECK)
        self.cam_layer = Context(dilation)

    def forward(self, features: Tensor, segments: Segments) -> Tensor:
        narrow = self.nonlinear2(self.linear1(self.nonlinear1(features)))
        return torch.cat([features, self.cam_layer(narrow, segments)], dim=1)


class Transit(nn.Module):
    """Halves the channels after a dense block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nonlinear = NormRelu(channels)
        self.linear = nn.Conv1d(channels, channels // 2, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.linear(self.nonlinear(features))
        return out


class Dense(nn.Module):
    """Pooled statistics to the embedding: linear layer and batch norm without scale."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, DIMENSION, 1, bias=False)
        self.nonlinear = nn.ModuleDict({"batchnorm": nn.BatchNorm1d(DIMENSION, affine=False)})

    def forward(self, statistics: Tensor) -> Tensor:
        out: Tensor = self.nonlinear["batchnorm"](self.linear(statistics))
        return out


class Xvector(nn.Module):
    """(B, 320, N) head features -> (B, 512, N / 2) trunk features."""

    def __init__(self, sounds: Callable[[Tensor], Tensor], contexts: Contexts) -> None:
        super().__init__()
        self.sounds, self.contexts = sounds, contexts
        self.tdnn = TimeDelay()
        channels = BOTTLENECK
        for block, (layers, dilation) in enumerate(BLOCKS, start=1):
            dense = nn.Module()
            for layer in range(layers):
                dense.add_module(f"tdnnd{layer + 1}", DenseLayer(channels, dilation))
                channels += GROWTH
            self.add_module(f"block{block}", dense)
            self.add_module(f"transit{block}", Transit(channels))
            channels //= 2
        self.out_nonlinear = NormRelu(channels)
        self.dense = Dense(2 * channels)

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        features = self.tdnn(features)
        sounds = self.sounds(resample_masks(masks, features.shape[-1]))
        segments = self.contexts(sounds)
        for block in range(1, len(BLOCKS) + 1):
            for layer in self.get_submodule(f"block{block}").children():
                features = layer(features, segments)
            features = self.get_submodule(f"transit{block}")(features)
        out: Tensor = self.out_nonlinear(features)
        return out


class CamPlusPlus(nn.Module):
    """(B, 1, T) waveform and (B, S, F) masks -> (B, S, 192) embeddings, not normalized.

    The trunk runs once, and every mask pools its output. A mask that is empty at the trunk's frame
    rate gives a zero embedding.

    Args:
        local: masks are parts of one or more sounds, processed almost as if each were alone, with
            local gates. Otherwise masks are slots of one utterance, and gates cover all of it, as
            in the reference.
    """

    def __init__(self, *, local: bool = False) -> None:
        super().__init__()
        self.fbank = Fbank(window="povey", scale=1.0)
        self.sounds = separate_sounds if local else one_sound
        self.normalisation = SoundNormalization() if local else MeanNormalization()
        self.head = Head()
        self.xvector = Xvector(self.sounds, local_contexts if local else utterance_contexts)
        self.pooling = SubsegmentPooling() if local else StatisticsPooling()

    def forward(self, waveform: Tensor, masks: Tensor) -> Tensor:
        fbank = self.fbank(waveform)
        sounds = self.sounds(resample_masks(masks, fbank.shape[-1]))
        features = self.head(self.normalisation(fbank, sounds))
        trunk = self.xvector(features, masks)
        trunk_masks = resample_masks(masks, trunk.shape[-1])
        pooled = self.pooling(trunk, trunk_masks)
        embeddings: Tensor = self.xvector.dense(pooled.transpose(1, 2)).transpose(1, 2)
        spoken = (trunk_masks.amax(-1, keepdim=True) > 0).to(embeddings.dtype)
        return embeddings * spoken


def load_campplus(state: dict[str, Tensor], *, local: bool = False) -> CamPlusPlus:
    """Build the network from the published tensors."""
    network = CamPlusPlus(local=local)
    network.load_state_dict(state, strict=True)
    return network.eval()


assert MELS == 80, "the head's 320 channels are 32 planes of 80 / 8 mel rows"
