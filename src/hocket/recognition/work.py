"""Recognition of one recording or stream: clips to words, until the recognizer fails."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event

from hocket.errors import Cancelled, RecognitionError
from hocket.offline.progress import ProgressCallback
from hocket.recognition.clips import Clip
from hocket.recognition.engine import Recognizer
from hocket.transcript import Word

STAGE = "recognition"


@dataclass
class Work:
    """What is done of a recording.

    language: of the speech; found in the first clips if it is None.
    speech_s: seconds of speech in all, as far as known.
    done_s, wordless_s: seconds of speech that were recognized, and those without a word.
    failure: why the recognizer stopped.
    """

    recognizer: Recognizer
    language: str | None
    speech_s: float = 0.0
    progress: ProgressCallback | None = None
    cancel: Event | None = None
    done_s: float = 0.0
    wordless_s: float = 0.0
    failure: RecognitionError | None = None

    def words(self, clips: Iterator[Clip]) -> Iterator[Word]:
        """Words in order of time, as clips are recognized; times are those of the recording.

        They end where the recognizer fails, so that words before that get their speakers.
        """
        while not self.failure and (batch := [*islice(clips, self.recognizer.batch)]):
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled("cancelled during recognition")
            for clip, words in zip(batch, self._recognized(batch), strict=False):
                self.done_s += clip.speech_s
                self.wordless_s += 0.0 if words else clip.speech_s
                yield from sorted(clip.in_recording(words), key=lambda word: word.start)
            if self.progress and not self.failure:
                self.progress(STAGE, round(self.done_s), round(max(self.speech_s, self.done_s)))

    def _recognized(self, batch: Sequence[Clip]) -> Sequence[Sequence[Word]]:
        """The words of each clip; none if the recognizer fails."""
        samples = [clip.samples for clip in batch]
        try:
            if self.language is None:
                self.language = self.recognizer.language_of(max(samples, key=len))
            return self.recognizer.recognize(samples, self.language)
        except Exception as error:  # noqa: BLE001 - of a library that is not hocket's
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            problem = f"the recognizer failed ({reason}); the turns are kept"
            self.failure = RecognitionError(problem)
            self.failure.__cause__ = error
            return ()
