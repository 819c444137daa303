"""Speakers under constraints: stretches that are one speaker's go to one speaker, as a whole.

A group of stretches takes the speaker most like it that no group apart from it has taken. One that
may have none, or is like none, becomes a speaker. Then centroids are computed anew with the groups
in place, and all other units go to the nearest (docs/corrections.md).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, Subsegments, unit_length
from hocket.clustering.assignment import SPURIOUS_PENALTY
from hocket.clustering.division import UNSEEN_ODDS, TwoSpeakers, settle, traits_of
from hocket.clustering.selection import Selection, duplicate_limit
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.config import ResolvedClustering, SpeakerCount
from hocket.errors import ConfigError

ROUNDS = 5
UNSURE_S = 0.5  # speech of which a voice is half sure
TIE = 0.05  # cosine that speaks for whoever has all speech, where a group is as good as between two
# cosine by which a group may be less like the speaker it gets than like the one it was taken for
MARGIN = 0.25
MOST_TRIES = 10_000  # of ways to share few speakers among many groups
LEAST_SHARE = 0.5  # of a unit that lies in a stretch and belongs to it

Owners = NDArray[np.int32]
"""Who has every frame by constraint, -1 for none, (frames,)."""


class Touches(NamedTuple):
    """Share of a unit that lies in the stretches of a group, all columns (touches,)."""

    unit: NDArray[np.int64]
    group: NDArray[np.int64]
    share: NDArray[np.float64]


class Groups(NamedTuple):
    """Who must be one speaker, and who must not.

    touches: units that lie in their stretches, and how much of them.
    cluster: (groups,) cluster that a group is known to be, -1 if it is not known.
    named: (groups,) whether a group has a name of its own.
    apart: pairs of groups that are two speakers.
    """

    touches: Touches
    cluster: NDArray[np.int64]
    named: NDArray[np.bool_]
    apart: frozenset[tuple[int, int]]


class ConstrainedSpeakers(NamedTuple):
    """Speakers with the groups in place.

    labels: (units,) speaker of every unit that makes one, -1 for the others.
    spurious: (speakers,) probability that a speaker is nobody to whom no group belongs.
    cluster: (groups,) speaker of every group.
    before: (speakers,) what number each had without constraints; beyond them for new speakers.
    """

    labels: ClusterLabels
    centroids: Centroids
    spurious: NDArray[np.float64]
    cluster: NDArray[np.int64]
    before: NDArray[np.int64]


def touches_of(subsegments: Subsegments, owners: Owners) -> Touches:
    """Units that lie in stretches of groups, at least in part.

    Args:
        subsegments: what was embedded.
        owners: group of every frame.
    """
    rows: list[tuple[int, int, float]] = []
    owned = np.concatenate([[0], np.cumsum(owners >= 0)])
    for unit in np.flatnonzero(owned[subsegments.last] > owned[subsegments.first]).tolist():
        frames = owners[subsegments.first[unit] : subsegments.last[unit]]
        counts = np.bincount(frames[frames >= 0])
        rows += [(unit, g, counts[g] / len(frames)) for g in np.flatnonzero(counts).tolist()]
    found = np.array(rows, np.float64).reshape(-1, 3).T
    return Touches(found[0].astype(np.int64), found[1].astype(np.int64), found[2])


def place_groups(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    found: Selection,
    groups: Groups,
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
) -> ConstrainedSpeakers:
    """Give every group one speaker, and all other units of speakers the nearest.

    Args:
        voices: all units, in order of time.
        regions: (units,) region that each comes from.
        found: speakers found without constraints.
        groups: who must be one speaker, and who must not.
        config: how similar a group may be to a speaker and still be another.
        model: odds of two speakers.
        count: how many speakers there may be.

    Raises:
        ConfigError: more speakers are needed than there may be.
    """
    known = len(found.spurious)
    centroids = _padded(centroids_of(voices, found.labels), known)
    seeds = _seeds(voices, groups, centroids, config)
    spoken = np.bincount(found.labels + 1, voices.seconds, minlength=known + 1)[1:]
    shares = spoken / max(float(spoken.sum()), 1e-9)
    chosen = _assign(seeds, centroids, shares, groups, count)
    number = int(max(known - 1, *chosen)) + 1
    unit, group, share = groups.touches
    mostly = np.flatnonzero(share >= LEAST_SHARE)
    held = np.zeros(len(found.labels), np.bool_)
    held[unit[mostly]] = True
    labels = found.labels.copy()
    labels[unit[mostly]] = chosen[group[mostly]]
    prices = np.zeros(number)
    for speaker in range(known, number):
        labels, parted = _part(voices, regions, seeds, labels, held, chosen, speaker, model)
        prices[speaker] = 0 if parted else SPURIOUS_PENALTY
    labels = _settle(voices, labels, held, prices, count.minimum)
    spurious = np.concatenate([found.spurious, prices[known:] / SPURIOUS_PENALTY])
    kept = np.union1d(labels[labels >= 0], chosen)
    renumbered = np.full(number + 1, -1)  # the last for label -1
    renumbered[kept] = np.arange(len(kept))
    labels = renumbered[labels].astype(np.int32)
    centroids = _padded(centroids_of(voices, labels), len(kept))
    return ConstrainedSpeakers(labels, centroids, spurious[kept], renumbered[chosen], kept)


class _Seeds(NamedTuple):
    """Voices of groups.

    directions: (groups, dimension) mean of every group.
    seconds: (groups,) of speech.
    best: (groups,) most similar speaker without constraints.
    similarity: (groups,) cosine to that speaker.
    second: (groups,) cosine to the speaker second in similarity, or `least` if that is more.
    least: (groups,) cosine below which a group is another speaker.
    """

    directions: NDArray[np.float32]
    seconds: NDArray[np.float64]
    best: NDArray[np.int64]
    similarity: NDArray[np.float32]
    second: NDArray[np.float64]
    least: NDArray[np.float64]


def _seeds(
    voices: VoiceVectors, groups: Groups, centroids: Centroids, config: ResolvedClustering
) -> _Seeds:
    directions, seconds = _directions(voices, groups)
    like = directions @ centroids.T
    total = float(voices.seconds.sum())
    found = [
        duplicate_limit(np.array([s, max(total - s, 0.0)]), config)[0] for s in seconds.tolist()
    ]
    least = np.array(found)
    second = np.sort(like, axis=1)[:, -2] if len(centroids) > 1 else least
    best, similarity = like.argmax(axis=1), like.max(axis=1)
    return _Seeds(directions, seconds, best, similarity, np.maximum(second, least), least)


def _part(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    seeds: _Seeds,
    labels: ClusterLabels,
    held: NDArray[np.bool_],
    chosen: NDArray[np.int64],
    speaker: int,
    model: TwoSpeakers,
) -> tuple[ClusterLabels, bool]:
    """Labels with a new speaker's units taken from whom it was taken for, and whether any were.

    Both must be of a group, and what divides the speaker with these two as seeds must be as good as
    two speakers, as it is known that they are.
    """
    makers = np.flatnonzero(chosen == speaker)
    old = int(seeds.best[makers[seeds.seconds[makers].argmax()]])
    rivals = np.flatnonzero(chosen == old)
    if not len(rivals):
        return labels, False
    place = np.flatnonzero((labels == old) | (labels == speaker))
    vectors, seconds = voices.vectors[place].astype(np.float64), voices.seconds[place]
    sides = [seeds.seconds[side] @ seeds.directions[side] for side in (rivals, makers)]
    seed = unit_length(np.stack(sides).astype(np.float32))
    halves = settle(vectors, seconds, (vectors @ seed.T).argmax(axis=1))
    own = held[place]
    if (halves == 1)[own].any() and ((halves == 1) == (labels[place] == speaker))[own].all():
        some = voices.at(place)
        if 0 < halves.sum() < len(halves):
            odds = model.log_odds(traits_of(some, regions[place], halves))
            if odds > np.log(UNSEEN_ODDS):
                labels = labels.copy()
                labels[place] = np.where(halves == 1, speaker, old)
                return labels, True
    return labels, False


def _directions(
    voices: VoiceVectors, groups: Groups
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Mean voice of every group, (groups, dimension), and its speech in seconds."""
    unit, group, share = groups.touches
    counted = voices.seconds[unit] * share
    sums = np.zeros((len(groups.cluster), voices.vectors.shape[1]))
    np.add.at(sums, group, voices.vectors[unit] * counted[:, None])
    seconds: NDArray[np.float64] = np.bincount(group, counted, minlength=len(sums)).astype(float)
    return unit_length(sums.astype(np.float32)), seconds


