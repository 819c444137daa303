"""Speakers under constraints: each group of segments goes to one speaker as a whole.

A group takes the speaker most similar to it that no conflicting group has taken. If all are taken,
or none is similar enough, it becomes a new speaker. Centroids are then computed again with the
groups in place, and all other subsegments go to the nearest speaker (docs/corrections.md).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, FrameLabels, Subsegments, unit_length
from hocket.clustering.assignment import SPURIOUS_PENALTY
from hocket.clustering.division import UNSEEN_ODDS, TwoSpeakers, settle, traits_of
from hocket.clustering.selection import Selection, duplicate_limit
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.config import ResolvedClustering, SpeakerCount
from hocket.errors import ConfigError

ROUNDS = 5
UNSURE_S = 0.5  # seconds of speech with which the margin of a group counts half
# cosine bonus of a speaker with all the speech: decides where two speakers are equally similar
SPEECH_BONUS = 0.05
# cosine by which a group may be less similar to its speaker than to the most similar one
MARGIN = 0.25
MOST_TRIES = 10_000  # assignments of groups to speakers that are tried
LEAST_SHARE = 0.5  # of a subsegment that lies in a group's segments, for it to be the group's


class GroupShares(NamedTuple):
    """How much of a subsegment lies in the segments of a group, all columns (overlaps,)."""

    subsegment: NDArray[np.int64]
    group: NDArray[np.int64]
    share: NDArray[np.float64]


class Groups(NamedTuple):
    """Groups of segments, each of one speaker, and which of them are different speakers.

    shares: subsegments that lie in their segments, and how much of each does.
    cluster: (groups,) cluster that a group is known to be, -1 if it is unknown.
    named: (groups,) whether a group has a name of its own.
    apart: pairs of groups that are different speakers.
    """

    shares: GroupShares
    cluster: NDArray[np.int64]
    named: NDArray[np.bool_]
    apart: frozenset[tuple[int, int]]


class ConstrainedSpeakers(NamedTuple):
    """Speakers with the groups in place.

    labels: (subsegments,) speaker that each subsegment helps to create, -1 for none.
    centroids: (speakers, dimension).
    spurious: (speakers,) probability that it is not a speaker of its own; 1 for a new speaker that
        no division separates from the one it was taken for.
    cluster: (groups,) speaker of every group.
    before: (speakers,) number of each without constraints; new speakers have higher numbers.
    """

    labels: ClusterLabels
    centroids: Centroids
    spurious: NDArray[np.float64]
    cluster: NDArray[np.int64]
    before: NDArray[np.int64]


def group_shares(subsegments: Subsegments, labels: FrameLabels) -> GroupShares:
    """Subsegments that lie at least partly in the segments of groups.

    Args:
        subsegments: what was embedded.
        labels: (frames,) group of every frame, -1 for none.
    """
    rows: list[tuple[int, int, float]] = []
    labeled = np.concatenate([[0], np.cumsum(labels >= 0)])
    for row in np.flatnonzero(labeled[subsegments.last] > labeled[subsegments.first]).tolist():
        frames = labels[subsegments.first[row] : subsegments.last[row]]
        counts = np.bincount(frames[frames >= 0])
        rows += [(row, g, counts[g] / len(frames)) for g in np.flatnonzero(counts).tolist()]
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return GroupShares(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2])


def place_groups(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    found: Selection,
    groups: Groups,
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
) -> ConstrainedSpeakers:
    """Assign every group to one speaker, and all other subsegments to the nearest speaker.

    Args:
        voices: all subsegments, in order of time.
        regions: (subsegments,) region that each comes from.
        found: speakers found without constraints.
        groups: groups of segments.
        config: how similar a group may be to a speaker and still be another.
        model: odds of two speakers.
        count: how many speakers there may be.

    Raises:
        ConfigError: the groups need more speakers than there may be.
    """
    known = len(found.spurious)
    centroids = _padded(centroids_of(voices, found.labels), known)
    means = _group_means(voices, groups, centroids, config)
    spoken = np.bincount(found.labels + 1, voices.seconds, minlength=known + 1)[1:]
    speech = spoken / max(float(spoken.sum()), 1e-9)
    chosen = _assign_groups(means, centroids, speech, groups, count)
    number = int(max(known - 1, *chosen)) + 1
    subsegment, group, share = groups.shares
    mostly = np.flatnonzero(share >= LEAST_SHARE)
    fixed = np.zeros(len(found.labels), np.bool_)
    fixed[subsegment[mostly]] = True
    labels = found.labels.copy()
    labels[subsegment[mostly]] = chosen[group[mostly]]
    penalties = np.zeros(number)
    for new in range(known, number):
        labels, divided = _divide(voices, regions, means, labels, fixed, chosen, new, model)
        penalties[new] = 0 if divided else SPURIOUS_PENALTY
    labels = _reassign(voices, labels, fixed, penalties, count.minimum)
    spurious = np.concatenate([found.spurious, penalties[known:] / SPURIOUS_PENALTY])
    kept = np.union1d(labels[labels >= 0], chosen)
    renumbered = np.full(number + 1, -1)  # the last for label -1
    renumbered[kept] = np.arange(len(kept))
    labels = renumbered[labels].astype(np.int32)
    centroids = _padded(centroids_of(voices, labels), len(kept))
    return ConstrainedSpeakers(labels, centroids, spurious[kept], renumbered[chosen], kept)


class _GroupMeans(NamedTuple):
    """Mean embedding of every group, compared with the speakers found without constraints.

    directions: (groups, dimension), unit length.
    seconds: (groups,) of speech.
    best: (groups,) most similar speaker.
    similarity: (groups,) cosine to that speaker.
    second: (groups,) cosine to the second most similar speaker, or `least` if that is more.
    least: (groups,) cosine below which a group is a different speaker.
    """

    directions: NDArray[np.float32]
    seconds: NDArray[np.float64]
    best: NDArray[np.int64]
    similarity: NDArray[np.float32]
    second: NDArray[np.float64]
    least: NDArray[np.float64]


def _group_means(
    voices: VoiceVectors, groups: Groups, centroids: Centroids, config: ResolvedClustering
) -> _GroupMeans:
    directions, seconds = _directions(voices, groups)
    cosines = directions @ centroids.T
    total = float(voices.seconds.sum())
    limits = [
        duplicate_limit(np.array([s, max(total - s, 0.0)]), config)[0] for s in seconds.tolist()
    ]
    least = np.array(limits)
    second = np.sort(cosines, axis=1)[:, -2] if len(centroids) > 1 else least
    best, similarity = cosines.argmax(axis=1), cosines.max(axis=1)
    return _GroupMeans(directions, seconds, best, similarity, np.maximum(second, least), least)


def _divide(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    means: _GroupMeans,
    labels: ClusterLabels,
    fixed: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    new: int,
    model: TwoSpeakers,
) -> tuple[ClusterLabels, bool]:
    """Move subsegments of a new speaker from the old one it was taken for, by 2-means.

    Both speakers must have groups, whose means seed the division. It must keep the groups apart,
    and it need only be as likely as UNSEEN_ODDS, as the speakers are known to be two.

    Returns:
        The labels, and whether the division was accepted.
    """
    own = np.flatnonzero(chosen == new)
    old = int(means.best[own[means.seconds[own].argmax()]])
    others = np.flatnonzero(chosen == old)
    if not len(others):
        return labels, False
    members = np.flatnonzero((labels == old) | (labels == new))
    vectors, seconds = voices.vectors[members].astype(np.float64), voices.seconds[members]
    sums = [means.seconds[side] @ means.directions[side] for side in (others, own)]
    seeds = unit_length(np.stack(sums).astype(np.float32))
    halves = settle(vectors, seconds, (vectors @ seeds.T).argmax(axis=1))
    held = fixed[members]
    if (halves == 1)[held].any() and ((halves == 1) == (labels[members] == new))[held].all():
        both = voices.at(members)
        if 0 < halves.sum() < len(halves):
            odds = model.log_odds(traits_of(both, regions[members], halves))
            if odds > np.log(UNSEEN_ODDS):
                labels = labels.copy()
                labels[members] = np.where(halves == 1, new, old)
                return labels, True
    return labels, False


def _directions(
    voices: VoiceVectors, groups: Groups
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Mean of every group, (groups, dimension), unit length, and its seconds of speech."""
    subsegment, group, share = groups.shares
    weights = voices.seconds[subsegment] * share
    sums = np.zeros((len(groups.cluster), voices.vectors.shape[1]))
    np.add.at(sums, group, voices.vectors[subsegment] * weights[:, None])
    seconds: NDArray[np.float64] = np.bincount(group, weights, minlength=len(sums)).astype(float)
    return unit_length(sums.astype(np.float32)), seconds


