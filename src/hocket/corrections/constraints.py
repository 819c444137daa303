"""What a user knows of a recording: who is one speaker, who are two, who is who, where is nobody.

Constraints are values. Those that contradict each other are found before anything is solved: what
is one speaker is joined, and no two segments that differ, no two names, may be joined.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from hocket.config import SpeakerCount
from hocket.errors import ConfigError

LONGEST_NAME = 200
NUMBERED = re.compile(r"SPEAKER_\d\d+")  # a speaker of the result without constraints

EXPECTED = (
    'give {"same": [[3.2, 5.0], [17, 19.5]]}, {"different": [[3.2, 5.0], [17, 19.5]]}, '
    '{"is": "Anna", "at": [12, 14.5]} or {"nobody": [1, 2]}, times in seconds'
)


@dataclass(frozen=True, order=True)
class Segment:
    """From when to when, in seconds from the start of the recording; ConfigError if not so."""

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
        """Length of the segment."""
        return self.end - self.start

    def overlap(self, other: "Segment") -> float:
        """Seconds that lie in both."""
        return max(0.0, min(self.end, other.end) - max(self.start, other.start))

    def is_mostly_in(self, other: "Segment") -> bool:
        """Whether more than half of it lies in the other."""
        return 2 * self.overlap(other) > self.duration


@dataclass(frozen=True)
class Same:
    """One speaker speaks in all of these segments; ConfigError unless there are two or more."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(sorted(self.segments)))
        if len(self.segments) < 2:
            raise ConfigError(f"{self}: holds {len(self.segments)} segments; give two or more")

    def __str__(self) -> str:
        return f'{{"same": [{", ".join(map(str, self.segments))}]}}'


@dataclass(frozen=True)
class Different:
    """Two speakers speak in these two segments."""

    one: Segment
    other: Segment

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Both, in order of time."""
        return tuple(sorted((self.one, self.other)))

    def __str__(self) -> str:
        return f'{{"different": [{", ".join(map(str, self.segments))}]}}'


@dataclass(frozen=True)
class Named:
    """Who speaks in this segment.

    name: any name, or SPEAKER_nn for a speaker of the result without constraints; ConfigError if
        it is empty, too long or cannot be printed.
    """

    segment: Segment
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ConfigError(f'a name is {self.name!r}; give a text, as in "Anna"')
        name = " ".join(self.name.split())
        if not 0 < len(name) <= LONGEST_NAME:
            raise ConfigError(f"a name of {len(name)} characters; give 1 to {LONGEST_NAME}")
        if not name.isprintable():
            raise ConfigError(f"{name}: holds characters that cannot be printed; leave them out")
        object.__setattr__(self, "name", name)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segment."""
        return (self.segment,)

    def __str__(self) -> str:
        return f'{{"is": {json.dumps(self.name, ensure_ascii=False)}, "at": {self.segment}}}'


