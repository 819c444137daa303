"""Masks at another frame rate, and pooling of statistics under masks."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def resample_masks(masks: Tensor, frames: int) -> Tensor:
    """Masks (B, S, F) with another number of frames, (B, S, frames).

    Frame i gets the mask of frame floor(i * F / frames), in integers: the nearest-neighbor rule of
    pyannote's masked pooling, without its rounding.
    """
    source = torch.arange(frames, device=masks.device) * masks.shape[-1] // frames
    return masks[..., source]


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Mean of (B, C, N) over the frames where mask (B, 1, N) is one, (B, C, 1)."""
    return (features * mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp_min(1.0)


def masked_statistics(features: Tensor, masks: Tensor) -> Tensor:
    """Mean and unbiased standard deviation of every channel under every mask.

    Deviations are computed around the mean of each mask: as a difference of squares, they would
    lose half their digits under a mask of few frames. A mask of one frame has a deviation of zero;
    an empty one has zero mean and deviation.

    Args:
        features: (B, C, N), float32.
        masks: (B, S, N), zeros and ones.

    Returns:
        (B, S, 2 * C), means first.
    """
    count = masks.sum(-1, keepdim=True)  # (B, S, 1)
    mean = masks @ features.transpose(1, 2) / count.clamp_min(1.0)  # (B, S, C)
    centered = (features[:, None] - mean[..., None]) * masks[:, :, None]  # (B, S, C, N)
    deviation = (centered.square().sum(-1) / (count - 1).clamp_min(1.0)).sqrt()
    return torch.cat([mean, deviation], dim=-1)


def subsegment_statistics(features: Tensor, masks: Tensor) -> Tensor:
    """As `masked_statistics`, for many masks that are parts of one utterance.

    It takes two matrix products for all masks, instead of a pass over the features for each.
    Differences of squares are taken around the utterance's mean, which is near the parts' means.
    """
    count = masks.sum(-1, keepdim=True)  # (B, S, 1)
    center = masked_mean(features, masks.amax(1, keepdim=True))  # (B, C, 1)
    centered = features - center
    weights = masks / count.clamp_min(1.0)
    offset = weights @ centered.transpose(1, 2)  # (B, S, C)
    square = weights @ centered.square().transpose(1, 2)
    unbiased = count / (count - 1).clamp_min(1.0) * (count > 1).to(features.dtype)
    deviation = ((square - offset.square()).clamp_min(0.0) * unbiased).sqrt()
    mean = (offset + center.transpose(1, 2)) * (count > 0).to(features.dtype)
    return torch.cat([mean, deviation], dim=-1)


def one_sound(masks: Tensor) -> Tensor:
    """The frames under any of the masks (B, S, N), (B, 1, N)."""
    return masks.amax(1, keepdim=True)


def separate_sounds(masks: Tensor) -> Tensor:
    """The frames of each sound, (B, S, N): a row for each contiguous range of frames under masks.

    Masks (B, S, N), each contiguous, are parts of one or more sounds. Between two sounds there are
    frames under no mask. So there are at most as many sounds as masks; the other rows are empty.
    """
    covered = one_sound(masks)
    before = functional.pad(covered, (1, 0))[..., :-1]
    ordinal = (covered - before).clamp_min(0.0).cumsum(-1)  # (B, 1, N)
    order = 1 + torch.arange(masks.shape[1], device=masks.device)
    return (ordinal == order[:, None]).to(masks.dtype) * covered


class MeanNormalization(nn.Module):
    """Features (B, C, N) minus their mean over all frames, or over those under mask (B, 1, N).

    It is a module for the same reason as `StatisticsPooling`: in float16, log energies near -16
    have steps of 0.016, and their differences from the mean far smaller ones.
    """

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        mean = features.mean(-1, keepdim=True) if mask is None else masked_mean(features, mask)
        return features - mean


class SoundNormalization(nn.Module):
    """Features (B, C, N) minus the mean of their sound, zero outside of sounds.

    `forward` takes features and sounds (B, S, N), which do not overlap.
    """

    def forward(self, features: Tensor, sounds: Tensor) -> Tensor:
        frames = sounds.sum(-1, keepdim=True).clamp_min(1.0)
        means = sounds @ features.transpose(1, 2) / frames  # (B, S, C)
        covered = sounds.sum(1, keepdim=True)
        return features * covered - means.transpose(1, 2) @ sounds


class StatisticsPooling(nn.Module):
    """`masked_statistics` as a module, so that an exporter can identify its operations.

    They stay in float32 everywhere: a difference of squares over hundreds of frames in float16 once
    raised a diarization error rate from 6.8 to 27 %.
    """

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return masked_statistics(features, masks)


class SubsegmentPooling(nn.Module):
    """`subsegment_statistics` as a module, for the same reason."""

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return subsegment_statistics(features, masks)
