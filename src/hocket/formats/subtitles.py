"""What SubRip and WebVTT share: blocks of a line of times and lines of text."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hocket.errors import FormatError
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn

ARROW = "-->"
TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
TIMES = re.compile(rf"\s*{TIME}\s*{ARROW}\s*{TIME}(?:\s.*)?")


class Said(NamedTuple):
    """A part of a cue: who says what; either may be empty."""

    speaker: str
    text: str


def clock(milliseconds: int, point: str = ".") -> str:
    """Hours, minutes, seconds and milliseconds."""
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}{point}{rest:03d}"


def read_cues(text: str, name: str, parse: Callable[[list[str]], list[Said]]) -> list[Transcript]:
    """The cues of a file, which is one recording.

    Args:
        text: of the file.
        name: of the recording, and of the file in errors.
        parse: who says what in the lines of a cue.

    Raises:
        FormatError: there is no cue, or its times cannot be read.
    """
    segments = [
        Segment(Turn(start, end, said.speaker), said.text)
        for start, end, body in _blocks(text, name)
        for said in parse(body)
    ]
    if not segments and text.strip() and not text.lstrip("\ufeff").startswith("WEBVTT"):
        raise FormatError(f"{name}: holds no cue; a cue begins with 00:00:01,000 --> 00:00:02,000")
    return [of_segments(name, segments)]


def _blocks(text: str, name: str) -> Iterator[tuple[float, float, list[str]]]:
    """Start, end in seconds, and the lines of each cue."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    index = 0
    while index < len(lines):
        line, index = lines[index], index + 1
        if ARROW not in line:
            continue
        found = TIMES.fullmatch(line)
        if not found:
            raise FormatError(f"{name}:{index}: found '{line[:60]}'; give 00:00:01,000 --> …")
        start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
        if end < start:
            raise FormatError(f"{name}:{index}: the cue ends before it starts")
        body = []
        while index < len(lines) and lines[index].strip() and ARROW not in lines[index]:
            body.append(lines[index])
            index += 1
        yield start, end, body


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    return whole + int((fraction or "0").ljust(3, "0")) / 1000
