"""What the graphs say of one window of a stream; it depends on nothing but the window's samples.

Windows overlap, so most of a window was heard before. Only the stretches that it is the first to
hold are embedded, with a little of what lies before them; the tracker remembers the rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Runs, UnitEmbeddings, Waveform, stretches
from hocket.clustering.voices import unit_length
from hocket.config import UnitConfig
from hocket.embedding import Span, heard_length, plan_spans, plan_units, span_inputs
from hocket.geometry import Geometry
from hocket.graph import Graph, least_lengths
from hocket.powerset import SLOTS_OF_CLASS, occupancy, slot_activity
from hocket.slabs import Packing, Placed, SlabGrid, fill_slab
from hocket.tracking import Heard, WindowResult


@dataclass(frozen=True)
class LiveEars:
    """What a stream is heard with.

    segmentation, embedding: graphs that several threads may call at once.
    geometry: frame grid.
    units: what is embedded, and how much of it at once.
    back: frames of what was heard before that new speech is embedded with.
    """

    segmentation: Graph
    embedding: Graph
    geometry: Geometry
    units: UnitConfig
    back: int

    def hear(self, sound: Waveform, start: int, new: int) -> WindowResult:
        """Hear a window.

        Args:
            sound: its samples, no more than the segmentation's window has.
            start: its first sample in the stream, which a frame begins at.
            new: first sample of the stream that no window before held.
        """
        log_probs = self.segmentation.run({"waveform": sound[None, None]})["log_probs"]
        masks = SLOTS_OF_CLASS[log_probs[0].argmax(axis=-1)]
        first = start // self.geometry.frame_step
        runs = _new_runs(masks, new // self.geometry.frame_step - first, self.back)
        units = plan_units(runs, self.geometry, self.units)
        vectors = self._embed(
            plan_spans(units, self.geometry, self.units.slab_s, self.units), sound
        )
        return WindowResult(
            first=first,
            activity=slot_activity(log_probs)[0].astype(np.float16),
            occupancy=occupancy(log_probs)[0],
            masks=masks,
            units=Heard(units.first + first, units.last + first, vectors),
            samples=start + len(sound),
        )

    def _embed(self, spans: list[Span], sound: Waveform) -> NDArray[np.float32]:
        """Unit vectors of all units of the spans, (units, dimension); zero for what is none."""
        grid = SlabGrid.of(self.embedding.metadata, self.geometry, self.units)
        heard = self._in_slabs(spans, sound, grid) if grid else self._alone(spans, sound)
        dimension = int(self.embedding.metadata["dimension"])
        found = np.concatenate([np.zeros((0, dimension), np.float32), *heard])
        return unit_length(np.where(np.isfinite(found).all(axis=1)[:, None], found, np.float32(0)))

    def _in_slabs(self, spans: list[Span], sound: Waveform, grid: SlabGrid) -> list[UnitEmbeddings]:
        packing, slabs = Packing(grid), list[list[Placed]]()
        for placed in (place for span in spans for place in packing.lay(span)):
            if placed.start == 0:
                slabs.append([])
            slabs[-1].append(placed)
        row: Waveform = np.empty(grid.length, np.float32)
        found = []
        for slab in slabs:
            fill_slab(row, slab, [[self._sound(place.span, sound)] for place in slab])
            inputs = {"waveform": row[None, None], "masks": grid.masks(slab)[None]}
            units = sum(len(place.span.units) for place in slab)
            found.append(self.embedding.run(inputs)["embeddings"][0, :units])
        return found

    def _alone(self, spans: list[Span], sound: Waveform) -> list[UnitEmbeddings]:
        least = least_lengths(self.embedding.metadata).get("samples", 1)
        step = max(1, round(self.units.grid_s * self.geometry.sample_rate))
        found = []
        for span in spans:
            piece = self._sound(span, sound)
            length = heard_length(len(piece), least, step)
            inputs = span_inputs(piece, length, span, self.geometry)
            found.append(self.embedding.run(inputs)["embeddings"][0])
        return found

    def _sound(self, span: Span, sound: Waveform) -> Waveform:
        return sound[slice(*map(self.geometry.frame_start, (span.first, span.last)))]


def _new_runs(masks: NDArray[np.float32], new: int, back: int) -> Runs:
    """Stretches in which a slot speaks alone that reach into what is new, (runs, 2).

    Args:
        masks: (frames, slots).
        new: frame of the window from which on it is.
        back: frames before it that a stretch keeps.
    """
    alone = (masks > 0) & (masks.sum(axis=1, keepdims=True) == 1)
    rows = [
        (max(first, new - back), last)
        for column in alone.T
        for first, last in stretches(column).tolist()
        if last > new
    ]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)
