"""Who said what: segments of one speaker, with their words where these are known.

Every format is written from a transcript. That of a diarization result has no text.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from hocket.notices import Notice
from hocket.result import Result
from hocket.turns import Turn, whole_milliseconds

SENTENCE_ENDS = tuple(".!?…\u3002\uff01\uff1f\u061f\u0964")  # also Chinese, Arabic, Hindi
UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "IDEOGRAPHIC")
"""How the Unicode names of letters begin that are written without blanks between words."""


@dataclass(frozen=True)
class Word:
    """A word, in seconds from the start of the recording.

    text: as it is written, with its punctuation and without blanks around it.
    speaker: empty if it is unknown.
    confidence: of the recognition, 0 to 1; None if unknown.
    """

    start: float
    end: float
    text: str
    speaker: str = ""
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """A stretch of one speaker.

    turn: when, and whose; the speaker is empty if nobody is known to speak.
    text: what is said; empty if it is unknown.
    words: of the text, in order of time; empty if their times are unknown.
    """

    turn: Turn
    text: str = ""
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Transcript:
    """Segments of one recording, in order of time.

    uri: name of the recording.
    duration: length of the recording in seconds.
    segments: those of different speakers may overlap.
    language: code of the language, such as "en"; None if unknown.
    notices: what was lost, altered or guessed.
    result: who spoke when, as it was found; None if the turns come from elsewhere.
    """

    uri: str
    duration: float
    segments: tuple[Segment, ...]
    language: str | None = None
    notices: tuple[Notice, ...] = ()
    result: Result | None = field(default=None, repr=False)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names in order of first appearance."""
        return tuple(dict.fromkeys(each.turn.speaker for each in self.segments))

    @property
    def has_text(self) -> bool:
        """Whether it is known what anybody says."""
        return any(segment.text for segment in self.segments)

    def timed(self) -> Iterator[tuple[int, int, Segment]]:
        """Start and end in milliseconds, and the segment; none ends after the recording.

        What is shorter than a millisecond is left out, unless it has text.
        """
        last = whole_milliseconds(self.duration)
        for segment in self.segments:
            start, end = round(segment.turn.start * 1000), round(segment.turn.end * 1000)
            end = min(end, last)
            if end <= start and segment.text:  # what is said is kept, whatever its times
                start = max(0, min(start, last - 1))
                end = start + 1
            if end > start:
                yield start, end, segment


def transcript_of(result: Result) -> Transcript:
    """The turns of a result, without text."""
    segments = tuple(map(Segment, result.turns))
    return Transcript(result.uri, result.duration, segments, notices=result.notices, result=result)


def as_result(transcript: Transcript, duration: float) -> Result:
    """The turns of a transcript that has no result, without embeddings; none is exclusive."""
    turns = tuple(sorted(segment.turn for segment in transcript.segments))
    embeddings = np.zeros((len(transcript.speakers), 0), np.float32)
    speakers = tuple(dict.fromkeys(turn.speaker for turn in turns))
    return Result(transcript.uri, turns, turns, speakers, embeddings, duration, {})


def of_segments(uri: str, segments: Iterable[Segment]) -> Transcript:
    """Segments in order of time; the recording lasts until the last one ends."""
    ordered = sorted(segments, key=lambda segment: segment.turn)
    duration = max((segment.turn.end for segment in ordered), default=0.0)
    return Transcript(uri, duration, tuple(ordered))


def words_of(segment: Segment) -> tuple[Word, ...]:
    """The words of a segment; where their times are unknown, each takes time as characters."""
    if segment.words or not segment.text:
        return segment.words
    texts = segment.text.split()
    total = sum(map(len, texts)) or 1
    time, words = segment.turn.start, []
    for text in texts:
        end = time + segment.turn.duration * len(text) / total
        words.append(Word(time, end, text))
        time = end
    return tuple(words)


def joined_text(texts: Sequence[str]) -> str:
    """Words as running text: a blank between two, unless their script has none."""
    parts: list[str] = []
    for text in texts:
        if parts and not (_is_unspaced(parts[-1][-1:]) and _is_unspaced(text[:1])):
            parts.append(" ")
        parts.append(text)
    return "".join(parts)


def _is_unspaced(character: str) -> bool:
    if character < "\u0e00":  # most text, and no such letter
        return False
    return unicodedata.name(character, "").startswith((*UNSPACED, "FULLWIDTH"))
