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
Pairs = tuple[tuple[str, str], ...]


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


@dataclass(frozen=True, eq=False)
class Comparison:
    """Where turns differ from a reference.

    The scored time is divided into intervals in which nobody starts or ends.

    score: the errors of all intervals together.
    pairs: a reference speaker and the speaker found who agrees with it; of all one-to-one mappings
        the one that agrees longest. Pairs that never agree are left out.
    spans: (intervals, 2), start and end in seconds, in order of time.
    missed: (intervals,) how many speakers are missed.
    false_alarm: (intervals,) how many are found who do not speak.
    confusion: (intervals,) how many are found in place of others.
    """

    score: Score
    pairs: Pairs
    spans: NDArray[np.float64]
    missed: Counts
    false_alarm: Counts
    confusion: Counts


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
    """Errors of turns against a reference; arguments and errors are those of `compare`."""
    return compare(reference, hypothesis, regions, collar=collar, overlap=overlap).score


def compare(
    reference: Sequence[Turn],
    hypothesis: Sequence[Turn],
    regions: Sequence[Span] | None = None,
    *,
    collar: float = 0.0,
    overlap: bool = True,
) -> Comparison:
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
    names = _names(reference), _names(hypothesis)
    truth, found = _counts(reference, names[0], edges), _counts(hypothesis, names[1], edges)
    scored = _covered(spans, edges)
    if collar:
        scored &= ~_covered(margins, edges)
    if not overlap:
        scored &= truth.sum(axis=0) < 2
    intervals = np.stack([edges[:-1], edges[1:]], axis=1)[scored]
    return _comparison(names, truth[:, scored], found[:, scored], intervals)


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


def _names(turns: Sequence[Turn]) -> list[str]:
    return sorted({turn.speaker for turn in turns})  # as pyannote.metrics, which decides ties


def _counts(turns: Sequence[Turn], names: Sequence[str], edges: NDArray[np.float64]) -> Counts:
    """Turns of each speaker between each two edges, (speakers, intervals)."""
    rows = {name: row for row, name in enumerate(names)}
    found = np.zeros((len(names), max(0, len(edges) - 1)), np.int64)
    for turn in turns:
        first, last = np.searchsorted(edges, (turn.start, turn.end))
        found[rows[turn.speaker], first:last] += 1
    return found


def _covered(spans: Sequence[Span], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which intervals between edges are in any of the spans, (intervals,)."""
    found = np.zeros(max(0, len(edges) - 1), np.bool_)
    for span in spans:
        first, last = np.searchsorted(edges, span)
        found[first:last] = True
    return found


def _comparison(
    names: tuple[Sequence[str], Sequence[str]],
    truth: Counts,
    found: Counts,
    spans: NDArray[np.float64],
) -> Comparison:
    """Errors of intervals, with the mapping of speakers that agrees longest."""
    names = _present(names[0], truth), _present(names[1], found)
    truth, found = truth[truth.any(axis=1)], found[found.any(axis=1)]
    lengths = spans[:, 1] - spans[:, 0]
    pairs = _pairs(truth, found, lengths)
    spoken, claimed = truth.sum(axis=0), found.sum(axis=0)
    right = np.zeros(len(lengths), np.int64)
    jaccard = float(len(truth) - len(pairs))
    for row, column in pairs:
        right += np.minimum(truth[row], found[column])
        one, other = truth[row] > 0, found[column] > 0
        jaccard += float(lengths[one != other].sum() / lengths[one | other].sum())
    missed, false_alarm = np.maximum(spoken - claimed, 0), np.maximum(claimed - spoken, 0)
    confusion = np.minimum(spoken, claimed) - right
    whole = Score(
        speech_s=float(lengths @ spoken),
        missed_s=float(lengths @ missed),
        false_alarm_s=float(lengths @ false_alarm),
        confusion_s=float(lengths @ confusion),
        jaccard=jaccard,
        speakers_reference=len(truth),
        speakers_found=len(found),
        files=1,
        files_right_count=int(len(truth) == len(found)),
    )
    named = tuple((names[0][row], names[1][column]) for row, column in pairs)
    return Comparison(whole, named, spans, missed, false_alarm, confusion)


def _present(names: Sequence[str], counts: Counts) -> list[str]:
    return [name for name, own in zip(names, counts, strict=True) if own.any()]


def _pairs(truth: Counts, found: Counts, lengths: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Rows of `truth` and of `found` that agree longest, one to one."""
    together = (truth * lengths) @ found.T
    rows, columns = linear_sum_assignment(together, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(row, column) for row, column in pairs if together[row, column] > 0]
