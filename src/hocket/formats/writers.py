"""Results to text. A new format is one function and one line in WRITERS."""

import csv
import html
import io
import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hocket.errors import one_line
from hocket.result import Result, Turn


class Writer(NamedTuple):
    """A format.

    write: a result as text.
    header: what a file or stream starts with, before any result.
    joinable: whether several results may follow each other in one stream.
    """

    write: Callable[[Result], str]
    header: str
    joinable: bool


def _milliseconds(turns: tuple[Turn, ...], duration: float) -> Iterator[tuple[int, int, Turn]]:
    """Start, end and the turn, rounded so that no turn ends after the recording."""
    last = int(duration * 1000)
    for turn in turns:
        start, end = round(turn.start * 1000), min(round(turn.end * 1000), last)
        if end > start:
            yield start, end, turn


def _cues(result: Result, *, escape: bool = False) -> Iterator[tuple[int, int, str]]:
    """The same for formats of lines, which a name must not break, with & < > escaped if asked."""
    for start, end, turn in _milliseconds(result.turns, result.duration):
        name = one_line(turn.speaker)
        yield start, end, html.escape(name, quote=False) if escape else name


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _clock(milliseconds: int, point: str = ".") -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{point}{rest:03d}"


def field(text: str) -> str:
    """`text` as one field of an RTTM line: no white space, nothing unprintable, never empty."""
    kept = "".join(c if c.isprintable() and not c.isspace() else "_" for c in text)
    return kept or "_"


def rttm(result: Result) -> str:
    """NIST Rich Transcription Time Marked: a SPEAKER line a turn, with confidence if known."""
    uri = field(result.uri)
    return "".join(
        f"SPEAKER {uri} 1 {_seconds(start)} {_seconds(end - start)} "
        f"<NA> <NA> {field(turn.speaker)} "
        f"{'<NA>' if turn.confidence is None else f'{turn.confidence:.3f}'} <NA>\n"
        for start, end, turn in _milliseconds(result.turns, result.duration)
    )


def json_document(result: Result) -> str:
    """One JSON object on one line; times in seconds. What nobody says of confidence is left out."""

    def listed(turns: tuple[Turn, ...]) -> list[dict[str, object]]:
        return [
            {"start": start / 1000, "end": end / 1000, "speaker": turn.speaker}
            | ({} if turn.confidence is None else {"confidence": round(turn.confidence, 3)})
            for start, end, turn in _milliseconds(turns, result.duration)
        ]

    content: dict[str, object] = {
        "uri": result.uri,
        "duration": round(result.duration, 3),
        "speakers": result.speakers,
        "turns": listed(result.turns),
        "exclusive_turns": listed(result.exclusive_turns),
    }
    if result.uncertain:
        content["uncertain"] = [
            {
                "start": round(segment.start, 3),
                "end": round(segment.end, 3),
                "speaker": segment.speaker,
                "confidence": round(segment.confidence, 3),
                "alternatives": segment.alternatives,
            }
            for segment in result.uncertain
        ]
    if result.count_confidence:
        content["count_confidence"] = {
            str(number): round(value, 3) for number, value in result.count_confidence.items()
        }
    return json.dumps(content, ensure_ascii=False) + "\n"


def text(result: Result) -> str:
    """One turn a line, for people."""
    return "".join(
        f"{_clock(start)} - {_clock(end)}  {speaker}\n" for start, end, speaker in _cues(result)
    )


def srt(result: Result) -> str:
    """SubRip cues that show the speaker's name."""
    cues = enumerate(_cues(result), start=1)
    return "\n".join(
        f"{index}\n{_clock(start, ',')} --> {_clock(end, ',')}\n[{speaker}]\n"
        for index, (start, end, speaker) in cues
    )


def vtt(result: Result) -> str:
    """WebVTT cues with the speaker as voice."""
    return "".join(
        f"\n{_clock(start)} --> {_clock(end)}\n<v {name}>{name}</v>\n"
        for start, end, name in _cues(result, escape=True)
    )


def table(result: Result) -> str:
    """Comma-separated values: recording, start, end, speaker."""
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    for start, end, speaker in _cues(result):
        rows.writerow([one_line(result.uri), _seconds(start), _seconds(end), speaker])
    return buffer.getvalue()


WRITERS: dict[str, Writer] = {
    "rttm": Writer(rttm, header="", joinable=True),
    "json": Writer(json_document, header="", joinable=True),
    "txt": Writer(text, header="", joinable=True),
    "srt": Writer(srt, header="", joinable=False),
    "vtt": Writer(vtt, header="WEBVTT\n", joinable=False),
    "csv": Writer(table, header="recording,start,end,speaker\n", joinable=True),
}


def document(result: Result, format_name: str) -> str:
    """A result as a whole file of one of the formats in WRITERS."""
    writer = WRITERS[format_name]
    return writer.header + writer.write(result)
