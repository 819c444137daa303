"""The graphs over a recording: decoding, segmentation and embedding at the same time.

    decode thread --blocks--> SampleBuffer --windows--> workers --SegmentationSums--> RunFinder
                                   |                                                      |
                                   +---- spans of the runs that have ended <--------------+
                                   +---------> workers --> embeddings

One thread, the caller's, decides what is asked next and takes answers in the order of asking. Each
question is answered by one worker on one processor thread, so neither the number of workers nor
who is ready when changes an answer. Memory holds the samples that open questions and open runs
need, and what was answered; never the recording.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import local
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import BandLevels, Bands, LogProbs, Runs, UnitEmbeddings, Units, Waveform
from hocket.audio.buffer import Pieces, SampleBuffer, fill, joined
from hocket.audio.reading import AudioStream
from hocket.concurrency import Questions, prefetched
from hocket.config import Config, Runtime
from hocket.embedding.bands import band_levels, stacked
from hocket.embedding.packing import Packing, Placed, SlabGrid, fill_slab
from hocket.embedding.subsegments import Span, heard_length, plan_spans, plan_units, span_inputs
from hocket.geometry import Geometry
from hocket.graph import Graph, least_lengths
from hocket.segmentation.aggregation import Segmentation, SegmentationSums
from hocket.segmentation.regions import RunFinder, count_people
from hocket.segmentation.windows import WindowGrid, heard_frames
from hocket.timing import Stopwatch

BLOCKS_AHEAD = 8  # decoded and not yet asked about, about half a minute

Listener = Callable[[str, int, int], None]
"""Told of a stage's name, what is done of it, and how much there is in all, as far as is known."""


@dataclass(frozen=True, eq=False)
class Heard:
    """What the graphs said of a recording of so many samples."""

    samples: int
    segmentation: Segmentation
    runs: Runs
    units: Units
    embeddings: UnitEmbeddings
    bands: Bands


class Embedded(NamedTuple):
    """Units of some crops, in order: their embeddings, and what the sound of the crops is like.

    embeddings: (units, dimension).
    units: (crops,) how many are of each.
    levels: (crops, 3), dB.
    samples: (crops,) length of each.
    """

    embeddings: UnitEmbeddings
    units: NDArray[np.int64]
    levels: BandLevels
    samples: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        embeddings: UnitEmbeddings,
        spans: Sequence[Span],
        sounds: Sequence[Waveform],
        rate: int,
    ) -> Self:
        """The units of spans, whose sounds at a rate in Hz are the crops."""
        return cls(
            embeddings,
            np.array([len(span.units) for span in spans], np.int64),
            stacked([band_levels(sound, rate) for sound in sounds]),
            np.array([len(sound) for sound in sounds], np.int64),
        )


@dataclass(frozen=True)
class Ears:
    """What a recording is heard with.

    segmentation, embedding: graphs that several threads may call at once.
    batch: windows per call.
    span_s: longest stretch of a run that the embedding graph is given at once.
    """

    segmentation: Graph
    embedding: Graph
    batch: int
    span_s: float
    config: Config
    runtime: Runtime


def hear(
    stream: AudioStream, ears: Ears, watch: Stopwatch, listener: Listener | None = None
) -> Heard:
    """Run the graphs over a recording as it comes in.

    Args:
        stream: mono blocks at the graphs' rate.
        ears: graphs and settings.
        watch: the seconds of all workers and the bytes copied are added to it.
        listener: told how far each stage has come.

    Raises:
        AudioError: the recording turned out to be unusable.
        BackendError: a runtime failed.
    """
    with (
        Questions.to(ears.runtime.workers) as questions,
        prefetched(_timed(stream.blocks, watch), BLOCKS_AHEAD) as blocks,
    ):
        hearing = _Hearing(ears, questions, watch, _Progress(stream.samples, listener))
        for block in blocks:
            hearing.take(block)
        return hearing.finish()


def _timed(blocks: Iterator[Waveform], watch: Stopwatch) -> Iterator[Waveform]:
    while True:
        with watch.stage("decode"):
            block = next(blocks, None)
        if block is None:
            return
        yield block


class _Progress:
    """Counts what is done of each stage for a listener."""

    def __init__(self, samples: int | None, listener: Listener | None) -> None:
        self.samples, self._listener = samples, listener
        self._done = {"segmentation": 0, "embedding": 0}

    def advance(self, stage: str, number: int, total: int) -> None:
        self._done[stage] += number
        if self._listener:
            self._listener(stage, self._done[stage], max(total, self._done[stage]))