def _padded(centroids: Centroids, number: int) -> Centroids:
    """Centroids of so many clusters: zero for the last, who have no units."""
    padded = np.zeros((number, centroids.shape[1]), np.float32)
    padded[: len(centroids)] = centroids
    return padded


def _assign(
    seeds: _Seeds,
    centroids: Centroids,
    shares: NDArray[np.float64],
    groups: Groups,
    count: SpeakerCount,
) -> NDArray[np.int64]:
    """Speaker of every group, new ones numbered after the others, (groups,).

    Groups choose in order of how surely they are whom they are most like and nobody else; a choice
    that leaves another group without a speaker is taken back.
    """
    known = groups.cluster >= 0
    margin = seeds.similarity - seeds.second
    frame_confidence = margin * seeds.seconds / (seeds.seconds + UNSURE_S)
    order = np.lexsort((-frame_confidence, ~known)).tolist()
    rivals: list[set[int]] = [set() for _ in order]
    for one, other in groups.apart:
        rivals[one].add(other)
        rivals[other].add(one)
    found, most = len(centroids), count.maximum or len(centroids) + len(order)

    def options(chosen: list[int]) -> Iterator[int]:
        group = order[len(chosen)]
        if known[group]:
            return iter([int(groups.cluster[group])])
        new: dict[int, int] = {}  # who made a speaker
        for cluster, maker in zip(chosen, order, strict=False):
            if cluster >= found:
                new.setdefault(cluster, maker)
        voice = seeds.directions[group]
        like = np.concatenate([centroids, seeds.directions[list(new.values())]]) @ voice
        taken = {pick for pick, other in zip(chosen, order, strict=False) if other in rivals[group]}
        ranks = like + np.append(TIE * shares, np.zeros(len(new)))
        free = [c for c in np.argsort(-ranks, kind="stable").tolist() if c not in taken]
        least = max(seeds.least[group], seeds.similarity[group] - MARGIN)
        unsure = seeds.seconds[group] < UNSURE_S and not groups.named[group]
        near = [c for c in free if like[c] >= least or unsure or not voice.any()]
        fresh = [len(like)] if len(like) < most else []
        return iter([*near, *fresh, *(c for c in free if c not in near)])

    picks = _search(len(order), options)
    if picks is None:
        raise ConfigError(
            f"constraints part more speakers than the {most} that may be there; give a larger "
            'num_speakers or max_speakers, or leave out a "different" or a name'
        )
    chosen = np.zeros(len(order), np.int64)
    chosen[order] = picks
    return chosen


