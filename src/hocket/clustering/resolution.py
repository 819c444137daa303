"""Splits and merges of speakers, best odds first, until none is more likely than not.

Linkage and selection use distances and amounts of speech only. Their result is examined again with
the order of time: every speaker divided in two, and every pair of similar speakers as two halves of
one. The change with the best odds is made, all embeddings are reassigned to the nearest speaker,
and so on. A requested number of speakers is reached by the same changes, the least unlikely first
(docs/decisions/021-splits-and-merges.md).
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

# smallest half in the regression's training data: with less speech, two words of one voice are as
# far apart as two voices
LEAST_VOICES, LEAST_S = 5, 3.0
SIMILAR = 0.3  # cosine; pairs below it are never one speaker
CANDIDATES = 5  # longest clusters of the linkage that are tried as a half, beside `widest`
MOST_COMPARED = 2_000  # embeddings of a cluster that are sampled to find a division
PIECE = 20  # consecutive embeddings in a sample, so that neighbors stay neighbors
ROUNDS_OF_ASSIGNMENT = 5
SPARE_CHANGES = 20  # beyond one for every speaker; a bound for changes that undo each other

TraitsCallback = Callable[[NDArray[np.int64], Halves, Traits], None]
"""Called with each division or pair: rows of the embeddings compared, their halves, and traits."""


class _Change(NamedTuple):
    """A possible split of a cluster, or merge of a pair, and the odds of two speakers.

    whole: (voices,) mask of the cluster or the pair.
    half: (voices,) mask of the half that becomes a new speaker, or of the pair's second speaker.
    odds: that the halves are two speakers.
    seconds: speech of the smaller half.
    """

    whole: NDArray[np.bool_]
    half: NDArray[np.bool_]
    odds: float
    seconds: float

    @property
    def regret(self) -> float:
        """Expected seconds that merging the halves labels wrong, less those it labels right."""
        probability = self.odds / (1 + self.odds)
        return self.seconds * (2 * probability - 1)


def resolve_speakers(
    voices: VoiceVectors,
    regions: NDArray[np.int64],
    group: Callable[[int], ClusterLabels],
    config: ResolvedClustering,
    model: TwoSpeakers,
    count: SpeakerCount,
    on_traits: TraitsCallback | None = None,
) -> Selection:
    """Clusters to speakers: selected by distance and speech, then split and merged by their odds.

    Args:
        voices: what was clustered, in order of time.
        regions: (voices,) region of each.
        group: the clusterer; given the fewest clusters, it returns (voices,) labels, with rather
            too many clusters than too few.
        config: thresholds of `select_speakers`.
        model: odds of two speakers.
        count: how many speakers there may be; there are never more than embeddings.
        on_traits: called for every division and pair; `bench evidence` collects training data with
            it. The result then has no odds.

    Returns:
        A speaker for every embedding.
    """
    clusters = group(1)
    found = select_speakers(voices, clusters, config, SpeakerCount())
    if not len(clusters):
        return found
    speakers = _Speakers(voices, regions, clusters, model, found, on_traits)
    speakers.improve()
    speakers.meet(count)
    if speakers.number < count.minimum:  # a speaker of a word or two is in no division
        clusters = group(count.minimum)
        found = select_speakers(voices, clusters, config, count)
        speakers = _Speakers(voices, regions, clusters, model, found, on_traits)
    return speakers.selection()


class _Speakers:
    """The current speakers. Odds are computed once for each set of embeddings, and cached."""

    def __init__(
        self,
        voices: VoiceVectors,
        regions: NDArray[np.int64],
        clusters: ClusterLabels,
        model: TwoSpeakers,
        selection: Selection,
        on_traits: TraitsCallback | None,
    ) -> None:
        self._voices, self._regions, self._clusters = voices, regions, clusters
        self._model, self._on_traits = model, on_traits
        self._spurious = selection.spurious
        self._labels = selection.labels
        self._settle()
        self._divisions: dict[bytes, list[_Change]] = {}
        self._pairs: dict[tuple[bytes, bytes], _Change] = {}

    @property
    def number(self) -> int:
        return len(self._spurious)

    def improve(self) -> None:
        """Make the change with the best odds, until no change has better odds than even."""
        for _ in range(self.number + SPARE_CHANGES):
            change = self._best_change()
            if change is None:
                break
            if change.odds > 1:
                self._split(change)
            else:
                self._merge(change)

    def meet(self, count: SpeakerCount) -> None:
        """Merge or split until the number of speakers is as close to `count` as possible."""
        while count.maximum is not None and self.number > count.maximum:
            self._merge(min(self._pairs_of(), key=lambda pair: pair.regret))
        while self.number < count.minimum:
            split = self._forced_split()
            if split is None:
                break
            self._split(split)

    def _best_change(self) -> _Change | None:
        """The split or merge with the best odds; None if none is better than even."""
        splits = [split for split in self._splits() if split.odds > 1]
        merges = [pair for pair in self._pairs_of(SIMILAR) if pair.odds < 1]
        found = [(split.odds, split) for split in splits]
        found += [(1 / max(pair.odds, 1e-12), pair) for pair in merges]
        return max(found, key=lambda each: each[0])[1] if found else None

    def _forced_split(self) -> _Change | None:
        """The best split if one more speaker is known to be present; None if none is likely.

        Either one of the splits is right, or the speaker is in no division, with UNSEEN_ODDS.
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
        """Assign all embeddings to the nearest speaker, until none changes."""
        for _ in range(ROUNDS_OF_ASSIGNMENT):
            found = self._nearest(self._labels)
            if (found == self._labels).all():
                break
            self._labels = found

    def selection(self) -> Selection:
        """The speakers, numbered from 0 by decreasing speech."""
        spoken = np.bincount(self._labels, self._voices.seconds, minlength=self.number)
        order = np.argsort(-spoken, kind="stable")
        number = np.argsort(order).astype(np.int32)
        return Selection(number[self._labels], self._spurious[order], self._odds_left(order))

    def _odds_left(self, order: NDArray[np.int64]) -> Odds | None:
        """Log odds of splits and merges that were not made, for speakers in this order.

        None if there is a callback: its training data must not include these pairs.
        """
        if self._on_traits is not None:
            return None
        masks = [self._labels == speaker for speaker in range(self.number)]
        splits = [
            max((split.odds for split in self._divided(masks[speaker])), default=0.0)
            for speaker in order.tolist()
        ]
        centroids = centroids_of(self._voices, self._labels)
        apart = [np.inf]
        for rank, speaker in enumerate(order.tolist()[1:], start=1):
            larger = order[:rank]
            nearest = int(larger[(centroids[larger] @ centroids[speaker]).argmax()])
            one, other = sorted((speaker, nearest))
            apart.append(self._pair(masks[one], masks[other]).odds)
        with np.errstate(divide="ignore"):
            return Odds(np.log(splits), np.log(apart))

    def _pairs_of(self, similar: float | None = None) -> list[_Change]:
        """Pairs of speakers; if `similar` is given, only similar pairs with enough speech."""
        centroids = centroids_of(self._voices, self._labels)
        cosines = centroids @ centroids.T
        masks = [self._labels == speaker for speaker in range(self.number)]
        enough = [similar is None or self._is_enough(mask) for mask in masks]
        return [
            self._pair(masks[one], masks[other])
            for one in range(self.number)
            for other in range(one + 1, self.number)
            if enough[one] and enough[other] and (similar is None or cosines[one, other] > similar)
        ]

    def _nearest(self, labels: ClusterLabels) -> ClusterLabels:
        """The nearest speaker of every embedding, (voices,); each speaker keeps at least one."""
        cosines = self._voices.vectors @ centroids_of(self._voices, labels).T
        found: ClusterLabels = cosines.argmax(axis=1).astype(np.int32)
        for speaker in np.setdiff1d(np.arange(self.number), found).tolist():
            spare = np.bincount(found)[found] > 1
            found[np.where(spare, cosines[:, speaker], -np.inf).argmax()] = speaker
        return found

    def _splits(self) -> list[_Change]:
        return [
            split
            for speaker in range(self.number)
            for split in self._divided(self._labels == speaker)
        ]

    def _divided(self, mask: NDArray[np.bool_]) -> list[_Change]:
        key = np.packbits(mask).tobytes()
        if key not in self._divisions:
            self._divisions[key] = list(self._divisions_of(mask))
        return self._divisions[key]

    def _divisions_of(self, mask: NDArray[np.bool_]) -> Iterator[_Change]:
        members = np.flatnonzero(mask)
        if len(members) < 2 * LEAST_VOICES:
            return
        rows = members[_sample(len(members))]
        sample = self._voices.at(rows)
        vectors = sample.vectors.astype(np.float64)
        for start in self._starts(rows, vectors, sample.seconds):
            halves = settle(vectors, sample.seconds, start)
            half = self._smaller_half(members, rows, halves)
            if not (self._is_enough(half) and self._is_enough(mask & ~half)):
                continue
            odds = self._odds(rows, half[rows].astype(np.int64))
            yield self._change(mask, half, odds)

    def _starts(
        self, rows: NDArray[np.int64], vectors: NDArray[np.float64], seconds: NDArray[np.float64]
    ) -> Iterator[Halves]:
        """First divisions: the widest one, and each of the longest clusters against the rest."""
        yield widest(vectors, seconds)
        clusters = self._clusters[rows]
        spoken = np.bincount(clusters, seconds)
        for cluster in np.argsort(-spoken, kind="stable")[:CANDIDATES].tolist():
            inside = clusters == cluster
            if 1 < np.count_nonzero(inside) < len(inside) - 1:
                yield inside.astype(np.int64)

    def _smaller_half(
        self, members: NDArray[np.int64], rows: NDArray[np.int64], halves: Halves
    ) -> NDArray[np.bool_]:
        """Mask of the half with less speech, (voices,); empty if the sample has only one half.

        Args:
            members: rows of the cluster.
            rows: rows of the sample, some of the members.
            halves: of the sample. Other members join the nearest half.
        """
        found = np.zeros(len(self._labels), np.bool_)
        if not halves.any() or halves.all():
            return found
        labels = np.full(len(self._labels), -1, np.int32)
        labels[rows] = halves
        centroids = centroids_of(self._voices, labels)
        nearest = (self._voices.vectors[members] @ centroids.T).argmax(axis=1)
        if len(rows) == len(members):
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
            rows = members[_sample(len(members))]
            halves = other[rows].astype(np.int64)
            odds = self._odds(rows, halves) if 0 < halves.sum() < len(halves) else 1.0
            self._pairs[key] = self._change(whole, other, odds)
        return self._pairs[key]

    def _change(self, whole: NDArray[np.bool_], half: NDArray[np.bool_], odds: float) -> _Change:
        seconds = self._voices.seconds
        smaller = min(float(seconds[half].sum()), float(seconds[whole & ~half].sum()))
        return _Change(whole, half, odds, smaller)

    def _odds(self, rows: NDArray[np.int64], halves: Halves) -> float:
        traits = traits_of(self._voices.at(rows), self._regions[rows], halves)
        if self._on_traits is not None:
            self._on_traits(rows, halves, traits)
        return float(np.exp(np.clip(self._model.log_odds(traits), -25, 25)))

    def _is_enough(self, mask: NDArray[np.bool_]) -> bool:
        spoken = float(self._voices.seconds[mask].sum())
        return spoken >= LEAST_S and int(np.count_nonzero(mask)) >= LEAST_VOICES


def _sample(number: int) -> NDArray[np.int64]:
    """At most MOST_COMPARED of `number` indices, in evenly spaced pieces of PIECE."""
    if number <= MOST_COMPARED:
        return np.arange(number)
    pieces = MOST_COMPARED // PIECE
    starts = np.linspace(0, number - PIECE, pieces).astype(np.int64)
    return (starts[:, None] + np.arange(PIECE)).ravel()
