"""Crops to packs: what goes through the embedding graph in one call.

Every call has a fixed cost, and a runtime prepares for each new input length; with OpenVINO, that
takes as long as processing two seconds of audio. For a network that keeps several sounds of one
input apart, crops are therefore joined in order into packs of one length
(docs/decisions/015-packs.md). For other networks a pack is a single crop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.audio.buffer import Pieces
from hocket.config import SubsegmentConfig
from hocket.embedding.subsegments import Crop
from hocket.geometry import EmbeddingInfo, Geometry


class PackedCrop(NamedTuple):
    """A crop, and the sample of the pack at which it begins."""

    crop: Crop
    start: int


class Pack(NamedTuple):
    """One call of the embedding graph.

    crops: in order of time.
    sounds: samples of every crop. Those of a single crop may continue past its end.
    length: samples that the graph receives.
    """

    crops: Sequence[PackedCrop]
    sounds: Sequence[Pieces]
    length: int


@dataclass(frozen=True)
class PackLayout:
    """Where crops may lie in a pack; all numbers are samples.

    gate_samples: length of a context gate of the network.
    mask_samples: length of a frame of the network's trunk. Crops begin on multiples of it; the gate
        between two crops covers parts of both.
    length: of every pack, a whole number of gates.
    gap: least distance between two crops; frames in it belong to neither.
    frame_step: samples of a frame.
    """

    gate_samples: int
    mask_samples: int
    length: int
    gap: int
    frame_step: int

    @classmethod
    def of(cls, info: EmbeddingInfo, geometry: Geometry, config: SubsegmentConfig) -> Self | None:
        """The layout for a network, or None if an input of the network may hold only one sound."""
        if info.gate_samples is None or info.mask_samples is None:
            return None
        rate = geometry.sample_rate
        whole = max(config.pack_s * rate, config.length_s * rate + geometry.frame_step)
        length = info.gate_samples * ceil(whole / info.gate_samples)
        gap = max(2 * info.mask_samples, round(config.gap_s * rate))
        return cls(info.gate_samples, info.mask_samples, length, gap, geometry.frame_step)

    def samples_of(self, crop: Crop) -> int:
        """Length of a crop in samples."""
        return (crop.last - crop.first) * self.frame_step

    def masks(self, crops: Sequence[PackedCrop]) -> NDArray[np.float32]:
        """A mask for each subsegment in a pack, (rows, trunk frames), then empty rows.

        The number of rows is rounded up to a multiple of the number of context gates, so that it
        recurs.
        """
        subsegments = [
            (packed, bounds) for packed in crops for bounds in packed.crop.subsegments.tolist()
        ]
        most = self.length // self.gate_samples
        rows = -(-len(subsegments) // most) * most
        masks = np.zeros((rows, self.length // self.mask_samples), np.float32)
        for mask, (packed, bounds) in zip(masks, subsegments, strict=False):
            start, end = (
                packed.start + (frame - packed.crop.first) * self.frame_step for frame in bounds
            )
            mask[round(start / self.mask_samples) : max(1, round(end / self.mask_samples))] = 1
        return masks


class Packing:
    """Assigns crops to packs; the packs do not depend on how many crops are added at a time."""

    def __init__(self, layout: PackLayout) -> None:
        self._layout = layout
        self._end = 0  # of the last crop in the pack, with the gap behind it

    def add(self, crop: Crop) -> Iterator[PackedCrop]:
        """Place a crop, in parts if the pack has room for only some of its subsegments.

        A part that begins at sample 0 begins a new pack.
        """
        layout, subsegments = self._layout, crop.subsegments
        while len(subsegments):
            start = -(-self._end // layout.mask_samples) * layout.mask_samples
            room = (layout.length - start) // layout.frame_step
            fitting = int(np.count_nonzero(subsegments[:, 1] - subsegments[0, 0] <= room))
            if not fitting and start:
                self._end = 0
                continue
            fitting = max(1, fitting)
            part = Crop(
                int(subsegments[0, 0]), int(subsegments[fitting - 1, 1]), subsegments[:fitting]
            )
            yield PackedCrop(part, start)
            self._end = start + layout.samples_of(part) + layout.gap
            subsegments = subsegments[fitting:]