def _padded(centroids: Centroids, number: int) -> Centroids:
    """Centroids of `number` clusters: zero for the last ones, which have no subsegments."""
    padded = np.zeros((number, centroids.shape[1]), np.float32)
    padded[: len(centroids)] = centroids
    return padded


def _assign_groups(
    means: _GroupMeans,
    centroids: Centroids,
    speech: NDArray[np.float64],
    groups: Groups,
    count: SpeakerCount,
) -> NDArray[np.int64]:
    """Speaker of every group, new ones numbered after the others, (groups,).

    Groups choose in turn, first those that are most clearly one speaker's. A choice that leaves a
    later group without a speaker is undone.

    Args:
        means: of the groups.
        centroids: (speakers, dimension), without constraints.
        speech: (speakers,) share of all speech.
        groups: groups of segments.
        count: how many speakers there may be.
    """
    known = groups.cluster >= 0
    margin = means.similarity - means.second
    certainty = margin * means.seconds / (means.seconds + UNSURE_S)
    order = np.lexsort((-certainty, ~known)).tolist()
    conflicts: list[set[int]] = [set() for _ in order]
    for one, other in groups.apart:
        conflicts[one].add(other)
        conflicts[other].add(one)
    found, most = len(centroids), count.maximum or len(centroids) + len(order)

    def options(chosen: list[int]) -> Iterator[int]:
        group = order[len(chosen)]
        if known[group]:
            return iter([int(groups.cluster[group])])
        new: dict[int, int] = {}  # new speakers, each with the group that created it
        for pick, creator in zip(chosen, order, strict=False):
            if pick >= found:
                new.setdefault(pick, creator)
        mean = means.directions[group]
        cosines = np.concatenate([centroids, means.directions[list(new.values())]]) @ mean
        taken = {
            pick for pick, other in zip(chosen, order, strict=False) if other in conflicts[group]
        }
        ranks = cosines + np.append(SPEECH_BONUS * speech, np.zeros(len(new)))
        free = [c for c in np.argsort(-ranks, kind="stable").tolist() if c not in taken]
        least = max(means.least[group], means.similarity[group] - MARGIN)
        unsure = means.seconds[group] < UNSURE_S and not groups.named[group]
        similar = [c for c in free if cosines[c] >= least or unsure or not mean.any()]
        fresh = [len(cosines)] if len(cosines) < most else []
        return iter([*similar, *fresh, *(c for c in free if c not in similar)])

    picks = _search(len(order), options)
    if picks is None:
        raise ConfigError(
            f"constraints need more speakers than the {most} allowed; give a larger "
            'num_speakers or max_speakers, or leave out a "different" or a name'
        )
    chosen = np.zeros(len(order), np.int64)
    chosen[order] = picks
    return chosen


