"""Confidence of turns: the probability that a turn is right.

It is a logistic regression on a few features of the evidence. The weights are in the model
manifest, `models/data/manifest.toml` (docs/confidence.md). Turns are rated in pieces of about a
second, so that an uncertain second of a long turn is found. Nothing here changes turns or speakers.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Occupancy, Subsegments, segments_of
from hocket.geometry import Geometry
from hocket.result import UncertainSegment
from hocket.turns import Turn

Values = NDArray[np.float64]
"""A number for each piece, turn, speaker or number of speakers."""

MOST_LOG_ODDS = 5.0  # of splits and pairs: higher ones are no more reliable
MARGIN = 0.25  # cosine; margins beyond it are nearly equivalent
LEAST_PROBABILITY = 1e-3  # of speech and silence, before log odds are computed
LEAST_SPOKEN_S = 0.1
PIECE_S = 1.0
UNCERTAIN_BELOW = 0.9  # confidence; about a quarter of all speech is below it
MOST_ALTERNATIVES = 3


class Segments(NamedTuple):
    """Turns or pieces of turns, ordered by speaker, then by time; all columns (turns,).

    first, last: first and past-the-last frame.
    speaker: number of the speaker.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    speaker: NDArray[np.int64]

    @classmethod
    def of(cls, activations: Activations) -> "Segments":
        """The turns of all speakers.

        Args:
            activations: (frames, speakers).
        """
        turns = [segments_of(column) for column in activations.T]
        rows = np.concatenate([np.zeros((0, 2), np.int64), *turns])
        speaker = np.repeat(np.arange(len(turns)), [len(each) for each in turns])
        return cls(rows[:, 0], rows[:, 1], speaker)

    def cut(self, longest: int) -> tuple["Segments", NDArray[np.int64]]:
        """Divide each turn into equal pieces of about `longest` frames.

        Returns:
            The pieces, and the turn that each belongs to, (pieces,).
        """
        lengths = self.last - self.first
        numbers = np.maximum(1, np.rint(lengths / longest).astype(np.int64))
        turn = np.repeat(np.arange(len(lengths)), numbers)
        index = np.arange(len(turn)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        first, last = (
            self.first[turn] + (index + end) * lengths[turn] // numbers[turn] for end in (0, 1)
        )
        return Segments(first, last, self.speaker[turn]), turn


class SpeakerEvidence(NamedTuple):
    """Evidence about the speakers.

    similarity: (subsegments, speakers), cosine.
    split: (speakers,) log odds that a speaker is two; -inf if it cannot be divided.
    apart: (speakers,) log odds that it and the nearest with more speech are two; inf for the first.
    judged: whether the odds of splits and pairs were computed.
    """

    similarity: NDArray[np.float32]
    split: Values
    apart: Values
    judged: bool

    @classmethod
    def gather(
        cls, similarity: NDArray[np.float32], odds: tuple[Values, Values] | None
    ) -> "SpeakerEvidence":
        """Evidence about all speakers; without odds, all are certain to be one speaker each.

        Args:
            similarity: (subsegments, speakers), cosine.
            odds: log odds `split` and `apart`; None: not computed.
        """
        number = similarity.shape[1]
        if odds is None or len(odds[0]) != number:
            return cls(similarity, np.full(number, -np.inf), np.full(number, np.inf), False)
        return cls(similarity, *odds, True)

    def of(self, order: NDArray[np.integer]) -> "SpeakerEvidence":
        """Evidence about these speakers, in this order."""
        return SpeakerEvidence(
            self.similarity[:, order], self.split[order], self.apart[order], self.judged
        )


class TurnTraits(NamedTuple):
    """Features that distinguish right pieces of turns from wrong ones, all columns (pieces,).

    Logarithms are natural.

    margin: tanh of m / MARGIN, where m is the cosine of the piece's subsegments to its speaker less
        that to the most similar other speaker; m is 1 for an only speaker.
    nearness: cosine of the piece's subsegments to its speaker.
    unembedded: 1 if no subsegment overlaps the piece, else 0.
    length: logarithm of the turn's duration in seconds.
    speech: log odds of the mean probability of speech over the frames.
    split: log odds that the speaker is two, clipped to MOST_LOG_ODDS.
    spoken: logarithm of the speaker's total speech in seconds.
    apart: log odds that the speaker and the nearest one with more speech are two, clipped to
        MOST_LOG_ODDS.
    """

    margin: Values
    nearness: Values
    unembedded: Values
    length: Values
    speech: Values
    split: Values
    spoken: Values
    apart: Values


class Evidence(NamedTuple):
    """Everything that confidence is computed from.

    turns: all turns.
    pieces: of the turns.
    turn: (pieces,) turn that each piece belongs to.
    traits: of the pieces.
    known: (pieces,) share of the piece in which a constraint says that its speaker speaks.
    nearness: (pieces, speakers), mean cosine of the piece's subsegments; 0 without subsegments.
    speakers: in the order of the turns' speaker numbers.
    geometry: frame grid.
    """

    turns: Segments
    pieces: Segments
    turn: NDArray[np.int64]
    traits: TurnTraits
    known: Values
    nearness: Values
    speakers: SpeakerEvidence
    geometry: Geometry

    def probability(self, calibration: Mapping[str, float]) -> Values:
        """Probability that the speaker of each piece speaks, (pieces,); constraints are certain.

        Args:
            calibration: of the embedding model, with the weights of `TurnModel`.
        """
        found = TurnModel.of(calibration).probability(self.traits)
        return found + self.known * (1 - found)

    def seconds_at(self, frames: NDArray[np.int64]) -> list[float]:
        """Start times of frames in seconds."""
        return [self.geometry.seconds_of(self.geometry.frame_start(at)) for at in frames.tolist()]

    def of_turns(self, confidence: Values) -> Values:
        """Mean confidence of every turn, (turns,).

        Args:
            confidence: (pieces,), weighted by length.
        """
        lengths = (self.pieces.last - self.pieces.first).astype(np.float64)
        number = len(self.turns.first)
        total = np.bincount(self.turn, lengths, number)
        found: Values = np.bincount(self.turn, lengths * confidence, number) / total
        return found


class TurnModel(NamedTuple):
    """Logistic regression of "the piece's speaker speaks" on `TurnTraits`, a weight for each."""

    bias: float
    margin: float
    nearness: float
    unembedded: float
    length: float
    speech: float
    split: float
    spoken: float
    apart: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> "TurnModel":
        """The model with the weights of an embedding model, from the manifest."""
        return cls(*(calibration[f"turn_{name}"] for name in cls._fields))

    def probability(self, traits: TurnTraits) -> Values:
        """Probability that the speaker of each piece speaks, (pieces,)."""
        return logistic(self.bias + np.tensordot(np.array(self[1:]), np.stack(traits), 1))


def logistic(log_odds: Values) -> Values:
    """Probabilities from natural log odds, without overflow."""
    found: Values = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return found


def evidence_of(
    activations: Activations,
    speakers: SpeakerEvidence,
    occupancy: Occupancy,
    subsegments: Subsegments,
    geometry: Geometry,
    known: NDArray[np.int64] | None = None,
) -> Evidence:
    """Evidence about the turns of a result.

    Args:
        activations: (frames, speakers).
        speakers: evidence about them, in the order of the columns.
        occupancy: (frames, 3).
        subsegments: what was embedded.
        geometry: frame grid.
        known: (frames,) speaker who speaks by constraint, -1 for none; None: no constraints.
    """
    turns = Segments.of(activations)
    frame_s = geometry.seconds_of(geometry.frame_step)
    seconds = (turns.last - turns.first) * frame_s
    pieces, turn = turns.cut(max(1, round(PIECE_S / frame_s)))
    silence = np.concatenate([[0.0], np.cumsum(occupancy[:, 0], dtype=np.float64)])
    silent = (silence[pieces.last] - silence[pieces.first]) / (pieces.last - pieces.first)
    speech = np.clip(1 - silent, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    spoken = np.bincount(turns.speaker, seconds, minlength=activations.shape[1])
    near = nearness(pieces, speakers.similarity, subsegments)
    traits = TurnTraits(
        margin=np.tanh(margins(pieces, near) / MARGIN),
        nearness=near[np.arange(len(near)), pieces.speaker],
        unembedded=np.where(near.any(axis=1), 0.0, 1.0),
        length=np.log(np.maximum(seconds, LEAST_SPOKEN_S))[turn],
        speech=np.log(speech / (1 - speech)),
        split=within(speakers.split)[pieces.speaker],
        spoken=np.log(np.maximum(spoken, LEAST_SPOKEN_S))[pieces.speaker],
        apart=within(speakers.apart)[pieces.speaker],
    )
    share = np.zeros(len(turn)) if known is None else _known_share(pieces, known)
    return Evidence(turns, pieces, turn, traits, share, near, speakers, geometry)


def _known_share(pieces: Segments, known: NDArray[np.int64]) -> Values:
    """Share of every piece in which a constraint says that its speaker speaks, (pieces,)."""
    rows = zip(*(column.tolist() for column in pieces), strict=True)
    return np.array([np.mean(known[first:last] == speaker) for first, last, speaker in rows])


def nearness(pieces: Segments, similarity: NDArray[np.float32], subsegments: Subsegments) -> Values:
    """Mean cosine of the subsegments in every piece to the speakers, (pieces, speakers).

    It is 0 in a piece without subsegments. A subsegment weighs by the frames it shares with the
    piece. The cumulative sum over frames is piecewise linear between the edges of subsegments, so
    it is computed at these edges only.

    Args:
        pieces: of turns.
        similarity: (subsegments, speakers), cosine.
        subsegments: what was embedded.
    """
    weighted = np.column_stack([similarity.astype(np.float64), np.ones(len(similarity))])
    edges, back = np.unique(
        np.concatenate([subsegments.first, subsegments.last]), return_inverse=True
    )
    slopes = np.zeros((len(edges) + 1, weighted.shape[1]))
    np.add.at(slopes, back + 1, np.concatenate([weighted, -weighted]))
    slopes = np.cumsum(slopes, axis=0)  # slopes[i + 1] applies from edge i on
    sums = np.zeros((len(edges) + 1, weighted.shape[1]))
    if len(edges):
        sums[2:] = np.cumsum(slopes[1:-1] * np.diff(edges)[:, None], axis=0)
    starts = np.concatenate([[0], edges])

    def before(frames: NDArray[np.int64]) -> Values:
        edge = np.searchsorted(edges, frames, side="right")
        found: Values = sums[edge] + slopes[edge] * (frames - starts[edge])[:, None]
        return found

    shared = before(pieces.last) - before(pieces.first)
    frames = shared[:, -1:]
    return np.divide(shared[:, :-1], frames, out=np.zeros_like(shared[:, :-1]), where=frames > 0.5)


def margins(pieces: Segments, near: Values) -> Values:
    """Cosine to a piece's speaker less that to the most similar other speaker, (pieces,).

    It is 1 for an only speaker.

    Args:
        pieces: of all speakers.
        near: (pieces, speakers), from `nearness`.
    """
    if near.shape[1] < 2:
        return np.ones(len(near))
    rows = np.arange(len(near))
    others = near.copy()
    others[rows, pieces.speaker] = -np.inf
    found: Values = near[rows, pieces.speaker] - others.max(axis=1)
    return found


def with_confidence(
    names: Sequence[str],
    evidence: Evidence,
    calibration: Mapping[str, float],
    turns: Sequence[Turn],
) -> tuple[Turn, ...]:
    """The turns with their confidence. A part of a turn gets the confidence of the whole turn.

    Args:
        names: of the speakers.
        evidence: of the turns.
        calibration: of the embedding model, with the weights of `TurnModel`.
        turns: those of the evidence, or parts of them.
    """
    confidence = evidence.of_turns(evidence.probability(calibration))
    starts_s = evidence.seconds_at(evidence.turns.first)
    edges = np.searchsorted(evidence.turns.speaker, np.arange(len(names) + 1)).tolist()
    rows_of = {name: slice(*edges[index : index + 2]) for index, name in enumerate(names)}
    found = []
    for turn in turns:
        rows = rows_of[turn.speaker]
        row = rows.start + bisect_right(starts_s[rows], turn.start) - 1
        found.append(replace(turn, confidence=float(confidence[row])))
    return tuple(found)


def uncertain_segments(
    names: Sequence[str], evidence: Evidence, calibration: Mapping[str, float]
) -> tuple[UncertainSegment, ...]:
    """Pieces of turns with a confidence below UNCERTAIN_BELOW, in order of time.

    Args:
        names: of the speakers.
        evidence: of the result.
        calibration: of the embedding model, with the weights of `TurnModel`.
    """
    confidence = evidence.probability(calibration)
    rows = np.flatnonzero(confidence < UNCERTAIN_BELOW)
    starts = evidence.seconds_at(evidence.pieces.first[rows])
    ends = evidence.seconds_at(evidence.pieces.last[rows])
    nearest = np.argsort(-evidence.nearness[rows], axis=1, kind="stable").tolist()
    speakers = evidence.pieces.speaker[rows].tolist()
    found = [
        UncertainSegment(
            start,
            end,
            names[speaker],
            float(value),
            tuple([names[one] for one in order if one != speaker][:MOST_ALTERNATIVES]),
        )
        for start, end, speaker, value, order in zip(
            starts, ends, speakers, confidence[rows], nearest, strict=True
        )
    ]
    return tuple(sorted(found))


def within(log_odds: Values) -> Values:
    """Log odds, clipped to -MOST_LOG_ODDS..MOST_LOG_ODDS."""
    return np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)
