"""Shares, overlap and interruptions agree with sampling every moment."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.report.shares import GIVES_WAY_S, interruptions, mean_confidence, overlap, shares
from hocket.turns import Turn

TICKS = 40  # every turn begins and ends on one


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    """Turns of three speakers, at whole seconds, in any order; those of one may overlap."""
    ends = st.tuples(st.integers(0, TICKS), st.integers(0, TICKS)).map(sorted)
    pairs = draw(st.lists(ends.filter(lambda pair: pair[0] < pair[1]), max_size=12))
    sure = st.none() | st.floats(0, 1)
    return [Turn(*map(float, pair), draw(st.sampled_from("abc")), draw(sure)) for pair in pairs]


def active(turns: list[Turn]) -> np.ndarray:
    """Who speaks in each second, (speakers, seconds)."""
    found = np.zeros((3, TICKS), bool)
    for turn in turns:
        found["abc".index(turn.speaker), int(turn.start) : int(turn.end)] = True
    return found


@given(conversations())
def test_seconds_are_those_of_sampling(turns: list[Turn]) -> None:
    found = shares(turns, "abc")
    spoken = active(turns)
    assert [each.seconds for each in found] == spoken.sum(axis=1).tolist()
    assert sum(each.share for each in found) == pytest.approx(1.0 if turns else 0.0)
    assert sum(each.turns for each in found) == len(turns)
    assert all(each.longest <= each.seconds for each in found)
    several = overlap(turns)
    assert several.seconds == (spoken.sum(axis=0) > 1).sum()
    assert several.speech == spoken.any(axis=0).sum()
    assert 0 <= several.share <= 1


@given(conversations())
def test_interruptions_are_those_of_comparing_every_two_turns(turns: list[Turn]) -> None:
    expected: dict[tuple[str, str], int] = {}
    for one in turns:
        for other in turns:
            during = other.speaker != one.speaker and other.start < one.start < other.end
            if during and (one.end >= other.end or other.end - one.start <= GIVES_WAY_S):
                pair = one.speaker, other.speaker
                expected[pair] = expected.get(pair, 0) + 1
    assert interruptions(turns) == expected


@pytest.mark.parametrize(
    ("second", "count"),
    [
        (Turn(5.0, 12.0, "b"), 1),  # it outlasts the first
        (Turn(5.0, 6.0, "b"), 0),  # the first speaker goes on
        (Turn(8.0, 8.5, "b"), 1),  # the first speaker stops two seconds later
        (Turn(0.0, 12.0, "b"), 0),  # they begin at once
        (Turn(10.0, 12.0, "b"), 0),  # it begins when the first has ended
        (Turn(5.0, 12.0, "a"), 0),  # the same speaker
    ],
)
def test_what_counts_as_an_interruption(second: Turn, count: int) -> None:
    found = interruptions([second, Turn(0.0, 10.0, "a")])
    assert found == ({("b", "a"): 1} if count else {})


def test_confidence_counts_by_seconds_where_it_is_known() -> None:
    turns = [Turn(0, 3, "a", 1.0), Turn(3, 4, "a", 0.6), Turn(4, 99, "a")]
    assert mean_confidence(turns) == pytest.approx(0.9)
    assert mean_confidence(turns[2:]) is None
