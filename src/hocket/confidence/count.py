"""Confidence of the number of speakers: the probability of the number found and its neighbors.

It is computed from the odds of splits and merges that were not made and from the confidence of
turns. The weights are in the model manifest, `models/data/manifest.toml` (docs/confidence.md).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hocket.confidence.turns import (
    LEAST_PROBABILITY,
    Evidence,
    SpeakerEvidence,
    Values,
    logistic,
    within,
)
from hocket.config import SpeakerCount


class CountModel(NamedTuple):
    """Weights that turn the odds of splits and merges into probabilities of numbers of speakers.

    apart_bias, apart: bias and weight of the log odds that a pair of speakers is two.
    split_bias, split: the same for the log odds that a speaker is two.
    unseen: log odds of one more speaker of whom there is no evidence.
    bias, events, sure, speakers: logistic regression of "the number found is right": bias, and
        weights of the log odds of the number by the events above, of the log odds of the mean
        confidence of turns, and of the natural logarithm of the number.
    """

    apart_bias: float
    apart: float
    split_bias: float
    split: float
    unseen: float
    bias: float
    events: float
    sure: float
    speakers: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> "CountModel":
        """The model with the weights of an embedding model, from the manifest."""
        return cls(*(calibration[f"count_{name}"] for name in cls._fields))

    def probabilities(self, speakers: SpeakerEvidence, turn_confidence: float) -> Values:
        """Probability of every number of speakers from 0 up, (numbers,).

        Args:
            speakers: the speakers found.
            turn_confidence: mean confidence of their turns. Where voices are hard to distinguish,
                their number is uncertain too.
        """
        found, number = self.by_events(speakers), len(speakers.split)
        if not number:
            return found
        traits = self.traits_of(found, number, turn_confidence)
        right = float(logistic(np.array(self.bias + np.dot(self[6:], traits))))
        found[number] = 0
        found *= (1 - right) / max(float(found.sum()), 1e-12)
        found[number] = right
        probabilities: Values = found / found.sum()
        return probabilities

    @staticmethod
    def traits_of(
        events: Values, number: int, turn_confidence: float
    ) -> tuple[float, float, float]:
        """Features of the regression, in the order of `events`, `sure` and `speakers`.

        Args:
            events: (numbers,), from `by_events`.
            number: of speakers found.
            turn_confidence: mean confidence of their turns.
        """
        return log_odds(events[number]), log_odds(turn_confidence), float(np.log(number))

    def by_events(self, speakers: SpeakerEvidence) -> Values:
        """Probability of every number by splits and pairs alone, (numbers,).

        The largest speaker counts as one. Every other speaker adds one if it is not one with a
        larger one, and any speaker adds one if it is two. These events are treated as independent.
        """
        if not len(speakers.split):
            return np.ones(1)
        apart = np.sort(within(speakers.apart))[:-1]
        events = [
            logistic(self.apart_bias + self.apart * apart),
            logistic(self.split_bias + self.split * within(speakers.split)),
            logistic(np.array([self.unseen])),
        ]
        return np.concatenate([[0.0], poisson_binomial(np.concatenate(events))])


def log_odds(probability: float) -> float:
    """Natural log odds of a probability, clipped to LEAST_PROBABILITY from 0 and 1."""
    clipped = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return float(np.log(clipped / (1 - clipped)))


def poisson_binomial(probabilities: Sequence[float] | Values) -> Values:
    """Poisson binomial distribution: number of successes of independent events, (events + 1,)."""
    found = np.ones(1)
    for probability in probabilities:
        found = np.convolve(found, [1 - probability, probability])
    return found


def count_confidence(
    evidence: Evidence, count: SpeakerCount, calibration: Mapping[str, float]
) -> Mapping[int, float]:
    """Probability of the number found, of one fewer (unless that is 0) and of one more.

    It is {0: 1.0} if no speaker speaks, and empty if the odds of splits and pairs are unknown.

    Args:
        evidence: of the result.
        count: numbers that are allowed. All others have probability 0, unless the number found is
            one of them.
        calibration: of the embedding model, with the weights of `CountModel`.
    """
    found = len(evidence.speakers.split)
    if not found:
        return {0: 1.0}
    if not evidence.speakers.judged:
        return {}
    confidence = evidence.probability(calibration)
    probabilities = CountModel.of(calibration).probabilities(
        evidence.speakers, float(confidence.mean()) if len(confidence) else 0.0
    )
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
