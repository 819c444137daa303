"""Masks on another frame rate, and statistics pooled under masks."""

import torch
from torch import Tensor


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

    Two matrix products serve all masks. The features are centred on their mean under the union of
    the masks first, so that the difference of squares loses no digits. A mask of one frame has
    deviation zero; an empty one has mean and deviation zero.

    Args:
        features: (B, C, N), float32.
        masks: (B, S, N), zeros and ones.

    Returns:
        (B, S, 2 * C), means first.
    """
    centre = masked_mean(features, masks.amax(1, keepdim=True))
    centred = features - centre
    weights = masks.transpose(1, 2)
    count = masks.sum(-1)[:, None]  # (B, 1, S)
    total = count.clamp_min(1.0)
    mean = centred @ weights / total
    spread = centred.square() @ weights - total * mean.square()
    deviation = (spread / (total - 1).clamp_min(1.0)).clamp_min(0.0).sqrt()
    present = (count > 0).to(features.dtype)
    statistics = torch.cat([(mean + centre) * present, deviation * present], dim=1)
    return statistics.transpose(1, 2)
