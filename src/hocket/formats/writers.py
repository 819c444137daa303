"""Results as text. A new format is one function and one line in WRITERS."""

import csv
import html
import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hocket.errors import one_line
from hocket.result import Result, in_milliseconds, milliseconds_as_seconds


class Writer(NamedTuple):
    """A format.

    write: a result as text.
    header: beginning of a file or stream, before any result.
    joinable: whether several results may follow each other in one stream.
    """

    write: Callable[[Result], str]
    header: str
    joinable: bool


def _cues(result: Result, *, escape: bool = False) -> Iterator[tuple[int, int, str]]:
    """Start and end in milliseconds and the speaker's name, which breaks no line.

    Args:
        result: whose turns.
        escape: write & < > as HTML does.
    """
    for start, end, turn in in_milliseconds(result.turns, result.duration):
        name = one_line(turn.speaker)
        yield start, end, html.escape(name, quote=False) if escape else name


def _clock(milliseconds: int, point: str = ".") -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{point}{rest:03d}"


def json_line(result: Result) -> str:
    """`Result.to_json` as a line."""
    return result.to_json() + "\n"


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
        times = (milliseconds_as_seconds(start), milliseconds_as_seconds(end))
        rows.writerow([one_line(result.uri), *times, speaker])
    return buffer.getvalue()


WRITERS: dict[str, Writer] = {
    "rttm": Writer(Result.to_rttm, header="", joinable=True),
    "json": Writer(json_line, header="", joinable=True),
    "txt": Writer(text, header="", joinable=True),
    "srt": Writer(srt, header="", joinable=False),
    "vtt": Writer(vtt, header="WEBVTT\n", joinable=False),
    "csv": Writer(table, header="recording,start,end,speaker\n", joinable=True),
}


def document(result: Result, format_name: str) -> str:
    """A result as a whole file of one of the formats in WRITERS."""
    writer = WRITERS[format_name]
    return writer.header + writer.write(result)
