"""Who says what while it is said: final turns of a stream, with the words in them.

Turns become final after about four seconds. Their speech is recognized when it ends with a pause,
or is long enough to be cut where it is quiet, so that no word is divided.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.arrays import Waveform
from hocket.attribution import attributed
from hocket.audio.buffer import SampleBuffer, joined
from hocket.audio.ingest import StreamInput
from hocket.audio.reading import EACH, MIX
from hocket.config import Config, Runtime
from hocket.errors import ConfigError, RecognitionError
from hocket.notices import Notice, Notices
from hocket.online.stream import Stream
from hocket.online.tracker import Update
from hocket.recognition.clips import ClipRules, quietest
from hocket.recognition.engine import Recognizer, open_recognizer
from hocket.recognition.settings import RATE, RecognitionConfig
from hocket.recognition.work import Work
from hocket.speakers import SpeakerStore
from hocket.transcript import Segment, as_result, of_segments
from hocket.turns import Turn

PAUSE_S = 0.5  # behind speech that is complete
LONGEST_S = 10.0  # of speech that waits for a pause


class LiveTranscriber:
    """Transcribes a stream while it is recorded.

    `feed` and `finish` return segments. Where turns are shown before their words are known, one
    thread calls `advance` and `end` for updates, and another `recognize` for segments.

    Args:
        sample_rate: of the samples that are fed, Hz.
        recognition: how speech is recognized.
        config: how it is diarized; as for `Stream`.
        runtime: how many threads both may use.
        preset: accurate, balanced or fast, in place of a config.
        store: a store whose speakers are known; as for `Stream`.
        channels: mix, or the number of one, from 1. Default: mix.
        name: of the stream, in errors.
        recognizer: an engine of the caller's own, in place of one that hocket opens.

    Attributes:
        failure: why the recognizer stopped; None while it works. Segments have no text from then.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: settings contradict each other, or channels are each.
        ExtraError: no speech recognizer is installed.
        HocketError: as for `Stream`.
        RecognitionError: the model is not on this machine.
    """

    @known_names_only
    def __init__(
        self,
        sample_rate: int,
        recognition: RecognitionConfig | None = None,
        *,
        config: Config | None = None,
        runtime: Runtime | None = None,
        preset: str | None = None,
        store: SpeakerStore | None = None,
        channels: int | str = MIX,
        name: str = "stream",
        recognizer: Recognizer | None = None,
    ) -> None:
        check_type("recognition", recognition, RecognitionConfig | None)
        if channels == EACH:
            raise ConfigError("channels is each; give mix, or the number of one channel")
        settings = recognition or RecognitionConfig()
        recognizer = recognizer or open_recognizer(settings, runtime or Runtime())
        recognizer.load()
        self._notices = Notices(name)
        self._input = StreamInput(sample_rate, RATE, name, self._notices, channels)
        self._stream = Stream(
            RATE,
            config=config,
            runtime=runtime,
            preset=preset,
            store=store,
            refinable=False,
            name=name,
        )
        self._work = Work(recognizer, settings.language, settings.prompt)
        self._sound, self._start_s, self._turns = SampleBuffer(), 0.0, list[Turn]()
        self._speech = deque[_Speech]()
        pace = self._stream.config.stream
        self._longest_s = pace.latest_s + pace.window_s  # before a turn becomes final

    def feed(self, samples: NDArray[Any]) -> list[Segment]:
        """Process the next samples, of any number; errors as in `Stream.feed`.

        Args:
            samples: (samples,) or (samples, channels), floats in -1..1 or integers.

        Returns:
            The segments that are complete, in order of time; often there is none.
        """
        found: list[Segment] = []
        for (block,) in self._input.feed(samples):
            self._add(block)
            found += self.recognize()
        return found

    def finish(self) -> list[Segment]:
        """End the stream, and return its last segments."""
        self.end()
        return [*self.recognize()]

    def advance(self, samples: NDArray[Any]) -> list[Update]:
        """Diarize the next samples, as `Stream.feed`; their speech waits for `recognize`."""
        return [u for (block,) in self._input.feed(samples) for u in self._add(block)]

    def end(self) -> list[Update]:
        """End the stream, as `Stream.finish`; the last speech waits for `recognize`."""
        updates = [u for (block,) in self._input.close() for u in self._add(block)]
        last = self._stream.finish()
        for update in last:
            self._turns += update.final
        self._complete(np.inf)
        return updates + last

    def recognize(self) -> Iterator[Segment]:
        """Recognize the speech that waits, and yield its segments, in order of time.

        One thread may call this while another one advances the stream.
        """
        while self._speech:
            yield from self._recognized(self._speech[0])
            self._speech.popleft()

    @property
    def waiting_s(self) -> float:
        """Length of the sound that waits for `recognize`, in seconds."""
        return sum(len(speech.samples) for speech in tuple(self._speech)) / RATE

    @property
    def failure(self) -> RecognitionError | None:
        """Why the recognizer stopped; None while it works."""
        return self._work.failure

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was altered or guessed in the samples so far."""
        return (*self._notices, *self._stream.notices)

    def _add(self, block: Waveform) -> list[Update]:
        self._sound.append(block)
        updates = self._stream.feed(block)
        for update in updates:
            self._turns += update.final
            if not self._turns:
                self._sound.release(round((update.time - self._longest_s) * RATE))
            until = self._complete_until(update)
            if until is not None:
                self._complete(until)
        return updates

    def _complete_until(self, update: Update) -> float | None:
        """Time until which the final turns are to be recognized; None if it is not yet time."""
        final_s = update.time - self._stream.config.stream.delay_s
        known_s = min((turn.start for turn in update.tentative), default=final_s)
        last = max((turn.end for turn in self._turns), default=None)
        if last is None:
            return None
        if min(known_s, final_s) - last >= PAUSE_S:
            return known_s
        waiting = last - max(self._start_s, min(turn.start for turn in self._turns))
        if waiting < LONGEST_S:
            return None
        half = last - waiting / 2
        samples = self._samples(half, last)
        return half + quietest(samples, RATE) / RATE

    def _complete(self, until: float) -> None:
        """Have the turns until a time recognized; what goes on after it is kept for later."""
        now = [_until(turn, until) for turn in self._turns if turn.start < until]
        self._turns = [_from(turn, until) for turn in self._turns if turn.end > until]
        if not now:
            return
        first = max(self._start_s, min(turn.start for turn in now) - ClipRules.margin_s)
        last = min(max(turn.end for turn in now) + ClipRules.margin_s, until)
        samples, fed_s = self._samples(first, last), self._sound.end / RATE
        self._speech.append(_Speech(samples, first, now, fed_s))
        self._start_s = max(turn.end for turn in now)
        self._sound.release(round(self._start_s * RATE) - RATE)

    def _recognized(self, speech: "_Speech") -> list[Segment]:
        made = of_segments("stream", map(Segment, speech.turns))
        result = as_result(made, speech.fed_s)
        clips = self._work.clips([speech.samples], speech.turns, speech.start_s)
        found = [*attributed(self._work.words(clips), result)]
        return found or [*map(Segment, result.turns)]

    def _samples(self, start: float, end: float) -> Waveform:
        """The samples between two times that are not released."""
        last = min(round(end * RATE) if end < np.inf else self._sound.end, self._sound.end)
        pieces = self._sound.pieces(max(0, round(start * RATE)), last)
        return joined(pieces)[0] if pieces else np.zeros(0, np.float32)


class _Speech(NamedTuple):
    """Speech that is complete and waits to be recognized.

    samples: at RATE.
    start_s: time of the first sample.
    turns: in it.
    fed_s: length of the stream when it was complete.
    """

    samples: Waveform
    start_s: float
    turns: Sequence[Turn]
    fed_s: float


def _until(turn: Turn, time: float) -> Turn:
    return replace(turn, end=min(turn.end, time))


def _from(turn: Turn, time: float) -> Turn:
    return replace(turn, start=max(turn.start, time))
