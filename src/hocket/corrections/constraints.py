"""Constraints on a result: same speaker, different speakers, a named speaker, or no speaker.

Constraints are values. Contradictions are found before clustering: segments and names of the same
speaker are joined, which must never join different speakers or names (docs/corrections.md).
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
NUMBERED = re.compile(r"SPEAKER_\d\d+")  # names of speakers in the result without constraints

EXPECTED = (
    'give {"same": [[3.2, 5.0], [17, 19.5]]}, {"different": [[3.2, 5.0], [17, 19.5]]}, '
    '{"is": "Anna", "at": [12, 14.5]} or {"nobody": [1, 2]}, times in seconds'
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
class Named:
    """The speaker of this name speaks in this segment.

    name: any name, or SPEAKER_nn for that speaker of the result without constraints.

    Raises:
        ConfigError: the name is empty, too long or cannot be printed.
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
    """No speaker speaks in this segment, whatever is audible there."""

    segment: Segment

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segment."""
        return (self.segment,)

    def __str__(self) -> str:
        return f'{{"nobody": {self.segment}}}'


Constraint: TypeAlias = Same | Different | Named | Nobody


class Group(NamedTuple):
    """All segments of one speaker, and the speaker's name; None: no name is given."""

    segments: tuple[Segment, ...]
    name: str | None


class ConstraintSet(NamedTuple):
    """Constraints, joined by speaker.

    groups: in order of time.
    apart: pairs of groups that are different speakers, the lower number first.
    nobody: segments in which no speaker speaks.
    """

    groups: tuple[Group, ...]
    apart: frozenset[tuple[int, int]]
    nobody: tuple[Segment, ...]

    def moved(self, seconds: float) -> "ConstraintSet":
        """The same, later by that many seconds; ConfigError if a segment would end before 0."""
        if not seconds:
            return self

        def moved(segments: Iterable[Segment]) -> tuple[Segment, ...]:
            for segment in segments:
                if segment.end + seconds <= 0:
                    raise ConfigError(f"segment {segment} is outside the part that is diarized")
            return tuple(Segment(max(0.0, a.start + seconds), a.end + seconds) for a in segments)

        groups = tuple(group._replace(segments=moved(group.segments)) for group in self.groups)
        return ConstraintSet(groups, self.apart, moved(self.nobody))

    def check(self, count: SpeakerCount) -> None:
        """Raise ConfigError if constraints name more speakers than are allowed."""
        names = sorted(group.name for group in self.groups if group.name)
        if count.maximum is not None and len(names) > count.maximum:
            raise ConfigError(
                f"constraints name {len(names)} speakers ({', '.join(names)}) but at most "
                f"{count.maximum} are allowed; give a larger num_speakers or max_speakers, "
                "or fewer names"
            )


def gather(constraints: Iterable[Constraint]) -> ConstraintSet:
    """Join constraints by speaker. Their order has no effect.

    Two segments that each have more than half in the other count as one.

    Raises:
        ConfigError: two constraints contradict each other; the message quotes them.
    """
    given: list[Constraint] = sorted(set(constraints), key=str)
    links = _Links(given)
    links.check_names()
    for constraint in given:
        if isinstance(constraint, Different):
            links.check_apart(constraint)
    silent = [constraint for constraint in given if isinstance(constraint, Nobody)]
    for constraint in given:
        _check_speaks(constraint, silent)
    groups = tuple(sorted(links.groups()))
    number = {segment: index for index, group in enumerate(groups) for segment in group.segments}
    named = [index for index, group in enumerate(groups) if group.name]
    apart = {(one, other) for one in named for other in named if one < other}
    for constraint in given:
        if isinstance(constraint, Different):
            one, other = sorted((number[constraint.one], number[constraint.other]))
            apart.add((one, other))
    nobody = tuple(sorted(constraint.segment for constraint in silent))
    return ConstraintSet(groups, frozenset(apart), nobody)


_Node: TypeAlias = Segment | str


class _Links:
    """A graph of segments and names; a link joins two of one speaker and keeps its constraint."""

    def __init__(self, given: Sequence[Constraint]) -> None:
        self._links: dict[_Node, list[tuple[_Node, Constraint | None]]] = defaultdict(list)
        for constraint in given:
            self._enter(constraint)
        self._join_overlapping()

    def _enter(self, constraint: Constraint) -> None:
        if isinstance(constraint, Nobody):
            return
        for segment in constraint.segments:
            _ = self._links[segment]
        if isinstance(constraint, Same):
            for segment in constraint.segments[1:]:
                self._join(constraint.segments[0], segment, constraint)
        elif isinstance(constraint, Named):
            self._join(constraint.segment, constraint.name, constraint)

    def _join_overlapping(self) -> None:
        segments = sorted(node for node in self._links if isinstance(node, Segment))
        for index, one in enumerate(segments):
            for other in segments[index + 1 :]:
                if other.start >= one.end:
                    break
                if one.is_mostly_in(other) and other.is_mostly_in(one):
                    self._join(one, other, None)

    def _join(self, one: _Node, other: _Node, constraint: Constraint | None) -> None:
        self._links[one].append((other, constraint))
        self._links[other].append((one, constraint))

    def _reached(self, start: _Node) -> dict[_Node, list[Constraint]]:
        """All nodes of the speaker of `start`, and the constraints on the shortest path to each."""
        paths: dict[_Node, list[Constraint]] = {start: []}
        queue = [start]
        for node in queue:  # grows in the loop
            for other, constraint in self._links[node]:
                if other not in paths:
                    paths[other] = [*paths[node], *([constraint] if constraint else [])]
                    queue.append(other)
        return paths

    def check_names(self) -> None:
        names = sorted(node for node in self._links if isinstance(node, str))
        for name in names:
            for other, path in self._reached(name).items():
                if isinstance(other, str) and other != name:
                    raise _contradiction(path)

    def check_apart(self, constraint: Different) -> None:
        paths = self._reached(constraint.one)
        if constraint.other in paths:
            raise _contradiction([constraint, *paths[constraint.other]])

    def groups(self) -> Iterator[Group]:
        found: set[_Node] = set()
        for node in self._links:
            if node not in found:
                reached = self._reached(node)
                found |= reached.keys()
                segments = sorted(other for other in reached if isinstance(other, Segment))
                names = [other for other in reached if isinstance(other, str)]
                yield Group(tuple(segments), names[0] if names else None)


def _check_speaks(constraint: Constraint, silent: Sequence[Nobody]) -> None:
    """Raise ConfigError if the constraint needs speech where no speaker speaks."""
    if isinstance(constraint, Nobody):
        return
    for segment in constraint.segments:
        for other in silent:
            if segment.is_mostly_in(other.segment):
                raise _contradiction([other, constraint])


def _contradiction(constraints: Sequence[Constraint]) -> ConfigError:
    quoted = list(dict.fromkeys(map(str, constraints)))
    if len(quoted) == 1:
        return ConfigError(f"{quoted[0]}: the segments overlap, so they count as one; give others")
    first, *others = quoted
    return ConfigError(f"{first} contradicts {' with '.join(others)}; leave one out")


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
