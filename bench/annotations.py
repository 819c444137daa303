"""Turns and scored regions, and the RTTM and UEM files that hold them."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench.errors import BenchError

Item = TypeVar("Item")


class Turn(NamedTuple):
    """A turn of a speaker, in seconds from the start of the recording."""

    start: float
    end: float
    speaker: str


class Region(NamedTuple):
    """A scored part of a recording, in seconds from its start."""

    start: float
    end: float


def read_rttm(path: Path) -> list[Turn]:
    """Turns of an RTTM file about one recording, in the order of its SPEAKER lines.

    Turns of no duration are dropped. A file without SPEAKER lines is a recording without speech.

    Raises:
        BenchError: a line cannot be read, or the file holds several recordings.
    """
    return _only(path, turns_by_recording(path))


def read_uem(path: Path) -> list[Region]:
    """Regions of a UEM file about one recording.

    Raises:
        BenchError: a line cannot be read, or the file holds no or several recordings.
    """
    return _only(path, regions_by_recording(path))


def turns_by_recording(path: Path) -> dict[str, list[Turn]]:
    """Turns of every recording in an RTTM file, as from `read_rttm`."""
    found: dict[str, list[Turn]] = {}
    for place, fields in _lines(path):
        if fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise BenchError(f"{place}: found {len(fields)} fields; a SPEAKER line has 8 or more")
        start, duration_s = _seconds(place, fields[3]), _seconds(place, fields[4])
        turns = found.setdefault(fields[1], [])
        if duration_s > 0:
            turns.append(Turn(start, start + duration_s, fields[7]))
    return found


def regions_by_recording(path: Path) -> dict[str, list[Region]]:
    """Regions of every recording in a UEM file, as from `read_uem`."""
    found: dict[str, list[Region]] = {}
    for place, fields in _lines(path):
        if len(fields) != 4:
            raise BenchError(f"{place}: found {len(fields)} fields; a UEM line has 4")
        region = Region(_seconds(place, fields[2]), _seconds(place, fields[3]))
        if region.end <= region.start:
            raise BenchError(f"{place}: the region ends before it starts")
        found.setdefault(fields[0], []).append(region)
    if not found:
        raise BenchError(f"{path}: found no region; remove the file to score all of the audio")
    return found


def _only(path: Path, found: dict[str, list[Item]]) -> list[Item]:
    # mixing two recordings would score one against the reference of the other
    if len(found) > 1:
        raise BenchError(f"{path}: found {len(found)} recordings; give a file for each")
    return next(iter(found.values()), [])


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """`file:line` and the fields of every line that is not empty or a comment."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BenchError(f"{path}: cannot be read ({reason})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if fields and not fields[0].startswith((";;", "#")):
            yield f"{path}:{number}", fields


def _seconds(place: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # negated so that NaN fails too
    if not 0 <= value < math.inf:
        raise BenchError(f"{place}: found '{text}'; give seconds, 0 or more")
    return value
