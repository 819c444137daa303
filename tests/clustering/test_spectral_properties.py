"""Spectral clustering of planted speakers; it chooses their number itself."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.clustering import spectral
from hocket.clustering.spectral import cluster
from hocket.errors import ConfigError
from tests.helpers.blas_threads import outputs

DIMENSION = 64
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(5, 16), min_size=2, max_size=12)


def plant(sizes: list[int], seed: int, noise: float = 0.4) -> tuple[NDArray, NDArray]:
    """Unit vectors in random order, and the speaker of each; speakers are at right angles."""
    rng = np.random.default_rng(seed)
    points = np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0]
    speakers = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = (
        points[speakers] + noise * rng.normal(size=(len(speakers), DIMENSION)) / DIMENSION**0.5
    )
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), speakers


def groups(labels: NDArray) -> set[frozenset[int]]:
    """Which voices are together, whatever the labels."""
    return {frozenset(np.flatnonzero(labels == one).tolist()) for one in np.unique(labels)}


def number_of(labels: NDArray[np.int32]) -> int:
    """Number of clusters, which must be numbered from 0 without gaps."""
    clusters = set(labels.tolist())
    assert labels.dtype == np.int32
    assert clusters == set(range(len(clusters)))
    return len(clusters)


@given(SIZES, SEEDS)
def test_separate_speakers_are_found_without_a_given_number(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    labels = cluster(vectors)
    assert number_of(labels) == len(sizes)
    assert groups(labels) == groups(speakers)


@given(st.integers(6, 80), SEEDS, st.floats(0.3, 1.0))
def test_one_speaker_is_one_cluster(voices: int, seed: int, noise: float) -> None:
    assert number_of(cluster(plant([voices], seed, noise)[0])) == 1


@pytest.mark.parametrize("sizes", [[60, 3], [60, 60, 3], [300, 20, 20, 5], [200, 200, 5]])
@pytest.mark.parametrize("seed", range(2))
def test_a_speaker_with_little_speech_is_neither_lost_nor_split(
    sizes: list[int], seed: int
) -> None:
    vectors, speakers = plant(sizes, seed, noise=0.8)
    assert groups(cluster(vectors)) == groups(speakers)


@given(st.lists(st.integers(4, 9), min_size=1, max_size=5), SEEDS, st.data())
def test_the_number_stays_within_its_range(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    vectors, speakers = plant(sizes, seed)
    minimum = data.draw(st.integers(1, len(speakers)))
    maximum = data.draw(st.none() | st.integers(minimum, len(speakers)))
    labels = cluster(vectors, minimum=minimum, maximum=maximum)
    assert minimum <= number_of(labels) <= (maximum or len(speakers))
    if minimum > len(sizes):  # speakers are split, never mixed
        assert all(len(set(speakers[list(one)].tolist())) == 1 for one in groups(labels))


@pytest.mark.parametrize("voices", [1, 2, 6, 9])
def test_if_more_speakers_are_requested_than_voices_every_voice_is_one(voices: int) -> None:
    vectors, _ = plant([voices], seed=1)
    assert number_of(cluster(vectors, minimum=50)) == voices
    assert number_of(cluster(vectors, minimum=50, maximum=50)) == voices


def test_no_voice_and_one_voice_are_valid() -> None:
    for number in (0, 1):
        labels = cluster(np.eye(number, DIMENSION, dtype=np.float32), minimum=3)
        assert labels.tolist() == [0] * number
        assert labels.dtype == np.int32


@pytest.mark.parametrize(("cosine", "expected"), [(0.99, 1), (0.45, 1), (0.35, 2), (-0.5, 2)])
def test_two_voices_are_separated_by_their_cosine(cosine: float, expected: int) -> None:
    vectors = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], np.float32)
    assert number_of(cluster(vectors)) == expected
    assert number_of(cluster(vectors, similarity=cosine - 0.01)) == 1
    assert number_of(cluster(vectors, similarity=cosine + 0.01)) == 2
    assert number_of(cluster(vectors, minimum=2)) == 2
    assert number_of(cluster(vectors, maximum=1)) == 1


@given(st.sampled_from([[1, 1], [2, 3], [1, 1, 3], [4, 1], [1] * 5]), SEEDS)
def test_a_few_voices_are_grouped(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed, noise=0.3)
    assert groups(cluster(vectors)) == groups(speakers)
    assert number_of(cluster(vectors, maximum=1)) == 1


@given(SEEDS, st.integers(2, 40))
def test_identical_voices_are_one_speaker_unless_more_are_requested(seed: int, number: int) -> None:
    vectors = np.repeat(plant([1], seed)[0], number, axis=0)
    assert cluster(vectors).tolist() == [0] * number
    assert number_of(cluster(vectors, minimum=2)) == 2
    assert number_of(cluster(vectors, minimum=number)) == number


@pytest.mark.parametrize("voices", [6, 12, 64])
def test_voices_with_nothing_in_common_are_valid(voices: int) -> None:
    assert 1 <= number_of(cluster(np.eye(voices, DIMENSION, dtype=np.float32))) <= 20
    opposite = np.repeat([[1.0], [-1.0]], voices // 2, axis=0) * np.eye(1, DIMENSION)
    assert number_of(cluster(opposite.astype(np.float32))) == 2


@settings(max_examples=15)
@given(SIZES, SEEDS, st.sampled_from([{}, {"minimum": 3, "maximum": 3}, {"maximum": 2}]))
def test_the_order_of_voices_does_not_matter(
    sizes: list[int], seed: int, limits: dict[str, int]
) -> None:
    vectors, _ = plant(sizes, seed, noise=0.8)
    order = np.random.default_rng(seed).permutation(len(vectors))
    moved = np.empty(len(order), np.int32)
    moved[order] = cluster(vectors[order], **limits)
    assert groups(moved) == groups(cluster(vectors, **limits))


@settings(max_examples=15)
@given(SIZES, SEEDS)
def test_a_voice_and_its_copy_share_a_cluster(sizes: list[int], seed: int) -> None:
    vectors, _ = plant(sizes, seed, noise=1.0)
    labels = cluster(np.tile(vectors, (2, 1)))
    np.testing.assert_array_equal(labels[: len(vectors)], labels[len(vectors) :])


@given(SIZES, SEEDS)
def test_single_precision_is_enough(sizes: list[int], seed: int) -> None:
    vectors, _ = plant(sizes, seed, noise=0.8)
    exact = vectors.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_array_equal(cluster(vectors), cluster(exact))


@settings(max_examples=15)
@given(SIZES, SEEDS)
def test_clustering_is_repeatable_and_does_not_change_its_inputs(
    sizes: list[int], seed: int
) -> None:
    vectors, _ = plant(sizes, seed)
    before = vectors.copy()
    np.testing.assert_array_equal(cluster(vectors), cluster(vectors))
    np.testing.assert_array_equal(vectors, before)


def test_clusters_are_numbered_by_decreasing_size() -> None:
    vectors, speakers = plant([7, 20, 12], seed=3)
    labels = cluster(vectors)
    assert [int(labels[speakers == one][0]) for one in (1, 2, 0)] == [0, 1, 2]


def test_a_large_recording_is_clustered_by_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spectral, "MAX_CLUSTERED", 90)
    monkeypatch.setattr(spectral, "MAX_SEARCHED", 40)
    sizes = []
    monkeypatch.setattr(
        spectral,
        "_laplacian",
        lambda cosines, number, make=spectral._laplacian: (
            sizes.append(cosines.shape) or make(cosines, number)
        ),
    )
    vectors, speakers = plant([400, 300, 200], seed=4, noise=0.6)
    labels = cluster(vectors)
    assert groups(labels) == groups(speakers)
    assert sizes == [(40, 40)] * (len(sizes) - 1) + [(90, 90)]
    assert len(sizes) - 1 <= spectral.TRIALS


def test_the_largest_matrix_is_bounded_and_many_voices_take_little_time() -> None:
    assert spectral.MAX_CLUSTERED**2 * 8 <= 32e6  # bytes; about seven such arrays live at once
    assert spectral.MAX_SEARCHED <= 750
    chosen = spectral._spread(30_000, spectral.MAX_CLUSTERED)
    assert len(chosen) == spectral.MAX_CLUSTERED
    assert np.diff(chosen).max() <= 16
    assert [int(chosen[0]), int(chosen[-1])] == [0, 29_999]
    vectors, speakers = plant([2_500, 2_000, 500], seed=5, noise=0.6)
    started = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectral, "MAX_CLUSTERED", 700)
        labels = cluster(vectors)
    assert groups(labels) == groups(speakers)
    assert time.perf_counter() - started < 60  # measured: 1


def test_every_voice_gets_its_nearest_centroid_block_by_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spectral, "BLOCK", 7)
    vectors, speakers = plant([30, 30], seed=6)
    centroids = spectral._centroids(vectors.astype(float), speakers)
    np.testing.assert_array_equal(spectral._nearest(vectors, centroids), speakers)


@pytest.mark.parametrize(("minimum", "maximum"), [(0, None), (-1, 3), (3, 2), (1, 0)])
def test_numbers_that_contradict_each_other_are_refused(minimum: int, maximum: int | None) -> None:
    with pytest.raises(ConfigError, match="give 1 or more, in order"):
        cluster(np.eye(4, dtype=np.float32), minimum=minimum, maximum=maximum)


def test_any_basis_of_the_eigenvectors_gives_the_same_clusters() -> None:
    _, speakers = plant([9, 5, 4, 3], seed=7)
    places = np.eye(4)[speakers] / np.bincount(speakers)[speakers, None] ** 0.5
    rng = np.random.default_rng(7)
    for _ in range(20):
        turned = places @ np.linalg.qr(rng.normal(size=(4, 4)))[0]
        assert groups(spectral._assign(turned)) == groups(speakers)


def test_results_do_not_depend_on_the_threads_of_the_matrix_library(tmp_path: Path) -> None:
    vectors, _ = plant([30, 25, 20, 15, 6], seed=8, noise=1.2)
    np.save(tmp_path / "in.npy", vectors)
    code = (
        "import numpy as np, sys; from hocket.clustering.spectral import cluster;"
        "print(cluster(np.load(sys.argv[1])).tolist())"
    )
    assert len(outputs(code, tmp_path / "in.npy")) == 1
