"""Speakers split and merged in order of evidence, until none is likelier two, nor two one.

Linkage and selection see distances and amounts of speech. What they leave is looked at again with
the order of time: every speaker divided in two, every pair of similar speakers as the two halves of
one. The change with the best odds is made, all voices go to the nearest speaker anew, and so on. A
number of speakers asked for is met by the same changes, the least unlikely first.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels
from hocket.clustering.division import (
    UNSEEN_ODDS,
    Halves,
    Traits,
    TwoSpeakers,
    settle,
    traits_of,
    widest,
)
from hocket.clustering.selection import Odds, Selection, select_speakers
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.config import ResolvedClustering, SpeakerCount

# smallest half that the regression has seen: of less, two words of one voice are as far apart as
# two voices
LEAST_VOICES, LEAST_S = 5, 3.0
SIMILAR = 0.3  # cosine; pairs below it are never one voice
CANDIDATES = 5  # clusters of the linkage, the longest, tried as a half beside the widest division
MOST_COMPARED = 2_000  # voices of a cluster that a division is found on; evenly spread, in pieces
PIECE = 20
ROUNDS_OF_ASSIGNMENT = 5
SPARE_CHANGES = 20  # beyond one for every speaker; changes that undo each other end there

OnTraits = Callable[[NDArray[np.int64], Halves, Traits], None]
"""Told of a division or a pair: which voices were looked at, the half of each, what it is like."""


class _Change(NamedTuple):
    """Odds that a cluster is two speakers, or a pair of clusters.

    whole: (voices,) where the cluster or the pair is.
    half: (voices,) the part of it that becomes a speaker, or the other speaker of the pair.
    odds: that both are two speakers.
    seconds: of speech of the smaller.
    """

    whole: NDArray[np.bool_]
    half: NDArray[np.bool_]
    odds: float
    seconds: float

    @property
    def regret(self) -> float:
        """Seconds put wrong by making one speaker of the two, less those put right."""
        probability = self.odds / (1 + self.odds)
        return self.seconds * (2 * probability - 1)


def resolve_speakers(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    group: Callable[[int], ClusterLabels],
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
    judged: OnTraits | None = None,
) -> Selection:
    """Clusters to speakers: chosen by distance and speech, then split and merged by evidence.

    Args:
        voices: what was clustered, in order of time.
        regions: (voices,) region that each comes from.
        group: the clusterer; gives (voices,) clusters, at least so many, rather too fine than too
            coarse.
        config: how similar two clusters may be, and how much speech one needs, before evidence.
        model: odds of two speakers.
        count: how many speakers there may be; there are never more than voices.
        judged: told of every division and pair; `bench evidence` learns from them.

    Returns:
        A speaker for every voice.
    """
    clusters = group(1)
    found = select_speakers(voices, clusters, config, SpeakerCount())
    if not len(clusters):
        return found
    speakers = _Speakers(voices, regions, clusters, model, found, judged)
    speakers.improve()
    speakers.meet(count)
    if speakers.number < count.minimum:  # who said a word or two is in no division
        clusters = group(count.minimum)
        found = select_speakers(voices, clusters, config, count)
        speakers = _Speakers(voices, regions, clusters, model, found, judged)
    return speakers.selection()


class _Speakers:
    """The speakers so far; divisions and pairs are judged once for every set of voices."""

    def __init__(
        self,
        voices: VoiceVectors,
        regions: NDArray[np.int64],
        clusters: ClusterLabels,
        model: TwoSpeakers,
        selection: Selection,
        judged: OnTraits | None,
    ) -> None:
        self._voices, self._regions, self._clusters = voices, regions, clusters
        self._model, self._judged = model, judged
        self._spurious = selection.spurious
        self._labels = selection.labels
        self._settle()
        self._divisions: dict[bytes, list[_Change]] = {}
        self._pairs: dict[tuple[bytes, bytes], _Change] = {}

    @property
    def number(self) -> int:
        return len(self._spurious)

    def improve(self) -> None:
        """Make the change with the best odds until none is better than even."""
        for _ in range(self.number + SPARE_CHANGES):
            change = self._best_change()
            if change is None:
                break
            if change.odds > 1:
                self._split(change)
            else:
                self._merge(change)

    def meet(self, count: SpeakerCount) -> None:
        """Come as near to the number asked for as pairs and divisions allow."""
        while count.maximum is not None and self.number > count.maximum:
            self._merge(min(self._pairs_of(), key=lambda pair: pair.regret))
        while self.number < count.minimum:
            split = self._forced_split()
            if split is None:
                break
            self._split(split)

    def _best_change(self) -> _Change | None:
        """The split or merge with the best odds, if they are better than even."""
        splits = [split for split in self._splits() if split.odds > 1]
        merges = [pair for pair in self._pairs_of(SIMILAR) if pair.odds < 1]
        found = [(split.odds, split) for split in splits]
        found += [(1 / max(pair.odds, 1e-12), pair) for pair in merges]
        return max(found, key=lambda each: each[0])[1] if found else None

    def _forced_split(self) -> _Change | None:
        """The likeliest split where one more speaker is known to be there; None if that is none.

        One of them is right, or the speaker is in no division, which UNSEEN_ODDS stand for.
        """
        splits = self._splits()
        if not splits:
            return None
        total = sum(split.odds for split in splits) + UNSEEN_ODDS
        best = max(splits, key=lambda split: split.seconds * (2 * split.odds / total - 1))
        return best if 2 * best.odds >= total else None

    def _split(self, change: _Change) -> None:
        self._labels = np.where(change.half, np.int32(self.number), self._labels)
        self._spurious = np.append(self._spurious, 0.0)
        self._settle()

    def _merge(self, change: _Change) -> None:
        kept, gone = sorted({int(label) for label in self._labels[change.whole]})
        labels = np.where(self._labels == gone, np.int32(kept), self._labels)
        self._labels = labels - (labels > gone).astype(np.int32)
        self._spurious = np.delete(self._spurious, gone)
        self._settle()

    def _settle(self) -> None:
        """Give every voice to the speaker nearest to it, and again as speakers move."""
        for _ in range(ROUNDS_OF_ASSIGNMENT):
            found = self._nearest(self._labels)
            if (found == self._labels).all():
                break
            self._labels = found

    def selection(self) -> Selection:
        """The speakers, numbered from 0 by most speech."""
        spoken = np.bincount(self._labels, self._voices.seconds, minlength=self.number)
        order = np.argsort(-spoken, kind="stable")
        number = np.argsort(order).astype(np.int32)
        return Selection(number[self._labels], self._spurious[order], self._odds_left(order))

    def _odds_left(self, order: NDArray[np.int64]) -> Odds | None:
        """What speaks for a split of each speaker, and against a merge, in this order.

        None where somebody is told of what is judged: these pairs decide nothing.
        """
        if self._judged is not None:
            return None
        places = [self._labels == speaker for speaker in range(self.number)]
        splits = [
            max((split.odds for split in self._divided(places[speaker])), default=0.0)
            for speaker in order.tolist()
        ]
        centroids = centroids_of(self._voices, self._labels)
        apart = [np.inf]
        for rank, speaker in enumerate(order.tolist()[1:], start=1):
            larger = order[:rank]
            nearest = int(larger[(centroids[larger] @ centroids[speaker]).argmax()])
            one, other = sorted((speaker, nearest))
            apart.append(self._pair(places[one], places[other]).odds)
        with np.errstate(divide="ignore"):
            return Odds(np.log(splits), np.log(apart))

    def _pairs_of(self, similar: float | None = None) -> list[_Change]:
        """Pairs of speakers; of those at least as similar as `similar`, with enough speech."""
        centroids = centroids_of(self._voices, self._labels)
        cosines = centroids @ centroids.T
        places = [self._labels == speaker for speaker in range(self.number)]
        able = [similar is None or self._is_enough(place) for place in places]
        return [
            self._pair(places[one], places[other])
            for one in range(self.number)
            for other in range(one + 1, self.number)
            if able[one] and able[other] and (similar is None or cosines[one, other] > similar)
        ]

    def _nearest(self, labels: ClusterLabels) -> ClusterLabels:
        """The speaker nearest to every voice; each keeps one."""
        strength = self._voices.vectors @ centroids_of(self._voices, labels).T
        found: ClusterLabels = strength.argmax(axis=1).astype(np.int32)
        for speaker in np.setdiff1d(np.arange(self.number), found).tolist():
            spare = np.bincount(found)[found] > 1
            found[np.where(spare, strength[:, speaker], -np.inf).argmax()] = speaker
        return found

    def _splits(self) -> list[_Change]:
        return [
            split
            for speaker in range(self.number)
            for split in self._divided(self._labels == speaker)
        ]

    def _divided(self, place: NDArray[np.bool_]) -> list[_Change]:
        key = np.packbits(place).tobytes()
        if key not in self._divisions:
            self._divisions[key] = list(self._divisions_of(place))
        return self._divisions[key]

    def _divisions_of(self, place: NDArray[np.bool_]) -> Iterator[_Change]:
        members = np.flatnonzero(place)
        if len(members) < 2 * LEAST_VOICES:
            return
        some = members[_spread(len(members))]
        few = self._voices.at(some)
        vectors = few.vectors.astype(np.float64)
        for start in self._starts(some, vectors, few.seconds):
            halves = settle(vectors, few.seconds, start)
            half = self._side(members, some, halves)
            if not (self._is_enough(half) and self._is_enough(place & ~half)):
                continue
            odds = self._odds(some, half[some].astype(np.int64))
            yield self._change(place, half, odds)

    def _starts(
        self, some: NDArray[np.int64], vectors: NDArray[np.float64], seconds: NDArray[np.float64]
    ) -> Iterator[Halves]:
        """The widest division, and every longer cluster of the linkage against the rest."""
        yield widest(vectors, seconds)
        clusters = self._clusters[some]
        spoken = np.bincount(clusters, seconds)
        for cluster in np.argsort(-spoken, kind="stable")[:CANDIDATES].tolist():
            inside = clusters == cluster
            if 1 < np.count_nonzero(inside) < len(inside) - 1:
                yield inside.astype(np.int64)

    def _side(
        self, members: NDArray[np.int64], some: NDArray[np.int64], halves: Halves
    ) -> NDArray[np.bool_]:
        """Where the smaller half is among all members, (voices,)."""
        found = np.zeros(len(self._labels), np.bool_)
        if not halves.any() or halves.all():
            return found
        labels = np.full(len(self._labels), -1, np.int32)
        labels[some] = halves
        centroids = centroids_of(self._voices, labels)
        nearest = (self._voices.vectors[members] @ centroids.T).argmax(axis=1)
        if len(some) == len(members):
            nearest = halves
        seconds = self._voices.seconds[members]
        smaller = int(seconds[nearest == 1].sum() <= seconds[nearest == 0].sum())
        found[members[nearest == smaller]] = True
        return found

    def _pair(self, one: NDArray[np.bool_], other: NDArray[np.bool_]) -> _Change:
        key = (np.packbits(one).tobytes(), np.packbits(other).tobytes())
        if key not in self._pairs:
            whole = one | other
            members = np.flatnonzero(whole)
            some = members[_spread(len(members))]
            halves = other[some].astype(np.int64)
            odds = self._odds(some, halves) if 0 < halves.sum() < len(halves) else 1.0
            self._pairs[key] = self._change(whole, other, odds)
        return self._pairs[key]

    def _change(self, whole: NDArray[np.bool_], half: NDArray[np.bool_], odds: float) -> _Change:
        seconds = self._voices.seconds
        smaller = min(float(seconds[half].sum()), float(seconds[whole & ~half].sum()))
        return _Change(whole, half, odds, smaller)

    def _odds(self, some: NDArray[np.int64], halves: Halves) -> float:
        traits = traits_of(self._voices.at(some), self._regions[some], halves)
        if self._judged is not None:
            self._judged(some, halves, traits)
        return float(np.exp(np.clip(self._model.log_odds(traits), -25, 25)))

    def _is_enough(self, place: NDArray[np.bool_]) -> bool:
        spoken = float(self._voices.seconds[place].sum())
        return spoken >= LEAST_S and int(np.count_nonzero(place)) >= LEAST_VOICES


def _spread(number: int) -> NDArray[np.int64]:
    """At most MOST_COMPARED of so many, evenly spread, in pieces so that neighbours stay so."""
    if number <= MOST_COMPARED:
        return np.arange(number)
    pieces = MOST_COMPARED // PIECE
    starts = np.linspace(0, number - PIECE, pieces).astype(np.int64)
    return (starts[:, None] + np.arange(PIECE)).ravel()
