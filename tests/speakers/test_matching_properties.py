"""Distances, exclusive assignment and the choice of exemplars."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.errors import SpeakerError
from hocket.speakers.matching import (
    MOST_MARGIN,
    ExemplarIndex,
    assign,
    distances,
    index_exemplars,
    margins,
    probabilities,
    surplus,
)
from hocket.speakers.values import checked_embedding

SEEDS = st.integers(0, 2**32 - 1)
DIMENSION = 4


def subsegments(rng: np.random.Generator, number: int) -> NDArray[np.float32]:
    drawn = rng.normal(size=(number, DIMENSION))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[ExemplarIndex, list[NDArray[np.float32]]]:
    """Up to five speakers, and the exemplars of each."""
    rng = np.random.default_rng(draw(SEEDS))
    counts = draw(st.lists(st.integers(1, 4), max_size=5))
    own = [subsegments(rng, count) for count in counts]
    ids = np.cumsum(rng.integers(1, 9, len(counts))) if counts else np.zeros(0, np.int64)
    owners = np.repeat(ids, counts).astype(np.int64)
    vectors = np.concatenate([np.zeros((0, DIMENSION), np.float32), *own])
    return index_exemplars(owners, vectors), own


@given(crowds(), st.integers(0, 4), SEEDS)
def test_a_distance_is_one_minus_the_mean_of_nearest_and_all(
    crowd: tuple[ExemplarIndex, list[NDArray[np.float32]]], number: int, seed: int
) -> None:
    known, own = crowd
    voices = subsegments(np.random.default_rng(seed), number)
    found = distances(voices, known)
    assert found.shape == (number, len(own))
    for voice, row in zip(voices.astype(float), found, strict=True):
        for exemplars, distance in zip(own, row, strict=True):
            total = exemplars.astype(float).sum(axis=0)
            towards_all = voice @ total / max(np.linalg.norm(total), 1e-6)
            expected = 1 - (max(exemplars.astype(float) @ voice) + towards_all) / 2
            assert distance == pytest.approx(np.clip(expected, 0, 2), abs=1e-3)


@given(crowds(), SEEDS, st.floats(0.2, 1e6))
def test_the_length_of_an_embedding_does_not_matter(
    crowd: tuple[ExemplarIndex, list[NDArray[np.float32]]], seed: int, factor: float
) -> None:
    known, _ = crowd
    voices = subsegments(np.random.default_rng(seed), 3)
    longer = (voices * factor).astype(np.float32)
    np.testing.assert_allclose(distances(longer, known), distances(voices, known), atol=1e-5)


@given(crowds(), st.sampled_from([0.0, np.nan, np.inf, -np.inf]), st.integers(0, DIMENSION - 1))
def test_an_embedding_without_a_direction_is_infinitely_far(
    crowd: tuple[ExemplarIndex, list[NDArray[np.float32]]], value: float, index: int
) -> None:
    known, _ = crowd
    voices = np.eye(2, DIMENSION, dtype=np.float32)
    voices[0] = 0
    voices[0, index] = value
    found = distances(voices, known)
    assert np.isposinf(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_embeddings_of_another_size_are_refused_with_both_sizes() -> None:
    known = index_exemplars(np.array([1]), np.eye(1, 4, dtype=np.float32))
    with pytest.raises(SpeakerError, match=r"\(1, 3\).* 4 numbers"):
        distances(np.ones((1, 3), np.float32), known)


def total_worth(found: NDArray[np.float32], pairs: list[tuple[int, int]], limit: float) -> float:
    return sum(limit - float(found[pair]) for pair in pairs if found[pair] <= limit)


@given(st.integers(0, 4), st.integers(0, 4), SEEDS, st.floats(0, 2))
def test_an_assignment_is_exclusive_within_the_limit_and_optimal(
    voices: int, speakers: int, seed: int, limit: float
) -> None:
    rng = np.random.default_rng(seed)
    found = rng.choice([0.1, 0.25, 0.5, 0.75, 1.5, np.inf], (voices, speakers)).astype(np.float32)
    pairs = assign(found, limit)
    assert pairs == sorted(pairs)
    assert len({pair.voice for pair in pairs}) == len(pairs)
    assert len({pair.speaker for pair in pairs}) == len(pairs)
    assert all(found[pair] <= limit for pair in pairs)
    many, few = (voices, speakers) if voices >= speakers else (speakers, voices)
    best = max(
        total_worth(
            found if voices <= speakers else found.T,
            list(enumerate(chosen)),
            limit,
        )
        for chosen in permutations(range(many), few)
    )
    assert total_worth(found, [tuple(pair) for pair in pairs], limit) == pytest.approx(best)


@given(st.integers(1, 14), st.integers(1, 10), SEEDS)
def test_of_the_two_most_similar_the_shorter_is_dropped(number: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, seconds = subsegments(rng, number), rng.integers(1, 5, number).astype(float)
    gone = surplus(vectors, seconds, most).tolist()
    assert gone == sorted(set(gone))
    assert len(gone) == max(0, number - most)
    kept = [index for index in range(number) if index not in gone]
    if gone and most > 1:
        alike = vectors.astype(float) @ vectors.T.astype(float)
        np.fill_diagonal(alike, -np.inf)
        first, second = sorted(np.unravel_index(alike.argmax(), alike.shape))
        assert not {int(first), int(second)} <= set(kept)


@given(SEEDS, st.floats(0.2, 1e6))
def test_normalizing_twice_changes_nothing(seed: int, factor: float) -> None:
    drawn = np.random.default_rng(seed).normal(size=DIMENSION) + 1
    once = checked_embedding((drawn * factor).astype(np.float32), DIMENSION)
    np.testing.assert_allclose(np.linalg.norm(once.astype(float)), 1, atol=1e-6)
    assert checked_embedding(once, DIMENSION).tobytes() == once.tobytes()


@given(st.integers(1, 4), st.integers(1, 5), SEEDS)
def test_a_margin_is_the_lead_over_the_nearest_other_speaker(
    voices: int, speakers: int, seed: int
) -> None:
    found = np.random.default_rng(seed).uniform(0, 2, (voices, speakers)).astype(np.float32)
    found[0, 0] = found[0, -1]  # two speakers at the same distance
    for row, margin in zip(found, margins(found), strict=True):
        for index, distance in enumerate(row):
            others = np.delete(row, index)
            expected = np.clip(others.min(initial=9) - distance, -MOST_MARGIN, MOST_MARGIN)
            assert margin[index] == pytest.approx(expected, abs=1e-6)


def test_a_near_speaker_without_rivals_is_probable() -> None:
    weights = (5.0, -15.0, 9.0)
    found = np.array([[0.2, 0.8], [0.2, 0.25], [0.5, 0.9], [np.inf, np.inf]], np.float32)
    likely = probabilities(found, weights)
    assert likely[0, 0] > 0.99
    assert likely[0, 0] > likely[1, 0] > likely[1, 1]
    assert likely[0, 0] > likely[2, 0]
    assert likely[3].tolist() == [0, 0]
    assert ((likely >= 0) & (likely <= 1)).all()
    assert probabilities(found[:, :1], weights)[0] == pytest.approx(likely[0, 0], abs=1e-2)
