"""The online engine: samples in, turns out, while the stream is recorded.

A window ends every `step_s` seconds; windows at the start of a stream are shorter. Windows that are
complete at the same time run through the networks in parallel, and the tracker takes them in order.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from threading import Lock
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
from hocket.notices import Notice, Notices
from hocket.offline.diarizer import Diarizer
from hocket.online.loading import known_in, load_networks
from hocket.online.state import KnownSpeaker, State, WindowResult
from hocket.online.tape import Tape
from hocket.online.tracker import Rules, Update, step
from hocket.result import Result
from hocket.speakers import SpeakerStore

Window: TypeAlias = Callable[[Executor | None], WindowResult]
"""Processes a window, using another thread if it is given one."""

CALLS = 3  # pending calls per worker: one runs, two wait


class Stream:
    """Diarizes a stream while it is recorded.

    Args:
        sample_rate: of the samples that are fed, Hz.
        config: everything that may change results; `config.stream` is for streams only.
        runtime: how the graphs are run; changes only the speed.
        preset: accurate, balanced or fast, in place of a config.
        known: known speakers; they are named when they speak.
        store: a store whose speakers are known too. It is read once, here.
        refinable: keep the audio in a temporary file, 230 MB per hour, for `finish(refine=True)`.
        name: of the stream, in errors and results.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioContentError: the sample rate is out of range.
        ConfigError: settings or known speakers contradict each other.
        StoreError: the store cannot be read, or is for another embedding model.
        ModelError, BackendError: as for `Diarizer.load`.

    A stream is used by one thread at a time, in the process that made it. Memory holds the last
    window and the state of the speakers.
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
        self._window_length = length = _window_samples(self.config.stream, geometry)
        self._notices = Notices(name)
        self._input = StreamInput(sample_rate, geometry.sample_rate, name, self._notices)
        self._name, self._rate = name, sample_rate
        stored = known_in(store, diarizer.embedding_model) if store else ()
        self.state = State.start(networks.window.embedder.info.dimension, (*known, *stored))
        self._buffer, self._tape = SampleBuffer(), Tape() if refinable else None
        self._step = self.rules.pace.step * geometry.frame_step
        self._next = length - (length - self._least) // self._step * self._step
        self._processed = 0
        self._finished = False
        self._in_use, self._process = Lock(), os.getpid()

    def feed(self, samples: NDArray[Any]) -> list[Update]:
        """Process the next samples, of any number.

        Args:
            samples: (samples,) or (samples, channels), floats in -1..1 or integers.

        Returns:
            An update for every window that ends within them; often there is none.

        Raises:
            AudioContentError: the array is not audio.
            ConfigError: the stream is finished, or in use by another thread or process.
            BackendError: a runtime failed.
        """
        with self._alone():
            updates: list[Update] = []
            pending: list[Window] = []
            for block in self._input.feed(samples):
                self._keep(block)
                pending += self._due()
                if len(pending) >= 4 * self.runtime.workers:
                    updates += self._run(pending)
                    pending = []
            return updates + self._run(pending)

    def skip(self, seconds: float) -> list[Update]:
        """Process silence, for example in place of lost samples.

        Args:
            seconds: duration of the silence.

        Returns:
            Updates as from `feed`.

        Raises:
            ConfigError: the number is negative or not finite, or the stream is finished.
        """
        if not 0 <= seconds < np.inf:
            raise ConfigError(f"a gap of {seconds} seconds; give 0 or more")
        remaining, updates = round(seconds * self._rate), list[Update]()
        silence = np.zeros((self._rate, self._input.channels or 1), np.float32)
        while remaining > 0:
            updates += self.feed(silence[:remaining])
            remaining -= len(silence)
        return updates

    @overload
    def finish(self, *, refine: Literal[False] = False) -> list[Update]: ...

    @overload
    def finish(self, *, refine: Literal[True]) -> Result: ...

    def finish(self, *, refine: bool = False) -> list[Update] | Result:
        """End the stream.

        Args:
            refine: process the whole stream again, as a recording.

        Returns:
            The last updates, after which all turns are final; with `refine`, the result of
            `Diarizer` for the whole stream.

        Raises:
            ConfigError: the stream is already finished, or `refinable` was False.
            OutputError: the audio could not be kept.
        """
        with self._alone():
            if refine and self._tape is None:
                raise ConfigError("the audio was not kept; make the stream with refinable=True")
            for block in self._input.close():
                self._keep(block)
            try:
                return self._refined(self._tape) if refine and self._tape else self._last_updates()
            finally:
                self.close()

    def close(self) -> None:
        """Finish the stream without its last updates, and delete the audio that was kept."""
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
        updates = self._run(self._due())
        if self._buffer.end >= self._least:  # the shortest input of the networks
            updates += self._run([self._window(self._buffer.end)], ends=True)
        return updates

    def _refined(self, tape: Tape) -> Result:
        rate = self._geometry.sample_rate
        with tape.samples() as whole:
            return self._diarizer(whole, sample_rate=rate, name=self._name)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was altered or guessed in the samples so far."""
        return tuple(self._notices)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The right to use the stream; ConfigError if it is finished, or another uses it."""
        if self._process != os.getpid():
            raise ConfigError(
                f"{self._name}: belongs to another process; make a stream in this one"
            )
        if not self._in_use.acquire(blocking=False):
            problem = "is in use by another thread"
            raise ConfigError(f"{self._name}: {problem}; feed it from one thread, or from a queue")
        try:
            if self._finished:
                raise ConfigError(f"{self._name}: is finished; make a new stream")
            yield
        finally:
            self._in_use.release()

    def _keep(self, block: Waveform) -> None:
        self._buffer.append(block)
        if self._tape:
            self._tape.write(block)

    def _due(self) -> list[Window]:
        """The next windows that end within the samples fed so far."""
        found = []
        while self._buffer.end >= self._next:
            found.append(self._window(self._next))
            self._next += self._step
        return found

    def _window(self, end: int) -> Window:
        """The window that ends at sample `end`."""
        step, first = self._geometry.frame_step, max(0, end - self._window_length)
        start = -(-first // step) * step
        pieces, new = self._buffer.pieces(start, end), self._processed
        features = self._sinc_cache.of_window(start, end, self._buffer)
        self._processed = end
        self._buffer.release(start)  # later windows do not begin before it
        process = self._networks.process
        return lambda beside: process(joined(pieces)[0], start, new, features, beside)

    def _run(self, windows: Sequence[Window], *, ends: bool = False) -> list[Update]:
        """Process windows, in parallel if there are several, and track them in order."""
        workers = self.runtime.workers
        if not windows or workers == 1:
            return self._track((window(None) for window in windows), ends=ends)
        if len(windows) == 1:  # run its two networks in parallel
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
    """Feed all blocks to a stream, finish it, and pass every update to `callback`.

    Args:
        stream: to feed and finish.
        blocks: (samples,) or (samples, channels) each.
        callback: called with every update.
    """
    for block in blocks:
        for update in stream.feed(block):
            callback(update)
    for update in stream.finish():
        callback(update)


async def updates_of(stream: Stream, blocks: AsyncIterable[NDArray[Any]]) -> AsyncIterator[Update]:
    """Feed an asynchronous source to a stream, finish it, and yield the updates.

    The graphs run in a thread. If the task is cancelled, the block that was being fed is fed
    completely first: the stream then goes on with the next one.

    Args:
        stream: to feed and finish.
        blocks: (samples,) or (samples, channels) each.
    """
    async for block in blocks:
        for update in await _completed(stream.feed, block):
            yield update
    for update in await _completed(stream.finish):
        yield update


async def _completed(call: Callable[..., list[Update]], *arguments: object) -> list[Update]:
    """The result of a call in a thread; a cancellation waits until it is complete."""
    import asyncio  # imported here, as it adds 20 ms to the start of every command

    running = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


def _window_samples(config: StreamConfig, geometry: Geometry) -> int:
    """Samples of a window, a whole number of frames; ConfigError if its length is not allowed."""
    window_s, newest_s = config.window_s, config.step_s + config.back_s
    if newest_s > window_s:
        raise ConfigError(
            f"found step_s {config.step_s} and back_s {config.back_s}; give a window_s of at least "
            f"{newest_s:g}, not {window_s:g}"
        )
    if window_s * geometry.sample_rate > geometry.window_samples:
        most = geometry.seconds_of(geometry.window_samples)
        raise ConfigError(f"window_s is {window_s:g}; give at most {most:g}, one window")
    return int(window_s * geometry.sample_rate) // geometry.frame_step * geometry.frame_step
