"""Blocks of samples as they are decoded, of any number of channels."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 16
"""Most frames of a block; a frame is one sample of every channel, as in libsndfile."""

Block: TypeAlias = NDArray[np.float32]  # (frames, channels)


def to_float(block: NDArray[Any]) -> Block:
    """Samples as float32, in the same shape; integers are scaled from their range to -1..1."""
    if block.dtype.kind == "f":
        with np.errstate(over="ignore"):  # overflows to infinity, and infinity is handled later
            return block.astype(np.float32, copy=False)
    half = 2.0 ** (8 * block.dtype.itemsize - 1)
    middle = half if block.dtype.kind == "u" else 0.0
    return ((block - middle) / half).astype(np.float32)


def finite(block: Block) -> Block:
    """The block with zeros for NaN and infinity; the same array if there is none."""
    with np.errstate(invalid="ignore"):
        if np.isfinite(block.sum(dtype=np.float64)):  # a sum is not finite if a term is not
            return block
    return np.where(np.isfinite(block), block, np.float32(0))
