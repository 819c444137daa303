"""How sure turns are: the probability that a turn is right.

It comes from a few traits of the evidence, by a logistic regression whose weights stand in
`models/manifest.toml` (docs/confidence.md). Turns are judged in pieces of about a second, so that a
doubtful second of a long turn is known. Nothing here changes a turn or a speaker.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Occupancy, Subsegments, segments_of
from hocket.geometry import Geometry
from hocket.result import Turn, UncertainSegment

Values = NDArray[np.float64]

MOST_LOG_ODDS = 5.0  # of splits and pairs: beyond, one voice's are as good as two voices'
MARGIN = 0.25  # cosine; of larger margins it says little how large they are
LEAST_PROBABILITY = 1e-3  # of speech and silence, before odds are taken
LEAST_SPOKEN_S = 0.1
PIECE_S = 1.0
UNCERTAIN_BELOW = 0.9  # pieces less sure are told; about a quarter of all speech
MOST_ALTERNATIVES = 3


class Segments(NamedTuple):
    """Turns or pieces of them in frames, all columns (turns,): by speaker, then by time."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    speaker: NDArray[np.int64]

    @classmethod
    def of(cls, activations: Activations) -> "Segments":
        """All of them; the columns of (frames, speakers) are the speakers."""
        found = [segments_of(column) for column in activations.T]
        rows = np.concatenate([np.zeros((0, 2), np.int64), *found])
        speaker = np.repeat(np.arange(len(found)), [len(each) for each in found])
        return cls(rows[:, 0], rows[:, 1], speaker)

    def cut(self, longest: int) -> tuple["Segments", NDArray[np.int64]]:
        """Pieces of equal length of about `longest` frames, and the turn of each, (pieces,)."""
        lengths = self.last - self.first
        numbers = np.maximum(1, np.rint(lengths / longest).astype(np.int64))
        turn = np.repeat(np.arange(len(lengths)), numbers)
        place = np.arange(len(turn)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        first, last = (
            self.first[turn] + (place + end) * lengths[turn] // numbers[turn] for end in (0, 1)
        )
        return Segments(first, last, self.speaker[turn]), turn


class SpeakerEvidence(NamedTuple):
    """What is known of the speakers.

    similarity: (units, speakers), cosine of every unit to every speaker.
    split: (speakers,) log odds that a speaker is two; -inf if it cannot be divided.
    apart: (speakers,) log odds that it and the nearest with more speech are two; inf for the first.
    judged: whether splits and pairs were looked at.
    """

    similarity: NDArray[np.float32]
    split: Values
    apart: Values
    judged: bool

    @classmethod
    def gather(
        cls, similarity: NDArray[np.float32], odds: tuple[Values, Values] | None
    ) -> "SpeakerEvidence":
        """Of all speakers, with their odds of a split and of being apart, if they were judged."""
        number = similarity.shape[1]
        if odds is None or len(odds[0]) != number:
            return cls(similarity, np.full(number, -np.inf), np.full(number, np.inf), False)
        return cls(similarity, *odds, True)

    def of(self, order: NDArray[np.integer]) -> "SpeakerEvidence":
        """Of some of the speakers, in this order."""
        return SpeakerEvidence(
            self.similarity[:, order], self.split[order], self.apart[order], self.judged
        )


class TurnTraits(NamedTuple):
    """What tells right pieces of turns from wrong ones, all columns (pieces,).

    margin: how much nearer the piece's units are to its speaker than to the next, tanh of the
        difference of cosines over MARGIN; that of 1 for the only speaker.
    nearness: cosine of the piece's units to its speaker.
    unembedded: 1 where no unit lies in the piece, else 0.
    length: logarithm of the seconds of the turn.
    speech: log odds that anybody speaks, of the mean probability over the frames.
    split: log odds that the speaker is two, within MOST_LOG_ODDS.
    spoken: logarithm of all the speaker's seconds.
    apart: log odds that the speaker is not one with the nearest that speaks more, within
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
    """All that confidence rests on.

    turns: all of them.
    pieces: of the turns.
    turn: (pieces,) which turn each is of.
    traits: of the pieces.
    told: (pieces,) share of each in which its speaker is known to speak, by constraint.
    nearness: (pieces, speakers), mean cosine of the piece's units; 0 without units.
    speakers: in the order of the turns' numbers.
    geometry: of the frames.
    """

    turns: Segments
    pieces: Segments
    turn: NDArray[np.int64]
    traits: TurnTraits
    told: Values
    nearness: Values
    speakers: SpeakerEvidence
    geometry: Geometry

    def probability(self, calibration: Mapping[str, float]) -> Values:
        """That the speaker of each piece speaks, (pieces,); what is known is certain."""
        found = TurnModel.of(calibration).probability(self.traits)
        return found + self.told * (1 - found)

    def seconds_at(self, frames: NDArray[np.int64]) -> list[float]:
        """Seconds at which frames begin."""
        return [self.geometry.seconds_of(self.geometry.frame_start(at)) for at in frames.tolist()]

    def of_turns(self, confidence: Values) -> Values:
        """Mean over the pieces of every turn, by their length, (turns,)."""
        lengths = (self.pieces.last - self.pieces.first).astype(np.float64)
        number = len(self.turns.first)
        total = np.bincount(self.turn, lengths, number)
        found: Values = np.bincount(self.turn, lengths * confidence, number) / total
        return found


class TurnModel(NamedTuple):
    """A logistic regression of "the piece's speaker speaks" on `TurnTraits`."""

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
        """With the weights of a manifest."""
        return cls(*(calibration[f"turn_{name}"] for name in cls._fields))

    def probability(self, traits: TurnTraits) -> Values:
        """(pieces,), within 0 and 1."""
        return logistic(self.bias + np.tensordot(np.array(self[1:]), np.stack(traits), 1))


def logistic(log_odds: Values) -> Values:
    """Log odds to probabilities, without overflow."""
    found: Values = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return found


def evidence_of(
    activations: Activations,
    speakers: SpeakerEvidence,
    occupancy: Occupancy,
    subsegments: Subsegments,
    geometry: Geometry,
    owned: NDArray[np.int64] | None = None,
) -> Evidence:
    """What there is to say of the turns of (frames, speakers).

    Args:
        activations: who speaks when.
        speakers: in the order of the columns.
        occupancy: (frames, 3).
        subsegments: what was embedded.
        geometry: of the frames.
        owned: (frames,) speaker who is known to speak, -1 for none; None: nothing is known.
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
    told = np.zeros(len(turn)) if owned is None else _told(pieces, owned)
    return Evidence(turns, pieces, turn, traits, told, near, speakers, geometry)


def _told(pieces: Segments, owned: NDArray[np.int64]) -> Values:
    """Share of every piece that is known to be its speaker's, (pieces,)."""
    columns = zip(*(column.tolist() for column in pieces), strict=True)
    return np.array([np.mean(owned[first:last] == speaker) for first, last, speaker in columns])


def nearness(pieces: Segments, similarity: NDArray[np.float32], subsegments: Subsegments) -> Values:
    """Mean cosine of the units in every piece to the speakers, (pieces, speakers).

    0 where no unit lies. Each unit counts by the frames it shares with the piece: the sum of what
    units have before a frame is linear between their edges, so its ends alone are computed.

    Args:
        pieces: in frames.
        similarity: (units, speakers).
        subsegments: what was embedded.
    """
    weighted = np.column_stack([similarity.astype(np.float64), np.ones(len(similarity))])
    edges, back = np.unique(
        np.concatenate([subsegments.first, subsegments.last]), return_inverse=True
    )
    slopes = np.zeros((len(edges) + 1, weighted.shape[1]))
    np.add.at(slopes, back + 1, np.concatenate([weighted, -weighted]))
    slopes = np.cumsum(slopes, axis=0)  # slopes[i + 1] holds from edge i on
    sums = np.zeros((len(edges) + 1, weighted.shape[1]))
    if len(edges):
        sums[2:] = np.cumsum(slopes[1:-1] * np.diff(edges)[:, None], axis=0)
    starts = np.concatenate([[0], edges])

    def before(frames: NDArray[np.int64]) -> Values:
        place = np.searchsorted(edges, frames, side="right")
        found: Values = sums[place] + slopes[place] * (frames - starts[place])[:, None]
        return found

    shared = before(pieces.last) - before(pieces.first)
    within = shared[:, -1:]
    return np.divide(shared[:, :-1], within, out=np.zeros_like(shared[:, :-1]), where=within > 0.5)


def margins(pieces: Segments, near: Values) -> Values:
    """Cosine by which pieces are nearer to their speaker than to the next, (pieces,).

    1 for the only speaker.

    Args:
        pieces: of all speakers.
        near: (pieces, speakers), as of `nearness`.
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
    """The turns, each with the confidence of the turn of its speaker that it lies in.

    Args:
        names: of the speakers.
        evidence: of the turns.
        calibration: weights of `TurnModel`.
        turns: those of the evidence, or parts of them.
    """
    confidence = evidence.of_turns(evidence.probability(calibration))
    starts_s = evidence.seconds_at(evidence.turns.first)
    edges = np.searchsorted(evidence.turns.speaker, np.arange(len(names) + 1)).tolist()
    places = {name: slice(*edges[index : index + 2]) for index, name in enumerate(names)}
    found = []
    for turn in turns:
        place = places[turn.speaker]
        row = place.start + bisect_right(starts_s[place], turn.start) - 1
        found.append(replace(turn, confidence=float(confidence[row])))
    return tuple(found)


def uncertain_segments(
    names: Sequence[str], evidence: Evidence, calibration: Mapping[str, float]
) -> tuple[UncertainSegment, ...]:
    """Pieces of turns that are less sure than DOUBTFUL, in order of time.

    Args:
        names: of the speakers.
        evidence: of the result.
        calibration: weights of `TurnModel`.
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
            float(sure),
            tuple([names[one] for one in order if one != speaker][:MOST_ALTERNATIVES]),
        )
        for start, end, speaker, sure, order in zip(
            starts, ends, speakers, confidence[rows], nearest, strict=True
        )
    ]
    return tuple(sorted(found))


def within(log_odds: Values) -> Values:
    """Log odds, those beyond MOST_LOG_ODDS cut there."""
    return np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)
