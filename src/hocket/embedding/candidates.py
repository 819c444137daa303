"""Candidates: all subsegments that the newest audio of a stream may contain.

A network that keeps several sounds of one input apart pools one more subsegment at almost no cost.
So all candidates are embedded at once, without waiting for the segmentation
(docs/decisions/018-both-graphs-at-once.md).
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Subsegments
from hocket.config import SubsegmentConfig
from hocket.geometry import EmbeddingInfo, Geometry

EDGE_S = 0.1
"""Candidates begin and end on multiples of it; at 0.05 s there would be four times as many."""


@dataclass(frozen=True)
class CandidateGrid:
    """Edges at which candidates begin and end, counted from the beginning of the newest audio.

    length: samples that the network receives, a whole number of its context gates.
    mask_samples: length of a frame of the network's trunk.
    edge_step: samples from one edge to the next.
    least, most: edge steps in the shortest and in the longest candidate.
    frame_step: samples of a frame.
    """

    length: int
    mask_samples: int
    edge_step: int
    least: int
    most: int
    frame_step: int

    @classmethod
    def of(
        cls, info: EmbeddingInfo, geometry: Geometry, config: SubsegmentConfig, samples: int
    ) -> Self | None:
        """The grid for a network, or None if an input of the network may hold only one sound.

        Args:
            info: of the network.
            geometry: frame grid.
            config: lengths of subsegments.
            samples: length of the longest sound.
        """
        if info.gate_samples is None or info.mask_samples is None:
            return None
        gate, mask_samples = info.gate_samples, info.mask_samples
        edge_step = mask_samples * max(1, round(EDGE_S * geometry.sample_rate / mask_samples))
        edges = geometry.sample_rate / edge_step
        return cls(
            length=gate * ceil(samples / gate),
            mask_samples=mask_samples,
            edge_step=edge_step,
            least=max(1, round(config.min_s * edges)),
            most=max(1, round(config.length_s * edges)),
            frame_step=geometry.frame_step,
        )

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Edges at which the candidates begin and end, (candidates, 2)."""
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
        """Row in `bounds` of the candidate between two edges, -1 for none, (edges, edges)."""
        rows = np.full(self.bounds.max(axis=0) + 1, -1)
        rows[tuple(self.bounds.T)] = np.arange(len(self.bounds))
        return rows

    def masks(self, samples: int) -> NDArray[np.float32]:
        """Masks for a sound of so many samples, (1 + candidates, trunk frames).

        The first row covers the whole sound: to the network, a contiguous stretch under the union
        of all masks is one sound.
        """
        frames = np.arange(self.length // self.mask_samples)
        per_edge = self.edge_step // self.mask_samples
        bounds = np.concatenate([[[0, len(frames)]], self.bounds * per_edge])
        within = (frames >= bounds[:, :1]) & (frames < bounds[:, 1:])
        found: NDArray[np.float32] = (
            within & (frames < max(1, round(samples / self.mask_samples)))
        ).astype(np.float32)
        return found

    def rows_of(self, subsegments: Subsegments, samples: int) -> NDArray[np.int64]:
        """The longest candidate within each subsegment, as rows of `masks`, (subsegments,).

        Edges are rounded inward, so that a candidate includes nothing of the next speaker.

        Args:
            subsegments: frames counted from the beginning of the sound.
            samples: length of the sound.
        """
        last = ceil(samples / self.edge_step)
        begin = -(-subsegments.first * self.frame_step // self.edge_step)
        end = subsegments.last * self.frame_step // self.edge_step
        begin = np.clip(begin, 0, max(0, last - self.least))
        end = np.clip(end, begin + self.least, np.minimum(begin + self.most, max(last, self.least)))
        return self._rows[begin, end] + 1
