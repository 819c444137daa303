"""`bench confidence`: the truth of turns, recovered weights, and reliability."""

from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.calibration import calibration_error, fit_logistic, reliability, share_in_lowest
from bench.accuracy.confidence import (
    Case,
    fit_counts,
    fit_turns,
    manifest_lines,
    measure_confidence,
    right_seconds,
)
from bench.annotations import Region, Turn
from bench.errors import BenchError
from bench.tests.helpers import results_of
from hocket.confidence.count import CountModel
from hocket.confidence.turns import SpeakerEvidence, TurnModel, TurnTraits, logistic
from hocket.models import read_catalogue
from tests.helpers.paths import EXAMPLE

ALL = [Region(0.0, 100.0)]
TRUTH = TurnModel(-0.5, 0.8, 0.4, -0.3, 0.6, 0.3, -0.2, 0.5, 0.1)
NUMBERS = CountModel(0.5, 0.6, -1.0, 0.5, -3.0, -0.4, 0.9, 0.6, -0.3)


def cases(number: int, seed: int) -> list[Case]:
    """Recordings of three turns and two or three speakers, drawn from TRUTH and NUMBERS."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(number):
        traits = rng.normal(size=(3, len(TurnTraits._fields)))
        right = TRUTH.probability(TurnTraits(*traits.T))
        scored = rng.uniform(1, 5, 3)
        happens = rng.random(3) < right
        seconds = np.stack([scored, scored * happens, scored * ~happens], axis=1)
        odds = SpeakerEvidence(
            np.zeros((0, 2), np.float32),
            rng.uniform(-5, 5, 2),
            np.array([np.inf, rng.uniform(-5, 5)]),
            True,
        )
        found = NUMBERS.probabilities(odds, float(right.mean()))
        number = int(rng.choice(len(found), p=found))
        made.append(Case(traits, seconds, np.arange(3), odds, number))
    return made


def test_a_turn_is_right_while_its_speaker_speaks() -> None:
    reference = [Turn(0, 4, "anna"), Turn(4, 6, "ben")]
    found = [Turn(0, 3, "x"), Turn(3, 6, "y"), Turn(8, 9, "x")]
    expected = [(3, 3, 0), (3, 2, 1), (1, 0, 0)]  # the last is a false alarm, no confusion
    np.testing.assert_allclose(right_seconds(found, reference, ALL), expected, atol=1e-9)
    half = right_seconds(found, reference, [Region(0.0, 3.5)])
    np.testing.assert_allclose(half, [(3, 3, 0), (0.5, 0, 0.5), (0, 0, 0)], atol=1e-9)


def test_turns_that_are_wrong_at_once_share_the_confusion() -> None:
    found = right_seconds(
        [Turn(0, 4, "x"), Turn(10, 12, "y"), Turn(0, 4, "z")],
        [Turn(0, 4, "ben"), Turn(10, 12, "ben"), Turn(20, 21, "anna")],
        ALL,
    )
    assert found[:, 0].tolist() == pytest.approx([4, 2, 4])
    assert found[:, 2].sum() == pytest.approx(2)  # at 10 s; at 0 s the other is a false alarm


def test_nothing_found_and_nothing_true() -> None:
    assert right_seconds([], [Turn(0, 1, "a")], ALL).shape == (0, 3)
    assert right_seconds([Turn(0, 1, "a")], [], ALL).tolist() == [[1.0, 0.0, 0.0]]


def test_weights_are_recovered() -> None:
    np.testing.assert_allclose(fit_turns(cases(1000, 1)), TRUTH, atol=0.2)
    found = fit_counts(cases(60, 3), TRUTH)
    for name in ("apart", "split", "sure"):
        assert getattr(found, name) == pytest.approx(getattr(NUMBERS, name), abs=1.0), name


def test_true_weights_are_reliable_and_wrong_ones_are_not() -> None:
    made = cases(400, 2)
    good = measure_confidence(made, TRUTH, NUMBERS)
    assert good["turns"]["calibration_error"] < 0.04
    assert good["counts"]["calibration_error"] < 0.08
    bad = measure_confidence(made, TRUTH._replace(bias=2.0), NUMBERS._replace(bias=3.0))
    assert bad["turns"]["calibration_error"] > 0.2
    assert bad["counts"]["calibration_error"] > 0.2
    assert 0.1 < good["turns"]["confusion_in_lowest_tenth"] < 0.4


def test_a_fit_by_hand() -> None:
    traits = np.array([[0.0], [0.0], [1.0], [1.0]])
    truth, weights = np.array([0.0, 1.0, 0.0, 1.0]), np.array([3.0, 1.0, 1.0, 3.0])
    found = fit_logistic(traits, truth, weights)
    assert logistic(np.array([found[0], found.sum()])) == pytest.approx([0.25, 0.75], abs=2e-3)


def test_bins_have_equal_weight_and_errors_are_weighted() -> None:
    predicted, truth = np.array([0.9, 0.1, 0.2, 0.8]), np.array([1.0, 0.0, 0.0, 1.0])
    bins = reliability(predicted, truth, np.array([2.0, 1.0, 1.0, 2.0]), bins=3)
    assert [each.weight for each in bins] == [2.0, 2.0, 2.0]
    assert [each.confidence for each in bins] == pytest.approx([0.15, 0.8, 0.9])
    assert [each.accuracy for each in bins] == [0.0, 1.0, 1.0]
    assert calibration_error(bins) == pytest.approx((0.15 + 0.2 + 0.1) / 3)
    assert calibration_error([]) is None


def test_the_share_in_the_lowest_part() -> None:
    predicted, amount, time = np.array([0.9, 0.2, 0.5]), np.array([1.0, 2.0, 1.0]), np.ones(3)
    assert share_in_lowest(predicted, amount, time, 1 / 3) == pytest.approx(0.5)
    assert share_in_lowest(predicted, amount, time, 1 / 2) == pytest.approx(0.5 + 0.5 / 4)
    assert share_in_lowest(predicted, np.zeros(3), time, 0.1) is None


def test_without_a_turn_there_is_nothing_to_learn() -> None:
    with pytest.raises(BenchError, match="no turn"):
        fit_turns([])
    with pytest.raises(BenchError, match="no speaker"):
        fit_counts([], TRUTH)


def test_the_command_measures_the_shipped_weights(tmp_path: Path) -> None:
    output = tmp_path / "confidence.json"
    content = results_of("confidence", EXAMPLE, "--measure", output=output)
    weights = read_catalogue().calibrations["campplus-local"]
    assert content["weights"] == manifest_lines(TurnModel.of(weights), CountModel.of(weights))
    assert content["turns"]["seconds"] > 10
    assert sum(each["seconds"] for each in content["turns"]["reliability"]) == pytest.approx(
        content["turns"]["seconds"]
    )
