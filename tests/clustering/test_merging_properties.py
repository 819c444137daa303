"""Merging of groups, compared with a linkage of all their voices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from hocket.clustering.merging import Groups, Linkage, merge_nearest

SEEDS = st.integers(0, 2**32 - 1)
LINKAGES: list[Linkage] = ["average", "centroid"]


def scattered(number: int, seed: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(number, 5))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def singles(vectors: NDArray[np.float32]) -> Groups:
    return Groups(vectors, np.ones(len(vectors)))


def together(labels: NDArray[np.generic]) -> set[frozenset[int]]:
    """Which are together, whatever the labels."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def distances(voices: NDArray[np.float32], labels: NDArray[np.int32], how: Linkage) -> list[float]:
    """Distances of all pairs of groups, from all pairs of voices."""
    found = []
    for one, other in ((a, b) for a in range(labels.max() + 1) for b in range(a)):
        mine, theirs = voices[labels == one].astype(float), voices[labels == other].astype(float)
        if how == "average":
            found.append(float(np.mean(1 - mine @ theirs.T)))
        else:
            found.append(float(np.sum((mine.mean(axis=0) - theirs.mean(axis=0)) ** 2) / 2))
    return found


@given(st.integers(2, 60), SEEDS, st.floats(0.05, 1.6))
def test_single_voices_merge_as_in_scipys_linkage(number: int, seed: int, threshold: float) -> None:
    vectors = scattered(number, seed)
    merges = linkage(vectors, method="average", metric="cosine")
    found = merge_nearest(singles(vectors), threshold, "average")
    assert together(found) == together(fcluster(merges, threshold, criterion="distance"))


@pytest.mark.parametrize("how", LINKAGES)
@given(st.integers(2, 25), st.integers(1, 6), SEEDS, st.floats(0.05, 1.6))
def test_groups_merge_as_all_their_voices_would(
    how: Linkage, number: int, most: int, seed: int, threshold: float
) -> None:
    """Identical voices are one group from the start in either linkage."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most + 1, number)
    vectors = scattered(number, seed)
    repeated = np.repeat(np.arange(number), sizes)
    by_voice = merge_nearest(singles(vectors[repeated]), threshold, how)
    by_group = merge_nearest(Groups(vectors, sizes.astype(float)), threshold, how)
    assert together(by_voice) == together(by_group[repeated])


@pytest.mark.parametrize("how", LINKAGES)
@given(st.integers(1, 40), SEEDS, st.floats(0.05, 1.6))
def test_groups_that_are_left_are_further_apart_than_the_threshold(
    how: Linkage, number: int, seed: int, threshold: float
) -> None:
    voices = scattered(number, seed)
    half = np.arange(number) // 2
    groups = singles(voices).joined(half)
    labels = merge_nearest(groups, threshold, how)[half]
    assert min(distances(voices, labels, how), default=2.0) > threshold - 1e-5


@given(st.integers(0, 40), SEEDS, st.floats(0, 2), st.integers(1, 45), st.integers(1, 45))
def test_numbers_of_groups_stay_within_the_requested_range(
    number: int, seed: int, threshold: float, one: int, other: int
) -> None:
    at_least, at_most = min(one, other), max(one, other)
    groups = singles(scattered(number, seed))
    labels = merge_nearest(groups, threshold, "average", at_least=at_least, at_most=at_most)
    assert labels.dtype == np.int32
    assert labels.shape == (number,)
    found = len(np.unique(labels))
    assert min(at_least, number) <= found <= at_most
    # numbered in order of appearance
    seen = [labels[:end].max(initial=-1) for end in range(number + 1)]
    assert set(np.diff(seen).tolist()) <= {0, 1}


@pytest.mark.parametrize("how", LINKAGES)
@pytest.mark.parametrize("at_least", [1, 3])
def test_identical_groups_are_one_unless_more_are_requested(how: Linkage, at_least: int) -> None:
    groups = Groups(np.full((200, 4), 0.5, np.float32), np.arange(1.0, 201))
    labels = merge_nearest(groups, 0.1, how, at_least=at_least)
    assert len(np.unique(labels)) == at_least


def test_the_larger_group_weighs_more() -> None:
    """60 degrees from the first and 40 from the second: 0.5 and 0.234, on average 0.26 or 0.47."""
    angles = np.radians([0.0, 20.0, 60.0])
    means = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for sizes, expected in [([1.0, 9.0, 1.0], 1), ([9.0, 1.0, 1.0], 2)]:
        labels = merge_nearest(Groups(means, np.array(sizes)), 0.35, "average")
        assert len(np.unique(labels)) == expected


@given(st.integers(1, 30), SEEDS)
def test_a_joined_group_is_the_mean_of_its_voices(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, number).astype(float)
    labels = np.unique(rng.integers(0, 5, number), return_inverse=True)[1]
    means = scattered(number, seed)
    joined = Groups(means, sizes).joined(labels)
    for label, (mean, size) in enumerate(zip(*joined, strict=True)):
        own = labels == label
        assert size == sizes[own].sum()
        expected = np.average(means[own].astype(float), axis=0, weights=sizes[own])
        np.testing.assert_allclose(mean, expected, atol=1e-6)
