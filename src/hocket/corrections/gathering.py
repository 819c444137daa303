"""Constraints, joined by speaker.

Contradictions are found before clustering: segments and names of the same speaker are joined, which
must never join different speakers or names (docs/corrections.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from hocket.config import SpeakerCount
from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
)
from hocket.errors import ConfigError


class Group(NamedTuple):
    """All segments of one speaker, and the speaker's name; None: no name is given."""

    segments: tuple[Segment, ...]
    name: str | None


class ConstraintSet(NamedTuple):
    """Constraints, joined by speaker.

    groups: in order of time.
    apart: pairs of groups that are different speakers, the lower number first.
    nobody: segments in which no speaker speaks.
    absent: names, and segments in which the speaker of that name does not speak.
    """

    groups: tuple[Group, ...]
    apart: frozenset[tuple[int, int]]
    nobody: tuple[Segment, ...]
    absent: tuple[tuple[str, Segment], ...]

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
        names, segments = [name for name, _ in self.absent], [each for _, each in self.absent]
        absent = tuple(zip(names, moved(segments), strict=True))
        return ConstraintSet(groups, self.apart, moved(self.nobody), absent)

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
    absent = [constraint for constraint in given if isinstance(constraint, Absent)]
    for constraint in given:
        _check_speaks(constraint, silent)
    for constraint in absent:
        links.check_absent(constraint)
    groups = tuple(sorted(links.groups()))
    number = {segment: index for index, group in enumerate(groups) for segment in group.segments}
    named = [index for index, group in enumerate(groups) if group.name]
    apart = {(one, other) for one in named for other in named if one < other}
    for constraint in given:
        if isinstance(constraint, Different):
            one, other = sorted((number[constraint.one], number[constraint.other]))
            apart.add((one, other))
    return ConstraintSet(
        groups,
        frozenset(apart),
        tuple(sorted(constraint.segment for constraint in silent)),
        tuple(sorted((constraint.name, constraint.segment) for constraint in absent)),
    )


_Node: TypeAlias = Segment | str


class _Links:
    """A graph of segments and names; a link joins two of one speaker and keeps its constraint."""

    def __init__(self, given: Sequence[Constraint]) -> None:
        self._links: dict[_Node, list[tuple[_Node, Constraint | None]]] = defaultdict(list)
        for constraint in given:
            self._enter(constraint)
        self._join_overlapping()

    def _enter(self, constraint: Constraint) -> None:
        if isinstance(constraint, Nobody | Absent):
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

    def check_absent(self, constraint: Absent) -> None:
        if constraint.name not in self._links:
            return
        for other, path in self._reached(constraint.name).items():
            if isinstance(other, Segment) and other.is_mostly_in(constraint.segment):
                raise _contradiction([constraint, *path])

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
    if isinstance(constraint, Nobody | Absent):
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
