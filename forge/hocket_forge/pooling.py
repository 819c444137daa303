"""Masks on another frame rate, and statistics pooled under masks."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def resample_masks(masks: Tensor, frames: int) -> Tensor:
    """Masks (B, S, F) at another number of frames, (B, S, frames).

    Frame i takes the mask of frame floor(i * F / frames), in integers: the nearest-neighbour rule
    of pyannote's masked pooling without its rounding.
    """
    source = torch.arange(frames, device=masks.device) * masks.shape[-1] // frames
    return masks[..., source]


def masked_mean(features: Tensor, mask: Tensor) -> Tensor:
    """Mean of (B, C, N) over the frames where mask (B, 1, N) is one, (B, C, 1)."""
    return (features * mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp_min(1.0)


def masked_statistics(features: Tensor, masks: Tensor) -> Tensor:
    """Mean and unbiased standard deviation of every channel under every mask.

    The deviation is taken around each mask's own mean: as a difference of squares it would lose
    half its digits under a mask of few frames. A mask of one frame has deviation zero; an empty one
    has mean and deviation zero.

    Args:
        features: (B, C, N), float32.
        masks: (B, S, N), zeros and ones.

    Returns:
        (B, S, 2 * C), means first.
    """
    count = masks.sum(-1, keepdim=True)  # (B, S, 1)
    mean = masks @ features.transpose(1, 2) / count.clamp_min(1.0)  # (B, S, C)
    centred = (features[:, None] - mean[..., None]) * masks[:, :, None]  # (B, S, C, N)
    deviation = (centred.square().sum(-1) / (count - 1).clamp_min(1.0)).sqrt()
    return torch.cat([mean, deviation], dim=-1)


def unit_statistics(features: Tensor, masks: Tensor) -> Tensor:
    """As `masked_statistics`, for many masks that are parts of one utterance.

    Two matrix products for all masks, instead of a pass over the features for each. Differences of
    squares are taken around the utterance's mean, from which its parts' means are not far.
    """
    count = masks.sum(-1, keepdim=True)  # (B, S, 1)
    centre = masked_mean(features, masks.amax(1, keepdim=True))  # (B, C, 1)
    centred = features - centre
    weights = masks / count.clamp_min(1.0)
    offset = weights @ centred.transpose(1, 2)  # (B, S, C)
    square = weights @ centred.square().transpose(1, 2)
    unbiased = count / (count - 1).clamp_min(1.0) * (count > 1).to(features.dtype)
    deviation = ((square - offset.square()).clamp_min(0.0) * unbiased).sqrt()
    mean = (offset + centre.transpose(1, 2)) * (count > 0).to(features.dtype)
    return torch.cat([mean, deviation], dim=-1)


def one_sound(masks: Tensor) -> Tensor:
    """The frames that any of the masks (B, S, N) covers, (B, 1, N)."""
    return masks.amax(1, keepdim=True)


def separate_sounds(masks: Tensor) -> Tensor:
    """Which frames belong together, (B, S, N): a row for each stretch that masks cover.

    Masks (B, S, N), each without a gap, are parts of one or more sounds that lie one behind the
    other with frames between them that no mask covers. So there are no more sounds than masks; rows
    without a sound are empty.
    """
    heard = one_sound(masks)
    before = functional.pad(heard, (1, 0))[..., :-1]
    ordinal = (heard - before).clamp_min(0.0).cumsum(-1)  # (B, 1, N)
    order = 1 + torch.arange(masks.shape[1], device=masks.device)
    return (ordinal == order[:, None]).to(masks.dtype) * heard


class MeanNormalisation(nn.Module):
    """Features (B, C, N) less their mean over all frames, or over those under mask (B, 1, N).

    A module for the same reason as `StatisticsPooling`: log energies near -16 in float16 have steps
    of 0.016, their differences from the mean far smaller ones.
    """

    def forward(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        mean = features.mean(-1, keepdim=True) if mask is None else masked_mean(features, mask)
        return features - mean


class SoundNormalisation(nn.Module):
    """Features (B, C, N) less their mean over the sound they belong to, zero outside of any.

    Args of `forward`: features, and sounds (B, S, N) of which no two share a frame.
    """

    def forward(self, features: Tensor, sounds: Tensor) -> Tensor:
        frames = sounds.sum(-1, keepdim=True).clamp_min(1.0)
        means = sounds @ features.transpose(1, 2) / frames  # (B, S, C)
        heard = sounds.sum(1, keepdim=True)
        return features * heard - means.transpose(1, 2) @ sounds


class StatisticsPooling(nn.Module):
    """`masked_statistics` as a module, so that an exporter can tell its operations apart.

    They stay in float32 everywhere: a difference of squares over hundreds of frames in float16 has
    been seen to raise a diarization error rate from 6.8 to 27 %.
    """

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return masked_statistics(features, masks)


class UnitPooling(nn.Module):
    """`unit_statistics` as a module, for the same reason."""

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        return unit_statistics(features, masks)
