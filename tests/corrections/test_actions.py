"""Actions of an editor: what cannot be is refused with what is expected."""

from typing import Any

import pytest

from hocket.corrections.actions import (
    Apart,
    Assign,
    Boundary,
    Merge,
    Rename,
    Silence,
    Split,
    action_of,
)
from hocket.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "action", "label"),
    [
        (
            {"kind": "rename", "speaker": "SPEAKER_00", "name": " Anna  B. "},
            Rename("SPEAKER_00", "Anna B."),
            "Rename SPEAKER_00 to Anna B.",
        ),
        (
            {"kind": "merge", "speakers": ["A", "B", "A", "C"]},
            Merge(("A", "B", "C")),
            "Merge A, B and C",
        ),
        (
            {"kind": "split", "speaker": "A", "start": 10, "end": 15.2, "at": 72.5 - 60},
            Split("A", 10, 15.2, 12.5),
            "Split a turn of A at 0:12.5",
        ),
        (
            {"kind": "boundary", "speaker": "A", "start": 1, "end": 2, "edge": "end", "to": 61},
            Boundary("A", 1, 2, "end", 61),
            "Move the end of a turn of A to 1:01",
        ),
        (
            {"kind": "assign", "start": 10, "end": 12, "speaker": "Anna"},
            Assign(10, 12, "Anna"),
            "Assign 0:10 to 0:12 to Anna",
        ),
        ({"kind": "silence", "start": 0, "end": 2}, Silence(0, 2), "Nobody from 0:00 to 0:02"),
        (
            {"kind": "apart", "one": [0, 2], "other": [3, 4]},
            Apart((0, 2), (3, 4)),
            "Different people at 0:00 and 0:03",
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_an_action_is_read_and_named(given: dict[str, Any], action: object, label: str) -> None:
    found = action_of(given)
    assert found == action
    assert found.label == label


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (3, "found 3; give an object"),
        ({}, "no action of kind null; give one of rename, merge"),
        ({"kind": ["rename"]}, r'no action of kind \["rename"\]'),
        ({"kind": "renam"}, "did you mean 'rename'"),
        ({"kind": "silence", "start": 1}, "the action 'silence' has start, end; look at \"end\""),
        ({"kind": "silence", "start": 1, "end": 2, "at": 3}, 'look at "at"'),
        ({"kind": "silence", "start": 2, "end": 2}, r"segment \[2, 2\] ends where it starts"),
        ({"kind": "silence", "start": "1", "end": 2}, 'start is "1"; give a time in seconds'),
        ({"kind": "silence", "start": -1, "end": 2}, "start is -1"),
        ({"kind": "silence", "start": float("nan"), "end": 2}, "start is NaN"),
        ({"kind": "silence", "start": True, "end": 2}, "start is true"),
        ({"kind": "assign", "start": 1, "end": 2, "speaker": " "}, "a name of 0 characters"),
        ({"kind": "assign", "start": 1, "end": 2, "speaker": 7}, "a name is 7; give a text"),
        ({"kind": "rename", "speaker": "A", "name": "SPEAKER_07"}, "a name that hocket gives"),
        ({"kind": "merge", "speakers": ["A", "A"]}, "1 speakers to merge; give 2 to 100"),
        ({"kind": "merge", "speakers": "AB"}, 'speakers is "AB"; give names'),
        ({"kind": "merge", "speakers": [f"{n}" for n in range(101)]}, "101 speakers to merge"),
        (
            {"kind": "split", "speaker": "A", "start": 1, "end": 2, "at": 2},
            r"cannot split \[1, 2\] at 2; give a time within it",
        ),
        (
            {"kind": "boundary", "speaker": "A", "start": 1, "end": 2, "edge": "top", "to": 3},
            'edge is "top"; give start or end',
        ),
        (
            {"kind": "boundary", "speaker": "A", "start": 1, "end": 2, "edge": "start", "to": 2},
            "past its other end; to remove the turn",
        ),
        ({"kind": "apart", "one": [1, 3], "other": [2, 4]}, "overlap; give two stretches"),
        ({"kind": "apart", "one": [1], "other": [2, 4]}, r"one is \[1\]; give two times"),
    ],
    ids=str,
)
def test_an_action_that_cannot_be_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        action_of(given)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
