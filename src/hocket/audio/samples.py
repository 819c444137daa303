"""Blocks of samples as they are decoded, of any number of channels."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

BLOCK_FRAMES = 1 << 16
"""Most frames of a block; a frame is one sample of every channel, as in libsndfile."""

Block: TypeAlias = NDArray[np.float32]  # (frames, channels)

Samples = TypeVar("Samples", bound=NDArray[np.float32])
Seen = TypeVar("Seen")


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


def with_foresight(
    blocks: Iterable[Samples], observe: Callable[[Samples], Seen], frames: float
) -> Iterator[tuple[Samples, Seen]]:
    """Blocks with what was observed of each, when so many frames behind it are observed too.

    Args:
        blocks: (frames, ...) each.
        observe: called with every block, in order.
        frames: 0 for blocks that do not wait; the last ones wait until the end.
    """
    waiting: deque[tuple[Samples, Seen]] = deque()
    count = 0
    for block in blocks:
        waiting.append((block, observe(block)))
        count += len(block)
        while waiting and count - len(waiting[0][0]) >= frames:
            count -= len(waiting[0][0])
            yield waiting.popleft()
    yield from waiting
