"""How sure a result is: the probability that a turn is right, and that of numbers of speakers.

Both come from a few traits of the evidence, by logistic regressions whose weights stand in
`models/manifest.toml` (docs/confidence.md). Nothing here changes a turn or a speaker.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Occupancy, Units, stretches
from hocket.config import SpeakerCount
from hocket.geometry import Geometry
from hocket.result import Turn

Values = NDArray[np.float64]

MOST_LOG_ODDS = 5.0  # of splits and pairs: beyond, one voice's are as good as two voices'
LEAST_MARGIN = 0.01  # cosine; a smaller margin, or none known, is a tie
LEAST_PROBABILITY = 1e-3  # of speech and silence, before odds are taken
LEAST_SPOKEN_S = 0.1


class Stretches(NamedTuple):
    """Turns in frames, all columns (turns,): by speaker, then by time."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    speaker: NDArray[np.int64]

    @classmethod
    def of(cls, activations: Activations) -> "Stretches":
        """All of them; the columns of (frames, speakers) are the speakers."""
        found = [stretches(column) for column in activations.T]
        rows = np.concatenate([np.zeros((0, 2), np.int64), *found])
        speaker = np.repeat(np.arange(len(found)), [len(each) for each in found])
        return cls(rows[:, 0], rows[:, 1], speaker)


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
    """What tells right turns from wrong ones, all columns (turns,).

    margin: logarithm of the cosine by which the turn's units are nearer to its speaker than to the
        next, 0 for the only speaker.
    speech: log odds that anybody speaks, of the mean probability over the frames.
    split: log odds that the speaker is two, within MOST_LOG_ODDS.
    spoken: logarithm of all the speaker's seconds.
    apart: log odds that the speaker is not one with the nearest that speaks more, within
        MOST_LOG_ODDS.
    """

    margin: Values
    speech: Values
    split: Values
    spoken: Values
    apart: Values


class Evidence(NamedTuple):
    """All that confidence rests on.

    stretches: the turns.
    starts_s: (turns,) where each begins.
    traits: of the turns.
    speakers: in the order of the stretches' numbers.
    """

    stretches: Stretches
    starts_s: Sequence[float]
    traits: TurnTraits
    speakers: SpeakerEvidence


class TurnModel(NamedTuple):
    """A logistic regression of "the turn's speaker speaks" on `TurnTraits`."""

    bias: float
    margin: float
    speech: float
    split: float
    spoken: float
    apart: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> "TurnModel":
        """With the weights of a manifest."""
        return cls(*(calibration[f"turn_{name}"] for name in cls._fields))

    def probability(self, traits: TurnTraits) -> Values:
        """(turns,), within 0 and 1."""
        return logistic(self.bias + np.tensordot(np.array(self[1:]), np.stack(traits), 1))


class CountModel(NamedTuple):
    """What the odds of changes not made are worth where a number of speakers is concerned.

    apart_bias, apart: of the log odds that two speakers are two, the probability's log odds.
    split_bias, split: the same of a speaker being two.
    unseen: log odds that one more speaks, of whom nothing is seen.
    """

    apart_bias: float
    apart: float
    split_bias: float
    split: float
    unseen: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> "CountModel":
        """With the weights of a manifest."""
        return cls(*(calibration[f"count_{name}"] for name in cls._fields))

    def probabilities(self, speakers: SpeakerEvidence) -> Values:
        """Probability of every number of speakers, from 0 up, (numbers,).

        Each speaker but the largest is one more if it is apart from a larger one, and each is two
        if it should have been split; these are taken for independent.
        """
        if not len(speakers.split):
            return np.ones(1)
        apart = np.sort(_within(speakers.apart))[:-1]
        more = [
            logistic(self.apart_bias + self.apart * apart),
            logistic(self.split_bias + self.split * _within(speakers.split)),
            logistic(np.array([self.unseen])),
        ]
        return np.concatenate([[0.0], poisson_binomial(np.concatenate(more))])


def logistic(log_odds: Values) -> Values:
    """Log odds to probabilities, without overflow."""
    found: Values = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return found


def poisson_binomial(probabilities: Sequence[float] | Values) -> Values:
    """Probability of every number of successes of independent events, (events + 1,)."""
    found = np.ones(1)
    for probability in probabilities:
        found = np.convolve(found, [1 - probability, probability])
    return found