class _Hearing:
    """One recording on its way through the graphs."""

    def __init__(
        self, ears: Ears, questions: Questions, watch: Stopwatch, progress: _Progress
    ) -> None:
        geometry = Geometry.from_metadata(ears.segmentation.metadata)
        self._ears, self._geometry = ears, geometry
        self._questions, self._watch, self._progress = questions, watch, progress
        self._grid = WindowGrid.of(geometry, ears.config.windows.step_s)
        self._sums = SegmentationSums(
            geometry,
            reach=geometry.frames_of(ears.config.runs.takeover_s),
            ramp=geometry.frames_of(ears.config.windows.ramp_s),
        )
        self._finder = RunFinder(
            ears.config.runs, max(1, geometry.frames_of(ears.config.runs.longest_s))
        )
        self._buffer = SampleBuffer()
        self._voices = _Voices(ears, geometry, questions, watch, progress)
        self._alone = False
        self._windows = 0  # asked about
        self._arenas = local()

    def take(self, block: Waveform) -> None:
        """Hear the next samples."""
        self._buffer.append(block)
        batch = self._ears.batch
        while self._grid.whole(self._buffer.end) >= self._windows + batch:
            self._ask_windows((self._windows + np.arange(batch)) * self._grid.step)
        self._questions.take()
        self._release()

    def finish(self) -> Heard:
        """Hear the rest, once the recording has ended."""
        samples = self._buffer.end
        starts = self._grid.starts(samples)
        rest, batch = starts[self._windows :], self._ears.batch
        for first in range(0, len(rest), batch):
            self._ask_windows(rest[first : first + batch])
        self._questions.take_all()
        last = int(starts[-1]) // self._geometry.frame_step if len(starts) else 0
        self._settle(last + self._geometry.window_frames if len(starts) else 0)
        self._embed(self._finder.close())
        self._voices.close()
        self._questions.take_all()
        return Heard(samples, self._sums.result(), *self._voices.result())

    def _ask_windows(self, starts: NDArray[np.int64]) -> None:
        length, end = self._grid.length, self._buffer.end
        sounds = [self._buffer.pieces(start, min(start + length, end)) for start in starts.tolist()]
        self._questions.ask(partial(self._segment, sounds), partial(self._add, starts, end))
        self._windows += len(starts)

    def _segment(self, sounds: list[Pieces]) -> LogProbs:
        """On a worker: gather windows in its arena and call the graph."""
        with self._watch.stage("segmentation"):
            batch = self._arena()[: len(sounds)]
            copied = sum(map(fill, batch[:, 0], sounds))
            self._watch.copy("segmentation", copied)
            return self._ears.segmentation.run({"waveform": batch})["log_probs"]

    def _arena(self) -> NDArray[np.float32]:
        """This worker's own memory for a batch of windows, (windows, 1, samples)."""
        if not hasattr(self._arenas, "windows"):
            shape = (self._ears.batch, 1, self._grid.length)
            self._arenas.windows = np.empty(shape, np.float32)
        arena: NDArray[np.float32] = self._arenas.windows
        return arena

    def _add(self, starts: NDArray[np.int64], end: int, log_probs: LogProbs) -> None:
        with self._watch.stage("segmentation"):
            firsts = starts // self._geometry.frame_step
            for index, first in enumerate(firsts.tolist()):
                heard = heard_frames(end, int(starts[index]), self._geometry)
                self._sums.add(first, log_probs[index : index + 1], heard)
        # the tail may start on any frame after the last window, so nothing beyond is settled
        self._settle(int(firsts[-1]))
        expected = self._grid.count(self._progress.samples or end)
        self._progress.advance("segmentation", len(starts), expected)

    def _settle(self, frame: int) -> None:
        with self._watch.stage("segmentation"):
            occupancy, takeover = self._sums.settle(frame)
            runs = self._finder.feed(count_people(occupancy, self._ears.config.runs), takeover)
        self._embed(runs)

    def _embed(self, runs: Runs) -> None:
        if self._finder.heard_alone and not self._alone:
            self._alone = True
            self._voices.forget()
        self._voices.ask(runs, self._buffer)

    def _release(self) -> None:
        """Let go of samples that no window and no run to come needs."""
        open_run = self._geometry.frame_start(self._finder.needed)
        last_window = max(0, self._windows - 1) * self._grid.step  # the tail starts behind it
        self._buffer.release(min(open_run, last_window))


