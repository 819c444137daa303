"""The probabilities of names from a store, and how often the names are right."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.accuracy.calibration import Values, calibration_error, fit_logistic, reliability
from bench.people.scoring import Comparison
from hocket.speakers.matching import MOST_MARGIN

if TYPE_CHECKING:
    from hocket import Result, SpeakerStore


class ClusterMatch(NamedTuple):
    """A cluster, and the speaker of a store that it matches or is nearest to.

    distance: between the two.
    margin: by how much the next speaker is further away.
    probability: of the match, from the store.
    right: whether most speech of the cluster is of that speaker.
    """

    distance: float
    margin: float
    probability: float
    right: bool


def match_clusters(
    store: "SpeakerStore", result: "Result", comparison: Comparison
) -> list[ClusterMatch]:
    """Every cluster of a result with a voice, in a store that has the speakers' true names."""
    assert result.embedding_model is not None
    found = []
    for match, embedding in zip(store.identify(result), result.embeddings, strict=True):
        near = store.nearest(embedding, result.embedding_model, 2)
        if not near or match.cluster not in comparison.labels:
            continue
        shared = comparison.found[comparison.labels.index(match.cluster)] & comparison.truth
        name = comparison.speakers[int(shared.sum(axis=1).argmax())]
        speaker = match.speaker or near[0][0]
        others = [distance for each, distance in near if each.id != speaker.id]
        margin = min(others, default=np.inf) - match.distance
        limited = float(np.clip(margin, -MOST_MARGIN, MOST_MARGIN))
        right = speaker.name == name
        found.append(ClusterMatch(match.distance, limited, match.probability, right))
    return found


def reliability_of(matches: Sequence[ClusterMatch]) -> dict[str, Any]:
    """Reliability of the probabilities, and weights fitted to these clusters."""
    distance, margin, predicted, right = np.array(matches, np.float64).reshape(-1, 4).T
    # right and wrong matches have the same total weight
    weights: Values = np.where(right, 0.5 / max(right.sum(), 1), 0.5 / max((1 - right).sum(), 1))
    bins = reliability(predicted, right, weights)
    fitted = fit_logistic(np.stack([distance, margin], axis=1), right, weights).tolist()
    return {
        "clusters": len(matches),
        "right": int(right.sum()),
        "calibration_error": calibration_error(bins),
        "reliability": [
            {"probability": each.confidence, "right": each.accuracy, "weight": each.weight}
            for each in bins
        ],
        "weights": dict(zip(("bias", "distance", "margin"), fitted, strict=True)),
    }
