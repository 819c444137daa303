"""Which frames of a slot show one voice alone."""

import numpy as np

from hocket.arrays import Masks


def clean_masks(masks: Masks) -> Masks:
    """Masks without the frames in which two slots or more speak."""
    alone = masks.sum(axis=2, keepdims=True, dtype=np.uint8) < 2
    return np.where(alone, masks, np.uint8(0))


def voice_masks(masks: Masks, min_clean_frames: int) -> Masks:
    """The frames to embed each slot from.

    Frames of one voice alone; all frames of the slot where fewer than `min_clean_frames` are clean.
    """
    clean = clean_masks(masks)
    enough = clean.sum(axis=1, keepdims=True) >= min_clean_frames
    return np.where(enough, clean, masks)
