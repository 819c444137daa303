"""The networks over a recording: a chain of generators, each of which pulls from the one before.

    blocks -> windows -> segmented windows -> regions -> packs -> embedded packs
     decode               on workers                               on workers

Decoding runs ahead on a thread of its own. The caller's thread pulls, and every network call runs
on one thread of one pool. Results are taken in the order of their items, so neither the number of
workers nor the order in which they finish changes a result. Memory holds the samples that open
calls and the open region need, and what was computed from the rest; never the recording.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event, local
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import (
    Bands,
    LogProbs,
    Regions,
    SubsegmentEmbeddings,
    Subsegments,
    Waveform,
    check_array,
)
from hocket.audio.buffer import Pieces, SampleBuffer, fill
from hocket.audio.reading import AudioStream, Recording
from hocket.concurrency import ordered_map, prefetched, worker_pool
from hocket.config import ResolvedConfig, Runtime
from hocket.embedding.embedder import Embedded, Embedder
from hocket.errors import Cancelled, GraphInputError
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.offline.packs import PackPlanner, Plan, PlannedPack
from hocket.offline.progress import Progress
from hocket.segmentation.aggregation import Segmentation, SegmentationSums
from hocket.segmentation.regions import RegionFinder, count_speakers
from hocket.segmentation.windows import WindowGrid, covered_frames
from hocket.timing import Stopwatch

BLOCKS_AHEAD = 8  # decoded ahead of the windows, about half a minute
Item = TypeVar("Item")

CALLS_PER_WORKER = 3  # open at once, of each network: one runs, two wait for it


@dataclass(frozen=True)
class Networks:
    """What a recording is processed with.

    segmentation: a graph that several threads may call at once.
    geometry: its frame grid.
    batch: windows of a call.
    embedder: the embedding network.
    """

    segmentation: Graph
    geometry: Geometry
    batch: int
    embedder: Embedder


class InferenceOutput(NamedTuple):
    """What the networks made of a recording of so many samples.

    embeddings: (subsegments, dimension), as the network gave them.
    """

    samples: int
    segmentation: Segmentation
    regions: Regions
    subsegments: Subsegments
    embeddings: SubsegmentEmbeddings
    bands: Bands


class WindowBatch(NamedTuple):
    """Windows of one call: (windows,) first samples, samples decoded so far, and the sound."""

    starts: NDArray[np.int64]
    decoded: int
    sounds: list[Pieces]


class SegmentedBatch(NamedTuple):
    """Windows of one call with what the segmentation made of them, (windows, frames, 7)."""

    starts: NDArray[np.int64]
    decoded: int
    log_probs: LogProbs


class EmbeddedPack(NamedTuple):
    """What the embedding network made of a pack, and the plan that it belongs to."""

    embedded: Embedded
    plan: Plan


class FoundRegions(NamedTuple):
    """Regions that have ended; `supersede` if all regions before them are void."""

    regions: Regions
    supersede: bool


def infer(
    stream: AudioStream,
    networks: Networks,
    config: ResolvedConfig,
    runtime: Runtime,
    watch: Stopwatch,
    progress: Progress,
    cancel: Event | None = None,
) -> InferenceOutput:
    """Run both networks over a recording as it comes in.

    Args:
        stream: mono blocks at the networks' rate.
        networks: graphs and what their metadata state.
        config: settings.
        runtime: how many calls may run at once.
        watch: gets the seconds of all workers and the bytes copied.
        progress: advances with every call.
        cancel: ends the work as soon as it is set.

    Raises:
        AudioError: the recording turned out to be unusable.
        BackendError: a runtime failed.
        Cancelled: `cancel` was set.
    """
    with (
        worker_pool(runtime.workers) as pool,
        prefetched(_timed(stream.blocks, watch), BLOCKS_AHEAD) as blocks,
    ):
        inference = _Inference(networks, config, watch, progress)
        most = CALLS_PER_WORKER * runtime.workers
        windows = inference.windows(_until(cancel, blocks))
        segmented = ordered_map(inference.segment, windows, pool, most)
        packs = inference.packs(inference.regions(segmented))
        embedded = ordered_map(inference.embed, packs, pool, most)
        return inference.output(_until(cancel, embedded))


def _timed(blocks: Iterator[Waveform], watch: Stopwatch) -> Iterator[Waveform]:
    while True:
        with watch.stage("decode"):
            block = next(blocks, None)
        if block is None:
            return
        yield block


def _until(cancel: Event | None, items: Iterable[Item]) -> Iterator[Item]:
    """The items, until `cancel` is set; then Cancelled."""
    for item in items:
        if cancel is not None and cancel.is_set():
            raise Cancelled("cancelled before the result was complete; nothing was written")
        yield item


class _Inference:
    """One recording on its way through the networks: the stages of the chain, and what they share.

    `_buffer` is filled by `windows` and released by `regions`, once `packs` has taken its samples.
    """

    def __init__(
        self, networks: Networks, config: ResolvedConfig, watch: Stopwatch, progress: Progress
    ) -> None:
        geometry = networks.geometry
        self._networks, self._config, self._geometry = networks, config, geometry
        self._watch, self._progress = watch, progress
        self._grid = WindowGrid.of(geometry, config.windows.step_s)
        self._sums = SegmentationSums(
            geometry,
            reach=geometry.frames_of(config.regions.change_s),
            ramp=geometry.frames_of(config.windows.ramp_s),
        )
        longest = max(1, geometry.frames_of(config.regions.longest_s))
        self._finder = RegionFinder(config.regions, longest)
        self._buffer = SampleBuffer()
        self._planner = PackPlanner(networks.embedder, self._buffer, geometry, config.subsegments)
        self._windows = 0  # handed out
        self._arenas = local()

    def windows(self, blocks: Iterable[Waveform]) -> Iterator[WindowBatch]:
        """Windows of the recording in batches, as soon as their samples are decoded."""
        batch = self._networks.batch
        for block in blocks:
            self._buffer.append(block)
            while self._grid.whole(self._buffer.end) >= self._windows + batch:
                yield self._batch((self._windows + np.arange(batch)) * self._grid.step)
        rest = self._grid.starts(self._buffer.end)[self._windows :]
        for first in range(0, len(rest), batch):
            yield self._batch(rest[first : first + batch])

    def _batch(self, starts: NDArray[np.int64]) -> WindowBatch:
        length, end = self._grid.length, self._buffer.end
        sounds = [self._buffer.pieces(start, min(start + length, end)) for start in starts.tolist()]
        self._windows += len(starts)
        return WindowBatch(starts, end, sounds)

    def segment(self, batch: WindowBatch) -> SegmentedBatch:
        """On a worker: run the segmentation over windows, gathered in the worker's own memory."""
        with self._watch.stage("segmentation"):
            rows = self._arena()[: len(batch.sounds)]
            self._watch.copy("segmentation", sum(map(fill, rows[:, 0], batch.sounds)))
            log_probs = self._networks.segmentation.run({"waveform": rows})["log_probs"]
            return SegmentedBatch(batch.starts, batch.decoded, log_probs)

    def _arena(self) -> NDArray[np.float32]:
        if not hasattr(self._arenas, "windows"):
            shape = (self._networks.batch, 1, self._grid.length)
            self._arenas.windows = np.empty(shape, np.float32)
        arena: NDArray[np.float32] = self._arenas.windows
        return arena

    def regions(self, segmented: Iterable[SegmentedBatch]) -> Iterator[FoundRegions]:
        """Regions as they end, and then the samples that nothing after them needs are released."""
        last, step = 0, self._geometry.frame_step
        for batch in segmented:
            with self._watch.stage("segmentation"):
                for start, log_probs in zip(batch.starts.tolist(), batch.log_probs, strict=True):
                    covered = covered_frames(batch.decoded, start, self._geometry)
                    self._sums.add(start // step, log_probs[None], covered)
            last = int(batch.starts[-1])
            expected = self._grid.count(self._progress.samples or batch.decoded)
            self._progress.advance("segmentation", len(batch.starts), expected)
            # the tail may start on any frame after the last window: nothing beyond it is settled
            yield self._settled(last // step)
            self._release()
        reached = last // step + self._geometry.window_frames if self._buffer.end else 0
        yield self._settled(reached)
        yield FoundRegions(self._finder.close(), supersede=False)

    def _release(self) -> None:
        """Let go of samples that neither the open region nor a window to come needs."""
        open_region = self._geometry.frame_start(self._finder.needed)
        last_window = max(0, self._windows - 1) * self._grid.step  # the tail starts behind it
        self._buffer.release(min(open_region, last_window))

    def _settled(self, frame: int) -> FoundRegions:
        """Regions that end before a frame, which no later window changes."""
        before = self._finder.found_single
        with self._watch.stage("segmentation"):
            occupancy, change = self._sums.settle(frame)
            regions = self._finder.feed(count_speakers(occupancy, self._config.regions), change)
        return FoundRegions(regions, supersede=self._finder.found_single and not before)

    def packs(self, found: Iterable[FoundRegions]) -> Iterator[PlannedPack]:
        """Calls of the embedding network for the subsegments of regions."""
        for regions, supersede in found:
            if supersede:
                self._planner.restart()
            yield from self._planner.add(regions)
        yield from self._planner.close()

    def embed(self, planned: PlannedPack) -> EmbeddedPack:
        """On a worker: embed a pack."""
        with self._watch.stage("embedding"):
            embedded = self._networks.embedder.embed_pack(planned.pack)
            self._watch.copy("embedding", embedded.copied)
            return EmbeddedPack(embedded, planned.plan)

    def output(self, packs: Iterable[EmbeddedPack]) -> InferenceOutput:
        """Pull everything through the chain, and join it."""
        parts: list[EmbeddedPack] = []
        for part in packs:
            parts.append(part)
            total = self._planner.plan.number_of_subsegments
            self._progress.advance("embedding", len(part.embedded.embeddings), total)
        plan = self._planner.plan
        kept = [part.embedded for part in parts if part.plan is plan]
        found = Embedded.joined(kept, self._networks.embedder.info.dimension)
        crop = np.repeat(np.arange(len(found.subsegments)), found.subsegments)
        bands = Bands(crop, found.levels, found.samples / self._geometry.sample_rate)
        regions, subsegments = plan.joined()
        return InferenceOutput(
            self._buffer.end, self._sums.result(), regions, subsegments, found.embeddings, bands
        )


def checked_recording(recording: Recording | Waveform, geometry: Geometry) -> Recording:
    """The recording as the graphs need it, or GraphInputError."""
    if not isinstance(recording, Recording):
        check_array("waveform", recording, np.float32, ("samples",))
        if not np.isfinite(recording).all():
            raise GraphInputError("waveform: found NaN or infinite samples; use read_audio")
        return Recording(recording, geometry.sample_rate, "audio")
    if recording.sample_rate != geometry.sample_rate:
        raise GraphInputError(
            f"{recording.name}: found {recording.sample_rate} Hz; "
            f"read it with target_rate={geometry.sample_rate}"
        )
    return recording
