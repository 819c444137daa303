"""The embedding network: the only caller of its graph.

Pack ------------------> Embedded     recordings, one call for several crops
sound -----------------> vector       a whole voice clip
newest audio ----------> candidates   streams, before the segmentation is known
newest audio, regions -> vectors      streams, with a network that takes one sound per call
"""

from collections.abc import Sequence
from dataclasses import replace
from threading import local
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import BandLevels, SubsegmentEmbeddings, Subsegments, Waveform
from hocket.audio.buffer import SampleBuffer, fill, joined
from hocket.config import ResolvedSubsegments
from hocket.embedding.bands import band_levels, stacked
from hocket.embedding.candidates import CandidateGrid
from hocket.embedding.packing import Pack, PackedCrop, PackLayout
from hocket.embedding.subsegments import Crop, plan_crops
from hocket.geometry import EmbeddingInfo, Geometry
from hocket.graph import Graph, Tensors


class Embedded(NamedTuple):
    """Embeddings of the subsegments of some crops, in order, and the crops' band levels.

    embeddings: (subsegments, dimension), raw network output.
    subsegments: (crops,) number of subsegments in each crop.
    levels: (crops, 3), dB.
    samples: (crops,) length of each crop.
    copied: bytes of samples copied.
    """

    embeddings: SubsegmentEmbeddings
    subsegments: NDArray[np.int64]
    levels: BandLevels
    samples: NDArray[np.int64]
    copied: int

    @classmethod
    def joined(cls, parts: Sequence["Embedded"], dimension: int) -> Self:
        """Concatenate any number of parts."""
        return cls(
            np.concatenate([np.zeros((0, dimension), np.float32), *(p.embeddings for p in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(p.subsegments for p in parts)]),
            np.concatenate([stacked([]), *(p.levels for p in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(p.samples for p in parts)]),
            sum(part.copied for part in parts),
        )


class Embedder:
    """Runs the embedding graph; several threads may use one.

    Args:
        graph: `embedding`.
        geometry: frame grid.
        config: lengths of subsegments, crops and packs.
    """

    def __init__(self, graph: Graph, geometry: Geometry, config: ResolvedSubsegments) -> None:
        self.info = EmbeddingInfo.from_metadata(graph.metadata)
        self.layout = PackLayout.of(self.info, geometry, config)
        self._graph, self._geometry, self._config = graph, geometry, config
        self._grid = max(1, round(config.grid_s * geometry.sample_rate))
        self._rows = local()  # every thread's own memory for a pack

    def single(self, crop: Crop, buffer: SampleBuffer) -> Pack:
        """A crop as a pack of its own, for a network that takes one sound per call.

        The audio after the crop is included up to a length that recurs, as a runtime keeps what it
        prepares for a length; masks exclude it. Audio beyond one window after the crop is never
        used, so that results do not depend on how far decoding has come.

        Args:
            crop: what to embed.
            buffer: holds the crop now, and the window after it unless the recording ends there.
        """
        geometry = self._geometry
        start, end = map(geometry.frame_start, (crop.first, crop.last))
        length = self._padded(end - start)
        known = min(buffer.end, end + geometry.window_samples - geometry.frame_start(0))
        end = start + length if start + length <= known else min(end, buffer.end)
        return Pack([PackedCrop(crop, 0)], [buffer.pieces(start, end)], length)

    def embed_pack(self, pack: Pack) -> Embedded:
        """Embed the subsegments of a pack, in order."""
        if self.layout is None:
            return self._embed_single(pack)
        row = self._row(pack.length)
        copied = sum(
            fill(row[start:], sound)
            for (_, start), sound in zip(pack.crops, pack.sounds, strict=True)
        )
        inputs = {"waveform": row[None, None], "masks": self.layout.masks(pack.crops)[None]}
        number = sum(len(crop.subsegments) for crop, _ in pack.crops)
        sounds = [row[start : start + self.layout.samples_of(crop)] for crop, start in pack.crops]
        return self._embedded(pack, self._run(inputs)[:number], sounds, copied)

    def _embed_single(self, pack: Pack) -> Embedded:
        ((crop, _),), (pieces,) = pack.crops, pack.sounds
        sound, copied = joined(pieces)
        inputs = self._inputs(sound, pack.length, crop)
        copied += 0 if len(sound) == pack.length else inputs["waveform"].nbytes
        own = sound[: (crop.last - crop.first) * self._geometry.frame_step]
        return self._embedded(pack, self._run(inputs), [own], copied)

    def embed_sound(self, sound: Waveform) -> NDArray[np.float32]:
        """The embedding of a whole sound, (samples,), as (dimension,)."""
        length = self._padded(len(sound))
        frames = -(-length // self._geometry.frame_step)
        whole = Crop(0, frames, np.array([[0, frames]], np.int64))
        (found,) = self._run(self._inputs(sound, length, whole))
        return np.asarray(found, np.float32)

    def embed_candidates(self, sound: Waveform, grid: CandidateGrid) -> SubsegmentEmbeddings:
        """Embeddings of all candidates in a sound, in the rows of `CandidateGrid.masks`.

        Args:
            sound: (samples,), at most `grid.length`.
            grid: candidates.

        Returns:
            (1 + candidates, dimension).
        """
        row: Waveform = np.zeros(grid.length, np.float32)
        row[: len(sound)] = sound
        return self._run({"waveform": row[None, None], "masks": grid.masks(len(sound))[None]})

    def embed_each(self, subsegments: Subsegments, sound: Waveform) -> SubsegmentEmbeddings:
        """Embeddings of subsegments, one call for each, (subsegments, dimension).

        Args:
            subsegments: frames counted from the beginning of the sound.
            sound: (samples,).
        """
        found = [np.zeros((0, self.info.dimension), np.float32)]
        short = replace(self._config, crop_s=self._config.length_s)
        for crop in plan_crops(subsegments, self._geometry, short):
            piece = sound[slice(*map(self._geometry.frame_start, (crop.first, crop.last)))]
            found.append(self._run(self._inputs(piece, self._padded(len(piece)), crop)))
        return np.concatenate(found)

    def _padded(self, samples: int) -> int:
        """Length of the input for so many samples: rounded up to one that recurs."""
        return max(-(-samples // self._grid) * self._grid, self.info.least_samples)

    def _row(self, length: int) -> Waveform:
        if not hasattr(self._rows, "row"):
            self._rows.row = np.empty(length, np.float32)
        row: Waveform = self._rows.row
        return row

    def _inputs(self, sound: Waveform, length: int, crop: Crop) -> Tensors:
        """Inputs of the graph for one crop.

        Args:
            sound: from the beginning of the crop. `length` samples are used without a copy; fewer
                are repeated from their start.
            length: samples that the graph receives.
            crop: its frames and subsegments.
        """
        frames = -(-length // self._geometry.frame_step)
        masks = np.zeros((1, len(crop.subsegments), frames), np.float32)
        for mask, (first, last) in zip(masks[0], crop.subsegments - crop.first, strict=True):
            mask[first:last] = 1
        if len(sound) != length:
            sound = np.resize(sound, length)
            if len(crop.subsegments) == 1:  # the repeated audio is its own
                masks[:] = 1
        return {"waveform": sound[None, None], "masks": masks}

    def _run(self, inputs: Tensors) -> SubsegmentEmbeddings:
        found: SubsegmentEmbeddings = self._graph.run(inputs)["embeddings"][0]
        return found

    def _embedded(
        self, pack: Pack, found: SubsegmentEmbeddings, sounds: Sequence[Waveform], copied: int
    ) -> Embedded:
        rate = self._geometry.sample_rate
        return Embedded(
            found,
            np.array([len(crop.subsegments) for crop, _ in pack.crops], np.int64),
            stacked([band_levels(sound, rate) for sound in sounds]),
            np.array([len(sound) for sound in sounds], np.int64),
            copied,
        )
