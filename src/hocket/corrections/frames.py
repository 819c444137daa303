"""Constraints on the frame grid, and their effect on speakers, parts, votes and activations."""

from collections.abc import Callable, Mapping
from itertools import count as counting
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import (
    Activations,
    ClusterLabels,
    FrameCounts,
    FrameLabels,
    Parts,
    Regions,
    Subsegments,
    Votes,
)
from hocket.clustering import (
    LEAST_SHARE,
    ConstrainedSpeakers,
    Groups,
    GroupShares,
    Selection,
    TwoSpeakers,
    VoiceVectors,
    group_shares,
    place_groups,
)
from hocket.config import ResolvedClustering, SpeakerCount
from hocket.corrections.constraints import NUMBERED, Segment
from hocket.corrections.gathering import ConstraintSet, Group
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.notices import Notices
from hocket.timeline import speaker_name, speaker_names


class ConstraintLayout(NamedTuple):
    """Constraints on the frame grid.

    labels: (frames,) group of every frame, -1 for none; where groups overlap, the one with the
        shorter segment.
    groups: groups with single-speaker speech.
    apart: pairs of `groups` that are different speakers.
    nobody: (frames,) where no speaker speaks.
    ignored: segments of groups without single-speaker speech, which have no effect.
    absent: names, and frames in which the speaker of that name does not speak.
    """

    labels: FrameLabels
    groups: tuple[Group, ...]
    apart: frozenset[tuple[int, int]]
    nobody: NDArray[np.bool_]
    ignored: tuple[Segment, ...]
    absent: tuple[tuple[str, slice], ...] = ()


