"""The online engine: samples in, turns out, while the stream is recorded.

A window ends every `step_s` seconds; windows at the start of a stream are shorter. Windows that are
complete at the same time run through the networks in parallel, and the tracker takes them in order.
"""

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from types import TracebackType
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.arrays import Waveform
from hocket.audio.ingest import StreamInput
from hocket.audio.reading import EACH, MIX
from hocket.config import Config, Runtime, StreamConfig
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.notices import Notice, Notices
from hocket.offline.diarizer import Diarizer
from hocket.online.channel import Channels, StreamChannel
from hocket.online.loading import begun, known_in, load_networks, mark_named, put, rules_of
from hocket.online.refining import LiveSpeakers
from hocket.online.state import KnownSpeaker, State
from hocket.online.tape import Tape
from hocket.online.tracker import Update
from hocket.result import Result, moved
from hocket.speakers import Exemplar, Speaker, SpeakerStore

MOST_WAITING = 4  # windows per worker, before they are processed


class Stream:
    """Diarizes a stream while it is recorded.

    Args:
        sample_rate: of the samples that are fed, Hz.
        config: everything that may change results; `config.stream` is for streams only.
        runtime: how the graphs are run; changes only the speed.
        preset: accurate, balanced or fast, in place of a config.
        known: known speakers; they are named when they speak.
        store: a store whose speakers are known too. They are read once, here, and marked as seen
            when they are named.
        channels: mix, each by itself (each), or the number of one, from 1. Default: mix.
        start: time of the first sample, in seconds. Default: 0.
        state: of a stream that is continued; its speakers and unfinished turns go on.
        refinable: keep the audio in a temporary file, 230 MB per hour and channel, for
            `finish(refine=True)`.
        name: of the stream, in errors and results.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioContentError: the sample rate is out of range.
        ConfigError: settings, known speakers or a state contradict each other.
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
        channels: int | str = MIX,
        start: float = 0.0,
        state: State | None = None,
        refinable: bool = True,
        name: str = "stream",
    ) -> None:
        check_type("store", store, SpeakerStore | None)
        check_type("name", name, str)
        check_type("state", state, State | None)
        self._diarizer = diarizer = Diarizer(config, runtime, preset=preset)
        self.config, self.runtime = diarizer.config, diarizer.runtime
        self._networks = networks = load_networks(diarizer)
        self._geometry = geometry = networks.segmentation.geometry
        self._each = channels == EACH
        self.rules = rules_of(diarizer, networks, one_voice=self._each)
        length = _window_samples(self.config.stream, geometry)
        self._notices = Notices(name)
        rate = geometry.sample_rate
        self._input = StreamInput(sample_rate, rate, name, self._notices, channels)
        self._name, self._rate, self._store = name, sample_rate, store
        stored = known_in(store, diarizer.embedding_model) if store else ()
        self._begin = begun(networks, (*known, *stored), start, state, each=self._each)
        make = partial(StreamChannel, networks, self.rules, length, self._begin)
        self._channels = Channels(make, self.runtime.workers, each=self._each)
        self._tape, self._live = Tape() if refinable else None, LiveSpeakers()
        self._finished = False
        self._in_use, self._process = Lock(), os.getpid()

    @classmethod
    @known_names_only
    def resume(
        cls,
        state: State | bytes,
        sample_rate: int,
        *,
        config: Config | None = None,
        runtime: Runtime | None = None,
        preset: str | None = None,
        store: SpeakerStore | None = None,
        refinable: bool = True,
        name: str = "stream",
    ) -> Self:
        """A stream that goes on where another one ended: with its times, speakers and open turns.

        Args:
            state: `Stream.state`, or the bytes of it.
            sample_rate: of the samples that are fed, Hz.
            config: as for `Stream`, and so are the others.
            runtime: how the graphs are run.
            preset: in place of a config.
            store: its speakers who are not in the state are known too.
            refinable: keep the audio that is fed to this stream.
            name: of the stream.

        Raises:
            ConfigError: the state cannot be read, or is of another embedding model.
        """
        begin = State.from_bytes(state) if isinstance(state, bytes) else state
        check_type("state", begin, State)
        return cls(
            sample_rate, config=config, runtime=runtime, preset=preset, store=store, state=begin,
            refinable=refinable, name=name,
        )  # fmt: skip

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
            for blocks in self._input.feed(samples):
                self._keep(blocks)
                if self._channels.waiting >= MOST_WAITING * self.runtime.workers:
                    updates += self._updates()
            return updates + self._updates()

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
            `Diarizer` for the whole stream. Its speakers have the labels and names that they had in
            the stream.

        Raises:
            ConfigError: the stream is already finished, or `refinable` was False.
            OutputError: the audio could not be kept.
        """
        with self._alone():
            if refine and self._tape is None:
                raise ConfigError("the audio was not kept; make the stream with refinable=True")
            for blocks in self._input.close():
                self._keep(blocks)
            try:
                updates = self._updates() + self._updates(ends=True)
                return self._refined(self._tape) if refine and self._tape else updates
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

    @property
    def state(self) -> State:
        """What is known after the last update; ConfigError if there is one for each channel."""
        if self._each:
            raise ConfigError(f"{self._name}: every channel has its state; use `states`")
        return self._channels.one.state

    @property
    def states(self) -> tuple[State, ...]:
        """What is known after the last update, of every mono signal."""
        return tuple(channel.state for channel in self._channels.every)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was altered or guessed in the samples so far."""
        return tuple(self._notices)

    def name(self, speaker: str, name: str) -> None:
        """Give a speaker a name, from now on; a voice that gets the name of another joins it.

        Args:
            speaker: label or present name.
            name: any name but a label.

        Raises:
            SpeakerError: the name cannot be used, or there is no such speaker.
            ConfigError: the stream is finished, or in use by another thread or process.
        """
        with self._alone():
            self._live.rename(*self._channels.rename(self._live.label_of(speaker), name))

    def exemplars(self, speaker: str) -> NDArray[np.float32]:
        """What is known of a speaker's voice, (exemplars, dimension); errors as in `name`."""
        return self._channels.voice(self._live.label_of(speaker))[0]

    def enroll(self, speaker: str, name: str, *, consent: str = "") -> Speaker:
        """Name a speaker, and put the voice into the stream's store, or add it to that speaker.

        Args:
            speaker: label or present name.
            name: any name but a label.
            consent: the speaker's consent.

        Raises:
            SpeakerError: the name cannot be used, or there is no such speaker.
            ConfigError: the stream has no store, is finished, or is in use.
            StoreError: the store cannot be written.
        """
        if self._store is None:
            raise ConfigError(f"{self._name}: has no store; make the stream with store=")
        vectors, seconds = self._channels.voice(self._live.label_of(speaker))
        self.name(speaker, name)
        exemplars = [
            Exemplar(vector, seconds / len(vectors), self._name, 0.0, seconds, False, consent)
            for vector in vectors
        ]
        return put(self._store, name, exemplars, self._diarizer.embedding_model)

    def _keep(self, blocks: Sequence[Waveform]) -> None:
        self._channels.add(blocks)
        if self._tape:
            self._tape.write(blocks)

    def _updates(self, *, ends: bool = False) -> list[Update]:
        """Updates after all windows that are complete; if the stream ends, after its last one."""
        found = self._channels.process(ends=ends)
        for update in found:
            self._note(update)
        return found

    def _refined(self, tape: Tape) -> Result:
        rate, how = self._geometry.sample_rate, EACH if self._each else MIX
        with tape.samples() as whole:
            found = self._diarizer(whole, sample_rate=rate, name=self._name, channels=how)
        return self._live.named(moved(found, self._begin.samples / rate))

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

    def _note(self, update: Update) -> None:
        """Keep what an update holds for the end of the stream, and for the store."""
        if self._tape:
            self._live.add(update.final)
        for event in update.events:
            self._live.learn(event)
        named = [event.name for event in update.events if event.kind == "named"]
        if self._store and named:
            mark_named(self._store, named)


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
