"""Calibration: a logistic regression, and the distance of probabilities from the truth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
BINS = 10
RIDGE = 1e-3  # on standardized traits


class Bin(NamedTuple):
    """A bin of similar probabilities.

    confidence, accuracy: weighted means of the probabilities and of the truth.
    weight: sum of its weights.
    """

    confidence: float
    accuracy: float
    weight: float


def fit_logistic(traits: Values, truth: Values, weights: Values) -> Values:
    """Bias and weights of the logistic regression with the least log loss, (1 + traits,).

    Args:
        traits: (cases, traits).
        truth: (cases,), 0 to 1.
        weights: (cases,).
    """
    from scipy.optimize import minimize

    mean, spread = traits.mean(axis=0), traits.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(traits)), (traits - mean) / spread])
    shares = weights / weights.sum()

    def loss(found: Values) -> tuple[float, Values]:
        log_odds = design @ found
        value = shares @ (np.logaddexp(0, log_odds) - truth * log_odds)
        slope = design.T @ (shares * (1 / (1 + np.exp(-log_odds)) - truth))
        slope[1:] += RIDGE * found[1:]
        return float(value + RIDGE * found[1:] @ found[1:] / 2), slope

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B").x
    slopes = found[1:] / spread
    return np.concatenate([[found[0] - slopes @ mean], slopes])


def reliability(predicted: Values, truth: Values, weights: Values, bins: int = BINS) -> list[Bin]:
    """Bins of equal weight in order of probability; a case is in the bin of its middle.

    Args:
        predicted: (cases,), 0 to 1.
        truth: (cases,), 0 to 1.
        weights: (cases,), above 0.
        bins: how many; empty ones are dropped.
    """
    order = np.argsort(predicted, kind="stable")
    predicted, truth, weights = predicted[order], truth[order], weights[order]
    middle = np.cumsum(weights) - weights / 2
    place = np.minimum(middle / weights.sum() * bins, bins - 1).astype(int)
    return [
        Bin(
            float(np.average(predicted[place == each], weights=weights[place == each])),
            float(np.average(truth[place == each], weights=weights[place == each])),
            float(weights[place == each].sum()),
        )
        for each in range(bins)
        if (place == each).any()
    ]


def calibration_error(bins: list[Bin]) -> float | None:
    """Expected calibration error: weighted mean of |confidence - accuracy|; None without bins."""
    if not bins:
        return None
    distances = [abs(each.confidence - each.accuracy) for each in bins]
    return float(np.average(distances, weights=[each.weight for each in bins]))


def share_in_lowest(
    predicted: Values, amount: Values, weights: Values, part: float
) -> float | None:
    """Share of `amount` in the part of the weight with the lowest probabilities.

    The case at the edge counts by the share of it inside. None if there is no amount.
    """
    order = np.argsort(predicted, kind="stable")
    amount, weights = amount[order], weights[order]
    before = np.cumsum(weights) - weights
    inside = np.clip((part * weights.sum() - before) / weights, 0, 1)
    return float(inside @ amount / amount.sum()) if amount.sum() > 0 else None
