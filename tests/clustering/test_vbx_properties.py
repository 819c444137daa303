"""Mixtures of planted speakers, with and without a PLDA."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.clustering import vbx
from hocket.clustering.plda import Plda
from hocket.clustering.vbx import LEAST_PRIOR, Mixture, cluster_spherical, cluster_with_plda, infer
from hocket.errors import ConfigError
from tests.helpers.blas_threads import outputs

DIMENSION = 64
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.lists(st.integers(4, 12), min_size=1, max_size=8)
SETTINGS = {"fa": 0.1, "fb": 0.5}


def plant(sizes: list[int], seed: int, similarity: float = 0.6) -> tuple[NDArray, NDArray]:
    """Unit vectors of speakers in random order, and the speaker of each."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(len(sizes), DIMENSION)) * similarity**0.5
    speakers = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = rng.normal(size=(len(speakers), DIMENSION)) * (1 - similarity) ** 0.5
    vectors = points[speakers] + noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), speakers


def pieces(speakers: NDArray, seed: int, number: int = 3) -> NDArray[np.int64]:
    """Labels that split every speaker randomly in `number` clusters."""
    rng = np.random.default_rng(seed)
    labels = speakers * number + rng.integers(0, number, len(speakers))
    return np.unique(labels, return_inverse=True)[1]


def groups(labels: NDArray) -> set[frozenset[int]]:
    """Which voices are together, whatever the labels."""
    return {frozenset(np.flatnonzero(labels == one).tolist()) for one in np.unique(labels)}


def spherical(
    vectors: NDArray, labels: NDArray, seconds: NDArray | None = None, **settings: float
) -> NDArray[np.int32]:
    seconds = np.full(len(vectors), 2.0) if seconds is None else seconds
    given_settings = {"similarity": 0.6} | SETTINGS | settings
    return cluster_spherical(vectors, seconds, initial_labels=labels, **given_settings)


def plain_plda(similarity: float = 0.6, dimension: int = DIMENSION) -> Plda:
    """A PLDA that keeps every direction, for speakers whose voices have this cosine."""
    zeros, axes = np.zeros(dimension), np.eye(dimension)
    within = 1 - similarity
    variances = np.full(dimension, similarity / within)
    return Plda("here", zeros, axes, zeros, zeros, axes / within**0.5, variances)


