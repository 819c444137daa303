"""`bench corrections`: true constraints, and what they change."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from bench.__main__ import main
from bench.annotations import Turn
from bench.corrections import LEAST_S, Known, draw, index_exemplars
from hocket.corrections.constraints import Different, Named, Nobody, Same, Segment
from tests.places import EXAMPLES

TURNS = [Turn(0, 4, "anna"), Turn(3, 6, "ben"), Turn(6, 9, "ben"), Turn(12, 12.5, "anna")]


def test_people_are_pointed_at_where_they_are_alone_and_nobody_where_all_are_silent() -> None:
    known = index_exemplars(TURNS, 20.0)
    assert known.alone == {"anna": [Segment(0, 3)], "ben": [Segment(4, 9)]}
    assert known.silent == [Segment(9.3, 11.7), Segment(12.8, 19.7)]


def test_what_is_drawn_is_true() -> None:
    known, rng = index_exemplars(TURNS, 20.0), np.random.default_rng(0)
    drawn = [each for each in (draw(known, rng) for _ in range(200)) if each]
    assert {type(each) for each in drawn} == {Same, Different, Named, Nobody}
    for each in drawn:
        assert all(place.length_s > LEAST_S - 1e-9 for place in each.segments)
        people = [
            {turn.speaker for turn in TURNS if turn.start < place.end and place.start < turn.end}
            for place in each.segments
        ]
        if isinstance(each, Nobody):
            assert people == [set()]
        elif isinstance(each, Named):
            assert people == [{each.name.removeprefix("name of ")}]
        else:
            assert all(len(one) == 1 for one in people)
            assert (people[0] == people[1]) == isinstance(each, Same)


def test_a_stretch_may_be_all_there_is() -> None:
    """Its length is one rounding away from what there is."""
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 1, 300).tolist()
    for start in starts:
        known = Known({"anna": [Segment(start, start + 1.1)]}, [])
        drawn = [draw(known, rng) for _ in range(10)]
        assert all(each is None or each.segments[0].start >= start for each in drawn)


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    rng = np.random.default_rng(1)
    assert [draw(Known({}, []), rng) for _ in range(20)] == [None] * 20


def test_the_command_measures_a_folder(tmp_path: Path) -> None:
    output = tmp_path / "corrections.json"
    words = ["corrections", str(EXAMPLES), "--number", "6", "--output", str(output)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["constraints"] == len(found["rows"]) == 6
    assert found["mean_change"] == np.mean([row["change"] for row in found["rows"]])
    assert found["worst_change"] <= 0.2
    words[1] = str(tmp_path)
    assert CliRunner().invoke(main, words).exit_code == 1