class AppliedConstraints(NamedTuple):
    """Constraints in terms of the clusters of a result.

    labels: (frames,) cluster of every frame by constraint, -1 for none.
    nobody: (frames,) where no speaker speaks.
    names: of clusters that constraints name.
    kept: number in the result without constraints, of clusters that were in it.
    before: speakers of the result without constraints; new ones have higher numbers.
    known: (frames,) where the speaker is known, not only that segments have the same or different
        speakers.
    absent: clusters, and frames in which each does not speak.
    """

    labels: FrameLabels
    nobody: NDArray[np.bool_]
    names: Mapping[int, str]
    kept: Mapping[int, int]
    before: int
    known: NDArray[np.bool_]
    absent: tuple[tuple[int, slice], ...] = ()

    def known_speakers(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Speaker who is known to speak in each frame, -1 for none, (frames,).

        Args:
            order: (speakers,) cluster of every speaker.
        """
        speaker = np.full(int(max(self.labels.max(initial=-1), order.max(initial=-1))) + 2, -1)
        speaker[order] = np.arange(len(order))
        return np.where(self.known, speaker[self.labels], -1)


def lay_out(
    constraint_set: ConstraintSet,
    geometry: Geometry,
    subsegments: Subsegments,
    frames: int,
    least: int,
) -> ConstraintLayout:
    """Map constraints to the frame grid.

    Args:
        constraint_set: constraints, joined by speaker.
        geometry: frame grid.
        subsegments: what was embedded.
        frames: number of frames of the recording.
        least: embedded frames that a segment needs to have an effect, or half of its frames if
            that is less.
    """
    spoken = np.zeros(frames + 1, np.int64)
    np.add.at(spoken, subsegments.first, 1)
    np.add.at(spoken, subsegments.last, -1)
    embedded = np.cumsum(spoken)[:-1] > 0
    segments = [
        (segment, index)
        for index, group in enumerate(constraint_set.groups)
        for segment in group.segments
    ]
    labels = np.full(frames, -1, np.int32)
    for segment, index in sorted(segments, key=lambda each: (-each[0].duration, each[0])):
        labels[_frames(segment, geometry, frames)] = index
    effective, ignored = set(), []
    for segment, index in segments:
        inside = _frames(segment, geometry, frames)
        own = np.count_nonzero((labels[inside] == index) & embedded[inside])
        if own >= max(1, min(least, (inside.stop - inside.start) // 2)):
            effective.add(index)
        else:
            ignored.append(segment)
    number = np.full(len(constraint_set.groups) + 1, -1, np.int32)  # the last for label -1
    number[sorted(effective)] = np.arange(len(effective))
    nobody = np.zeros(frames, np.bool_)
    for segment in constraint_set.nobody:
        nobody[_frames(segment, geometry, frames)] = True
    return ConstraintLayout(
        labels=number[labels],
        groups=tuple(constraint_set.groups[index] for index in sorted(effective)),
        apart=frozenset(
            (int(number[a]), int(number[b])) for a, b in constraint_set.apart if {a, b} <= effective
        ),
        nobody=nobody,
        ignored=tuple(sorted(ignored)),
        absent=tuple(
            (name, _frames(segment, geometry, frames)) for name, segment in constraint_set.absent
        ),
    )


def _frames(segment: Segment, geometry: Geometry, frames: int) -> slice:
    """The frames that lie mostly in a segment."""
    edges = np.array([segment.start, segment.end]) * geometry.sample_rate
    first, last = np.round((edges - geometry.frame_start(0)) / geometry.frame_step)
    return slice(int(np.clip(first, 0, frames)), int(np.clip(last, 0, frames)))


def constrain_speakers(
    layout: ConstraintLayout,
    voices: VoiceVectors,
    found: Selection,
    subsegments: Subsegments,
    appearing: Callable[[], NDArray[np.int64]],
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
    notices: Notices,
) -> tuple[ConstrainedSpeakers, AppliedConstraints]:
    """Speakers with the constraints in place.

    Args:
        layout: constraints on the frame grid; at least one group.
        voices: all subsegments.
        found: speakers found without constraints, for all subsegments.
        subsegments: what was embedded.
        appearing: returns clusters in order of appearance without constraints.
        config: how similar a group may be to a speaker and still be another.
        model: odds of two speakers.
        count: how many speakers there may be.
        notices: get the names that no speaker has.

    Raises:
        ConfigError: there is no speaker of a name SPEAKER_nn, or the constraints need more speakers
            than there may be.
    """
    order = appearing()
    known = numbered(layout.groups, order)
    named = np.array([group.name is not None for group in layout.groups])
    shares = group_shares(subsegments, layout.labels)
    groups = Groups(shares, known, named, layout.apart)
    silent = group_shares(subsegments, layout.nobody.astype(np.int32) - 1)
    found = found._replace(labels=without_silent(found.labels, shares, silent))
    placed = place_groups(voices, subsegments.region, found, groups, config, model, count)
    names = {
        cluster: group.name
        for cluster, group in zip(placed.cluster.tolist(), layout.groups, strict=True)
        if group.name
    }
    number = {cluster: index for index, cluster in enumerate(order.tolist())}
    kept = {new: number[old] for new, old in enumerate(placed.before.tolist()) if old in number}
    absent = absent_of(layout, names, kept, notices)
    labels = np.append(placed.cluster, -1).astype(np.int32)[layout.labels]
    frames_known = np.append(named, False)[layout.labels]
    return placed, AppliedConstraints(
        labels, layout.nobody, names, kept, len(order), frames_known, absent
    )


def same_speakers(
    layout: ConstraintLayout, order: NDArray[np.int64], notices: Notices
) -> AppliedConstraints:
    """Constraints that have no groups, and so change no speaker.

    Args:
        layout: constraints on the frame grid.
        order: clusters of the result without constraints, in order of appearance.
        notices: get the names that no speaker has.
    """
    kept = {cluster: number for number, cluster in enumerate(order.tolist())}
    absent = absent_of(layout, {}, kept, notices)
    known = layout.labels >= 0
    return AppliedConstraints(layout.labels, layout.nobody, {}, kept, len(kept), known, absent)


def absent_of(
    layout: ConstraintLayout,
    names: Mapping[int, str],
    kept: Mapping[int, int],
    notices: Notices,
) -> tuple[tuple[int, slice], ...]:
    """Clusters, and frames in which each does not speak.

    Args:
        layout: constraints on the frame grid.
        names: of clusters, by constraint.
        kept: number in the result without constraints, of clusters that were in it.
        notices: get the names that no speaker has.
    """
    clusters = {speaker_name(number): cluster for cluster, number in kept.items()}
    clusters |= {name: cluster for cluster, name in names.items()}
    for name in dict.fromkeys(name for name, _ in layout.absent if name not in clusters):
        notices.add("constraint", f"no speaker has the name {name}; where it is absent is ignored")
    return tuple((clusters[name], inside) for name, inside in layout.absent if name in clusters)


def without_silent(
    labels: ClusterLabels, shares: GroupShares, silent: GroupShares
) -> ClusterLabels:
    """Labels without clusters of which nothing is left: -1 for their subsegments.

    All subsegments of such a cluster lie in the segments of groups or where nobody speaks.

    Args:
        labels: (subsegments,) cluster of each, -1 for none.
        shares: of the groups.
        silent: shares of the segments in which nobody speaks.
    """
    mostly = [each.subsegment[each.share >= LEAST_SHARE] for each in (shares, silent)]
    rest = np.setdiff1d(np.flatnonzero(labels >= 0), np.concatenate(mostly))
    gone = mostly[1][~np.isin(labels[mostly[1]], labels[rest])]
    left = labels.copy()
    left[gone] = -1
    return left


def note_ignored(layout: ConstraintLayout, notices: Notices) -> None:
    """Note segments that have no effect."""
    for segment in layout.ignored:
        text = f"no speaker speaks alone in {segment}; it has no effect"
        notices.add("constraint", text, segment.start, segment.end)


def constrain_parts(parts: Parts, regions: Regions, held: FrameLabels) -> Parts:
    """Assign the frames of regions to the clusters that constraints require.

    Args:
        parts: of the regions.
        regions: (regions, 2).
        held: (frames,) cluster by constraint, -1 for none.
    """
    labels = np.full(len(held), -1, np.int64)
    cuts = np.zeros(len(held) + 1, np.bool_)
    for first, last, cluster in zip(*(column.tolist() for column in parts), strict=True):
        labels[first:last] = cluster
        cuts[[first, last]] = True
    for first, last in regions.tolist():
        inside = slice(first, last)
        labels[inside] = np.where(held[inside] >= 0, held[inside], labels[inside])
        cuts[[first, last]] = True
    cuts[1:-1] |= labels[1:] != labels[:-1]
    edges = np.flatnonzero(cuts)
    first, last = edges[:-1], edges[1:]
    cluster = labels[first]
    assigned = cluster >= 0
    return Parts(first[assigned], last[assigned], cluster[assigned])


def favor(votes: Votes, labels: FrameLabels) -> Votes:
    """Give the cluster of a constraint more votes than all others, in place.

    Args:
        votes: (frames, clusters).
        labels: (frames,) cluster by constraint, -1 for none.
    """
    rows = np.flatnonzero(labels >= 0)
    votes[rows, labels[rows]] += 2
    return votes


def constrain_activations(
    activations: Activations, counts: FrameCounts, applied: AppliedConstraints
) -> Activations:
    """Restore constraints after closing pauses and dropping turns, (frames, clusters).

    Args:
        activations: (frames, clusters), without short pauses and turns.
        counts: (frames,) number of speakers; 0 where a constraint allows no speaker.
        applied: constraints.
    """
    constrained = activations.copy()
    single = np.flatnonzero((applied.labels >= 0) & (counts == 1))
    constrained[single] = False
    spoken = np.flatnonzero((applied.labels >= 0) & (counts > 0))
    constrained[spoken, applied.labels[spoken]] = True
    constrained[applied.nobody] = False
    for cluster, inside in applied.absent:
        constrained[inside, cluster] = False
    return constrained


def numbered(groups: tuple[Group, ...], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cluster of groups that are named SPEAKER_nn, -1 for other groups and new speakers, (groups,).

    Args:
        groups: of segments.
        order: clusters of the result without constraints, in order of appearance.

    Raises:
        ConfigError: there cannot be as many speakers as such a name says.
    """
    known = dict(zip(speaker_names(len(order)), order.tolist(), strict=True))
    new = speaker_names(len(order) + len(groups))[len(order) :]
    found = np.full(len(groups), -1, np.int64)
    for index, group in enumerate(groups):
        if group.name in known:
            found[index] = known[group.name]
        elif NUMBERED.fullmatch(group.name or "") and group.name not in new:
            names = ", ".join(known) or "no speaker"
            raise ConfigError(
                f"{group.name} is not a speaker of the result without constraints, which has "
                f"{names}; give one of them, or another name"
            )
    return found


def names_of(
    order: NDArray[np.int64], given: Mapping[int, str], kept: Mapping[int, int], before: int
) -> tuple[str, ...]:
    """Names of clusters, in the given order.

    Args:
        order: clusters in order of appearance.
        given: names by constraint.
        kept: number in the result without constraints, of clusters that were in it; the others are
            numbered after these.
        before: speakers of that result.
    """
    taken = set(given.values())
    later = (name for name in map(speaker_name, counting(before)) if name not in taken)
    return tuple(
        given.get(cluster) or (speaker_name(kept[cluster]) if cluster in kept else next(later))
        for cluster in order.tolist()
    )
