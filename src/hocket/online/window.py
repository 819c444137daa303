"""One window of a stream through the networks; the result depends on the window's samples alone.

Windows overlap, so most of a window was processed before. Only the newest audio, which no earlier
window contains, is embedded, with a little of what precedes it; the tracker keeps the rest. If the
network keeps several sounds of one input apart, embedding does not need the segmentation, and both
networks can run in parallel on a window (docs/decisions/018-both-graphs-at-once.md).
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import (
    Bands,
    Regions,
    SincFeatures,
    SubsegmentEmbeddings,
    Subsegments,
    Waveform,
    segments_of,
    unit_length,
)
from hocket.config import SubsegmentConfig
from hocket.embedding.bands import band_powers, hop_of, levels_of, size_of, stacked
from hocket.embedding.candidates import CandidateGrid
from hocket.embedding.channels import ChannelModel, compensate_subsegments
from hocket.embedding.embedder import Embedder
from hocket.embedding.subsegments import plan_subsegments
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.online.state import WindowEmbeddings, WindowResult
from hocket.segmentation.powerset import SLOTS_OF_CLASS, occupancy, slot_activity


@dataclass(frozen=True)
class WindowNetworks:
    """The networks that process a window, and their settings.

    segmentation: `segmentation_from_peaks`; several threads may call it at once.
    embedder: the embedding network; several threads may call it at once.
    geometry: frame grid.
    subsegments: lengths of subsegments.
    back: frames before the newest audio that are embedded again with it.
    grid: candidates; None for a network that takes one sound per call.
    channels: for channel compensation; None: the embedding network has no channel model.
    """

    segmentation: Graph
    embedder: Embedder
    geometry: Geometry
    subsegments: SubsegmentConfig
    back: int
    grid: CandidateGrid | None
    channels: ChannelModel | None = None

    def process(
        self,
        sound: Waveform,
        start: int,
        new: int,
        sinc_features: Callable[[], SincFeatures],
        beside: Executor | None = None,
    ) -> WindowResult:
        """Run both networks over a window.

        Args:
            sound: (samples,) of the window, at most as many as the segmentation's windows have.
            start: first sample of the window in the stream, the start of a frame.
            new: first sample of the stream that no earlier window contains.
            sinc_features: returns those of the window; another thread may be computing them.
            beside: embeds while this thread runs the segmentation; None: this thread runs both.
        """
        step = self.geometry.frame_step
        first, begin = start // step, max(0, (new - start) // step - self.back)
        newest = sound[self.geometry.frame_start(begin) :]
        embed, early = self.embedder.embed_candidates, None
        if beside and self.grid:
            early = beside.submit(embed, newest, self.grid)
        inputs = {"waveform": sound[None, None], "peaks": sinc_features()}
        log_probs = self.segmentation.run(inputs)["log_probs"]
        masks = SLOTS_OF_CLASS[log_probs[0].argmax(axis=-1)]
        regions = _new_regions(masks[begin:], (new - start) // step - begin)
        subsegments = plan_subsegments(regions, self.geometry, self.subsegments)
        bands = self._bands(subsegments, sound, begin)
        if self.grid is None:
            vectors = self.embedder.embed_each(subsegments, newest)
        else:
            rows = self.grid.rows_of(subsegments, len(newest))
            vectors = (early.result() if early else embed(newest, self.grid))[rows]
        vectors, narrow, _ = compensate_subsegments(_usable(vectors), bands, self.channels)
        offset = first + begin
        return WindowResult(
            first=first,
            activity=slot_activity(log_probs)[0].astype(np.float16),
            occupancy=occupancy(log_probs)[0],
            masks=masks,
            subsegments=WindowEmbeddings(
                subsegments.first + offset, subsegments.last + offset, vectors, narrow
            ),
            samples=start + len(sound),
        )

    def _bands(self, subsegments: Subsegments, sound: Waveform, begin: int) -> Bands | None:
        """Band levels of subsegments; None if they are not needed.

        Args:
            subsegments: frames are counted from frame `begin` of the window.
            sound: (samples,) of the window. Its spectra are computed once for all subsegments.
            begin: frame of the window.
        """
        if self.channels is None or not len(subsegments.region):
            return None
        rate = self.geometry.sample_rate
        powers, hop, size = band_powers(sound, rate), hop_of(rate), size_of(rate)
        bounds = (
            np.stack([subsegments.first, subsegments.last], axis=1) + begin
        ) * self.geometry.frame_step
        bounds += self.geometry.frame_start(0)
        crops = [
            powers[-(-start // hop) : max(0, (end - size) // hop + 1)]
            for start, end in bounds.tolist()
        ]
        seconds = (bounds[:, 1] - bounds[:, 0]) / rate
        levels = stacked([levels_of(crop) for crop in crops])
        return Bands(np.arange(len(levels)), levels, seconds, levels_of(powers))


def _usable(vectors: SubsegmentEmbeddings) -> NDArray[np.float32]:
    """Vectors scaled to unit length; zero for those that are not finite."""
    finite = np.isfinite(vectors).all(axis=1, keepdims=True)
    return unit_length(np.where(finite, vectors, np.float32(0)))


def _new_regions(masks: NDArray[np.float32], new: int) -> Regions:
    """Regions in which a slot speaks alone and which end in new frames, (regions, 2).

    Args:
        masks: (frames, slots).
        new: first new frame.
    """
    single = (masks > 0) & (masks.sum(axis=1, keepdims=True) == 1)
    rows = [
        (first, last)
        for column in single.T
        for first, last in segments_of(column).tolist()
        if last > new
    ]
    return np.array(sorted(rows), np.int64).reshape(-1, 2)
