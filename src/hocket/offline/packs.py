"""Regions to packs: subsegments are planned, gathered into crops, and crops into packs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hocket.arrays import Regions, Subsegments
from hocket.audio.buffer import Pieces, SampleBuffer
from hocket.config import ResolvedSubsegments
from hocket.embedding.embedder import Embedder
from hocket.embedding.packing import Pack, PackedCrop, Packing
from hocket.embedding.subsegments import plan_crops, plan_subsegments
from hocket.geometry import Geometry


@dataclass(eq=False)
class Plan:
    """Regions of a recording, in order of time, and their subsegments."""

    regions: list[Regions] = field(default_factory=lambda: [np.zeros((0, 2), np.int64)])
    subsegments: list[Subsegments] = field(
        default_factory=lambda: [Subsegments(*np.zeros((3, 0), np.int64))]
    )
    number_of_regions: int = 0
    number_of_subsegments: int = 0

    def add(self, regions: Regions, subsegments: Subsegments) -> None:
        """Add regions, and their subsegments with regions counted from the first of these."""
        offset = self.number_of_regions
        numbered = subsegments._replace(region=subsegments.region + offset)
        self.regions.append(regions)
        self.subsegments.append(numbered)
        self.number_of_regions += len(regions)
        self.number_of_subsegments += len(numbered.region)

    def joined(self) -> tuple[Regions, Subsegments]:
        """Everything that was added."""
        columns = zip(*self.subsegments, strict=True)
        return np.concatenate(self.regions), Subsegments(*map(np.concatenate, columns))


class PlannedPack(NamedTuple):
    """A pack, and the plan that it belongs to."""

    pack: Pack
    plan: Plan


class PackPlanner:
    """Makes packs of regions as they come, the same packs however regions are divided.

    Args:
        embedder: whose packs they are.
        buffer: holds the samples of regions when they are added.
        geometry: frame grid.
        config: lengths.
    """

    def __init__(
        self,
        embedder: Embedder,
        buffer: SampleBuffer,
        geometry: Geometry,
        config: ResolvedSubsegments,
    ) -> None:
        self._embedder, self._buffer = embedder, buffer
        self._geometry, self._config = geometry, config
        self.restart()

    def restart(self) -> None:
        """Begin a new plan: all regions so far are void, and so is the pack that is open."""
        self.plan = Plan()
        self._packing = Packing(self._embedder.layout) if self._embedder.layout else None
        self._open: list[tuple[PackedCrop, Pieces]] = []

    def add(self, regions: Regions) -> Iterator[PlannedPack]:
        """Packs that are full with these regions."""
        if not len(regions):
            return
        subsegments = plan_subsegments(regions, self._geometry, self._config)
        self.plan.add(regions, subsegments)
        for crop in plan_crops(subsegments, self._geometry, self._config):
            if self._packing is None:
                yield PlannedPack(self._embedder.single(crop, self._buffer), self.plan)
                continue
            for packed in self._packing.add(crop):
                if packed.start == 0:
                    yield from self.close()
                bounds = map(self._geometry.frame_start, packed.crop[:2])
                self._open.append((packed, self._buffer.pieces(*bounds)))

    def close(self) -> Iterator[PlannedPack]:
        """The pack that is open, if there is one."""
        if self._open and self._embedder.layout:
            crops, sounds = zip(*self._open, strict=True)
            self._open = []
            yield PlannedPack(Pack(crops, sounds, self._embedder.layout.length), self.plan)
