"""Speakers of words: by overlap alone, near a change, and compared with the reference."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.accuracy.scoring import best_mapping
from bench.annotations import Turn
from bench.words.speakers import (
    Attribution,
    attribution,
    changes_of,
    largest_overlap,
    near_change,
)
from hocket.transcript import Word

TURNS = [Turn(0.0, 4.0, "a"), Turn(4.2, 6.0, "b"), Turn(9.0, 12.0, "a")]


def word(start: float, end: float, speaker: str = "") -> Word:
    return Word(start, end, "so", speaker)


def test_a_word_gets_the_turn_that_it_overlaps_most() -> None:
    words = [
        word(1.0, 1.5),
        word(3.5, 4.4),  # 0.5 s of a, 0.2 s of b
        word(3.9, 4.5),
        word(6.3, 6.5),  # after b
        word(8.2, 8.4),  # before a
        word(7.2, 7.5),  # 1.2 s after b, 1.5 s before a
    ]
    assert largest_overlap(words, TURNS) == ["a", "a", "b", "b", "a", ""]
    assert largest_overlap(words, []) == [""] * 6


@given(st.lists(st.integers(0, 120), min_size=2, max_size=2, unique=True))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_word_inside_a_turn_gets_it_whatever_the_order(times: list[int]) -> None:
    start, end = (time / 10 for time in sorted(times))
    (forward,), (backward,) = (
        largest_overlap([word(start, end)], turns) for turns in (TURNS, TURNS[::-1])
    )
    for turn in TURNS:
        if turn.start <= start and end <= turn.end:
            assert forward == backward == turn.speaker


def test_a_change_is_where_another_speaker_is_near() -> None:
    assert changes_of(TURNS) == [4.0, 4.2]
    # of one speaker, there is none
    assert changes_of([Turn(0.0, 1.0, "a"), Turn(1.1, 2.0, "a")]) == []
    # where one speaks inside the turn of another, both of its edges are
    assert changes_of([Turn(0.0, 9.0, "a"), Turn(3.0, 4.0, "b")]) == [3.0, 4.0]


def test_words_near_a_change_are_those_with_their_middle_there() -> None:
    words = [word(3.0, 3.98), word(3.1, 3.92), word(4.5, 4.88), word(4.5, 5.0), word(9.0, 9.2)]
    assert near_change(words, TURNS) == [False, True, True, False, False]
    assert near_change(words, []) == [False] * 5


def test_right_words_are_counted_by_the_names_of_the_reference() -> None:
    reference = [word(1.0, 1.4, "a"), word(3.6, 4.0, "a"), word(4.2, 4.6, "b"), word(5.0, 6.0, "b")]
    found = [Turn(0.0, 4.3, "one"), Turn(4.3, 6.0, "two"), Turn(5.0, 5.2, "three")]
    mapping = best_mapping(TURNS, found)
    assert mapping == {"one": "a", "two": "b"}
    pairs = [(0, 0), (1, 1), (2, 3), (3, 4)]
    given_to = ["one", "one", "two", "one", "three"]
    counted = attribution(reference, TURNS, given_to, pairs, mapping)
    assert counted == Attribution(words=4, right=2, near=2, near_right=1)
    assert counted.as_row() == {"right_percent": 50.0, "near_change_right_percent": 50.0}
    assert set(Attribution().as_row().values()) == {None}
    assert best_mapping(TURNS, []) == best_mapping([], found) == {}
