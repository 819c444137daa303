"""A session: bytes of sound in, messages out, as plain values.

bytes --Incoming--> sources --blocks--> stream --updates--> messages
                                          |
                                          '--final speech--> words, on a thread of their own
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from threading import Condition, Lock, Thread
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.sources import Source, open_input
from hocket.config import Config, Runtime
from hocket.errors import (
    AudioFormatError,
    Cancelled,
    CapacityError,
    ExtraError,
    HocketError,
    RecognitionError,
)
from hocket.formats.json_document import segment_as_json
from hocket.notices import Notice, Notices
from hocket.online.rows import UpdateRows
from hocket.online.stream import Stream
from hocket.online.tracker import Update
from hocket.recognition.engine import Recognizer, open_recognizer
from hocket.recognition.live import LiveTranscriber
from hocket.server.live.incoming import MOST_SILENT_BYTES, FairSlots, Incoming
from hocket.server.live.options import LiveOptions, LiveSettings
from hocket.speakers import SpeakerStore
from hocket.transcript import Word

Message: TypeAlias = dict[str, Any]

NAME = "sound"  # of what comes, in errors
RATE = 16_000  # Hz, of a stream that keeps the graphs of a preset open
MOST_WAITING_S = 60.0  # of sound that waits for its words


class LiveResources:
    """What the sessions of a process share.

    Args:
        settings: of the service.

    Attributes:
        slots: what computes for a stream holds one of them.
        runtime: of all streams, as they share graphs that run so many calls at once.
    """

    def __init__(self, settings: LiveSettings) -> None:
        self.settings, self.slots = settings, FairSlots(settings.threads)
        self.runtime = Runtime(threads=settings.threads)
        self._lock = Lock()
        self._streams: dict[str, Stream] = {}
        self._recognizer: Recognizer | None = None

    def load(self, preset: str) -> None:
        """Open the graphs of a preset, and keep them open; errors as in `Stream`."""
        with self._lock:
            if preset not in self._streams:
                self._streams[preset] = Stream(
                    RATE, config=Config.preset(preset), runtime=self.runtime, refinable=False
                )

    def recognizer(self) -> Recognizer:
        """The recognizer of all sessions.

        Raises:
            ExtraError: none is installed.
            RecognitionError: its model cannot be opened.
        """
        with self._lock:
            if self._recognizer is None:
                opened = open_recognizer(self.settings.recognition, self.runtime)
                opened.load()
                self._recognizer = _OneAtATime(opened)
            return self._recognizer


class _OneAtATime:
    """A recognizer that several threads use."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer, self._lock = recognizer, FairSlots(1)
        self.batch, self.longest_s = recognizer.batch, recognizer.longest_s

    def load(self) -> None:
        """It is loaded already."""

    def language_of(self, samples: Waveform) -> str | None:
        with self._lock:
            return self._recognizer.language_of(samples)

    def recognize(
        self, clips: Sequence[Waveform], language: str | None, prompt: str | None
    ) -> Sequence[Sequence[Word]]:
        with self._lock:
            return self._recognizer.recognize(clips, language, prompt)


