"""Formats of JSON objects, a segment each: lines, lhotse's supervisions and SegLST."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hocket.errors import FormatError
from hocket.formats.reading import lines_of, parsed, seconds_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn

Row = Mapping[str, Any]


def write_lines(transcript: Transcript) -> str:
    """A line a segment: recording, times, speaker, and what else is known."""
    return _as_lines(
        {
            "recording": transcript.uri,
            "start": start / 1000,
            "end": end / 1000,
            "speaker": segment.turn.speaker,
            **_known(id=segment.turn.id, channel=segment.turn.channel),
            **_known(confidence=_rounded(segment.turn.confidence), text=segment.text or None),
        }
        for start, end, segment in transcript.timed()
    )


def read_lines(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording; errors as in `_read`."""

    def segment(row: Row, place: str) -> tuple[str, Segment]:
        start, end = _times(row["start"], row["end"], place)
        channel = None if row.get("channel") is None else int(row["channel"])
        label = None if row.get("id") is None else str(row["id"])
        turn = Turn(start, end, _text(row["speaker"]), _share(row), channel, label)
        return _text(row.get("recording")) or name, Segment(turn, _text(row.get("text")))

    return _read(_lines(text, name), segment)


def write_lhotse(transcript: Transcript) -> str:
    """Supervision segments in JSON lines."""
    return _as_lines(
        {
            "id": f"{transcript.uri}-{number}",
            "recording_id": transcript.uri,
            "start": start / 1000,
            "duration": (end - start) / 1000,
            "channel": (segment.turn.channel or 1) - 1,
            "speaker": segment.turn.speaker,
            **_known(text=segment.text or None, language=transcript.language),
        }
        for number, (start, end, segment) in enumerate(transcript.timed())
    )


def read_lhotse(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording; errors as in `_read`."""

    def segment(row: Row, place: str) -> tuple[str, Segment]:
        start = seconds_of(str(row["start"]), place)
        end = start + seconds_of(str(row["duration"]), place)
        channel = row.get("channel")
        number = channel + 1 if isinstance(channel, int) and channel > 0 else None
        turn = Turn(start, end, _text(row.get("speaker")), channel=number)
        return _text(row["recording_id"]), Segment(turn, _text(row.get("text")))

    return _read(_lines(text, name), segment)


def write_seglst(transcript: Transcript) -> str:
    """A JSON list of segments, as meeteval reads them."""
    rows = [
        {
            "session_id": transcript.uri,
            "start_time": start / 1000,
            "end_time": end / 1000,
            "speaker": segment.turn.speaker,
            "words": segment.text,
        }
        for start, end, segment in transcript.timed()
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def read_seglst(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording; errors as in `_read`."""

    def segment(row: Row, place: str) -> tuple[str, Segment]:
        turn = Turn(*_times(row["start_time"], row["end_time"], place), _text(row["speaker"]))
        return _text(row["session_id"]), Segment(turn, _text(row.get("words")))

    rows = parsed(text, name)
    if not isinstance(rows, list):
        raise FormatError(f"{name}: holds no list; SegLST is a list of segments")
    return _read(((f"{name}, segment {n}", row) for n, row in enumerate(rows, start=1)), segment)


def _read(
    rows: Iterable[tuple[str, Any]], segment: Callable[[Row, str], tuple[str, Segment]]
) -> list[Transcript]:
    """A transcript for each recording.

    Raises:
        FormatError: a row is no object, lacks a field, or has a value that cannot be right.
    """
    found: dict[str, list[Segment]] = {}
    for place, row in rows:
        try:
            recording, made = segment(row, place)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = (
                f"lacks {error}" if isinstance(error, KeyError) else f"cannot be read ({error})"
            )
            raise FormatError(f"{place}: {problem}; give an object for each segment") from error
        found.setdefault(recording, []).append(made)
    return [of_segments(recording, segments) for recording, segments in found.items()]


def _lines(text: str, name: str) -> Iterator[tuple[str, Any]]:
    for place, line in lines_of(text.removeprefix("\ufeff"), name):
        yield place, parsed(line, place)


def _as_lines(rows: Iterable[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _known(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _times(start: object, end: object, place: str) -> tuple[float, float]:
    first, last = seconds_of(str(start), place), seconds_of(str(end), place)
    if last < first:
        raise FormatError(f"{place}: ends at {end}, before it starts at {start}")
    return first, last


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _share(row: Row) -> float | None:
    value = row.get("confidence")
    return float(value) if value is not None and 0 <= float(value) <= 1 else None
