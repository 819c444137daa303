"""The mono signals of a stream: their windows, and the speakers in them.

Windows that are complete at the same time run through the networks in parallel, and the tracker of
each signal takes its own in order.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform, unit_length
from hocket.audio.buffer import SampleBuffer, joined
from hocket.concurrency import ordered_map, worker_pool
from hocket.errors import SpeakerError
from hocket.online.loading import StreamNetworks
from hocket.online.naming import with_name
from hocket.online.sinc_cache import SincCache
from hocket.online.state import State, WindowResult
from hocket.online.tracker import Rules, Update, step
from hocket.speakers import checked_name
from hocket.timeline import channel_speaker, is_numbered
from hocket.turns import Turn

Window: TypeAlias = Callable[[Executor | None], WindowResult]
"""Processes a window, using another thread if it is given one."""

CALLS = 3  # pending calls per worker: one runs, two wait


class StreamChannel:
    """Cuts the samples of a signal into windows, and tracks the speakers.

    Args:
        networks: what windows are processed with; several channels may share them.
        rules: of the tracker.
        length: samples of a window.
        state: where it begins; the first sample is the one after those processed before.
        number: of the channel, from 1, if channels are diarized each by itself.
    """

    def __init__(
        self,
        networks: StreamNetworks,
        rules: Rules,
        length: int,
        state: State,
        number: int | None,
    ) -> None:
        self.networks, self.sinc_cache = networks.window, SincCache(networks.sinc)
        self.rules, self.state, self.number = rules, state, number
        self.buffer = SampleBuffer()
        self._length, self._least = length, networks.segmentation.least_samples
        self._frame_step = networks.segmentation.geometry.frame_step
        self._step = rules.pace.step * self._frame_step
        # the buffer begins with a frame; samples of it that were processed before are silent
        self._origin = state.samples // self._frame_step * self._frame_step
        self._next = length - (length - self._least) // self._step * self._step
        self._processed = 0
        if state.samples > self._origin:
            self.add(np.zeros(state.samples - self._origin, np.float32))

    def add(self, block: Waveform) -> None:
        """Take the next samples, (samples,)."""
        self.buffer.append(block)

    def due(self) -> list[Window]:
        """The next windows that end within the samples so far."""
        found = []
        while self.buffer.end >= self._next:
            found.append(self._window(self._next))
            self._next += self._step
        return found

    def last(self) -> list[Window]:
        """The window that ends with the last sample; none if all is too short for one."""
        # the networks have a shortest input
        return [self._window(self.buffer.end)] if self.buffer.end >= self._least else []

    def track(self, result: WindowResult, *, ends: bool) -> Update:
        """The update after a window; they must come in order."""
        self.state, update = step(self.state, result, self.rules, ends=ends)
        if self.number is None:
            return update
        final, tentative = map(self._numbered, (update.final, update.tentative))
        events = tuple(
            replace(event, id=self.name_of(event.id), name=self.name_of(event.name))
            for event in update.events
        )
        return replace(update, final=final, tentative=tentative, events=events)

    def _numbered(self, turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
        """Turns with the channel, also in the labels of speakers."""
        return tuple(
            replace(
                turn,
                speaker=self.name_of(turn.speaker),
                channel=self.number,
                id=None if turn.id is None else self.name_of(turn.id),
            )
            for turn in turns
        )

    def name_of(self, speaker: str) -> str:
        """What a speaker of this channel is called in the stream."""
        if self.number is None or not is_numbered(speaker):
            return speaker
        return channel_speaker(self.number, speaker)

    def _window(self, end: int) -> Window:
        """The window that ends at sample `end` of the buffer."""
        first = max(0, end - self._length)
        start = -(-first // self._frame_step) * self._frame_step
        pieces, new = self.buffer.pieces(start, end), self._processed + self._origin
        features = self.sinc_cache.of_window(start, end, self.buffer)
        self._processed = end
        self.buffer.release(start)  # later windows do not begin before it
        process, begin = self.networks.process, start + self._origin
        return lambda beside: process(joined(pieces)[0], begin, new, features, beside)


class Channels:
    """The mono signals of a stream, whose windows end at the same times.

    Args:
        make: makes a channel of a number.
        workers: windows that may be processed at once.
        each: whether there is one for each channel of the sound; the first block makes them.
    """

    def __init__(
        self, make: Callable[[int | None], StreamChannel], workers: int, *, each: bool
    ) -> None:
        self._make, self._workers = make, workers
        self.every = [] if each else [make(None)]
        self._waiting: list[Window] = []  # in order of time, and of channels

    @property
    def one(self) -> StreamChannel:
        """The only one."""
        (channel,) = self.every
        return channel

    @property
    def waiting(self) -> int:
        """Number of windows that are complete and not processed."""
        return len(self._waiting)

    def add(self, blocks: Sequence[Waveform]) -> None:
        """Take a block of every channel, (samples,) each."""
        if not self.every:
            self.every = [self._make(1 + index) for index in range(len(blocks))]
        for channel, block in zip(self.every, blocks, strict=True):
            channel.add(block)
        self._wait([channel.due() for channel in self.every])

    def process(self, *, ends: bool) -> list[Update]:
        """Updates after the windows that are complete; at the end, after those of the rest too."""
        if ends:
            self._wait([channel.last() for channel in self.every])
        windows, self._waiting = self._waiting, []
        if not windows or self._workers == 1:
            return self._track((window(None) for window in windows), ends=ends)
        if len(windows) == 1:  # run its two networks in parallel
            with worker_pool(1) as beside:
                return self._track([windows[0](beside)], ends=ends)
        with worker_pool(self._workers) as pool:
            results = ordered_map(_alone, windows, pool, CALLS * self._workers)
            return self._track(results, ends=ends)

    def rename(self, speaker: str, name: str) -> tuple[str, str]:
        """Name a speaker; returns the label of the speaker who has the name now, and the name.

        Raises:
            SpeakerError: the name cannot be used, or there is no such speaker.
        """
        name = checked_name(name)
        channel, row = self._find(speaker)
        channel.state = with_name(channel.state, row, name)
        return channel.name_of(channel.state.labels[row]), name

    def voice(self, speaker: str) -> tuple[NDArray[np.float32], float]:
        """A speaker's vectors, (exemplars, dimension), and seconds of speech, or SpeakerError."""
        channel, row = self._find(speaker)
        state = channel.state
        mean = unit_length(state.sums[row, None].astype(np.float32))
        known = np.concatenate([mean, state.exemplars[state.owners == row]])
        return known[known.any(axis=1)], float(state.seconds[row])

    def _find(self, speaker: str) -> tuple[StreamChannel, int]:
        """The channel and index of a speaker, by label or name."""
        there: list[str] = []
        for channel in self.every:
            labels, names = channel.state.labels, channel.state.names
            for row, pair in enumerate(zip(labels, names, strict=True)):
                if speaker in map(channel.name_of, pair):
                    return channel, row
                there.append(channel.name_of(pair[1]))
        remedy = f"give one of {', '.join(there)}" if there else "nobody has spoken yet"
        raise SpeakerError(f"{speaker}: no such speaker in the stream; {remedy}")

    def _wait(self, windows: Sequence[Sequence[Window]]) -> None:
        for group in zip(*windows, strict=True):
            self._waiting += group

    def _track(self, results: Iterable[WindowResult], *, ends: bool) -> list[Update]:
        """Updates after windows, which come in order of time, and of channels."""
        updates: list[Update] = []
        group: list[Update] = []
        for result in results:
            group.append(self.every[len(group)].track(result, ends=ends))
            if len(group) == len(self.every):
                updates.append(_joined(group))
                group = []
        return updates


def _alone(window: Window) -> WindowResult:
    return window(None)


def _joined(updates: Sequence[Update]) -> Update:
    """One update of those of all channels after windows that end at the same time."""
    if len(updates) == 1:
        return updates[0]
    return Update(
        updates[0].time,
        tuple(sorted(turn for update in updates for turn in update.final)),
        tuple(sorted(turn for update in updates for turn in update.tentative)),
        tuple(event for update in updates for event in update.events),
    )