def _search(number: int, options: Callable[[list[int]], Iterator[int]]) -> Sequence[int] | None:
    """Depth-first search: the first complete list of choices, best options first.

    Args:
        number: choices to make.
        options: options for the next choice, given those made so far.

    Returns:
        (number,) choices; None if there are none, or none within MOST_TRIES steps.
    """
    chosen: list[int] = []
    pending = [options(chosen)]
    for _ in range(number + MOST_TRIES):
        pick = next(pending[-1], None)
        if pick is None:
            pending.pop()
            if not chosen:
                return None
            chosen.pop()
            continue
        chosen.append(pick)
        if len(chosen) == number:
            return chosen
        pending.append(options(chosen))
    return None


def _reassign(
    voices: VoiceVectors,
    labels: ClusterLabels,
    fixed: NDArray[np.bool_],
    penalties: NDArray[np.float64],
    at_least: int,
) -> ClusterLabels:
    """Assign labeled subsegments that are not fixed to the nearest speaker, until none changes.

    Args:
        voices: all subsegments.
        labels: (subsegments,) speaker of each, -1 for none.
        fixed: (subsegments,) whether a constraint fixes its speaker.
        penalties: (speakers,) subtracted from the cosine similarity to a speaker.
        at_least: fewest speakers to keep.
    """
    movable = np.flatnonzero((labels >= 0) & ~fixed)
    vectors = voices.vectors[movable]
    for _ in range(ROUNDS if len(movable) else 0):
        centroids = _padded(centroids_of(voices, labels), len(penalties))
        scores = vectors @ centroids.T - penalties.astype(np.float32)
        scores[:, np.bincount(labels[labels >= 0], minlength=len(penalties)) == 0] = -np.inf
        moved = labels.copy()
        moved[movable] = scores.argmax(axis=1)
        for speaker in np.setdiff1d(labels[movable], moved).tolist():
            if len(np.unique(moved[moved >= 0])) < at_least:
                moved[movable[scores[:, speaker].argmax()]] = speaker
        if (moved == labels).all():
            break
        labels = moved
    return labels
