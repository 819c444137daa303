"""`bench review`: what answers remove, and what chance removes."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.annotations import Region, Turn
from bench.review import _scattered, worth_of
from hocket import Result
from hocket.result import UncertainSegment
from hocket.result import Turn as Found
from tests.places import EXAMPLES


def test_answers_remove_what_is_confused_where_they_are_asked() -> None:
    """Of twelve seconds of Anna four are taken for Ben's; two of these are asked for."""
    turns = (Found(0, 8, "x", 0.9), Found(8, 12, "y", 0.5), Found(20, 30, "y", 0.9))
    result = Result(
        uri="talk",
        turns=turns,
        exclusive_turns=turns,
        speakers=("x", "y"),
        embeddings=np.zeros((2, 4), np.float32),
        duration=40.0,
        seconds={},
        doubts=(
            UncertainSegment(8.0, 10.0, "y", 0.3, ("x",)),
            UncertainSegment(25.0, 27.0, "y", 0.6, ("x",)),
        ),
    )
    reference = [Turn(0, 12, "anna"), Turn(20, 30, "ben")]
    rng = np.random.default_rng(0)
    found = worth_of(result, reference, [Region(0.0, 40.0)], 4, rng)
    assert found["confusion_s"] == pytest.approx(4)
    assert found["removed_s"] == pytest.approx(2)
    assert found["asked_s"] == pytest.approx(4)
    assert found["questions"] == 2
    assert 0 < found["removed_by_chance_s"] < 1.5
    all_of_it = worth_of(result, reference, [Region(0.0, 9.0)], 1e-3, rng)
    assert all_of_it["confusion_s"] == pytest.approx(1)  # what is not scored does not count


def test_random_stretches_are_as_long_and_nothing_is_heard_twice() -> None:
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
    output = tmp_path / "review.json"
    done = CliRunner().invoke(
        main, ["review", str(EXAMPLES), "--seconds", "5", "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    content = json.loads(output.read_text())
    assert content["all"]["asked_s"] <= 5.01
    assert content["all"]["confusion_s"] > 0
    assert 0 <= content["removed_percent"] <= 100
    assert list(content["files"]) == ["conversation"]
