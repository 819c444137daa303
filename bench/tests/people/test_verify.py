"""`bench people`: verification of clips, and equal error rates."""

from types import SimpleNamespace

import numpy as np
import pytest

from bench.people import verify
from bench.people.tables import people_table
from bench.people.verify import Pairs, cut, equal_error, errors
from bench.people.voices import RATE
from bench.tests.people.doubles import SPEAKERS
from bench.tests.people.helpers import tone


def test_the_equal_error_is_where_both_errors_are_equally_frequent() -> None:
    right, wrong = np.array([0.1, 0.2, 0.3, 0.7]), np.array([0.25, 0.6, 0.8, 0.9])
    rate, distance = equal_error(right, wrong)
    assert rate == 0.25
    assert 0.3 <= distance < 0.6
    apart = equal_error(np.array([0.1, 0.2]), np.array([0.6, 0.8]))
    assert apart == (0, pytest.approx(0.4))
    assert equal_error(np.array([0.9]), np.array([0.1]))[0] == 1


def test_a_distance_equal_to_the_threshold_is_accepted() -> None:
    pairs = Pairs(np.array([[0.2, 0.9], [0.5, 0.6]]), np.array([[True, False], [False, True]]))
    found = errors(pairs, 0.5)
    assert (found["right_pairs"], found["wrong_pairs"]) == (2, 2)
    assert (found["refused_percent"], found["accepted_percent"]) == (50, 50)


def test_clips_are_cut_within_sounds() -> None:
    sounds = (tone(7.0), tone(2.9, 300.0), tone(3.0, 400.0))
    found = cut(sounds)
    assert [len(clip) for clip in found] == [3 * RATE] * 3
    np.testing.assert_array_equal(found[2], sounds[2])
    assert len(cut((tone(90.0),))) == verify.CLIPS_OF_ONE


@pytest.mark.usefixtures("doubles")
def test_clips_with_speakers_of_a_store_and_with_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify, "in_room", lambda sound, _: sound)
    sounds = {name: np.full(8 * RATE, index, np.float32) for index, name in enumerate(SPEAKERS)}
    sounds["refused"] = np.full(8 * RATE, 9, np.float32)
    monkeypatch.setattr(
        verify, "divide", lambda clips: SimpleNamespace(enrolled=clips[0], rest=clips)
    )
    clips = {name: (sound,) for name, sound in sounds.items()}
    clips["anna"] = (sounds["anna"], sounds["anna"])
    found = verify.measure_verification(clips, None, lambda _: None)  # type: ignore[arg-type]
    rows = {(row["pairs"], row["place"]): row for row in found["rows"]}
    by_store = rows["clip and speaker", "clean"]
    assert (by_store["people"], by_store["clips"], by_store["clips_refused"]) == (5, 12, 2)
    assert (by_store["right_pairs"], by_store["wrong_pairs"]) == (12, 48)
    assert by_store["equal_error_percent"] == 0
    assert rows["clip and speaker of several clips", "clean"]["right_pairs"] == 4
    assert rows["clip and clip", "in a room"]["right_pairs"] == 6 + 4
    assert "clip and clip, in a room" in people_table("verify", found)
