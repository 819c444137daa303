"""`bench people`: matches of clusters with a store, and the reliability of their probabilities."""

from pathlib import Path

import numpy as np
import pytest

from bench.annotations import Turn
from bench.people.matches import ClusterMatch, match_clusters, reliability_of
from bench.people.scoring import compare
from hocket import SpeakerStore
from hocket.speakers.matching import MOST_MARGIN
from tests.helpers.voice_vectors import MODEL, axis, between, exemplar, result_of


def test_a_cluster_is_compared_with_its_match_or_the_nearest_speaker(tmp_path: Path) -> None:
    """Anna speaks for 10 s, then Dora, who is not in the store."""
    result = result_of([axis(0), between(5, 1, 0.9)])
    turns = [Turn(0, 10, "Anna"), Turn(10, 20, "Dora")]
    found = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
    comparison = compare(turns, found, 20)
    with SpeakerStore(tmp_path / "team.db") as store:
        store.enroll("Anna", [exemplar(axis(0))], MODEL)
        store.enroll("Ben", [exemplar(axis(1))], MODEL)
        anna, dora = match_clusters(store, result, comparison)
        store.forget("Ben")
        alone, _ = match_clusters(store, result, comparison)
    assert (anna.distance, anna.margin, anna.right) == (pytest.approx(0, abs=1e-6), 0.5, True)
    assert (dora.distance, dora.right) == (pytest.approx(0.564, abs=1e-3), False)
    assert dora.margin == pytest.approx(1 - 0.564, abs=1e-3)
    assert anna.probability > 0.99
    assert dora.probability < 0.7
    assert alone.margin == MOST_MARGIN


def test_weights_are_recovered_and_errors_are_measured() -> None:
    rng = np.random.default_rng(0)
    distance, margin = rng.uniform(0, 1, 2000), rng.uniform(-0.5, 0.5, 2000)
    true = 1 / (1 + np.exp(-(6 - 12 * distance + 5 * margin)))
    matches = [
        ClusterMatch(d, m, p, bool(rng.random() < p))
        for d, m, p in zip(distance.tolist(), margin.tolist(), true.tolist(), strict=True)
    ]
    found = reliability_of(matches)
    assert found["calibration_error"] < 0.05
    assert found["weights"]["distance"] == pytest.approx(-12, abs=1.5)
    assert found["weights"]["margin"] == pytest.approx(5, abs=1)
    wrong = reliability_of([each._replace(probability=1 - each.probability) for each in matches])
    assert wrong["calibration_error"] > 0.3
