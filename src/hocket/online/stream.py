"""The online engine: samples in, turns out, while people speak.

Windows end every `step_s`; a stream that is shorter than a window has shorter ones. Windows that are
complete at the same time are processed side by side; the tracker takes them one after the other.
"""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.arrays import Waveform
from hocket.audio.buffer import SampleBuffer, joined
from hocket.audio.ingest import StreamInput
from hocket.concurrency import ordered_map, worker_pool
from hocket.config import Config, Runtime, StreamConfig
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.offline.diarizer import Diarizer
from hocket.online.loading import known_in, load_networks
from hocket.online.state import KnownSpeaker, State, WindowResult
from hocket.online.tape import Tape
from hocket.online.tracker import Rules, Update, step
from hocket.result import Result
from hocket.speakers import SpeakerStore

Window: TypeAlias = Callable[[Executor | None], WindowResult]
"""Processes a window, with another thread's help if there is one."""

CALLS = 3  # open at once for every worker: one runs, two wait for it


class Stream:
    """Diarizes sound as it comes.

    Args:
        sample_rate: Hz, of what it is fed.
        config: everything that may change results; `config.stream` is for streams alone.
        runtime: how the graphs are run; changes only how fast results come.
        preset: accurate, balanced or fast, in place of a config.
        known: known speakers, who get their names when they speak.
        store: whose speakers are known as well; it is read once, here.
        refinable: keep the sound in a temporary file on disk, 230 MB an hour, for
            `finish(refine=True)`.
        name: what errors and results call the stream.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioContentError: the rate makes no sense.
        ConfigError: settings or known speakers contradict each other.
        StoreError: the store cannot be read, or holds voices of another model.
        ModelError, BackendError: as for `Diarizer.load`.

    A stream is not for several threads at once. Memory holds the last window and what is known of
    the speakers.
    """

    @known_names_only
    def __init__(
        self,
        sample_rate: int,
        *,
        config: Config | None = None,
        runtime: Runtime | None = None,
        preset: str | None = None,
        known: Sequence[KnownSpeaker] = (),
        store: SpeakerStore | None = None,
        refinable: bool = True,
        name: str = "stream",
    ) -> None:
        check_type("store", store, SpeakerStore | None)
        check_type("name", name, str)
        self._diarizer = diarizer = Diarizer(config, runtime, preset=preset)
        self.config, self.runtime = diarizer.config, diarizer.runtime
        networks = load_networks(diarizer)
        self._sinc_cache, self._networks = networks.sinc_cache, networks.window
        self._geometry = geometry = networks.segmentation.geometry
        self._least = networks.segmentation.least_samples
        self.rules = Rules.of(diarizer.resolved, diarizer.calibration, geometry, networks.graph)
        self._whole = whole = _window_samples(self.config.stream, geometry)
        self._input = StreamInput(sample_rate, geometry.sample_rate, name)
        self._name, self._rate = name, sample_rate
        stored = known_in(store, diarizer.embedding_model) if store else ()
        self.state = State.start(networks.window.embedder.info.dimension, (*known, *stored))
        self._buffer, self._tape = SampleBuffer(), Tape() if refinable else None
        self._step = self.rules.pace.step * geometry.frame_step
        self._next = whole - (whole - self._least) // self._step * self._step
        self._processed = 0
        self._finished = False

    def feed(self, samples: NDArray[Any]) -> list[Update]:
        """Process what comes next, however much or little it is.

        Args:
            samples: (samples,) or (samples, channels), floats in -1..1 or integers.

        Returns:
            An update for every window that ends within them; often none.

        Raises:
            AudioContentError: the array does not hold sound.
            ConfigError: the stream is finished.
            BackendError: a runtime failed.
        """
        self._check_open()
        updates: list[Update] = []
        pending: list[Window] = []
        for block in self._input.feed(samples):
            self._keep(block)
            pending += self._due()
            if len(pending) >= 4 * self.runtime.workers:
                updates += self._process(pending)
                pending = []
        return updates + self._process(pending)

    def skip(self, seconds: float) -> list[Update]:
        """Treat so much of the stream as silence, as where samples were lost.

        Raises:
            ConfigError: the number is negative or not finite, or the stream is finished.
        """
        if not 0 <= seconds < np.inf:
            raise ConfigError(f"a gap of {seconds} seconds; give 0 or more")
        left, updates = round(seconds * self._rate), list[Update]()
        silence = np.zeros((self._rate, self._input.channels or 1), np.float32)
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
            refine: process all of it again, as a recording.

        Returns:
            The last updates, after which nothing is tentative; or the result of `Diarizer` for all of it.

        Raises:
            ConfigError: it is finished already, or `refinable` was False.
            OutputError: the sound could not be kept.
        """
        self._check_open()
        if refine and self._tape is None:
            raise ConfigError("the sound was not kept; make the stream with refinable=True")
        for block in self._input.close():
            self._keep(block)
        try:
            return self._refined(self._tape) if refine and self._tape else self._last_updates()
        finally:
            self.close()

    def close(self) -> None:
        """Delete the sound that was kept; nothing more can be fed."""
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
        updates = self._process(self._due())
        if self._buffer.end >= self._least:  # the networks take nothing shorter
            updates += self._process([self._window(self._buffer.end)], ends=True)
        return updates

    def _refined(self, tape: Tape) -> Result:
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

    def _due(self) -> list[Window]:
        """The windows that end within what was fed."""
        found = []
        while self._buffer.end >= self._next:
            found.append(self._window(self._next))
            self._next += self._step
        return found

    def _window(self, end: int) -> Window:
        """The window that ends at this sample."""
        step, first = self._geometry.frame_step, max(0, end - self._whole)
        start = -(-first // step) * step
        pieces, new = self._buffer.pieces(start, end), self._processed
        features = self._sinc_cache.of_window(start, end, self._buffer)
        self._processed = end
        self._buffer.release(start)  # later windows begin later
        process = self._networks.process
        return lambda beside: process(joined(pieces)[0], start, new, features, beside)

    def _process(self, windows: Sequence[Window], *, ends: bool = False) -> list[Update]:
        """Process windows, side by side if there are several, and track them in order."""
        workers = self.runtime.workers
        if not windows or workers == 1:
            return self._track((window(None) for window in windows), ends=ends)
        if len(windows) == 1:  # its two networks side by side
            with worker_pool(1) as beside:
                return self._track([windows[0](beside)], ends=ends)
        with worker_pool(workers) as pool:
            results = ordered_map(lambda window: window(None), windows, pool, CALLS * workers)
            return self._track(results, ends=ends)

    def _track(self, results: Iterable[WindowResult], *, ends: bool) -> list[Update]:
        updates = []
        for result in results:
            self.state, update = step(self.state, result, self.rules, ends=ends)
            updates.append(update)
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


def _window_samples(config: StreamConfig, geometry: Geometry) -> int:
    """Samples of a window, a whole number of frames; ConfigError if it does not fit."""
    window_s, newest_s = config.window_s, config.step_s + config.back_s
    if newest_s > window_s:
        raise ConfigError(
            f"found step_s {config.step_s} and back_s {config.back_s}; give a window_s of at least "
            f"{newest_s:g}, not {window_s:g}"
        )
    if window_s * geometry.sample_rate > geometry.window_samples:
        most = geometry.seconds_of(geometry.window_samples)
        raise ConfigError(f"window_s is {window_s:g}; the segmentation takes {most:g} at most")
    return int(window_s * geometry.sample_rate) // geometry.frame_step * geometry.frame_step