def _search(number: int, options: Callable[[list[int]], Iterator[int]]) -> Sequence[int] | None:
    """The first way to choose for everybody, trying everybody's best first; None if none is."""
    chosen: list[int] = []
    trails = [options(chosen)]
    for _ in range(number + MOST_TRIES):
        pick = next(trails[-1], None)
        if pick is None:
            trails.pop()
            if not chosen:
                return None
            chosen.pop()
            continue
        chosen.append(pick)
        if len(chosen) == number:
            return chosen
        trails.append(options(chosen))
    return None


def _settle(
    voices: VoiceVectors,
    labels: ClusterLabels,
    held: NDArray[np.bool_],
    prices: NDArray[np.float64],
    at_least: int,
) -> ClusterLabels:
    """Give every unit that is not held, and makes a speaker, to the nearest; again as they move."""
    free = np.flatnonzero((labels >= 0) & ~held)
    vectors = voices.vectors[free]
    for _ in range(ROUNDS if len(free) else 0):
        centroids = _padded(centroids_of(voices, labels), len(prices))
        strength = vectors @ centroids.T - prices.astype(np.float32)
        strength[:, np.bincount(labels[labels >= 0], minlength=len(prices)) == 0] = -np.inf
        moved = labels.copy()
        moved[free] = strength.argmax(axis=1)
        for speaker in np.setdiff1d(labels[free], moved).tolist():
            if len(np.unique(moved[moved >= 0])) < at_least:
                moved[free[strength[:, speaker].argmax()]] = speaker
        if (moved == labels).all():
            break
        labels = moved
    return labels
