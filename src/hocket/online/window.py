"""What the graphs say of one window of a stream; it depends on nothing but the window's samples.

Windows overlap, so most of a window was heard before. Only the newest sound, which no window held
before, is embedded, with a little of what lies before it; the tracker remembers the rest. Where the
network can tell sounds apart that needs no segmentation, so both graphs may run at once on the one
window that there is (docs/decisions/018-both-graphs-at-once.md).
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import (
    Bands,
    Peaks,
    Runs,
    UnitEmbeddings,
    Units,
    Waveform,
    stretches,
    unit_length,
)
from hocket.config import UnitConfig
from hocket.embedding.bands import band_powers, hop_of, levels_of, size_of, stacked
from hocket.embedding.candidates import UnitGrid
from hocket.embedding.channels import ChannelModel, free_units
from hocket.embedding.subsegments import heard_length, plan_spans, plan_units, span_inputs
from hocket.geometry import Geometry
from hocket.graph import Graph, least_lengths
from hocket.online.state import Heard, WindowResult
from hocket.segmentation.powerset import SLOTS_OF_CLASS, occupancy, slot_activity


@dataclass(frozen=True)
class LiveEars:
    """What a stream is heard with.

    segmentation: `segmentation_from_peaks`; several threads may call it at once, and the next.
    embedding: its network.
    geometry: frame grid.
    units: what is embedded.
    back: frames of what was heard before that the newest sound is embedded with.
    grid: where units may lie; None for a network that hears units one by one.
    channels: what channels add to embeddings; None: nothing is known of it.
    """

    segmentation: Graph
    embedding: Graph
    geometry: Geometry
    units: UnitConfig
    back: int
    grid: UnitGrid | None
    channels: ChannelModel | None = None

    def hear(
        self,
        sound: Waveform,
        start: int,
        new: int,
        peaks: Callable[[], Peaks],
        beside: Executor | None = None,
    ) -> WindowResult:
        """Hear a window.

        Args:
            sound: its samples, no more than the segmentation's window has.
            start: its first sample in the stream, which a frame begins at.
            new: first sample of the stream that no window before held.
            peaks: how to have those of the window.
            beside: who embeds while this thread runs the segmentation; None: it does, afterwards.
        """
        step = self.geometry.frame_step
        first, begin = start // step, max(0, (new - start) // step - self.back)
        newest = sound[self.geometry.frame_start(begin) :]
        early = beside.submit(self._embed, newest, self.grid) if beside and self.grid else None
        heard = {"waveform": sound[None, None], "peaks": peaks()}
        log_probs = self.segmentation.run(heard)["log_probs"]
        masks = SLOTS_OF_CLASS[log_probs[0].argmax(axis=-1)]
        runs = _new_runs(masks[begin:], (new - start) // step - begin)
        units = plan_units(runs, self.geometry, self.units)
        bands = self._bands(units, sound, begin)
        if self.grid is None:
            vectors = self._one_by_one(units, newest)
        else:
            rows = self.grid.rows_of(units, len(newest))
            vectors = (early.result() if early else self._embed(newest, self.grid))[rows]
        vectors, narrow, _ = free_units(_usable(vectors), bands, self.channels)
        return WindowResult(
            first=first,
            activity=slot_activity(log_probs)[0].astype(np.float16),
            occupancy=occupancy(log_probs)[0],
            masks=masks,
            units=Heard(units.first + first + begin, units.last + first + begin, vectors, narrow),
            samples=start + len(sound),
        )

    def _embed(self, newest: Waveform, grid: UnitGrid) -> UnitEmbeddings:
        """Embeddings of all that may be units, rows as of `UnitGrid.masks`."""
        row: Waveform = np.zeros(grid.length, np.float32)
        row[: len(newest)] = newest
        inputs = {"waveform": row[None, None], "masks": grid.masks(len(newest))[None]}
        found: UnitEmbeddings = self.embedding.run(inputs)["embeddings"][0]
        return found

    def _bands(self, units: Units, sound: Waveform, begin: int) -> Bands | None:
        """Which bands units have; None where that does not matter.

        Args:
            units: their frames count from the window's frame `begin` on.
            sound: of the window, whose spectra are made once.
            begin: see `units`.
        """
        if self.channels is None or not len(units.run):
            return None
        rate = self.geometry.sample_rate
        powers, hop, size = band_powers(sound, rate), hop_of(rate), size_of(rate)
        bounds = (np.stack([units.first, units.last], axis=1) + begin) * self.geometry.frame_step
        bounds += self.geometry.frame_start(0)
        crops = [
            powers[-(-start // hop) : max(0, (end - size) // hop + 1)]
            for start, end in bounds.tolist()
        ]
        seconds = (bounds[:, 1] - bounds[:, 0]) / rate
        levels = stacked([levels_of(crop) for crop in crops])
        return Bands(np.arange(len(levels)), levels, seconds, levels_of(powers))

    def _one_by_one(self, units: Units, newest: Waveform) -> UnitEmbeddings:
        """Embeddings of units, (units, dimension); frames count from the newest sound on."""
        least = least_lengths(self.embedding.metadata).get("samples", 1)
        step = max(1, round(self.units.grid_s * self.geometry.sample_rate))
        dimension = int(self.embedding.metadata["dimension"])
        found = [np.zeros((0, dimension), np.float32)]
        for span in plan_spans(units, self.geometry, self.units.length_s, self.units):
            piece = newest[slice(*map(self.geometry.frame_start, (span.first, span.last)))]
            length = heard_length(len(piece), least, step)
            inputs = span_inputs(piece, length, span, self.geometry)
            found.append(self.embedding.run(inputs)["embeddings"][0])
        return np.concatenate(found)


def _usable(vectors: UnitEmbeddings) -> NDArray[np.float32]:
    """Vectors of unit length; zero for what is none."""
    finite = np.isfinite(vectors).all(axis=1, keepdims=True)
    return unit_length(np.where(finite, vectors, np.float32(0)))


def _new_runs(masks: NDArray[np.float32], new: int) -> Runs:
    """Stretches in which a slot speaks alone that reach into what is new, (runs, 2).

    Args:
        masks: (frames, slots).
        new: frame from which on it is.
    """
    alone = (masks > 0) & (masks.sum(axis=1, keepdims=True) == 1)
    rows = [
        (first, last)
        for column in alone.T
        for first, last in stretches(column).tolist()
        if last > new
    ]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)
