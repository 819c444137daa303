"""Recognition of one recording or stream: clips to words, until the recognizer fails."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Event

from hocket.arrays import Waveform
from hocket.errors import Cancelled, RecognitionError
from hocket.offline.progress import ProgressCallback
from hocket.recognition.clips import Clip, clips_of
from hocket.recognition.engine import Recognizer
from hocket.recognition.settings import RATE
from hocket.transcript import Word
from hocket.turns import Turn

STAGE = "recognition"
MISSED_S = 2.5  # without a word, after which speech is recognized once more


@dataclass
class Work:
    """What is done of a recording.

    language: of the speech; found in the first clips if it is None.
    prompt: text that shows how names and terms are spelled.
    speech_s: seconds of speech in all, as far as known.
    done_s, wordless_s: seconds of speech that were recognized, and those without a word.
    failure: why the recognizer stopped.
    """

    recognizer: Recognizer
    language: str | None
    prompt: str | None
    speech_s: float = 0.0
    progress: ProgressCallback | None = None
    cancel: Event | None = None
    done_s: float = 0.0
    wordless_s: float = 0.0
    failure: RecognitionError | None = None

    def clips(
        self, blocks: Iterable[Waveform], turns: Sequence[Turn], start_s: float
    ) -> Iterator[Clip]:
        """Clips of blocks at RATE, of which the first begins at `start_s` in the recording."""
        longest_s = self.recognizer.longest_s
        return clips_of(blocks, turns, RATE, longest_s=longest_s, start_s=start_s)

    def words(self, clips: Iterator[Clip]) -> Iterator[Word]:
        """Words in order of time, as clips are recognized; times are those of the recording.

        They end where the recognizer fails, so that words before that get their speakers.
        """
        while not self.failure and (batch := [*islice(clips, self.recognizer.batch)]):
            if self.cancel is not None and self.cancel.is_set():
                raise Cancelled("cancelled during recognition")
            for clip, words in zip(batch, self._all_words(batch), strict=False):
                self.done_s += clip.speech_s
                yield from sorted(words, key=lambda word: word.start)
            if self.progress and not self.failure:
                self.progress(STAGE, round(self.done_s), round(max(self.speech_s, self.done_s)))

    def _all_words(self, batch: Sequence[Clip]) -> list[list[Word]]:
        """The words of each clip, in seconds of the recording; of none from where it fails."""
        found = self._recognized(batch)
        missed = [
            (number, part)
            for number, (clip, words) in enumerate(zip(batch, found, strict=False))
            for part in (clip.without_words(words, MISSED_S) if words else ())
        ]
        kept = [clip.in_recording(words) for clip, words in zip(batch, found, strict=False)]
        again = self._recognized([part for _, part in missed])
        for (number, part), words in zip(missed, again, strict=False):
            kept[number] += part.in_recording(words)
            left = part.without_words(words, MISSED_S)
            self.wordless_s += sum(each.speech_s for each in left)
        silent = (clip for clip, words in zip(batch, found, strict=False) if not words)
        self.wordless_s += sum(clip.speech_s for clip in silent)
        return kept

    def _recognized(self, batch: Sequence[Clip]) -> Sequence[Sequence[Word]]:
        """The words of each clip; none if the recognizer fails."""
        samples = [clip.samples for clip in batch]
        if not samples:
            return ()
        try:
            if self.language is None:
                self.language = self.recognizer.language_of(max(samples, key=len))
            return self.recognizer.recognize(samples, self.language, self.prompt)
        except Exception as error:  # noqa: BLE001 - of a library that is not hocket's
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            problem = f"the recognizer failed ({reason}); the turns are kept"
            self.failure = RecognitionError(problem)
            self.failure.__cause__ = error
            return ()
