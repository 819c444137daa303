"""Names from a store: what is asked of clusters, and how right their probabilities are."""

from pathlib import Path

import numpy as np
import pytest

from bench.annotations import Turn
from bench.people_matches import Asked, asked_of, reliability_of
from bench.people_scoring import compare
from hocket import SpeakerStore
from hocket.speakers.matching import MOST_MARGIN
from tests.voices import MODEL, axis, between, exemplar, result_of


def test_a_cluster_is_asked_about_who_it_is_or_is_nearest_to(tmp_path: Path) -> None:
    """Anna speaks for 10 s, then Dora, whom the store does not know."""
    result = result_of([axis(0), between(5, 1, 0.9)])
    turns = [Turn(0, 10, "Anna"), Turn(10, 20, "Dora")]
    found = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
    heard = compare(turns, found, 20)
    with SpeakerStore(tmp_path / "team.db") as store:
        store.enroll("Anna", [exemplar(axis(0))], MODEL)
        store.enroll("Ben", [exemplar(axis(1))], MODEL)
        anna, dora = asked_of(store, result, heard)
        store.forget("Ben")
        alone, _ = asked_of(store, result, heard)
    assert (anna.distance, anna.margin, anna.right) == (pytest.approx(0, abs=1e-6), 0.5, True)
    assert (dora.distance, dora.right) == (pytest.approx(0.564, abs=1e-3), False)
    assert dora.margin == pytest.approx(1 - 0.564, abs=1e-3)
    assert anna.probability > 0.99
    assert dora.probability < 0.7
    assert alone.margin == MOST_MARGIN


def test_weights_are_found_again_and_errors_are_seen() -> None:
    rng = np.random.default_rng(0)
    distance, margin = rng.uniform(0, 1, 4000), rng.uniform(-0.5, 0.5, 4000)
    true = 1 / (1 + np.exp(-(6 - 12 * distance + 5 * margin)))
    asked = [
        Asked(d, m, p, bool(rng.random() < p))
        for d, m, p in zip(distance.tolist(), margin.tolist(), true.tolist(), strict=True)
    ]
    found = reliability_of(asked)
    assert found["calibration_error"] < 0.05
    assert found["weights"]["distance"] == pytest.approx(-12, abs=1.5)
    assert found["weights"]["margin"] == pytest.approx(5, abs=1)
    wrong = reliability_of([each._replace(probability=1 - each.probability) for each in asked])
    assert wrong["calibration_error"] > 0.3
