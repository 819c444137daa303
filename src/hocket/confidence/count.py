"""How sure a number of speakers is: the probability of the number found, and of its neighbours.

It comes from the splits and merges that were not made and from the confidence of turns; the weights
stand in `models/manifest.toml` (docs/confidence.md).
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
    """What the odds of changes not made are worth where a number of speakers is concerned.

    apart_bias, apart: of the log odds that two speakers are two, the probability's log odds.
    split_bias, split: the same of a speaker being two.
    unseen: log odds that one more speaks, of whom nothing is seen.
    bias, events, sure, speakers: of the log odds that the number found is right: what the events
        above come to, in log odds; those of the mean confidence of turns; the logarithm of the
        number.
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
        """With the weights of a manifest."""
        return cls(*(calibration[f"count_{name}"] for name in cls._fields))

    def probabilities(self, speakers: SpeakerEvidence, sure: float) -> Values:
        """Probability of every number of speakers, from 0 up, (numbers,).

        Args:
            speakers: those found.
            sure: mean confidence of their turns. Where voices are hard to tell apart, their number
                is too.
        """
        found, number = self.by_events(speakers), len(speakers.split)
        if not number:
            return found
        traits = self.traits_of(found, number, sure)
        right = float(logistic(np.array(self.bias + np.dot(self[6:], traits))))
        found[number] = 0
        found *= (1 - right) / max(float(found.sum()), 1e-12)
        found[number] = right
        probabilities: Values = found / found.sum()
        return probabilities

    @staticmethod
    def traits_of(events: Values, number: int, sure: float) -> tuple[float, float, float]:
        """What tells that a number is right: log odds of the events, of turns, logarithm."""
        return log_odds(events[number]), log_odds(sure), float(np.log(number))

    def by_events(self, speakers: SpeakerEvidence) -> Values:
        """The same by splits and pairs alone, (numbers,).

        Each speaker but the largest is one more if it is apart from a larger one, and each is two
        if it should have been split; these are taken for independent.
        """
        if not len(speakers.split):
            return np.ones(1)
        apart = np.sort(within(speakers.apart))[:-1]
        more = [
            logistic(self.apart_bias + self.apart * apart),
            logistic(self.split_bias + self.split * within(speakers.split)),
            logistic(np.array([self.unseen])),
        ]
        return np.concatenate([[0.0], poisson_binomial(np.concatenate(more))])


def log_odds(probability: float) -> float:
    """Probability to log odds, within those of LEAST_PROBABILITY."""
    within = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    return float(np.log(within / (1 - within)))


def poisson_binomial(probabilities: Sequence[float] | Values) -> Values:
    """Probability of every number of successes of independent events, (events + 1,)."""
    found = np.ones(1)
    for probability in probabilities:
        found = np.convolve(found, [1 - probability, probability])
    return found


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
    sure = evidence.probability(calibration)
    probabilities = CountModel.of(calibration).probabilities(
        evidence.speakers, float(sure.mean()) if len(sure) else 0.0
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
