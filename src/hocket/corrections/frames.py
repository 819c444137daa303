"""Constraints on the frame grid: who has a frame, and what follows for parts, votes and turns."""

import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Parts, Regions, Subsegments, Votes
from hocket.clustering import (
    ConstrainedSpeakers,
    Groups,
    Selection,
    TwoSpeakers,
    VoiceVectors,
    place_groups,
    touches_of,
)
from hocket.config import ResolvedClustering, SpeakerCount
from hocket.corrections.constraints import NUMBERED, ConstraintSet, Group, Segment
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.timeline import speaker_names

_log = logging.getLogger(__name__)

Owners = NDArray[np.int32]
"""Who has every frame by constraint, -1 for none, (frames,)."""


class ConstraintLayout(NamedTuple):
    """Constraints on the frame grid.

    owners: group of every frame; where groups overlap, the one with the shorter segment.
    groups: those that somebody speaks in.
    apart: pairs of `groups` that are two speakers.
    nobody: (frames,) where nobody speaks.
    silent: segments that nobody speaks in, though somebody should.
    """

    owners: Owners
    groups: tuple[Group, ...]
    apart: frozenset[tuple[int, int]]
    nobody: NDArray[np.bool_]
    silent: tuple[Segment, ...]


class AppliedConstraints(NamedTuple):
    """What constraints hold in a result.

    owners: cluster of every frame.
    nobody: (frames,) where nobody speaks.
    names: of clusters, those that have one.
    kept: place of clusters in the result without constraints, if they keep their numbers.
    told: (frames,) where it is known who speaks, not only that it is one speaker or two.
    """

    owners: Owners
    nobody: NDArray[np.bool_]
    names: Mapping[int, str]
    kept: Mapping[int, int]
    told: NDArray[np.bool_]

    def known_speakers(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Place in `order` of the cluster that is known to speak, -1 elsewhere, (frames,)."""
        place = np.full(int(max(self.owners.max(initial=-1), order.max(initial=-1))) + 2, -1)
        place[order] = np.arange(len(order))
        return np.where(self.told, place[self.owners], -1)


def lay_out(
    constraint_set: ConstraintSet,
    geometry: Geometry,
    subsegments: Subsegments,
    frames: int,
    least: int,
) -> ConstraintLayout:
    """Put constraints on the frame grid.

    Args:
        constraint_set: what is to hold.
        geometry: frame grid.
        subsegments: what was embedded.
        frames: of the recording.
        least: frames of speech a segment needs, or half of them all, if that is less.
    """
    spoken = np.zeros(frames + 1, np.int64)
    np.add.at(spoken, subsegments.first, 1)
    np.add.at(spoken, subsegments.last, -1)
    embedded = np.cumsum(spoken)[:-1] > 0
    places = [
        (place, index) for index, group in enumerate(constraint_set.groups) for place in group[0]
    ]
    owners = np.full(frames, -1, np.int32)
    for place, index in sorted(places, key=lambda each: (-each[0].duration, each[0])):
        owners[_frames(place, geometry, frames)] = index
    alive, silent = set(), []
    for place, index in places:
        here = _frames(place, geometry, frames)
        own = np.count_nonzero((owners[here] == index) & embedded[here])
        if own >= max(1, min(least, (here.stop - here.start) // 2)):
            alive.add(index)
        else:
            silent.append(place)
    number = np.full(len(constraint_set.groups) + 1, -1, np.int32)  # the last for no owner
    number[sorted(alive)] = np.arange(len(alive))
    nobody = np.zeros(frames, np.bool_)
    for place in constraint_set.nobody:
        nobody[_frames(place, geometry, frames)] = True
    return ConstraintLayout(
        owners=number[owners],
        groups=tuple(constraint_set.groups[index] for index in sorted(alive)),
        apart=frozenset(
            (int(number[a]), int(number[b])) for a, b in constraint_set.apart if {a, b} <= alive
        ),
        nobody=nobody,
        silent=tuple(sorted(silent)),
    )


def _frames(place: Segment, geometry: Geometry, frames: int) -> slice:
    """The frames whose samples lie mostly in a segment."""
    edges = np.array([place.start, place.end]) * geometry.sample_rate
    first, last = np.round((edges - geometry.frame_start(0)) / geometry.frame_step)
    return slice(int(np.clip(first, 0, frames)), int(np.clip(last, 0, frames)))


def correct(
    layout: ConstraintLayout,
    voices: VoiceVectors,
    found: Selection,
    subsegments: Subsegments,
    appearing: Callable[[], NDArray[np.int64]],
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
) -> tuple[ConstrainedSpeakers, AppliedConstraints]:
    """Speakers with the constraints in place.

    Args:
        layout: constraints on the frame grid; at least one group.
        voices: all units.
        found: speakers found without constraints, of all units.
        subsegments: what was embedded.
        appearing: gives clusters in order of appearance without constraints; asked if a name needs
            it.
        config: how similar a group may be to a speaker and still be another.
        model: odds of two speakers.
        count: how many speakers there may be.

    Raises:
        ConfigError: a name SPEAKER_nn is nobody's, or more speakers are needed than there may be.
    """
    known, order = np.full(len(layout.groups), -1, np.int64), np.zeros(0, np.int64)
    if any(NUMBERED.fullmatch(group.name or "") for group in layout.groups):
        order = appearing()
        known = numbered(layout.groups, order)
    named = np.array([group.name is not None for group in layout.groups])
    groups = Groups(touches_of(subsegments, layout.owners), known, named, layout.apart)
    placed = place_groups(voices, subsegments.region, found, groups, config, model, count)
    names = {
        cluster: group.name
        for cluster, group in zip(placed.cluster.tolist(), layout.groups, strict=True)
        if group.name
    }
    place = {cluster: index for index, cluster in enumerate(order.tolist())}
    kept = {new: place[old] for new, old in enumerate(placed.before.tolist()) if old in place}
    owners = np.append(placed.cluster, -1).astype(np.int32)[layout.owners]
    told = np.append(named, False)[layout.owners]
    return placed, AppliedConstraints(owners, layout.nobody, names, kept, told)


def warn_of_silence(layout: ConstraintLayout, uri: str) -> None:
    """Say which segments change nothing."""
    for place in layout.silent:
        _log.warning("%s: nobody speaks alone in %s; it changes nothing", uri, place)


def hold_parts(parts: Parts, regions: Regions, owners: Owners) -> Parts:
    """Parts of runs, but the frames of runs that a cluster has by constraint are its own."""
    labels = np.full(len(owners), -1, np.int64)
    cuts = np.zeros(len(owners) + 1, np.bool_)
    for first, last, cluster in zip(*(column.tolist() for column in parts), strict=True):
        labels[first:last] = cluster
        cuts[[first, last]] = True
    for first, last in regions.tolist():
        here = slice(first, last)
        labels[here] = np.where(owners[here] >= 0, owners[here], labels[here])
        cuts[[first, last]] = True
    cuts[1:-1] |= labels[1:] != labels[:-1]
    edges = np.flatnonzero(cuts)
    first, last = edges[:-1], edges[1:]
    cluster = labels[first]
    mine = cluster >= 0
    return Parts(first[mine], last[mine], cluster[mine])


def favour(votes: Votes, owners: Owners) -> Votes:
    """Votes of frames, and more than all others' for who has a frame."""
    owned = np.flatnonzero(owners >= 0)
    votes[owned, owners[owned]] += 2
    return votes


def hold_frames(
    activations: Activations, counts: FrameCounts, held: AppliedConstraints
) -> Activations:
    """Who speaks, (frames, clusters), once tidied: what tidying took from constraints is put back.

    Args:
        activations: what tidying left.
        counts: people speaking in every frame; none where nobody does by constraint.
        held: what is to hold.
    """
    kept = activations.copy()
    alone = np.flatnonzero((held.owners >= 0) & (counts == 1))
    kept[alone] = False
    spoken = np.flatnonzero((held.owners >= 0) & (counts > 0))
    kept[spoken, held.owners[spoken]] = True
    kept[held.nobody] = False
    return kept


def numbered(groups: tuple[Group, ...], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cluster that a group is by its name SPEAKER_nn, -1 for another name or none, (groups,).

    Args:
        groups: of segments.
        order: clusters of the result without constraints, in order of appearance.

    Raises:
        ConfigError: that result has no speaker of the name.
    """
    known = dict(zip(speaker_names(len(order)), order.tolist(), strict=True))
    found = np.full(len(groups), -1, np.int64)
    for index, group in enumerate(groups):
        if group.name is not None and NUMBERED.fullmatch(group.name):
            if group.name not in known:
                there = ", ".join(known) or "nobody"
                raise ConfigError(
                    f"{group.name} is no speaker of the result without constraints; "
                    f"there is {there}; give one of them, or another name"
                )
            found[index] = known[group.name]
    return found


def names_of(
    order: NDArray[np.int64], given: Mapping[int, str], kept: Mapping[int, int]
) -> tuple[str, ...]:
    """Names of clusters in order of appearance.

    Args:
        order: clusters.
        given: names by constraint.
        kept: position in the result without constraints, for those that keep it; others come
            after. Empty: by order of appearance.
    """
    later = max(kept.values(), default=-1) + 1
    names = []
    for position, cluster in enumerate(order.tolist()):
        number = position
        if kept and cluster not in given:
            number = kept.get(cluster, later)
            later += cluster not in kept
        names.append(given.get(cluster) or speaker_names(number + 1)[-1])
    return tuple(names)
