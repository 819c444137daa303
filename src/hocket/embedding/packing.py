"""Spans to slabs: what an embedding network hears at once, if it can tell sounds apart.

Every call of a graph has a price, and a runtime prepares anew for every length it meets: with
OpenVINO that is as long as two seconds of sound take. So spans are laid one behind the other, as
they come, in slabs of one length (docs/decisions/015-slabs.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.audio.buffer import Pieces, fill
from hocket.config import UnitConfig
from hocket.embedding.subsegments import Span
from hocket.geometry import Geometry


class Placed(NamedTuple):
    """A span and the sample of the slab at which it begins."""

    span: Span
    start: int


@dataclass(frozen=True)
class SlabGrid:
    """Where spans may lie in a slab; all numbers are samples.

    sound_step: from one gate of the network to the next.
    mask_step: from one frame of the network's trunk to the next; sounds begin on multiples of it,
        and the gate between two of them hears both.
    length: of every slab, a whole number of gates.
    gap: least distance between two sounds; frames in it belong to none.
    """

    sound_step: int
    mask_step: int
    length: int
    gap: int
    frame_step: int

    @classmethod
    def of(cls, metadata: Mapping[str, str], geometry: Geometry, config: UnitConfig) -> Self | None:
        """As an embedding graph's metadata says; None if it hears all it is given as one sound."""
        if "sound_step" not in metadata:
            return None
        step, rate = int(metadata["sound_step"]), geometry.sample_rate
        whole = max(config.slab_s * rate, config.length_s * rate + geometry.frame_step)
        length = step * ceil(whole / step)
        mask_step = int(metadata["mask_step"])
        gap = max(2 * mask_step, round(config.gap_s * rate))
        return cls(step, mask_step, length, gap, geometry.frame_step)

    def samples_of(self, span: Span) -> int:
        """How long a span is."""
        return (span.last - span.first) * self.frame_step

    def masks(self, placed: Sequence[Placed]) -> NDArray[np.float32]:
        """A mask for each unit in a slab, (rows, frames of `mask_step`); further rows are empty.

        Their number is one that recurs: as many as there are gates, or a multiple of it.
        """
        units = [(place, bounds) for place in placed for bounds in place.span.units.tolist()]
        most = self.length // self.sound_step
        rows = -(-len(units) // most) * most
        masks = np.zeros((rows, self.length // self.mask_step), np.float32)
        for mask, (place, bounds) in zip(masks, units, strict=False):
            start, end = (
                place.start + (frame - place.span.first) * self.frame_step for frame in bounds
            )
            mask[round(start / self.mask_step) : max(1, round(end / self.mask_step))] = 1
        return masks


class Packing:
    """Spans on their way into slabs: the same slabs however many are laid at a time."""

    def __init__(self, grid: SlabGrid) -> None:
        self._grid = grid
        self._end = 0  # of what lies in the slab, with the gap behind it

    def lay(self, span: Span) -> Iterator[Placed]:
        """Where a span goes, in parts if the slab has room for some of its units only.

        What begins at 0 begins a slab.
        """
        grid, units = self._grid, span.units
        while len(units):
            start = -(-self._end // grid.mask_step) * grid.mask_step
            room = (grid.length - start) // grid.frame_step
            fitting = int(np.count_nonzero(units[:, 1] - units[0, 0] <= room))
            if not fitting and start:
                self._end = 0
                continue
            fitting = max(1, fitting)
            part = Span(int(units[0, 0]), int(units[fitting - 1, 1]), units[:fitting])
            yield Placed(part, start)
            self._end = start + grid.samples_of(part) + grid.gap
            units = units[fitting:]


def fill_slab(row: NDArray[np.float32], placed: Sequence[Placed], sounds: Sequence[Pieces]) -> int:
    """Copy sounds to their places in a row, zeros between; the bytes that were copied."""
    return sum(fill(row[place.start :], sound) for place, sound in zip(placed, sounds, strict=True))
