"""The same words in two transcripts, and word errors."""

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.words.alignment import NEAR_S, aligned, in_order, normalized, word_errors
from hocket.transcript import Word

FEW = settings(max_examples=150, deadline=None, derandomize=True)


def said(text: str, first: float = 0.0, each: float = 0.4) -> list[Word]:
    """Words one after the other, of equal length."""
    return [
        Word(first + each * number, first + each * (number + 1), word)
        for number, word in enumerate(text.split())
    ]


@st.composite
def transcripts(draw: st.DrawFn) -> list[Word]:
    """Up to eight of three words, in order of time, some of them far apart."""
    starts = draw(st.lists(st.integers(0, 40), max_size=8))
    return [
        Word(start / 8, start / 8 + 0.3, draw(st.sampled_from(("yes", "no", "so"))))
        for start in sorted(starts)
    ]


def test_words_are_compared_without_case_and_punctuation() -> None:
    assert normalized("\"Don't!") == "don't"
    assert normalized("'Well-known,'") == "wellknown"
    assert normalized("Über…") == "über"
    late, early, dash = Word(2.0, 2.5, "a"), Word(1.0, 2.0, "b"), Word(0.0, 0.1, "-")
    assert in_order([late, dash, early]) == [early, late]


def test_the_same_words_are_found_around_errors() -> None:
    reference = said("the cat sat on the mat")
    assert aligned(reference, said("The cat, sat in the mat.")) == [
        (0, 0), (1, 1), (2, 2), (4, 4), (5, 5),
    ]  # fmt: skip
    assert aligned(reference, said("cat on mat")) == [(1, 0), (3, 1), (5, 2)]
    assert aligned(reference, []) == aligned([], reference) == []


def test_a_word_far_away_is_another_word() -> None:
    assert aligned(said("yes"), said("yes", NEAR_S - 0.01)) == [(0, 0)]
    assert aligned(said("yes"), said("yes", NEAR_S)) == []


def test_of_repeated_words_the_nearest_are_the_same() -> None:
    reference = said("yes no yes")
    assert aligned(reference, said("yes", 0.7)) == [(2, 0)]
    assert aligned(reference, said("yes", 0.1)) == [(0, 0)]
    # two pairs are better than one that is nearer
    assert aligned(said("yes no"), [Word(0.8, 1.0, "yes"), Word(1.7, 1.9, "no")]) == [
        (0, 0), (1, 1),
    ]  # fmt: skip


@given(transcripts(), transcripts())
@FEW
def test_pairs_are_as_many_as_possible_and_never_cross(one: list[Word], other: list[Word]) -> None:
    pairs = aligned(one, other)
    same = {
        (i, j)
        for i, word in enumerate(one)
        for j, found in enumerate(other)
        if word.text == found.text and abs(word.start - found.start) < NEAR_S
    }
    assert set(pairs) <= same
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))

    @cache
    def most(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        return max(most(i + 1, j), most(i, j + 1), ((i, j) in same) + most(i + 1, j + 1))

    assert len(pairs) == most(0, 0)


@pytest.mark.parametrize(
    ("reference", "found", "errors"),
    [
        ("the cat sat", "the cat sat", 0),
        ("the cat sat", "The cat, sat.", 0),
        ("the cat sat", "the bat sat", 1),
        ("the cat sat", "the sat", 1),
        ("the cat sat", "the black cat sat down", 2),
        ("a b c d", "b c d a", 2),
        ("a b c d", "d c b a", 4),
        ("", "a b", 2),
        ("a b", "", 2),
        ("", "", 0),
    ],
)
def test_substitutions_deletions_and_insertions_are_counted(
    reference: str, found: str, errors: int
) -> None:
    assert word_errors(said(reference), said(found)) == errors


@given(transcripts(), transcripts(), transcripts())
@FEW
def test_errors_are_a_distance(one: list[Word], other: list[Word], third: list[Word]) -> None:
    errors = word_errors(one, other)
    assert (errors == 0) == ([word.text for word in one] == [word.text for word in other])
    assert errors == word_errors(other, one)
    assert abs(len(one) - len(other)) <= errors <= max(len(one), len(other))
    assert errors <= word_errors(one, third) + word_errors(third, other)
    # what is not one of the pairs is an error on either side
    assert errors <= len(one) + len(other) - 2 * len(aligned(one, other))
