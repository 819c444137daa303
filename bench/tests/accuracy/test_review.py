"""`bench review`: confusion removed by selected segments and by random ones."""

from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.review import _scattered, value_of
from bench.annotations import Region, Turn
from bench.tests.helpers import results_of
from hocket import Result
from hocket.result import UncertainSegment
from hocket.turns import Turn as Found
from tests.helpers.paths import EXAMPLE


def test_corrections_remove_confusion_inside_the_segments() -> None:
    """Of twelve seconds of Anna four are confused with Ben; two of these are selected."""
    turns = (Found(0, 8, "x", 0.9), Found(8, 12, "y", 0.5), Found(20, 30, "y", 0.9))
    result = Result(
        uri="talk",
        turns=turns,
        exclusive_turns=turns,
        speakers=("x", "y"),
        embeddings=np.zeros((2, 4), np.float32),
        duration=40.0,
        seconds={},
        uncertain=(
            UncertainSegment(8.0, 10.0, "y", 0.3, ("x",)),
            UncertainSegment(25.0, 27.0, "y", 0.6, ("x",)),
        ),
    )
    reference = [Turn(0, 12, "anna"), Turn(20, 30, "ben")]
    rng = np.random.default_rng(0)
    found = value_of(result, reference, [Region(0.0, 40.0)], 4, rng)
    assert found["confusion_s"] == pytest.approx(4)
    assert found["removed_s"] == pytest.approx(2)
    assert found["selected_s"] == pytest.approx(4)
    assert found["segments"] == 2
    assert 0 < found["removed_by_chance_s"] < 1.5
    part = value_of(result, reference, [Region(0.0, 9.0)], 1e-3, rng)
    assert part["confusion_s"] == pytest.approx(1)  # only scored regions count


def test_random_segments_have_the_lengths_and_do_not_overlap() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        places = _scattered([3.0, 1.0, 0.5], 10.0, rng)
        assert sorted(round(end - start, 6) for start, end in places) == [0.5, 1.0, 3.0]
        edges = [edge for place in places for edge in place]
        assert edges == sorted(edges)
        assert edges[0] >= 0
        assert edges[-1] <= 10 + 1e-9
    assert _scattered([], 10.0, rng) == []


def test_the_command_measures_a_folder(tmp_path: Path) -> None:
    content = results_of("review", EXAMPLE, "--seconds", "5", output=tmp_path / "review.json")
    assert content["all"]["selected_s"] <= 5.01
    assert content["all"]["confusion_s"] > 0
    assert 0 <= content["removed_percent"] <= 100
    assert list(content["files"]) == ["conversation"]
