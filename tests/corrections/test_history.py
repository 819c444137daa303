"""Steps of edits: undone, redone, bounded, and the same from plain values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.corrections import history
from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
    constraints_of,
    entries_of,
)
from hocket.corrections.history import History
from hocket.errors import ConfigError, EditError

TIMES = st.floats(0, 1e5, allow_nan=False)
SEGMENTS = st.builds(lambda start, length: Segment(start, start + 0.1 + length), TIMES, TIMES)
NAMES = st.text(min_size=1, max_size=20).filter(lambda name: name.strip() and name.isprintable())
CONSTRAINTS: st.SearchStrategy[Constraint] = st.one_of(
    st.builds(Named, SEGMENTS, NAMES),
    st.builds(Absent, SEGMENTS, NAMES),
    st.builds(Nobody, SEGMENTS),
    st.builds(Different, SEGMENTS, SEGMENTS),
    st.builds(Same, st.lists(SEGMENTS, min_size=2, max_size=4).map(tuple)),
)
MOVES = st.lists(st.one_of(st.sampled_from(["undo", "redo"]), st.lists(CONSTRAINTS, max_size=4)))


@given(st.lists(CONSTRAINTS))
def test_constraints_are_equal_after_json(wanted: list[Constraint]) -> None:
    assert constraints_of(json.loads(json.dumps(entries_of(wanted)))) == tuple(wanted)


@given(MOVES)
def test_a_history_is_a_row_of_states_with_a_place_in_it(moves: list[object]) -> None:
    found, states, place = History(), [()], 0
    for number, move in enumerate(moves):
        before = found.revision
        if isinstance(move, list):
            found = found.did(f"Edit {number}", move)
            states, place = [*states[: place + 1], tuple(move)], place + 1
        elif move == "undo" and place:
            found, place = found.undone(), place - 1
        elif move == "redo" and place + 1 < len(states):
            found, place = found.redone(), place + 1
        else:
            with pytest.raises(EditError, match=f"there is nothing to {move}"):
                found.undone() if move == "undo" else found.redone()
            continue
        assert found.revision == before + 1
        assert found.constraints == states[place]
        assert (found.undo_label is None) == (place == 0)
        assert (found.redo_label is None) == (place + 1 == len(states))
    assert History.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_labels_say_what_is_undone_and_redone() -> None:
    found = History().did("One", ()).did("Two", ()).undone()
    assert (found.undo_label, found.redo_label) == ("One", "Two")


def test_the_oldest_steps_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_STEPS", 5)
    found = History()
    for number in range(12):
        found = found.did(f"{number}", [Nobody(Segment(0, 1))])
    assert [step.label for step in found.steps] == ["6", "7", "8", "9", "10", "11"]
    assert (found.undo_label, found.revision) == ("11", 12)
    for _ in range(5):
        found = found.undone()
    assert found.undo_label is None
    monkeypatch.setattr(history, "MOST_KEPT", 100)
    many = [Nobody(Segment(n, n + 1)) for n in range(90)]
    found = History().did("a", many).did("b", many)
    assert [step.label for step in found.steps] == ["a", "b"]  # one step can always be undone


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"constraints": [], "steps": [], "current": 0, "revision": 0},
        {
            "constraints": [],
            "steps": [{"label": "", "constraints": [0]}],
            "current": 0,
            "revision": 0,
        },
        {
            "constraints": [7],
            "steps": [{"label": "", "constraints": []}],
            "current": 0,
            "revision": 0,
        },
        {
            "constraints": [],
            "steps": [{"label": "", "constraints": []}],
            "current": 1,
            "revision": 0,
        },
        {"constraints": [], "steps": [[]], "current": 0, "revision": 0},
    ],
    ids=str,
)
def test_what_is_no_history_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="not a history of edits"):
        History.from_dict(content)
