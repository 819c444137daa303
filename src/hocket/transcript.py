"""Who said what: segments of one speaker, with their words where these are known.

Every format is written from a transcript. That of a diarization result has no text.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hocket.notices import Notice
from hocket.result import Result
from hocket.turns import Turn, whole_milliseconds


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


def of_segments(uri: str, segments: Iterable[Segment]) -> Transcript:
    """Segments in order of time; the recording lasts until the last one ends."""
    ordered = sorted(segments, key=lambda segment: segment.turn)
    duration = max((segment.turn.end for segment in ordered), default=0.0)
    return Transcript(uri, duration, tuple(ordered))