@dataclass(frozen=True)
class Nobody:
    """No speaker speaks in this segment, whatever sounds there."""

    segment: Segment

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segment."""
        return (self.segment,)

    def __str__(self) -> str:
        return f'{{"nobody": {self.segment}}}'


Constraint: TypeAlias = Same | Different | Named | Nobody


class Group(NamedTuple):
    """Segments of one speaker, who has the name if there is one."""

    segments: tuple[Segment, ...]
    name: str | None


class ConstraintSet(NamedTuple):
    """What constraints come to.

    groups: in order of time.
    apart: pairs of groups that are two speakers, the lower number first.
    nobody: where nobody speaks.
    """

    groups: tuple[Group, ...]
    apart: frozenset[tuple[int, int]]
    nobody: tuple[Segment, ...]

    def check(self, count: SpeakerCount) -> None:
        """Raise ConfigError if there are more names than speakers may be."""
        names = sorted(group.name for group in self.groups if group.name)
        if count.maximum is not None and len(names) > count.maximum:
            raise ConfigError(
                f"constraints name {len(names)} speakers ({', '.join(names)}) but at most "
                f"{count.maximum} may be there; give a larger num_speakers or max_speakers, "
                "or fewer names"
            )


def gather(constraints: Iterable[Constraint]) -> ConstraintSet:
    """Join what is one speaker and refuse what contradicts itself; the order says nothing.

    Overlapping segments of which each has more than half in the other are one segment.

    Raises:
        ConfigError: two constraints contradict each other; the message quotes them.
    """
    given: list[Constraint] = sorted(set(constraints), key=str)
    links = _Links(given)
    links.check_names()
    for constraint in given:
        if isinstance(constraint, Different):
            links.check_apart(constraint)
    empty = [constraint for constraint in given if isinstance(constraint, Nobody)]
    for constraint in given:
        _check_speaks(constraint, empty)
    groups = tuple(sorted(links.groups()))
    number = {place: index for index, group in enumerate(groups) for place in group.segments}
    named = [index for index, group in enumerate(groups) if group.name]
    apart = {(one, other) for one in named for other in named if one < other}
    for constraint in given:
        if isinstance(constraint, Different):
            one, other = sorted((number[constraint.one], number[constraint.other]))
            apart.add((one, other))
    nobody = tuple(sorted(constraint.segment for constraint in empty))
    return ConstraintSet(groups, frozenset(apart), nobody)


_Node: TypeAlias = Segment | str


class _Links:
    """Segments and names, joined where they are one speaker; a link knows who says so."""

    def __init__(self, given: Sequence[Constraint]) -> None:
        self._links: dict[_Node, list[tuple[_Node, Constraint | None]]] = defaultdict(list)
        for constraint in given:
            self._enter(constraint)
        self._join_overlapping()

    def _enter(self, constraint: Constraint) -> None:
        if isinstance(constraint, Nobody):
            return
        for place in constraint.segments:
            _ = self._links[place]
        if isinstance(constraint, Same):
            for place in constraint.segments[1:]:
                self._join(constraint.segments[0], place, constraint)
        elif isinstance(constraint, Named):
            self._join(constraint.segment, constraint.name, constraint)

    def _join_overlapping(self) -> None:
        places = sorted(node for node in self._links if isinstance(node, Segment))
        for index, one in enumerate(places):
            for other in places[index + 1 :]:
                if other.start >= one.end:
                    break
                if one.is_mostly_in(other) and other.is_mostly_in(one):
                    self._join(one, other, None)

    def _join(self, one: _Node, other: _Node, constraint: Constraint | None) -> None:
        self._links[one].append((other, constraint))
        self._links[other].append((one, constraint))

    def _reached(self, start: _Node) -> dict[_Node, list[Constraint]]:
        """All that is one speaker with `start`, and who says so, along the shortest way."""
        ways: dict[_Node, list[Constraint]] = {start: []}
        waiting = [start]
        for node in waiting:  # grows
            for other, constraint in self._links[node]:
                if other not in ways:
                    ways[other] = [*ways[node], *([constraint] if constraint else [])]
                    waiting.append(other)
        return ways

    def check_names(self) -> None:
        names = sorted(node for node in self._links if isinstance(node, str))
        for name in names:
            for other, way in self._reached(name).items():
                if isinstance(other, str) and other != name:
                    raise _contradiction(way)

    def check_apart(self, constraint: Different) -> None:
        ways = self._reached(constraint.one)
        if constraint.other in ways:
            raise _contradiction([constraint, *ways[constraint.other]])

    def groups(self) -> Iterator[Group]:
        found: set[_Node] = set()
        for node in self._links:
            if node not in found:
                reached = self._reached(node)
                found |= reached.keys()
                places = sorted(other for other in reached if isinstance(other, Segment))
                names = [other for other in reached if isinstance(other, str)]
                yield Group(tuple(places), names[0] if names else None)


def _check_speaks(constraint: Constraint, empty: Sequence[Nobody]) -> None:
    """Raise ConfigError if somebody speaks where nobody does."""
    if isinstance(constraint, Nobody):
        return
    for place in constraint.segments:
        for other in empty:
            if place.is_mostly_in(other.segment):
                raise _contradiction([other, constraint])


def _contradiction(constraints: Sequence[Constraint]) -> ConfigError:
    quoted = list(dict.fromkeys(map(str, constraints)))
    if len(quoted) == 1:
        return ConfigError(f"{quoted[0]}: the segments overlap, so they count as one; give others")
    first, *others = quoted
    return ConfigError(f"{first} contradicts {' with '.join(others)}; leave one out")


def read_constraints(path: Path | str) -> tuple[Constraint, ...]:
    """Constraints from a JSON file: a list of objects, as in docs/corrections.md.

    Raises:
        ConfigError: the file cannot be read or is no such list; the message names the entry.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"is not JSON ({error})"
        raise ConfigError(f"{path}: {reason}; give a JSON file with a list") from error
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: holds no list; {EXPECTED}, in a list")
    found: list[Constraint] = []
    for number, entry in enumerate(entries, start=1):
        try:
            found.append(_constraint_of(entry))
        except ConfigError as error:
            raise ConfigError(f"{path}: entry {number}: {error}") from None
    return tuple(found)


def _constraint_of(entry: object) -> Constraint:
    """The constraint that an entry of the file says."""
    if isinstance(entry, Mapping):
        if entry.keys() == {"same"}:
            return Same(tuple(map(_segment_of, _list_of(entry["same"], "same"))))
        if entry.keys() == {"different"}:
            places = _list_of(entry["different"], "different")
            if len(places) == 2:
                return Different(*map(_segment_of, places))
            raise ConfigError(f'"different" holds {len(places)} segments; give two')
        if entry.keys() == {"is", "at"}:
            return Named(_segment_of(entry["at"]), entry["is"])
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
