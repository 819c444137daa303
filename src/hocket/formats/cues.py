"""Subtitles: what is shown from when to when, without overlap and short enough to read."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from hocket.errors import one_line
from hocket.transcript import SENTENCE_ENDS, Segment, Transcript, Word, joined_text, words_of
from hocket.turns import whole_milliseconds

LINE_WIDTH, LINES = 42, 2  # as the subtitling guides of broadcasters ask
LONGEST_MS, LEAST_MS = 7_000, 1_000  # that a cue is shown
CHARACTERS_A_SECOND = 17  # that people read
PAUSE_S = 0.7  # a cue ends at such a pause
SHORT_MS = 400  # changes of who speaks in less time are not shown


@dataclass(frozen=True)
class Cue:
    """What is shown at once.

    start, end: in milliseconds.
    speakers: those who speak; several only without text.
    lines: of the text; none if it is unknown.
    """

    start: int
    end: int
    speakers: tuple[str, ...]
    lines: tuple[str, ...] = ()


def cues_of(transcript: Transcript, *, prefix: int = 0) -> list[Cue]:
    """The cues of a transcript, in order of time.

    Args:
        transcript: with or without text.
        prefix: characters around a name that stands before the text in the first line; 0 if the
            name has no place in the line.
    """
    if not any(segment.text for segment in transcript.segments):
        return _cues_of_turns(transcript)
    found = [
        cue for segment in transcript.segments if segment.text for cue in _cues_in(segment, prefix)
    ]
    return _apart(sorted(found, key=lambda cue: cue.start), round(transcript.duration * 1000))


def _cues_of_turns(transcript: Transcript) -> list[Cue]:
    """Who speaks, from each change to the next."""
    last = whole_milliseconds(transcript.duration)
    changes: dict[int, list[tuple[int, str]]] = {}
    for turn in (segment.turn for segment in transcript.segments):
        start, end = round(turn.start * 1000), min(round(turn.end * 1000), last)
        if end > start:
            changes.setdefault(start, []).append((1, turn.speaker))
            changes.setdefault(end, []).append((-1, turn.speaker))
    active: dict[str, int] = {}
    found: list[Cue] = []
    for start, end in pairwise(sorted(changes)):
        for change, speaker in changes[start]:
            active[speaker] = active.get(speaker, 0) + change
        speakers = tuple(speaker for speaker, count in active.items() if count)
        if not speakers:
            continue
        before = found[-1] if found and found[-1].end == start else None
        if before and (before.speakers == speakers or end - start < SHORT_MS):
            found[-1] = replace(before, end=end)
        else:
            found.append(Cue(start, end, speakers))
    return found


def _cues_in(segment: Segment, prefix: int) -> Iterator[Cue]:
    """The cues of one segment."""
    speaker = segment.turn.speaker
    taken = prefix + width_of(one_line(speaker)) if prefix and speaker else 0
    for group in _groups(words_of(segment), min(taken, LINE_WIDTH // 2)):
        lines = wrapped([word.text for word in group], min(taken, LINE_WIDTH // 2))
        start, end = round(group[0].start * 1000), round(max(w.end for w in group) * 1000)
        yield Cue(start, max(end, start + 1), (speaker,), tuple(lines))


def _groups(words: Sequence[Word], taken: int) -> Iterator[list[Word]]:
    """Words that are shown at once: they fit, and end at a sentence or a pause where they can."""
    group: list[Word] = []
    lines, used, shown = 1, taken, 0
    for word in chain.from_iterable(map(_pieces, words)):
        width = width_of(word.text)
        fits = used + bool(group) + width <= LINE_WIDTH
        if group and (not (fits or lines < LINES) or _ends_before(word, group, shown)):
            yield group
            group, lines, used, shown = [], 1, taken, 0
        elif group and not fits:
            lines, used = lines + 1, -1
        used, shown = used + bool(group) + width, shown + width
        group.append(word)
    if group:
        yield group


def _ends_before(word: Word, group: Sequence[Word], shown: int) -> bool:
    """Whether a cue ends before a word for another reason than its width."""
    if 1000 * (word.end - group[0].start) > LONGEST_MS or word.start - group[-1].end > PAUSE_S:
        return True
    return group[-1].text.endswith(SENTENCE_ENDS) and shown > LINE_WIDTH // 2


def _pieces(word: Word) -> list[Word]:
    """A word in parts that fit a line, as they are shown."""
    parts, used = [""], 0
    for character in one_line(word.text):
        width = width_of(character)
        if used + width > LINE_WIDTH // 2:
            parts.append("")
            used = 0
        parts[-1] += character
        used += width
    step = (word.end - word.start) / len(parts)
    starts = [word.start + number * step for number in range(len(parts))]
    return [
        replace(word, start=start, end=start + step, text=part)
        for start, part in zip(starts, parts, strict=True)
    ]


def wrapped(texts: Sequence[str], taken: int = 0) -> list[str]:
    """Lines of at most LINE_WIDTH, of which the first has some characters less."""
    lines: list[str] = []
    room = LINE_WIDTH - taken
    for text in texts:
        joined = joined_text([lines[-1], text]) if lines else text
        if lines and width_of(joined) <= room:
            lines[-1] = joined
        else:
            room = LINE_WIDTH if lines else room
            lines.append(text)
    return lines


def width_of(text: str) -> int:
    """Columns that a text takes: wide characters, as in Chinese, take two and marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _apart(cues: Sequence[Cue], duration: int) -> list[Cue]:
    """Cues moved apart where they overlap, and shown long enough where there is time."""
    found: list[Cue] = []
    for cue in cues:
        if not found or cue.start >= found[-1].end:
            found.append(cue)
            continue
        before = found[-1]
        start = max(cue.start, min(before.end, before.start + LEAST_MS))
        found[-1] = replace(before, end=start)
        found.append(replace(cue, start=start, end=max(cue.end, start + LEAST_MS)))
    latest = [cue.start for cue in found[1:]] + [max(duration, found[-1].end if found else 0)]
    return [
        replace(cue, end=max(cue.end, min(next_start, cue.start + _reading_ms(cue))))
        for cue, next_start in zip(found, latest, strict=True)
    ]


def _reading_ms(cue: Cue) -> int:
    shown = sum(map(width_of, cue.lines))
    return max(LEAST_MS, min(LONGEST_MS, 1000 * shown // CHARACTERS_A_SECOND))
