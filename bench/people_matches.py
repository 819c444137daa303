"""How probable names from a store are, and how often they are right."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.calibration import Values, calibration_error, fit_logistic, reliability
from bench.people_scoring import Heard
from hocket.speakers.matching import MOST_MARGIN

if TYPE_CHECKING:
    from hocket import Result, SpeakerStore


class Asked(NamedTuple):
    """A cluster, and the speaker of a store it is or is nearest to.

    distance: between the two.
    margin: how much further the next speaker is.
    probability: what the store said.
    right: whether most of what the cluster says is that speaker's.
    """

    distance: float
    margin: float
    probability: float
    right: bool


def asked_of(store: "SpeakerStore", result: "Result", heard: Heard) -> list[Asked]:
    """Every cluster of a result that has a voice, in a store whose speakers have people's names."""
    assert result.embedding_model is not None
    found = []
    for match, embedding in zip(store.identify(result), result.embeddings, strict=True):
        near = store.nearest(embedding, result.embedding_model, 2)
        if not near or match.cluster not in heard.labels:
            continue
        said = heard.found[heard.labels.index(match.cluster)] & heard.truth
        person = heard.people[int(said.sum(axis=1).argmax())]
        speaker = match.speaker or near[0][0]
        others = [distance for each, distance in near if each.id != speaker.id]
        margin = min(others, default=np.inf) - match.distance
        limited = float(np.clip(margin, -MOST_MARGIN, MOST_MARGIN))
        right = speaker.name == person
        found.append(Asked(match.distance, limited, match.probability, right))
    return found


def reliability_of(asked: Sequence[Asked]) -> dict[str, Any]:
    """How right the probabilities are, and the weights these clusters would have given."""
    distance, margin, said, right = np.array(asked, np.float64).reshape(-1, 4).T
    # those who are nobody's count as much as the others
    weights: Values = np.where(right, 0.5 / max(right.sum(), 1), 0.5 / max((1 - right).sum(), 1))
    bins = reliability(said, right, weights)
    fitted = fit_logistic(np.stack([distance, margin], axis=1), right, weights).tolist()
    return {
        "clusters": len(asked),
        "right": int(right.sum()),
        "calibration_error": calibration_error(bins),
        "reliability": [
            {"probability": each.confidence, "right": each.accuracy, "weight": each.weight}
            for each in bins
        ],
        "weights": dict(zip(("bias", "distance", "margin"), fitted, strict=True)),
    }
