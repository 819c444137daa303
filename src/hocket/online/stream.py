"""The online engine: samples in, who speaks out, while they do.

Windows end every `step_s`; a stream that is shorter than a window has shorter ones. Those that
are there at once are processed side by side; the tracker takes them one after the other.
"""

import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from hocket import models
from hocket.arrays import Waveform
from hocket.audio.buffer import SampleBuffer, joined
from hocket.audio.ingest import Door
from hocket.clustering import TwoSpeakers
from hocket.concurrency import Questions
from hocket.config import Config, LiveConfig, Runtime
from hocket.embedding.candidates import UnitGrid
from hocket.errors import ConfigError, OutputError
from hocket.geometry import Geometry
from hocket.graph import Graph, least_lengths
from hocket.offline.diarizer import Diarizer
from hocket.online.sinc_cache import SharedPeaks
from hocket.online.tracker import (
    FrameModel,
    Known,
    Limits,
    Pace,
    Rules,
    State,
    Update,
    WindowResult,
    step,
)
from hocket.online.window import LiveEars
from hocket.result import Result
from hocket.speakers import SpeakerStore

Listen: TypeAlias = Callable[[Executor | None], WindowResult]
"""How to hear a window, if there is one with another thread's help."""


class Stream:
    """Says who speaks while they do.

    Args:
        sample_rate: Hz, of what it is fed.
        config: everything that may change what is said; `config.live` is for streams alone.
        runtime: how the graphs are run; changes only how fast.
        known: speakers to be found again by their names.
        store: whose speakers are known as well; it is read once, here.
        refinable: keep the sound in a temporary file on disk, 230 MB an hour, for
            `finish(refine=True)`.
        name: what errors and results call the stream.

    Raises:
        AudioContentError: the rate makes no sense.
        ConfigError: settings or known speakers contradict each other.
        StoreError: the store cannot be read, or holds voices of another model.
        ModelError, BackendError: as for `Diarizer.load`.

    Not for several threads at once. Memory holds the last window and what is known of speakers.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        config: Config | None = None,
        runtime: Runtime | None = None,
        known: Sequence[Known] = (),
        store: SpeakerStore | None = None,
        refinable: bool = True,
        name: str = "stream",
    ) -> None:
        self._diarizer = diarizer = Diarizer(config, runtime)
        self.config, self.runtime = diarizer.config, diarizer.runtime
        segmentation, self._peaks = _segmentation_beside_embedding(diarizer)
        self._geometry = geometry = Geometry.from_metadata(segmentation.metadata)
        least = least_lengths(segmentation.metadata).get("samples", 1)
        self._least = max(least, geometry.receptive_field)
        self._ears = _ears_of(diarizer, segmentation, geometry, self._least)
        self.rules = _rules_of(diarizer, geometry)
        self._whole = whole = _window_samples(self.config.live, geometry)
        self._door = Door(sample_rate, geometry.sample_rate, name)
        self._name, self._rate = name, sample_rate
        dimension = int(self._ears.embedding.metadata["dimension"])
        stored = _known_in(store, self._diarizer) if store else ()
        self.state = State.start(dimension, (*known, *stored))
        self._buffer, self._tape = SampleBuffer(), _Tape() if refinable else None
        self._step = self.rules.pace.step * geometry.frame_step
        self._next = whole - (whole - self._least) // self._step * self._step
        self._heard_to = 0
        self._finished = False

    def feed(self, samples: NDArray[Any]) -> list[Update]:
        """Hear what comes next, however much or little it is.

        Args:
            samples: (samples,) or (samples, channels), floats in -1..1 or integers.

        Returns:
            An update for every window that ends within them; often none.

        Raises:
            AudioContentError: the array is none of sound.
            ConfigError: the stream is finished.
            BackendError: a runtime failed.
        """
        self._check_open()
        updates: list[Update] = []
        pending: list[Listen] = []
        for block in self._door.feed(samples):
            self._keep(block)
            pending += self._due()
            if len(pending) >= 4 * self.runtime.workers:
                updates += self._hear(pending)
                pending = []
        return updates + self._hear(pending)

    def skip(self, seconds: float) -> list[Update]:
        """Take so much of the stream for silence, as where samples were lost.

        Raises:
            ConfigError: the number is negative or not finite, or the stream is finished.
        """
        if not 0 <= seconds < np.inf:
            raise ConfigError(f"a gap of {seconds} seconds; give 0 or more")
        left, updates = round(seconds * self._rate), list[Update]()
        silence = np.zeros((self._rate, self._door.channels or 1), np.float32)
        while left > 0:
            updates += self.feed(silence[:left])
            left -= len(silence)
        return updates

    @overload
    def finish(self, *, refine: Literal[False] = False) -> list[Update]: ...

    @overload
    def finish(self, *, refine: Literal[True]) -> Result: ...

    def finish(self, *, refine: bool = False) -> list[Update] | Result:
        """End the stream.

        Args:
            refine: hear all of it again, as a recording.

        Returns:
            The last updates, after which nothing is tentative; or what `Diarizer` says of all.

        Raises:
            ConfigError: it is finished already, or `refinable` was False.
            OutputError: the sound could not be kept.
        """
        self._check_open()
        if refine and self._tape is None:
            raise ConfigError("the sound was not kept; make the stream with refinable=True")
        for block in self._door.close():
            self._keep(block)
        try:
            return self._refined(self._tape) if refine and self._tape else self._last_updates()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the sound that was kept; nothing more can be fed."""
        self._finished = True
        if self._tape:
            self._tape.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _last_updates(self) -> list[Update]:
        updates = self._hear(self._due())
        if self._buffer.end >= self._least:  # what is shorter says nothing
            updates += self._hear([self._window(self._buffer.end)], ends=True)
        return updates

    def _refined(self, tape: "_Tape") -> Result:
        rate = self._geometry.sample_rate
        with tape.samples() as whole:
            return self._diarizer(whole, sample_rate=rate, name=self._name)

    def _check_open(self) -> None:
        if self._finished:
            raise ConfigError(f"{self._name}: is finished; make a new stream")

    def _keep(self, block: Waveform) -> None:
        self._buffer.append(block)
        if self._tape:
            self._tape.write(block)

    def _due(self) -> list[Listen]:
        """How to hear the windows that end within what is there."""
        found = []
        while self._buffer.end >= self._next:
            found.append(self._window(self._next))
            self._next += self._step
        return found

    def _window(self, end: int) -> Listen:
        """How to hear the window that ends here."""
        step, first = self._geometry.frame_step, max(0, end - self._whole)
        start = -(-first // step) * step
        pieces, new = self._buffer.pieces(start, end), self._heard_to
        peaks = self._peaks.of_window(start, end, self._buffer)
        self._heard_to = end
        self._buffer.release(start)  # later windows begin later
        return lambda beside: self._ears.hear(joined(pieces)[0], start, new, peaks, beside)

    def _hear(self, pending: Sequence[Listen], *, ends: bool = False) -> list[Update]:
        """Hear windows, side by side if there are several, and track them in order."""
        updates: list[Update] = []

        def take(window: WindowResult) -> None:
            self.state, update = step(self.state, window, self.rules, ends=ends)
            updates.append(update)

        if self.runtime.workers == 1:
            for listen in pending:
                take(listen(None))
        elif len(pending) == 1:  # its two graphs side by side
            with ThreadPoolExecutor(1, thread_name_prefix="hocket") as beside:
                take(pending[0](beside))
        elif pending:
            with Questions.to(self.runtime.workers) as questions:
                for listen in pending:
                    questions.ask(partial(listen, None), take)
                questions.take_all()
        return updates


def follow(
    stream: Stream, blocks: Iterable[NDArray[Any]], callback: Callable[[Update], object]
) -> None:
    """Feed a stream all blocks, finish it, and call back with every update."""
    for block in blocks:
        for update in stream.feed(block):
            callback(update)
    for update in stream.finish():
        callback(update)


async def updates_of(stream: Stream, blocks: AsyncIterable[NDArray[Any]]) -> AsyncIterator[Update]:
    """Updates of a stream that is fed from an asynchronous source; graphs run in a thread."""
    import asyncio  # imported here: 20 ms of every command's start

    async for block in blocks:
        for update in await asyncio.to_thread(stream.feed, block):
            yield update
    for update in await asyncio.to_thread(stream.finish):
        yield update


class _Tape:
    """All samples of a stream, in a file without a name that goes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="hocket-")  # noqa: SIM115 - closed by `close`
        self._problem: OSError | None = None

    def write(self, block: Waveform) -> None:
        try:
            if self._problem is None:
                self._file.write(block.data)
        except OSError as error:  # the stream goes on; only refining is lost
            self._problem = error

    @contextmanager
    def samples(self) -> Iterator[Waveform]:
        """All of them, read from the disk as they are needed."""
        if self._problem is None:
            try:
                self._file.flush()
            except OSError as error:
                self._problem = error
        if self._problem is not None:
            where = tempfile.gettempdir()
            raise OutputError(
                f"{where}: the sound could not be kept there ({self._problem}); "
                "make room, or name another folder in TMPDIR"
            )
        empty = not self._file.tell()
        whole: Waveform = np.zeros(0, np.float32)
        yield whole if empty else np.memmap(self._file, np.float32, mode="c")

    def close(self) -> None:
        self._file.close()


def _known_in(store: SpeakerStore, diarizer: Diarizer) -> tuple[Known, ...]:
    """Everybody in a store who has exemplars."""
    store.check_model(diarizer.embedding_model)
    found = {who.name: store.exemplars(who.id) for who in store.speakers()}
    return tuple(
        Known(name, np.stack([exemplar.embedding for exemplar in exemplars]))
        for name, exemplars in found.items()
        if exemplars
    )


def _window_samples(live: LiveConfig, geometry: Geometry) -> int:
    """Samples of a window, a whole number of frames; ConfigError if it cannot be heard so."""
    window_s, newest_s = live.window_s, live.step_s + live.back_s
    if newest_s > window_s:
        raise ConfigError(
            f"found step_s {live.step_s} and back_s {live.back_s}; give a window_s of at least "
            f"{newest_s:g}, not {window_s:g}"
        )
    if window_s * geometry.sample_rate > geometry.window_samples:
        most = geometry.seconds_of(geometry.window_samples)
        raise ConfigError(f"window_s is {window_s:g}; the segmentation hears {most:g} at most")
    return int(window_s * geometry.sample_rate) // geometry.frame_step * geometry.frame_step


def _segmentation_beside_embedding(diarizer: Diarizer) -> tuple[Graph, SharedPeaks]:
    """The segmentation, and what finds the peaks it takes; loads the embedding meanwhile."""
    with ThreadPoolExecutor(2, thread_name_prefix="hocket") as pool:
        loading = pool.submit(_segmentation_of, diarizer)
        pool.submit(import_module, "scipy.optimize")  # else the first window waits 0.3 s for it
        _ = diarizer.embedding_graph, diarizer.plda, diarizer.channel_model
        return loading.result()


def _segmentation_of(diarizer: Diarizer) -> tuple[Graph, SharedPeaks]:
    graphs, runtime = diarizer.config.graphs, diarizer.runtime
    segmentation = models.load("segmentation_from_peaks", graphs, runtime)
    return segmentation, SharedPeaks(models.load("sinc_peaks", graphs, runtime))


def _ears_of(diarizer: Diarizer, segmentation: Graph, geometry: Geometry, least: int) -> LiveEars:
    config = diarizer.config
    back, step = (geometry.frames_of(each) for each in (config.live.back_s, config.live.step_s))
    before = max(back, (least - 1) // geometry.frame_step)  # all of the first window is new
    newest = (before + max(1, step)) * geometry.frame_step
    return LiveEars(
        segmentation,
        diarizer.embedding_graph,
        geometry,
        config.units,
        back,
        UnitGrid.of(diarizer.embedding_graph.metadata, geometry, config.units, newest),
        diarizer.channel_model,
    )


def _rules_of(diarizer: Diarizer, geometry: Geometry) -> Rules:
    """Thresholds of the settings, or of the embedding model."""
    config, live, frames = diarizer.config, diarizer.config.live, geometry.frames_of

    def limit(name: str) -> float:
        given: float | None = getattr(live, name)
        return diarizer.calibration[f"live_{name}"] if given is None else given

    return Rules(
        graph=models.load("post_embedding", config.graphs, diarizer.runtime),
        geometry=geometry,
        limits=Limits(
            match=limit("match"),
            create=limit("create"),
            update=limit("update"),
            merge=limit("merge"),
            name=diarizer.calibration["name_distance"],
            name_early=diarizer.calibration["live_name"],
            crowd=diarizer.calibration["live_crowd"],
            create_s=live.create_s,
            loyalty=live.loyalty,
            max_speakers=live.max_speakers,
        ),
        pace=Pace(
            delay=frames(live.delay_s),
            # to the end of a window, which its last frame stands for less than all of
            latest=frames(live.latest_s - geometry.seconds_of(geometry.receptive_field)) - 1,
            step=max(1, frames(live.step_s)),
            ramp=frames(config.windows.ramp_s),
            fade=config.turns.fade_s * geometry.sample_rate / geometry.frame_step,
            min_pause=frames(config.turns.min_pause_s),
            min_turn=frames(config.turns.min_turn_s),
        ),
        runs=config.runs,
        sure=FrameModel.of(diarizer.calibration),
        two=TwoSpeakers.of(diarizer.calibration, "live_two"),
    )
