"""What readers of recognizers' files share: segments and words as they stand there, made usable.

A recognizer may leave times out, as whisperX does for numbers, or state some that cannot be right.
Such a word stands between its neighbors, as long as its characters.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np

from hocket.errors import FormatError
from hocket.formats.reading import parsed
from hocket.notices import Notices
from hocket.transcript import Segment, Transcript, Word, joined_text
from hocket.turns import Turn


class Raw(NamedTuple):
    """A word as a file states it.

    start, end: in seconds; anything that is no time counts as unknown.
    """

    text: str
    start: object
    end: object
    confidence: object = None
    speaker: str = ""


class Passage(NamedTuple):
    """A segment as a file states it; words are empty if the file has only text."""

    text: str
    start: object
    end: object
    words: Sequence[Raw] = ()
    speaker: str = ""


def recognized(
    name: str,
    passages: Iterable[Passage],
    *,
    language: object = None,
    duration: object = None,
) -> Transcript:
    """The transcript of a file.

    Args:
        name: of the recording, and of the file in errors.
        passages: in any order.
        language: as the file states it.
        duration: of the recording in seconds, as the file states it.

    Raises:
        FormatError: a segment has text but no time at all.
    """
    notices = Notices(name)
    guessed = 0
    segments = []
    for number, passage in enumerate(passages, start=1):
        words, unknown = _words(passage)
        guessed += unknown
        segment = _segment(passage, words, f"{name}: segment {number}")
        if segment is not None:
            segments.append(segment)
    if guessed:
        text = f"{guessed} words have no usable times; they are placed by their neighbors"
        notices.add("times", text)
    ordered = tuple(sorted(segments, key=lambda segment: segment.turn))
    last = max((segment.turn.end for segment in ordered), default=0.0)
    known = language if isinstance(language, str) and language else None
    return Transcript(name, max(last, _time(duration) or 0.0), ordered, known, tuple(notices))


def _segment(passage: Passage, words: Sequence[Word], place: str) -> Segment | None:
    text = " ".join(passage.text.split()) or joined_text([word.text for word in words])
    if not text:
        return None
    start, end = _time(passage.start), _time(passage.end)
    if words:
        start, end = words[0].start, max(word.end for word in words)
    elif start is None or end is None:
        raise FormatError(f"{place}: has text but no times; recognize with timestamps")
    return Segment(Turn(start, max(start, end), passage.speaker), text, tuple(words))


def _words(passage: Passage) -> tuple[list[Word], int]:
    """Words in order of time, and how many have times that were guessed."""
    raws = [raw for raw in passage.words if raw.text.strip()]
    times = [_times(raw) for raw in raws]
    begin, until = _time(passage.start), _time(passage.end)
    if not any(times):
        is_placed = begin is not None and until is not None
        return [], len(raws) if is_placed else 0
    placed = _filled([len(raw.text) for raw in raws], times, begin, until)
    words = [
        Word(start, end, raw.text.strip(), raw.speaker, _share(raw.confidence))
        for raw, (start, end) in zip(raws, placed, strict=True)
    ]
    return sorted(words, key=lambda word: (word.start, word.end)), times.count(None)


def _times(raw: Raw) -> tuple[float, float] | None:
    """Start and end of a word, or None if they cannot be right."""
    start, end = _time(raw.start), _time(raw.end)
    return None if start is None or end is None or end < start else (start, end)


def _filled(
    lengths: Sequence[int],
    times: Sequence[tuple[float, float] | None],
    begin: float | None,
    until: float | None,
) -> list[tuple[float, float]]:
    """Times of all words; those without any share, by their lengths, what their neighbors leave.

    Args:
        lengths: characters of each word.
        times: of each word; at least one is known.
        begin: where the first word may begin; None if unknown.
        until: where the last word may end; None if unknown.
    """
    found: list[tuple[float, float]] = []
    for is_known, run in groupby(range(len(times)), key=lambda index: times[index] is not None):
        indices = [*run]
        if is_known:
            found += [each for index in indices if (each := times[index])]
            continue
        later = times[indices[-1] + 1] if indices[-1] + 1 < len(times) else None
        last = later[0] if later else until
        first = found[-1][1] if found else begin
        first = last if first is None else first
        last = first if last is None or (first is not None and last < first) else last
        moments = np.interp(
            np.cumsum([0, *(lengths[index] for index in indices)]),
            [0, sum(lengths[index] for index in indices)],
            [first or 0.0, last or 0.0],
        )
        found += [(float(start), float(end)) for start, end in pairwise(moments)]
    return found


def _time(value: object) -> float | None:
    """A time in seconds, or None if a value is none."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < math.inf else None


def _share(value: object) -> float | None:
    share = _time(value)
    return share if share is not None and share <= 1 else None


def content_of(text: str, name: str, title: str, matches: Callable[[Any], bool]) -> Any:
    """JSON of one shape; FormatError if it is of another."""
    content = parsed(text, name)
    if not matches(content):
        raise FormatError(f"{name}: is not what {title} writes; leave --from out")
    return content


def rows_of(content: Any, place: str) -> list[dict[str, Any]]:
    """The objects of a list; FormatError if it is no list of objects."""
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise FormatError(
            f"{place}: found {type(content).__name__}; it should be a list of objects"
        )
    return content


def text_of(value: object) -> str:
    """A text, or nothing if a value is none."""
    return value if isinstance(value, str) else ""