def features_of(vectors: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return plain_plda().transform(vectors), plain_plda().between


@given(SIZES, SEEDS)
def test_split_speakers_are_joined_without_a_given_number(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    labels = spherical(vectors, pieces(speakers, seed))
    assert labels.dtype == np.int32
    assert groups(labels) == groups(speakers)
    assert set(labels.tolist()) == set(range(len(sizes)))


@given(SIZES, SEEDS)
def test_pyannotes_recipe_finds_separate_speakers(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed, similarity=0.9)
    lengths = np.random.default_rng(seed).uniform(0.5, 30, (len(vectors), 1))
    labels = cluster_with_plda(vectors * lengths, np.ones(len(vectors)), plain_plda(0.9))
    assert labels.dtype == np.int32
    assert groups(labels) == groups(speakers)


def test_initial_labels_come_from_centroid_linkage() -> None:
    """A mixture that learns nothing keeps them, so the cut decides their number."""
    angles = np.radians([0.0, 30.0, 60.0])  # centroid linkage: 0.518, then 0.776
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for cut, clusters in ((0.5, 3), (0.6, 2), (0.8, 1)):
        labels = cluster_with_plda(vectors, np.ones(3), plain_plda(0.999999, 2), cut=cut, fa=5)
        assert len(set(labels.tolist())) == clusters


@given(SIZES, SEEDS)
def test_responsibilities_and_priors_are_shares(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    labels = np.where(np.arange(len(speakers)) % 3 == 0, -1, pieces(speakers, seed))
    found = infer(*features_of(vectors), labels, **SETTINGS)
    assert found.responsibilities.shape == (len(vectors), labels.max() + 1)
    np.testing.assert_allclose(found.responsibilities.sum(axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(found.priors, found.responsibilities.mean(axis=0), atol=1e-12)


@given(SIZES, SEEDS)
def test_the_evidence_never_decreases(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    features, between = features_of(vectors)
    evidence = [
        infer(features, between, pieces(speakers, seed), iterations=number, **SETTINGS).evidence
        for number in range(1, 8)
    ]
    # the 1e-8 in the logarithm of the priors costs next to nothing
    assert np.all(np.diff(evidence) >= -1e-6 * len(vectors))


@given(SIZES, SEEDS, st.data())
def test_a_weight_of_two_equals_a_repeated_voice(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    vectors, speakers = plant(sizes, seed)
    weights = np.array(data.draw(st.lists(st.integers(1, 3), min_size=len(vectors))))
    weights = weights[: len(vectors)]
    features, between = features_of(vectors)
    labels = pieces(speakers, seed)
    once = infer(features, between, labels, weights=weights.astype(float), **SETTINGS)
    said = np.repeat(np.arange(len(vectors)), weights)
    often = infer(features[said], between, labels[said], **SETTINGS)
    np.testing.assert_allclose(once.responsibilities[said], often.responsibilities, atol=1e-6)
    np.testing.assert_allclose(once.priors, often.priors, atol=1e-6)
    assert once.evidence == pytest.approx(often.evidence, rel=1e-9)


def test_the_cost_of_a_speaker_decides_how_many_there_are() -> None:
    """A high cost joins all of them, no cost joins none."""
    vectors, speakers = plant([6, 6, 6], seed=1)
    assert len(groups(spherical(vectors, speakers, fb=3_000.0))) == 1
    assert len(groups(spherical(vectors, pieces(speakers, 1), fb=1e-6, fa=5))) > 3


@given(SIZES, SEEDS)
def test_the_order_of_voices_does_not_matter(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    seconds = np.random.default_rng(seed).uniform(0.5, 3, len(vectors))
    order = np.random.default_rng(seed).permutation(len(vectors))
    first = pieces(speakers, seed)
    moved = np.empty(len(order), np.int32)
    moved[order] = spherical(vectors[order], first[order], seconds[order])
    assert groups(moved) == groups(spherical(vectors, first, seconds))
    moved[order] = cluster_with_plda(vectors[order], seconds[order], plain_plda())
    assert groups(moved) == groups(cluster_with_plda(vectors, seconds, plain_plda()))


@given(SIZES, SEEDS)
def test_a_voice_and_its_copy_share_a_cluster(sizes: list[int], seed: int) -> None:
    vectors, speakers = plant(sizes, seed)
    twice, first = np.tile(vectors, (2, 1)), np.tile(pieces(speakers, seed), 2)
    for labels in (
        spherical(twice, first),
        cluster_with_plda(twice, np.ones(len(twice)), plain_plda()),
    ):
        np.testing.assert_array_equal(labels[: len(vectors)], labels[len(vectors) :])


def test_clusters_are_numbered_by_speech() -> None:
    vectors, speakers = plant([9, 6, 4], seed=3)
    labels = spherical(vectors, speakers, np.array([1.0, 2.0, 9.0])[speakers])
    assert [int(labels[speakers == one][0]) for one in (2, 1, 0)] == [0, 1, 2]


def test_a_voice_counts_by_its_seconds() -> None:
    vectors, speakers = plant([8, 8], seed=4, similarity=0.3)
    seconds = np.random.default_rng(4).uniform(0.2, 5, len(vectors))
    features = vectors.astype(float) * (DIMENSION / 0.7) ** 0.5
    between = np.full(DIMENSION, 0.3 / 0.7)
    expected = infer(features, between, speakers, weights=seconds, **SETTINGS)
    labels = spherical(vectors, speakers, seconds, similarity=0.3)
    assert groups(labels) == groups(expected.responsibilities.argmax(axis=1))


def test_no_voice_and_one_voice_are_valid() -> None:
    for number in (0, 1):
        vectors, nobody = np.eye(number, DIMENSION, dtype=np.float32), np.full(number, -1)
        for labels in (
            spherical(vectors, nobody),
            spherical(vectors, nobody + 1),
            cluster_with_plda(vectors, np.ones(number), plain_plda()),
        ):
            assert labels.tolist() == [0] * number
            assert labels.dtype == np.int32
        found = infer(*features_of(vectors), nobody, **SETTINGS)
        assert found.responsibilities.tolist() == [[1.0]] * number
        assert found.priors.tolist() == [float(number)]


@pytest.mark.parametrize("alike", [True, False])
def test_two_voices_are_one_or_two_speakers(alike: bool) -> None:
    vectors = np.eye(2, DIMENSION, dtype=np.float32)
    vectors[1] = vectors[0] if alike else vectors[1]
    expected = [0, 0] if alike else [0, 1]
    assert spherical(vectors, np.array([0, 1])).tolist() == expected
    assert cluster_with_plda(vectors, np.ones(2), plain_plda(), fa=0.5).tolist() == expected


@given(SEEDS, st.integers(2, 30))
@example(23, 23)  # sums of the last rows are rounded otherwise than those of the first
def test_identical_voices_are_one_speaker(seed: int, number: int) -> None:
    vectors = np.repeat(plant([1], seed)[0], number, axis=0)
    first = np.random.default_rng(seed).integers(0, 4, number)
    assert spherical(vectors, first).tolist() == [0] * number
    assert cluster_with_plda(vectors, np.ones(number), plain_plda()).tolist() == [0] * number


def test_voices_without_an_initial_cluster_find_theirs() -> None:
    vectors, speakers = plant([10, 10, 10], seed=5)
    first = np.where(np.arange(30) % 2 == 0, speakers, -1)
    assert groups(spherical(vectors, first)) == groups(speakers)
    assert spherical(vectors, np.full(30, -1)).tolist() == [0] * 30
    found = infer(*features_of(vectors), first, **SETTINGS)
    assert groups(found.responsibilities.argmax(axis=1)) == groups(speakers)


def test_a_faded_cluster_gets_no_voice() -> None:
    shares = np.array([[0.5, 0.4, 0.1], [0.0, 0.4, 0.6], [0.1, 0.2, 0.7]])
    mixture = Mixture(shares, np.array([LEAST_PRIOR / 2, 0.3, 0.7]), 0.0)
    assert vbx._label(mixture, np.array([1.0, 1.0, 1.0])).tolist() == [1, 0, 0]


def test_thirty_thousand_voices_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small scale: time and memory depend on the linked voices and the initial clusters."""
    assert vbx.MAX_LINKED * (vbx.MAX_LINKED - 1) // 2 * 8 < 150e6  # bytes of distances
    assert 30_000 * vbx.MAX_CLUSTERS * 8 < 50e6  # bytes of responsibilities
    monkeypatch.setattr(vbx, "MAX_LINKED", 60)
    monkeypatch.setattr(vbx, "MAX_CLUSTERS", 7)
    vectors, speakers = plant([150, 100, 50], seed=6, similarity=0.9)
    linked = vbx._link(vectors, 0.6)
    assert np.count_nonzero(linked >= 0) == 60
    assert np.diff(np.flatnonzero(linked >= 0)).max() <= 6  # spread over the recording
    first = vbx._start(vectors, np.ones(300), np.arange(300))
    assert set(first.tolist()) == set(range(7))
    found = cluster_with_plda(vectors, np.ones(300), plain_plda())
    assert groups(found) == groups(speakers)


def test_the_clusters_with_most_speech_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vbx, "MAX_CLUSTERS", 2)
    vectors, speakers = plant([5, 5, 5], seed=7)
    first = vbx._start(vectors, np.array([1.0, 9.0, 5.0])[speakers], speakers)
    assert set(first[speakers == 1].tolist()) == {0}
    assert set(first[speakers == 2].tolist()) == {1}


@pytest.mark.parametrize("name", ["similarity", "fa", "fb", "cut"])
def test_settings_out_of_range_are_refused(name: str) -> None:
    vectors = np.eye(3, DIMENSION, dtype=np.float32)
    call = partial(spherical, vectors, np.arange(3))
    if name == "cut":
        call = partial(cluster_with_plda, vectors, np.ones(3), plain_plda())
    for value in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=f"{name} is {value}; give a finite number above 0"):
            call(**{name: value})


def test_a_similarity_of_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"similarity is 1\.0; give less than 1"):
        spherical(np.eye(3, DIMENSION, dtype=np.float32), np.arange(3), similarity=1.0)


def test_results_do_not_depend_on_the_threads_of_the_matrix_library(tmp_path: Path) -> None:
    vectors, speakers = plant([60, 40, 30, 20], seed=8, similarity=0.4)
    np.savez(tmp_path / "in.npz", vectors=vectors, first=pieces(speakers, 8))
    code = (
        "import numpy as np, sys; from hocket.clustering.vbx import cluster_spherical as c;"
        "d = np.load(sys.argv[1]); v = d['vectors'];"
        "settings = dict(similarity=.4, fa=.1, fb=.2, initial_labels=d['first']);"
        "print(c(v, np.ones(len(v)), **settings).tolist())"
    )
    assert len(outputs(code, tmp_path / "in.npz")) == 1
