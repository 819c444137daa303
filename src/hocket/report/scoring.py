"""Error rates of turns against a reference: DER with its parts, JER, and the number of speakers.

The protocol is strict unless it is said otherwise: no collar, overlap counts, and every moment of
the regions is scored. Numbers are those of pyannote.metrics.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hocket.errors import ConfigError
from hocket.turns import Turn

Span = tuple[float, float]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """Errors in one recording or several; seconds in which several people speak count for each.

    speech_s: reference speech.
    missed_s: where fewer people are found than speak.
    false_alarm_s: where more people are found than speak.
    confusion_s: where somebody else is found.
    jaccard: sum of the Jaccard errors of the reference speakers, each 0 to 1.
    speakers_reference: number of reference speakers.
    speakers_found: number of speakers found.
    files: number of recordings.
    files_right_count: of those in which as many speakers are found as speak.
    """

    speech_s: float = 0.0
    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0
    jaccard: float = 0.0
    speakers_reference: int = 0
    speakers_found: int = 0
    files: int = 0
    files_right_count: int = 0

    @property
    def der(self) -> float:
        """Diarization error rate; without reference speech 0 if nothing is found, otherwise 1."""
        wrong = self.missed_s + self.false_alarm_s + self.confusion_s
        return wrong / self.speech_s if self.speech_s else float(wrong > 0)

    @property
    def jer(self) -> float | None:
        """Jaccard error rate: mean over the reference speakers; None without any."""
        return self.jaccard / self.speakers_reference if self.speakers_reference else None

    def share(self, seconds: float) -> float | None:
        """Seconds as a share of the reference speech; None without any."""
        return seconds / self.speech_s if self.speech_s else None

    def __add__(self, other: Self) -> Self:
        names = [each.name for each in fields(self)]
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in names))


def total(scores: Iterable[Score]) -> Score:
    """Recordings together: errors are added, and divided then."""
    return reduce(Score.__add__, scores, Score())


def score(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    regions: Sequence[Span] | None = None,
    *,
    collar: float = 0.0,
    overlap: bool = True,
) -> Score:
    """Compare turns with a reference.

    Args:
        reference: who speaks when.
        hypothesis: who was found when; names need not agree.
        regions: what is scored, in seconds. Default: from the first turn to the last of both.
        collar: seconds left out on each side of every start and end in the reference;
            pyannote.metrics gives both sides together.
        overlap: score where several people of the reference speak.

    Raises:
        ConfigError: the collar is negative, or a region ends before it starts.
    """
    if not collar >= 0:
        raise ConfigError(f"collar is {collar}; give seconds, 0 or more")
    spans = _spans(reference, hypothesis, regions)
    margins = [
        (edge - collar, edge + collar) for turn in reference for edge in (turn.start, turn.end)
    ]
    edges = np.unique(
        [
            edge
            for each in (*spans, *margins, *_bounds(reference), *_bounds(hypothesis))
            for edge in each
        ]
    )
    truth, found = _counts(reference, edges), _counts(hypothesis, edges)
    scored = _covered(spans, edges)
    if collar:
        scored &= ~_covered(margins, edges)
    if not overlap:
        scored &= truth.sum(axis=0) < 2
    lengths = np.diff(edges) * scored
    return _errors(truth[:, scored], found[:, scored], lengths[scored])


def _spans(
    reference: Sequence[Turn], hypothesis: Sequence[Turn], regions: Sequence[Span] | None
) -> list[Span]:
    if regions is None:
        bounds = [*_bounds(reference), *_bounds(hypothesis)]
        ends = [edge for each in bounds for edge in each]
        return [(min(ends), max(ends))] if ends else []
    for start, end in regions:
        if not end > start:
            raise ConfigError(f"a region ends at {end}, but starts at {start}; give (start, end)")
    return list(regions)


def _bounds(turns: Sequence[Turn]) -> list[Span]:
    return [(turn.start, turn.end) for turn in turns]


def _counts(turns: Sequence[Turn], edges: NDArray[np.float64]) -> Counts:
    """Turns of each speaker between each two edges, (speakers, intervals)."""
    names = sorted({turn.speaker for turn in turns})  # as pyannote.metrics, which decides ties
    found = np.zeros((len(names), max(0, len(edges) - 1)), np.int64)
    for turn in turns:
        first, last = np.searchsorted(edges, (turn.start, turn.end))
        found[names.index(turn.speaker), first:last] += 1
    return found


def _covered(spans: Sequence[Span], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which intervals between edges are in any of the spans, (intervals,)."""
    found = np.zeros(max(0, len(edges) - 1), np.bool_)
    for span in spans:
        first, last = np.searchsorted(edges, span)
        found[first:last] = True
    return found


def _errors(truth: Counts, found: Counts, lengths: NDArray[np.float64]) -> Score:
    """Errors of intervals, with the mapping of speakers that agrees longest."""
    truth, found = truth[truth.any(axis=1)], found[found.any(axis=1)]
    together = (truth * lengths) @ found.T
    rows, columns = linear_sum_assignment(together, maximize=True)
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if together[r, c] > 0]
    spoken, claimed = truth.sum(axis=0), found.sum(axis=0)
    right = np.zeros(len(lengths), np.int64)
    jaccard = float(len(truth) - len(pairs))
    for row, column in pairs:
        right += np.minimum(truth[row], found[column])
        one, other = truth[row] > 0, found[column] > 0
        jaccard += float(lengths[one != other].sum() / lengths[one | other].sum())
    return Score(
        speech_s=float(lengths @ spoken),
        missed_s=float(lengths @ np.maximum(spoken - claimed, 0)),
        false_alarm_s=float(lengths @ np.maximum(claimed - spoken, 0)),
        confusion_s=float(lengths @ (np.minimum(spoken, claimed) - right)),
        jaccard=jaccard,
        speakers_reference=len(truth),
        speakers_found=len(found),
        files=1,
        files_right_count=int(len(truth) == len(found)),
    )
