"""Constraints that give way to later ones: trimmed, joined, or dropped.

Segments are in order of time and do not overlap, where a list of them is one argument.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
)
from hocket.corrections.gathering import gather
from hocket.errors import ConfigError

LEAST_S = 0.05  # of a segment; what is left of a longer one may be no speech at all
TOUCHING_S = 0.02  # a little more than a frame
ALIKE_S = 0.1  # by which the edges of two segments may differ, to be one stretch


def without(segments: Iterable[Segment], cuts: Sequence[Segment]) -> list[Segment]:
    """What is left of segments outside of others; pieces shorter than LEAST_S are left out.

    Args:
        segments: in order of time.
        cuts: in order of time; they may overlap.
    """
    found, first = [], 0
    for segment in segments:
        start = segment.start
        while first < len(cuts) and cuts[first].end <= start:
            first += 1
        for cut in cuts[first:]:
            if cut.start >= segment.end:
                break
            if cut.start - start >= LEAST_S:
                found.append(Segment(start, cut.start))
            start = max(start, cut.end)
        if segment.end - start >= LEAST_S:
            found.append(Segment(start, segment.end))
    return found


def shared(segments: Iterable[Segment], others: Sequence[Segment]) -> list[Segment]:
    """Where segments overlap others, in order of time; parts shorter than LEAST_S are left out."""
    found = []
    for segment in segments:
        for other in others:
            start, end = max(segment.start, other.start), min(segment.end, other.end)
            if end - start >= LEAST_S:
                found.append(Segment(start, end))
    return sorted(found)


def cut(constraints: Iterable[Constraint], stretches: Sequence[Segment]) -> list[Constraint]:
    """Constraints that state nothing of some stretches any more.

    Two that must differ still do if one of them is such a stretch as a whole: it remains to be
    stated who speaks there, and that is somebody else.
    """
    found: list[Constraint] = []
    for constraint in constraints:
        if not any(one.overlap(other) for one in constraint.segments for other in stretches):
            found.append(constraint)
        else:
            found += _cut(constraint, stretches)
    return found


def _cut(constraint: Constraint, stretches: Sequence[Segment]) -> list[Constraint]:
    if isinstance(constraint, Different):
        sides = [_side(segment, stretches) for segment in (constraint.one, constraint.other)]
        return [Different(*sides[0], *sides[1])] if all(sides) else []
    left = without(sorted(constraint.segments), stretches)
    if isinstance(constraint, Named | Nobody | Absent):
        return [replace(constraint, segment=segment) for segment in left]
    return [Same(tuple(left))] if len(left) > 1 else []


def _side(segment: Segment, stretches: Sequence[Segment]) -> list[Segment]:
    """What is left of one side of a difference, as a list of at most one segment."""
    for other in stretches:
        edges = abs(segment.start - other.start), abs(segment.end - other.end)
        if max(edges) < ALIKE_S:
            return [segment]
    left = without([segment], stretches)
    return [max(left, key=lambda each: each.duration)] if left else []


def with_names(constraints: Iterable[Constraint], names: Mapping[str, str]) -> list[Constraint]:
    """The constraints with new names, by old ones."""
    return [
        replace(each, name=names.get(each.name, each.name))
        if isinstance(each, Named | Absent)
        else each
        for each in constraints
    ]


def joined(constraints: Iterable[Constraint]) -> list[Constraint]:
    """The constraints without repetitions; stretches of which one thing is said become one.

    A joined stretch stands where the last of its parts stood.
    """
    places = {constraint: place for place, constraint in enumerate(constraints)}
    found: list[tuple[int, Constraint]] = []
    last: dict[tuple[type[Constraint], str], int] = {}
    for constraint, place in sorted(places.items(), key=lambda each: each[0].segments):
        if isinstance(constraint, Same | Different):
            found.append((place, constraint))
            continue
        said = type(constraint), "" if isinstance(constraint, Nobody) else constraint.name
        before = found[last[said]] if said in last else None
        if before and constraint.segment.start - before[1].segments[0].end <= TOUCHING_S:
            found[last[said]] = max(place, before[0]), _union(before[1], constraint)
        else:
            last[said] = len(found)
            found.append((place, constraint))
    return [constraint for _, constraint in sorted(found, key=lambda each: each[0])]


def _union(one: Constraint, other: Named | Nobody | Absent) -> Constraint:
    end = max(one.segments[0].end, other.segment.end)
    return replace(other, segment=Segment(one.segments[0].start, end))


def consistent(constraints: Sequence[Constraint]) -> list[Constraint]:
    """The constraints without those that contradict a later one.

    Raises:
        ConfigError: one contradicts itself.
    """
    kept: list[Constraint] = []

    def keep(given: Sequence[Constraint]) -> None:
        try:
            gather([*given, *kept])
        except ConfigError:
            if len(given) > 1:
                keep(given[len(given) // 2 :])
                keep(given[: len(given) // 2])
            elif not kept:
                raise
        else:
            kept[:0] = given

    keep(constraints)
    return kept
