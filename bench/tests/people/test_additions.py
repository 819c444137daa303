"""`bench people`: additions to speakers of a store."""

import numpy as np
import pytest

from bench.people import additions
from bench.people.additions import CONDITIONS, measure_additions
from bench.people.tables import people_table
from bench.people.voices import RATE, Divided
from hocket.errors import SpeakerError


def test_taken_and_refused_are_counted_by_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = {name: np.full(9 * RATE, index, np.float32) for index, name in enumerate("abcdef")}
    monkeypatch.setattr(
        additions, "divide", lambda clips, _=None: Divided(sounds[clips], (sounds[clips],))
    )
    monkeypatch.setattr(additions, "_changed", lambda sound, *_: sound)
    tried = []

    def add_both(enrolled: object, right: object, wrong: object, _: object) -> tuple[str, str]:
        tried.append((np.mean(enrolled), np.mean(right), np.mean(wrong)))
        first = len(tried) == 1
        return ("not clear" if first else "taken", "taken" if first else "another voice")

    monkeypatch.setattr(additions, "add_both", add_both)
    clips = {name: name for name in sounds}
    found = measure_additions(clips, 12, None, lambda _: None)  # type: ignore[arg-type]
    assert all(own == right != wrong for own, right, wrong in tried)
    rows = {row["condition"]: row for row in found["rows"]}
    assert rows.keys() == {*CONDITIONS, "all"}
    everything = rows["all"]
    assert (everything["right"], everything["right_taken"]) == (12, 11)
    assert (everything["wrong"], everything["wrong_refused"]) == (12, 11)
    assert rows["clean"]["right_not_clear"] == 1
    assert rows["in a room"]["right_taken"] == rows["in a room"]["right"] == 3
    assert "11 of 12" in people_table("additions", found)


def test_every_addition_meets_a_store_of_one_speaker(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def enroll(store: object, name: str, clips: list[float], *_: object, **options: bool) -> None:
        calls.append((clips[0], options.get("add", False)))
        if clips[0] == 3:
            raise SpeakerError("is not the voice of Anna")

    monkeypatch.setattr("hocket.speakers.enroll.enroll", enroll)
    assert additions.add_both(1, 2, 3, None) == ("taken", "another voice")  # type: ignore[arg-type]
    assert calls == [(1, False), (2, True), (1, False), (3, True)]
