"""Where units may lie in the newest sound of a stream, before anybody knows where they do.

A network that can tell sounds apart takes next to no time for one more unit of a sound that it
hears. So it is asked for all that there may be, without waiting for the segmentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Units
from hocket.config import UnitConfig
from hocket.geometry import Geometry

EDGE_S = 0.1
"""Units begin and end on multiples of it; at 0.05 s there would be four times as many."""


@dataclass(frozen=True)
class UnitGrid:
    """Edges at which units may begin and end, counted from where the newest sound begins.

    length: samples that the network hears at once, a whole number of its gates.
    mask_step: samples of a frame of the network's trunk.
    edge_step: samples from one edge to the next.
    least, most: edges from the beginning of a unit to its end.
    frame_step: samples of a frame.
    """

    length: int
    mask_step: int
    edge_step: int
    least: int
    most: int
    frame_step: int

    @classmethod
    def of(
        cls, metadata: Mapping[str, str], geometry: Geometry, config: UnitConfig, samples: int
    ) -> Self | None:
        """For sounds of up to so many samples; None if the network hears all as one sound."""
        if "sound_step" not in metadata:
            return None
        gate, mask_step = int(metadata["sound_step"]), int(metadata["mask_step"])
        edge_step = mask_step * max(1, round(EDGE_S * geometry.sample_rate / mask_step))
        edges = geometry.sample_rate / edge_step
        return cls(
            length=gate * ceil(samples / gate),
            mask_step=mask_step,
            edge_step=edge_step,
            least=max(1, round(config.min_s * edges)),
            most=max(1, round(config.length_s * edges)),
            frame_step=geometry.frame_step,
        )

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Edges at which the units begin and end, (units, 2)."""
        last = ceil(self.length / self.edge_step)
        return np.array(
            [
                (begin, end)
                for begin in range(last)
                for end in range(begin + self.least, min(last, begin + self.most) + 1)
            ]
        )

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        """Row of `bounds` of the unit between two edges."""
        rows = np.full(self.bounds.max(axis=0) + 1, -1)
        rows[tuple(self.bounds.T)] = np.arange(len(self.bounds))
        return rows

    def masks(self, samples: int) -> NDArray[np.float32]:
        """For a sound of so many samples, (1 + units, frames of `mask_step`).

        The first covers all of it, for what masks cover is one sound to the network.
        """
        frames = np.arange(self.length // self.mask_step)
        per_edge = self.edge_step // self.mask_step
        bounds = np.concatenate([[[0, len(frames)]], self.bounds * per_edge])
        within = (frames >= bounds[:, :1]) & (frames < bounds[:, 1:])
        found: NDArray[np.float32] = (
            within & (frames < max(1, round(samples / self.mask_step)))
        ).astype(np.float32)
        return found

    def rows_of(self, units: Units, samples: int) -> NDArray[np.int64]:
        """The longest masks within units of a sound of so many samples, (units,) rows of `masks`.

        Inwards, since an edge that lies outside would take in the next voice.

        Args:
            units: frames counted from where the sound begins.
            samples: length of the sound.
        """
        last = ceil(samples / self.edge_step)
        begin = -(-units.first * self.frame_step // self.edge_step)
        end = units.last * self.frame_step // self.edge_step
        begin = np.clip(begin, 0, max(0, last - self.least))
        end = np.clip(end, begin + self.least, np.minimum(begin + self.most, max(last, self.least)))
        return self._rows[begin, end] + 1
