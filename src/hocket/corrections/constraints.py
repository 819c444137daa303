"""Constraints on a result: same speaker, different speakers, a named speaker, or no speaker.

Constraints are values (docs/corrections.md). `gather` joins them, and finds contradictions.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from hocket.errors import ConfigError, is_shown

LONGEST_NAME = 200
NUMBERED = re.compile(r"SPEAKER_\d\d+")  # names of speakers in the result without constraints

EXPECTED = (
    'give {"same": [[3.2, 5.0], [17, 19.5]]}, {"different": [[3.2, 5.0], [17, 19.5]]}, '
    '{"is": "Anna", "at": [12, 14.5]}, {"not": "Anna", "at": [12, 14.5]} or {"nobody": [1, 2]}, '
    "times in seconds"
)


@dataclass(frozen=True, order=True)
class Segment:
    """A segment of a recording, in seconds from its start.

    Raises:
        ConfigError: a time is not a finite number of at least 0, or the end is not after the start.
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        for time in (self.start, self.end):
            if isinstance(time, bool) or not isinstance(time, int | float):
                raise ConfigError(f"a segment holds {time!r}; give seconds, as in [3.2, 5.0]")
            if not math.isfinite(time) or time < 0:
                raise ConfigError(f"a segment holds {time}; give seconds, 0 or more")
        if self.start >= self.end:
            raise ConfigError(f"segment {self} ends where it starts or before; give a later end")

    def __str__(self) -> str:
        return f"[{self.start:g}, {self.end:g}]"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def overlap(self, other: "Segment") -> float:
        """Length of the overlap in seconds."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def is_mostly_in(self, other: "Segment") -> bool:
        """Whether more than half of this segment lies in the other."""
        return 2 * self.overlap(other) > self.duration


def checked_name(name: object) -> str:
    """A name of a speaker, with single blanks; ConfigError if it cannot be one."""
    if not isinstance(name, str):
        raise ConfigError(f'a name is {name!r}; give a text, as in "Anna"')
    found = " ".join(name.split())
    if not 0 < len(found) <= LONGEST_NAME:
        raise ConfigError(f"a name of {len(found)} characters; give 1 to {LONGEST_NAME}")
    if not all(map(is_shown, found)):  # names of a store may hold joiners, too
        raise ConfigError(f"{found}: holds characters that cannot be printed; leave them out")
    return found


@dataclass(frozen=True)
class Same:
    """The same speaker speaks in all these segments; ConfigError if there are fewer than two."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(sorted(self.segments)))
        if len(self.segments) < 2:
            raise ConfigError(f"{self}: holds {len(self.segments)} segments; give two or more")

    def __str__(self) -> str:
        return f'{{"same": [{", ".join(map(str, self.segments))}]}}'


@dataclass(frozen=True)
class Different:
    """Different speakers speak in these two segments."""

    one: Segment
    other: Segment

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Both segments, in order of time."""
        return tuple(sorted((self.one, self.other)))

    def __str__(self) -> str:
        return f'{{"different": [{", ".join(map(str, self.segments))}]}}'


@dataclass(frozen=True)
class _OfOneSpeaker:
    """What is known of one speaker in one segment."""

    segment: Segment
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segment."""
        return (self.segment,)


@dataclass(frozen=True)
class Named(_OfOneSpeaker):
    """The speaker of this name speaks in this segment.

    name: any name, or SPEAKER_nn for that speaker of the result without constraints.

    Raises:
        ConfigError: the name is empty, too long or cannot be printed.
    """

    def __str__(self) -> str:
        return f'{{"is": {json.dumps(self.name, ensure_ascii=False)}, "at": {self.segment}}}'


@dataclass(frozen=True)
class Absent(_OfOneSpeaker):
    """The speaker of this name does not speak in this segment; others may.

    name: as for `Named`.

    Raises:
        ConfigError: the name is empty, too long or cannot be printed.
    """

    def __str__(self) -> str:
        return f'{{"not": {json.dumps(self.name, ensure_ascii=False)}, "at": {self.segment}}}'


@dataclass(frozen=True)
class Nobody:
    """No speaker speaks in this segment, whatever is audible there."""

    segment: Segment

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segment."""
        return (self.segment,)

    def __str__(self) -> str:
        return f'{{"nobody": {self.segment}}}'


Constraint: TypeAlias = Same | Different | Named | Nobody | Absent


def read_constraints(path: Path | str) -> tuple[Constraint, ...]:
    """Read constraints from a JSON file: a list of objects as in docs/corrections.md.

    Raises:
        ConfigError: the file cannot be read, or an entry is not a constraint; the message names it.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"is not JSON ({error})"
        raise ConfigError(f"{path}: {reason}; give a JSON file with a list") from error
    try:
        return constraints_of(entries)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def constraints_of(entries: object) -> tuple[Constraint, ...]:
    """Constraints of a list of plain objects as in docs/corrections.md.

    Raises:
        ConfigError: it is no list, or an entry is not a constraint; the message names it.
    """
    if not isinstance(entries, list):
        raise ConfigError(f"holds no list; {EXPECTED}, in a list")
    found: list[Constraint] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(_constraint_of(entry))
        except ConfigError as error:
            raise ConfigError(f"entry {number}: {error}") from None
    return tuple(found)


def entries_of(constraints: Iterable[Constraint]) -> list[dict[str, Any]]:
    """Constraints as plain objects, from which `constraints_of` makes equal ones."""
    return [_entry_of(constraint) for constraint in constraints]


def _entry_of(constraint: Constraint) -> dict[str, Any]:
    if isinstance(constraint, Named):
        return {"is": constraint.name, "at": _times_of(constraint.segment)}
    if isinstance(constraint, Absent):
        return {"not": constraint.name, "at": _times_of(constraint.segment)}
    if isinstance(constraint, Nobody):
        return {"nobody": _times_of(constraint.segment)}
    if isinstance(constraint, Different):
        return {"different": [_times_of(constraint.one), _times_of(constraint.other)]}
    return {"same": [_times_of(segment) for segment in constraint.segments]}


def _times_of(segment: Segment) -> list[float]:
    return [segment.start, segment.end]


def _constraint_of(entry: object) -> Constraint:
    """The constraint of an entry in the file; ConfigError if it is none."""
    if isinstance(entry, Mapping):
        if entry.keys() == {"same"}:
            return Same(tuple(map(_segment_of, _list_of(entry["same"], "same"))))
        if entry.keys() == {"different"}:
            segments = _list_of(entry["different"], "different")
            if len(segments) == 2:
                return Different(*map(_segment_of, segments))
            raise ConfigError(f'"different" holds {len(segments)} segments; give two')
        if entry.keys() == {"is", "at"}:
            return Named(_segment_of(entry["at"]), entry["is"])
        if entry.keys() == {"not", "at"}:
            return Absent(_segment_of(entry["at"]), entry["not"])
        if entry.keys() == {"nobody"}:
            return Nobody(_segment_of(entry["nobody"]))
    raise ConfigError(f"found {_shown(entry)}; {EXPECTED}")


def _list_of(value: object, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f'"{key}" holds {_shown(value)}; give a list of segments')
    return value


def _segment_of(value: object) -> Segment:
    if not isinstance(value, list) or len(value) != 2:
        raise ConfigError(f"found {_shown(value)}; give a segment in seconds, as in [3.2, 5.0]")
    return Segment(*value)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
