"""What readers of all formats share: lines with their places, and times."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from hocket.errors import FormatError

LINE_END = re.compile(r"\r\n|\r|\n")  # names of others may hold what Unicode calls a line end
BLANKS = re.compile(r"[ \t]+")  # and other blanks


class Line(NamedTuple):
    """A line of a file, and where it stands in errors."""

    place: str
    text: str


def lines_of(text: str, name: str) -> Iterator[Line]:
    """Lines that are not blank."""
    for number, line in enumerate(LINE_END.split(text), start=1):
        if line.strip():
            yield Line(f"{name}:{number}", line)


def fields_of(line: str) -> list[str]:
    """What stands between blanks and tabs."""
    return BLANKS.split(line.strip())


def seconds_of(text: str, place: str) -> float:
    """A time as a number of seconds; FormatError if it is none, negative or not finite."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:  # NaN fails too
        raise FormatError(f"{place}: found '{text[:40]}'; give seconds, 0 or more")
    return value


def span_of(start: str, end: str, place: str) -> tuple[float, float]:
    """Start and end in seconds; FormatError if it ends before it starts."""
    first, last = seconds_of(start, place), seconds_of(end, place)
    if last < first:
        raise FormatError(f"{place}: ends at {end}, before it starts at {start}")
    return first, last


def parsed(text: str, place: str) -> Any:
    """JSON as plain values; FormatError if it is none."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{place}: is no JSON ({error})") from error
