"""`bench corrections`: true constraints, and the change of DER by them."""

from pathlib import Path

import numpy as np

from bench.accuracy.corrections import LEAST_S, Truth, draw, truth_of
from bench.annotations import Turn
from bench.tests.helpers import results_of, run
from hocket.corrections.constraints import Different, Named, Nobody, Same, Segment
from tests.helpers.paths import EXAMPLE

TURNS = [Turn(0, 4, "anna"), Turn(3, 6, "ben"), Turn(6, 9, "ben"), Turn(12, 12.5, "anna")]


def test_segments_for_constraints_have_one_speaker_or_none() -> None:
    truth = truth_of(TURNS, 20.0)
    assert truth.alone == {"anna": [Segment(0, 3)], "ben": [Segment(4, 9)]}
    assert truth.silent == [Segment(9.3, 11.7), Segment(12.8, 19.7)]


def test_drawn_constraints_are_true() -> None:
    truth, rng = truth_of(TURNS, 20.0), np.random.default_rng(0)
    drawn = [each for each in (draw(truth, rng) for _ in range(100)) if each]
    assert {type(each) for each in drawn} == {Same, Different, Named, Nobody}
    for each in drawn:
        assert all(place.duration > LEAST_S - 1e-9 for place in each.segments)
        speakers = [
            {turn.speaker for turn in TURNS if turn.start < place.end and place.start < turn.end}
            for place in each.segments
        ]
        if isinstance(each, Nobody):
            assert speakers == [set()]
        elif isinstance(each, Named):
            assert speakers == [{each.name.removeprefix("name of ")}]
        else:
            assert all(len(one) == 1 for one in speakers)
            assert (speakers[0] == speakers[1]) == isinstance(each, Same)


def test_rounding_moves_no_segment_out_of_its_bounds() -> None:
    rng = np.random.default_rng(0)
    for start in rng.uniform(0, 1, 50).tolist():
        truth = Truth({"anna": [Segment(start, start + 1.1)]}, [])
        drawn = [draw(truth, rng) for _ in range(10)]
        assert all(each is None or each.segments[0].start >= start for each in drawn)


def test_nothing_is_drawn_without_segments() -> None:
    rng = np.random.default_rng(1)
    assert [draw(Truth({}, []), rng) for _ in range(20)] == [None] * 20


def test_the_command_measures_a_folder(tmp_path: Path) -> None:
    found = results_of("corrections", EXAMPLE, "--number", "4", output=tmp_path / "out.json")
    assert found["constraints"] == len(found["rows"]) == 4
    assert found["mean_change"] == np.mean([row["change"] for row in found["rows"]])
    assert found["worst_change"] <= found["threshold_points"] == 0.2
    assert run("corrections", tmp_path, "--output", tmp_path / "none.json").exit_code == 1