class LiveSession:
    """Diarizes sound while it comes, and has its words recognized.

    Args:
        options: what is asked for.
        incoming: the bytes of the sound.
        send: called with every message; two threads may call it, one after the other.
        resources: of the process.
    """

    def __init__(
        self,
        options: LiveOptions,
        incoming: Incoming,
        send: Callable[[Message], object],
        resources: LiveResources,
    ) -> None:
        self._options, self._incoming, self._resources = options, incoming, resources
        self._emit, self._sending = send, Lock()
        self._notices = Notices(NAME)
        self._seconds = 0.0

    def run(self) -> None:
        """Send `ready`, updates and segments as sound comes, and `end`; on the caller's thread.

        Raises:
            AudioError: what comes is no sound.
            Cancelled: the session was stopped.
            CapacityError: the sound is longer than a session may be; its updates were sent.
            HocketError: as for `Stream`.
        """
        self._resources.load(self._options.preset)
        recognizer, problem = self._recognizer()
        ready = {"type": "ready", "rate": self._options.rate, "words": recognizer is not None}
        self._send(ready | ({"problem": problem} if problem else {}))
        if self._incoming.has_any():
            self._process(recognizer)
        if self._incoming.is_silent:
            remedy = "send sound in a format that the options name"
            raise AudioFormatError(NAME, f"{MOST_SILENT_BYTES} bytes hold no sound", remedy)
        if self._incoming.is_stopped:
            raise Cancelled(f"{NAME}: the session was stopped")
        most_s = self._resources.settings.most_s
        if self._seconds > most_s:
            text = f"{NAME}: is longer than {most_s:g} s, the most of a session; begin another one"
            raise CapacityError(text)
        self._send({"type": "end", "duration": round(self._seconds, 3)})

    def _recognizer(self) -> tuple[Recognizer | None, str]:
        """The recognizer, if words are asked for; otherwise why there is none."""
        if not self._options.words:
            return None, ""
        try:
            return self._resources.recognizer(), ""
        except (ExtraError, RecognitionError) as error:
            return None, str(error)

    def _process(self, recognizer: Recognizer | None) -> None:
        given, store = self._options, self._resources.settings.store
        pipe = cast("BinaryIO", self._incoming)
        with ExitStack() as stack:
            source = stack.enter_context(
                open_input(pipe, given.format, given.rate, given.channels, self._notices, NAME)
            )
            options: dict[str, Any] = {
                "config": Config.preset(given.preset),
                "runtime": self._resources.runtime,
                "store": stack.enter_context(SpeakerStore(store)) if store else None,
                "name": NAME,
            }
            if recognizer is None:
                stream = stack.enter_context(Stream(source.rate, refinable=False, **options))
                diarized = _Diarized(stream.feed, stream.finish, lambda: stream.notices)
            else:
                usual = self._resources.settings.recognition
                recognition = replace(usual, language=given.language or usual.language)
                live = LiveTranscriber(source.rate, recognition, recognizer=recognizer, **options)
                words = stack.enter_context(_Words(live, self._send, self._incoming))
                diarized = _Diarized(words.advance, words.end, words.notices, words.wait)
            self._follow(source, diarized)

    def _follow(self, source: Source, diarized: "_Diarized") -> None:
        """Send the updates of all sound, unless the session is stopped."""
        rows = UpdateRows(lambda: (*self._notices, *diarized.notices()))
        for block in _decoded(source):
            self._incoming.note_sound()
            with self._resources.slots:
                updates = diarized.advance(block)
            self._seconds += len(block) / source.rate
            self._show(updates, rows)
            diarized.wait()
            if self._incoming.is_stopped or self._seconds > self._resources.settings.most_s:
                break
        if not self._incoming.is_stopped:
            with self._resources.slots:
                updates = diarized.end()
            self._show(updates, rows)

    def _show(self, updates: Sequence[Update], rows: UpdateRows) -> None:
        for update in updates:
            self._send({"type": "update", **rows.row(update)})

    def _send(self, message: Message) -> None:
        with self._sending:
            self._emit(message)


class _Diarized(NamedTuple):
    """A stream, with words or without.

    advance, end: as `Stream.feed` and `Stream.finish`.
    notices: returns all so far.
    wait: to be called between two blocks.
    """

    advance: Callable[[NDArray[Any]], list[Update]]
    end: Callable[[], list[Update]]
    notices: Callable[[], Sequence[Notice]]
    wait: Callable[[], None] = lambda: None


class _Words:
    """Words of a stream, recognized on another thread, so that no update waits for them.

    Args:
        live: the stream.
        send: called with every message.
        incoming: of the session.
    """

    def __init__(
        self, live: LiveTranscriber, send: Callable[[Message], object], incoming: Incoming
    ) -> None:
        self._live, self._send, self._incoming = live, send, incoming
        self._changed, self._has_ended = Condition(), False
        self._thread = Thread(target=self._run, name="hocket-words", daemon=True)

    def __enter__(self) -> "_Words":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """All segments are sent, unless the session is stopped."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
        self._thread.join()

    def advance(self, samples: NDArray[Any]) -> list[Update]:
        """As `Stream.feed`."""
        return self._waking(self._live.advance(samples))

    def end(self) -> list[Update]:
        """As `Stream.finish`."""
        return self._waking(self._live.end())

    def notices(self) -> tuple[Notice, ...]:
        """Those of the stream, and that the recognizer failed."""
        failure = self._live.failure
        return (*self._live.notices, *((Notice("words", str(failure)),) if failure else ()))

    def wait(self) -> None:
        """Wait while much sound has no words yet."""
        with self._changed:
            while self._live.waiting_s > MOST_WAITING_S and self._thread.is_alive():
                self._changed.wait(1.0)

    def _waking(self, updates: list[Update]) -> list[Update]:
        if self._live.waiting_s:
            with self._changed:
                self._changed.notify_all()
        return updates

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._live.waiting_s or self._has_ended):
                    self._changed.wait()
                if not self._live.waiting_s:
                    return
            for segment in self._live.recognize():
                self._send({"type": "segments", "segments": [segment_as_json(segment)]})
                with self._changed:
                    self._changed.notify_all()
                if self._incoming.is_stopped:
                    return


def _decoded(source: Source) -> Iterator[NDArray[Any]]:
    """The blocks; what a library raises at sound made to break it is AudioFormatError."""
    try:
        yield from source.blocks
    except HocketError:
        raise
    except (ArithmeticError, LookupError, MemoryError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        remedy = "send sound as a recorder makes it"
        raise AudioFormatError(NAME, f"cannot be decoded ({reason})", remedy) from error