class _Voices:
    """Runs, their units, and what the embedding graph makes of them."""

    def __init__(
        self,
        ears: Ears,
        geometry: Geometry,
        questions: Questions,
        watch: Stopwatch,
        progress: _Progress,
    ) -> None:
        self._ears, self._geometry = ears, geometry
        self._questions, self._watch, self._progress = questions, watch, progress
        metadata = ears.embedding.metadata
        self._dimension = int(metadata["dimension"])
        self._least = least_lengths(metadata).get("samples", 1)
        self._step = max(1, round(ears.config.units.grid_s * geometry.sample_rate))
        self._grid = SlabGrid.of(metadata, geometry, ears.config.units)
        self._arenas = local()
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was taken for runs is none; answers still to come are dropped."""
        self._number_of_runs = self._number_of_units = 0
        self._runs = [np.zeros((0, 2), np.int64)]
        self._units = [Units(*np.zeros((3, 0), np.int64))]
        nothing = np.zeros((0, self._dimension), np.float32)
        self._embedded = [Embedded.of(nothing, [], [], self._geometry.sample_rate)]
        self._packing = Packing(self._grid) if self._grid else None
        self._slab: list[tuple[Placed, Pieces]] = []

    def ask(self, runs: Runs, buffer: SampleBuffer) -> None:
        """Have the units of new runs embedded, from samples that are in the buffer now."""
        if not len(runs):
            return
        units = plan_units(runs, self._geometry, self._ears.config.units)
        spans = plan_spans(units, self._geometry, self._ears.span_s, self._ears.config.units)
        self._runs.append(runs)
        self._units.append(Units(units.run + self._number_of_runs, units.first, units.last))
        self._number_of_runs += len(runs)
        self._number_of_units += len(units.run)
        for span in spans:
            if self._packing:
                self._lay(span, self._packing, buffer)
            else:
                self._ask(partial(self._hear, span, *self._sound(span, buffer)))

    def close(self) -> None:
        """Have what waits in a slab for more embedded as well."""
        if self._grid and self._slab:
            placed, sounds = zip(*self._slab, strict=True)
            self._ask(partial(self._hear_slab, self._grid, placed, sounds))
            self._slab = []

    def _lay(self, span: Span, packing: Packing, buffer: SampleBuffer) -> None:
        for placed in packing.lay(span):
            if placed.start == 0:
                self.close()
            first, last = placed.span.first, placed.span.last
            bounds = map(self._geometry.frame_start, (first, last))
            self._slab.append((placed, buffer.pieces(*bounds)))

    def _ask(self, work: Callable[[], Embedded]) -> None:
        self._questions.ask(work, partial(self._keep, self._embedded))

    def _hear_slab(
        self, grid: SlabGrid, placed: Sequence[Placed], sounds: Sequence[Pieces]
    ) -> Embedded:
        """On a worker: the units of a slab, in their order."""
        with self._watch.stage("embedding"):
            if not hasattr(self._arenas, "slab"):
                self._arenas.slab = np.empty(grid.length, np.float32)
            row: Waveform = self._arenas.slab
            self._watch.copy("embedding", fill_slab(row, placed, sounds))
            inputs = {"waveform": row[None, None], "masks": grid.masks(placed)[None]}
            found: UnitEmbeddings = self._ears.embedding.run(inputs)["embeddings"][0]
            spans = [place.span for place in placed]
            crops = [row[start : start + grid.samples_of(span)] for span, start in placed]
            units = sum(len(span.units) for span in spans)
            return Embedded.of(found[:units], spans, crops, self._geometry.sample_rate)

    def _sound(self, span: Span, buffer: SampleBuffer) -> tuple[Pieces, int]:
        """Samples from the beginning of a span, and how many the graph is given.

        While the recording goes on, a window beyond the span is in the buffer. What lies further
        on is never given, so nothing depends on how far decoding has come.
        """
        start, end = map(self._geometry.frame_start, (span.first, span.last))
        length = heard_length(end - start, self._least, self._step)
        known = min(buffer.end, end + self._geometry.window_samples - self._geometry.frame_start(0))
        end = start + length if start + length <= known else min(end, buffer.end)
        return buffer.pieces(start, end), length

    def _hear(self, span: Span, pieces: Pieces, length: int) -> Embedded:
        """On a worker: the span's units."""
        with self._watch.stage("embedding"):
            sound, copied = joined(pieces)
            inputs = span_inputs(sound, length, span, self._geometry)
            repeated = 0 if len(sound) == length else inputs["waveform"].nbytes
            self._watch.copy("embedding", copied + repeated)
            found: UnitEmbeddings = self._ears.embedding.run(inputs)["embeddings"][0]
            crop = sound[: (span.last - span.first) * self._geometry.frame_step]
            return Embedded.of(found, [span], [crop], self._geometry.sample_rate)

    def _keep(self, kept: list[Embedded], embedded: Embedded) -> None:
        kept.append(embedded)  # answers come in the order of asking, which is that of units
        self._progress.advance("embedding", len(embedded.embeddings), self._number_of_units)

    def result(self) -> tuple[Runs, Units, UnitEmbeddings, Bands]:
        """Everything, once all answers are taken."""
        units = Units(*(np.concatenate(column) for column in zip(*self._units, strict=True)))
        found = Embedded(*(np.concatenate(column) for column in zip(*self._embedded, strict=True)))
        crop = np.repeat(np.arange(len(found.units)), found.units)
        bands = Bands(crop, found.levels, found.samples / self._geometry.sample_rate)
        return np.concatenate(self._runs), units, found.embeddings, bands
