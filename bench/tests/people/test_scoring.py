"""`bench people`: names compared with the truth."""

import pytest

from bench.annotations import Turn
from bench.people.scoring import Tally, compare, label_seconds, main_label, tally

TRUTH = [Turn(0.0, 4.0, "anna"), Turn(3.0, 6.0, "ben"), Turn(8.0, 10.0, "cleo")]


def test_right_wrong_unnamed_and_missed() -> None:
    found = [
        Turn(0.0, 4.0, "0"),  # anna; in the overlap ben is missed
        Turn(4.0, 5.0, "1"),  # ben, called dora
        Turn(5.0, 6.0, "2"),  # ben, without a name
        Turn(9.0, 10.0, "3"),  # cleo, half of whose speech is missed
    ]
    both = compare(TRUTH, found, 10.0)
    tallies = tally(both, {"0": "anna", "1": "dora", "3": "cleo"})
    assert tallies["anna"] == Tally(4.0, 4.0, 0.0, 0.0)
    assert tallies["ben"] == Tally(3.0, 0.0, 1.0, 1.0)
    assert tallies["cleo"] == Tally(2.0, 1.0, 0.0, 0.0)
    assert tallies["ben"].right_percent == 0
    assert tallies["cleo"].right_percent == 100
    pooled = tallies["ben"] + tallies["cleo"]
    assert pooled.right_percent == pytest.approx(100 / 3, abs=1e-3)
    assert pooled.right_of_all_percent == 20
    assert Tally().right_percent is Tally().right_of_all_percent is None
    labels = label_seconds(both, {"0": "anna", "1": "dora", "3": "cleo"})
    assert (labels.found_s, labels.named_s, labels.right_s) == pytest.approx((7, 6, 5))


def test_a_wrong_label_is_shared_by_two_speakers() -> None:
    both = compare([Turn(0, 2, "anna"), Turn(0, 2, "ben")], [Turn(0, 2, "0")], 2.0)
    assert tally(both, {"0": "zoe"})["anna"] == Tally(2.0, 0.0, 1.0, 0.0)
    assert tally(both, {})["ben"] == Tally(2.0, 0.0, 0.0, 1.0)


def test_a_name_where_only_another_speaker_speaks_is_wrong() -> None:
    both = compare(TRUTH, [Turn(0.0, 6.0, "0")], 10.0)
    tallies = tally(both, {"0": "anna"})
    assert tallies["anna"].right_s == 4
    assert tallies["ben"].wrong_s == 2


def test_the_main_label_has_most_of_the_speech() -> None:
    both = compare(TRUTH, [Turn(0.0, 3.5, "0"), Turn(3.5, 6.0, "1")], 10.0)
    assert [main_label(both, name) for name in ("anna", "ben", "cleo", "dora")] == [
        "0", "1", None, None,
    ]  # fmt: skip
    assert main_label(compare(TRUTH, [], 10.0), "anna") is None