def evidence_of(
    activations: Activations,
    speakers: SpeakerEvidence,
    occupancy: Occupancy,
    units: Units,
    geometry: Geometry,
) -> Evidence:
    """What there is to say of the turns of (frames, speakers).

    Args:
        activations: who speaks when.
        speakers: in the order of the columns.
        occupancy: (frames, 3).
        units: what was embedded.
        geometry: of the frames.
    """
    turns = Stretches.of(activations)
    lengths = turns.last - turns.first
    seconds = lengths * geometry.seconds_of(geometry.frame_step)
    silence = np.concatenate([[0.0], np.cumsum(occupancy[:, 0], dtype=np.float64)])
    speech = 1 - (silence[turns.last] - silence[turns.first]) / lengths
    speech = np.clip(speech, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    spoken = np.bincount(turns.speaker, seconds, minlength=activations.shape[1])
    traits = TurnTraits(
        margin=np.log(np.clip(margins(turns, speakers.similarity, units), LEAST_MARGIN, 1)),
        speech=np.log(speech / (1 - speech)),
        split=_within(speakers.split)[turns.speaker],
        spoken=np.log(np.maximum(spoken, LEAST_SPOKEN_S))[turns.speaker],
        apart=_within(speakers.apart)[turns.speaker],
    )
    starts = map(geometry.frame_start, turns.first.tolist())
    return Evidence(turns, [geometry.seconds_of(start) for start in starts], traits, speakers)


def margins(turns: Stretches, similarity: NDArray[np.float32], units: Units) -> Values:
    """Cosine by which a turn's units are nearer to its speaker than to the next, (turns,).

    0 where no unit lies in a turn, 1 for the only speaker.

    Args:
        turns: of all speakers.
        similarity: (units, speakers).
        units: in order of time; each counts by the frames it shares with the turn.
    """
    if similarity.shape[1] < 2:
        return np.ones(len(turns.first))
    found = np.zeros(len(turns.first))
    begin = np.searchsorted(np.maximum.accumulate(units.last), turns.first, side="right").tolist()
    stop = np.searchsorted(units.first, turns.last).tolist()
    for turn, (first, last, speaker) in enumerate(zip(*turns, strict=True)):
        near = slice(begin[turn], stop[turn])
        shared = np.minimum(units.last[near], last) - np.maximum(units.first[near], first)
        shared = np.maximum(shared, 0)
        if total := shared.sum():
            mean = shared @ similarity[near] / total
            found[turn] = mean[speaker] - np.delete(mean, speaker).max()
    return found


def with_confidence(
    turns: Sequence[Turn],
    names: Sequence[str],
    evidence: Evidence,
    calibration: Mapping[str, float],
) -> tuple[Turn, ...]:
    """The turns, each with the confidence of the stretch of its speaker that it lies in.

    Args:
        turns: the stretches of the evidence as turns, or parts of them.
        names: of the speakers of the stretches.
        evidence: of these turns.
        calibration: weights of `TurnModel`.
    """
    confidence = TurnModel.of(calibration).probability(evidence.traits)
    edges = np.searchsorted(evidence.stretches.speaker, np.arange(len(names) + 1)).tolist()
    places = {name: slice(*edges[index : index + 2]) for index, name in enumerate(names)}
    found = []
    for turn in turns:
        place = places[turn.speaker]
        row = place.start + bisect_right(evidence.starts_s[place], turn.start_s) - 1
        found.append(replace(turn, confidence=float(confidence[row])))
    return tuple(found)


def count_confidence(
    evidence: Evidence, count: SpeakerCount, calibration: Mapping[str, float]
) -> Mapping[int, float]:
    """Probability of the number found, of one fewer (unless that is nobody) and of one more.

    {0: 1.0} where nobody speaks; empty where splits and pairs were not judged.

    Args:
        evidence: of the result.
        count: what is known beforehand; numbers outside it are impossible if the one found is not.
        calibration: weights of `CountModel`.
    """
    found = len(evidence.speakers.split)
    if not found:
        return {0: 1.0}
    if not evidence.speakers.judged:
        return {}
    probabilities = CountModel.of(calibration).probabilities(evidence.speakers)
    least, most = count.minimum, count.maximum
    possible = probabilities.copy()
    if least <= found and (most is None or found <= most):
        possible[:least] = 0
        possible[len(possible) if most is None else most + 1 :] = 0
    total = float(possible.sum())
    possible = possible / total if total > 0 else probabilities
    numbers = range(max(1, found - 1), found + 2)
    return {
        number: float(possible[number]) if number < len(possible) else 0.0 for number in numbers
    }


def _within(log_odds: Values) -> Values:
    return np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS)
