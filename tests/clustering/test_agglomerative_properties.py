"""Agglomerative clustering of planted speakers, compared with a slow reference."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from hocket.arrays import ClusterLabels, unit_length
from hocket.clustering import CLUSTERERS, Request, VoiceVectors, agglomerative, centroids_of
from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.merging import Groups, Linkage, merge_nearest
from hocket.errors import ConfigError

DIMENSION = 24
THRESHOLD = 0.5
SEEDS = st.integers(0, 2**32 - 1)
THRESHOLDS = st.floats(0.05, 1.6)
COORDINATES = st.floats(-1000, 1000, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)

Planted = tuple[VoiceVectors, NDArray[np.int64]]
"""Voices, and the speaker of each."""


def voices_of(vectors: NDArray[np.floating]) -> VoiceVectors:
    embeddings = vectors.astype(np.float32)
    number = len(vectors)
    return VoiceVectors(unit_length(embeddings), embeddings, np.full(number, 2.0), np.zeros(number))


def plant(sizes: list[int], seed: int) -> Planted:
    """Voices of `len(sizes)` well separated speakers, in random order."""
    rng = np.random.default_rng(seed)
    speakers = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    directions = np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0]
    noise = 0.05 * rng.normal(size=(len(speakers), DIMENSION))
    return voices_of(directions[speakers] + noise), speakers


def scattered(number: int, seed: int) -> VoiceVectors:
    """Random voices without any speakers."""
    return voices_of(np.random.default_rng(seed).normal(size=(number, 4)))


PLANTED = st.builds(plant, st.lists(st.integers(3, 6), min_size=1, max_size=5), SEEDS)


def groups(labels: NDArray[np.generic]) -> set[frozenset[int]]:
    """Which voices are together, whatever the labels."""
    clusters = set(labels.tolist())
    return {frozenset(np.flatnonzero(labels == cluster).tolist()) for cluster in clusters}


def number_of(labels: ClusterLabels) -> int:
    """Number of clusters, which must be numbered from 0 without gaps."""
    assert labels.dtype == np.int32
    clusters = set(labels.tolist())
    assert clusters == set(range(len(clusters)))
    return len(clusters)


def merged_by_hand(
    voices: VoiceVectors, threshold: float, at_least: int, method: Linkage
) -> set[frozenset[int]]:
    """Merge the two nearest groups until all are `threshold` apart."""
    found = [frozenset([index]) for index in range(len(voices.vectors))]
    vectors = voices.vectors.astype(np.float64)

    def distance(one: frozenset[int], other: frozenset[int]) -> float:
        if method == "centroid":
            between = vectors[list(one)].mean(axis=0) - vectors[list(other)].mean(axis=0)
            return float(between @ between / 2)
        return float(np.mean([1 - vectors[a] @ vectors[b] for a in one for b in other]))

    while len(found) > max(at_least, 1):
        pairs = [(a, b) for a in range(len(found)) for b in range(a)]
        apart, a, b = min((distance(found[a], found[b]), a, b) for a, b in pairs)
        if apart > threshold:
            break
        found[b] |= found.pop(a)
    return set(found)


@pytest.mark.parametrize("method", ["average", "centroid"])
@given(st.integers(1, 9), SEEDS, THRESHOLDS, st.integers(1, 12))
def test_the_nearest_groups_are_merged_until_they_are_apart_or_few(
    method: Linkage, number: int, seed: int, threshold: float, at_least: int
) -> None:
    voices = scattered(number, seed)
    labels = agglomerate(voices, threshold, at_least, method)
    assert groups(labels) == merged_by_hand(voices, threshold, at_least, method)


@given(st.integers(2, 60), SEEDS, THRESHOLDS)
def test_the_clusters_are_those_of_scipy(number: int, seed: int, threshold: float) -> None:
    voices = scattered(number, seed)
    labels = agglomerate(voices, threshold, 1)
    merges = linkage(voices.vectors, method="average", metric="cosine")
    assert groups(labels) == groups(fcluster(merges, threshold, criterion="distance"))
    number_of(labels)


@given(st.integers(1, 30), SEEDS, THRESHOLDS, st.integers(1, 40))
def test_at_least_the_requested_number_of_groups_is_left(
    number: int, seed: int, threshold: float, at_least: int
) -> None:
    voices = scattered(number, seed)
    found = number_of(agglomerate(voices, threshold, 1))
    expected = max(found, min(at_least, number))
    assert number_of(agglomerate(voices, threshold, at_least)) == expected


@given(PLANTED)
def test_separate_speakers_are_found_without_a_given_number(planted: Planted) -> None:
    voices, speakers = planted
    labels = agglomerate(voices, THRESHOLD, 1)
    number_of(labels)
    assert groups(labels) == groups(speakers)


@given(PLANTED, st.data())
def test_if_more_are_requested_speakers_are_split_and_never_mixed(
    planted: Planted, data: st.DataObject
) -> None:
    voices, speakers = planted
    at_least = data.draw(st.integers(1, len(speakers)))
    labels = agglomerate(voices, THRESHOLD, at_least)
    assert number_of(labels) == max(at_least, len(groups(speakers)))
    for one in groups(labels):
        assert any(one <= other for other in groups(speakers))


@pytest.mark.parametrize(("threshold", "expected"), [(0.35, 2), (0.45, 1)])
def test_clusters_merge_up_to_the_threshold(threshold: float, expected: int) -> None:
    voices = voices_of(np.array([[1.0, 0.0], [0.6, 0.8]]))  # 0.4 apart
    assert number_of(agglomerate(voices, threshold, 1)) == expected


def test_the_distance_of_clusters_is_the_mean_over_their_pairs() -> None:
    angles = np.radians([0.0, 20.0, 80.0])  # 0.5 and 0.826 away from the third: 0.663 on average
    voices = voices_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert number_of(agglomerate(voices, 0.65, 1)) == 2
    assert number_of(agglomerate(voices, 0.68, 1)) == 1


@pytest.mark.parametrize(("threshold", "expected"), [(0.9, 3), (1.1, 1)])
def test_means_that_come_nearer_by_merging_do_not_reopen_a_cut(
    threshold: float, expected: int
) -> None:
    """Two of three equally distant voices are 1 apart; their mean is 0.75 from the third."""
    assert number_of(agglomerate(voices_of(np.eye(3)), threshold, 1, "centroid")) == expected


def test_the_threshold_for_pairs_is_scaled_for_means() -> None:
    """Cosines of 0.8 within two speakers and 0.4 between; the means are 0.4 apart."""
    noise = np.eye(42)[2:] * np.sqrt(0.2)
    means = np.zeros((40, 42))
    means[:, 0], means[20:, :2] = 1, (0.5, np.sqrt(0.75))
    voices = voices_of(means * np.sqrt(0.8) + noise)
    labels = CLUSTERERS["centroid"](voices, Request(0.65))
    assert groups(labels) == groups(np.repeat([0, 1], 20))


@pytest.mark.parametrize("at_least", [1, 3])
def test_few_voices_are_few_clusters(at_least: int) -> None:
    assert agglomerate(scattered(0, 1), THRESHOLD, at_least).shape == (0,)
    assert agglomerate(scattered(0, 1), THRESHOLD, at_least).dtype == np.int32
    assert agglomerate(scattered(1, 1), THRESHOLD, at_least).tolist() == [0]


@given(SEEDS, st.integers(2, 12), st.integers(1, 14))
def test_identical_voices_are_one_speaker_unless_more_are_requested(
    seed: int, number: int, at_least: int
) -> None:
    voices = voices_of(np.repeat(scattered(1, seed).vectors, number, axis=0))
    assert agglomerate(voices, THRESHOLD, 1).tolist() == [0] * number
    assert number_of(agglomerate(voices, THRESHOLD, at_least)) == min(number, at_least)


@given(PLANTED, SEEDS, st.sampled_from([1, 2, 4]))
def test_the_order_of_voices_does_not_matter(planted: Planted, seed: int, at_least: int) -> None:
    voices, _ = planted
    order = np.random.default_rng(seed).permutation(len(voices.seconds))
    moved = np.empty(len(order), np.int32)
    mixed = voices.at(np.arange(len(voices.seconds))[order])
    moved[order] = agglomerate(mixed, THRESHOLD, at_least)
    assert groups(moved) == groups(agglomerate(voices, THRESHOLD, at_least))


@given(PLANTED)
def test_clustering_is_repeatable_and_does_not_change_its_inputs(planted: Planted) -> None:
    voices, _ = planted
    before = [column.copy() for column in voices[:4]]
    first = agglomerate(voices, THRESHOLD, 1)
    np.testing.assert_array_equal(first, agglomerate(voices, THRESHOLD, 1))
    for column, copy in zip(voices[:4], before, strict=True):
        np.testing.assert_array_equal(column, copy)


def beyond(patch: pytest.MonkeyPatch, most: int = 20, block: int = 8) -> None:
    """Set the limit of linked voices to `most`."""
    patch.setattr(agglomerative, "MAX_LINKED", most)
    patch.setattr(agglomerative, "COARSE_BLOCK", block)


@pytest.mark.parametrize("method", ["average", "centroid"])
@given(st.lists(st.integers(10, 40), min_size=3, max_size=3), SEEDS, st.integers(1, 3))
def test_beyond_the_limit_separate_speakers_are_found(
    method: Linkage, sizes: list[int], seed: int, at_least: int
) -> None:
    voices, speakers = plant(sizes, seed)
    with pytest.MonkeyPatch.context() as patch:
        beyond(patch)
        labels = agglomerate(voices, 0.4, at_least, method)
        np.testing.assert_array_equal(labels, agglomerate(voices, 0.4, at_least, method))
    number_of(labels)
    assert groups(labels) == groups(speakers)


@given(st.lists(st.integers(10, 40), min_size=3, max_size=3), SEEDS)
def test_beyond_the_limit_the_order_of_separate_voices_does_not_matter(
    sizes: list[int], seed: int
) -> None:
    voices, speakers = plant(sizes, seed)
    for order in (np.argsort(speakers, kind="stable"), np.arange(len(speakers))[::-1]):
        with pytest.MonkeyPatch.context() as patch:
            beyond(patch)
            labels = agglomerate(voices.at(np.arange(len(voices.seconds))[order]), 0.4, 1)
        assert groups(labels) == groups(speakers[order])


@given(st.integers(0, 200), SEEDS, THRESHOLDS)
def test_no_more_voices_are_merged_at_once_than_the_limit(
    number: int, seed: int, threshold: float
) -> None:
    merged = list[int]()

    def watched(these: Groups, *args: object, **options: int) -> ClusterLabels:
        merged.append(len(these.sizes))
        return merge_nearest(these, *args, **options)

    voices = scattered(number, seed)
    with pytest.MonkeyPatch.context() as patch:
        beyond(patch)
        patch.setattr(agglomerative, "merge_nearest", watched)
        labels = agglomerate(voices, threshold, 1)
    assert labels.shape == (number,)
    number_of(labels)
    assert max(merged, default=0) <= 20
    assert max(merged[:-1], default=0) <= 8
    assert (len(merged) > 1) == (number > 20)


@pytest.mark.parametrize("number", [0, 1, 20, 21])
def test_up_to_the_limit_nothing_is_merged_in_advance(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    voices = scattered(number, 3)
    linked = agglomerate(voices, 0.3, 1)
    beyond(monkeypatch)
    monkeypatch.setattr(agglomerative, "COARSE_DISTANCE", 2.0)
    labels = agglomerate(voices, 0.3, 1)
    assert labels.shape == (number,)
    if number <= 20:
        np.testing.assert_array_equal(labels, linked)
    else:
        assert groups(labels) != groups(linked)


@given(st.integers(1, 120), st.integers(1, 70), st.booleans(), SEEDS)
def test_beyond_the_limit_at_least_the_requested_number_of_groups_is_left(
    number: int, at_least: int, same: bool, seed: int
) -> None:
    voices = voices_of(np.ones((number, 3))) if same else scattered(number, seed)
    with pytest.MonkeyPatch.context() as patch:
        beyond(patch)
        found = number_of(agglomerate(voices, THRESHOLD, at_least))
    assert found >= min(number, at_least)
    if same:
        assert found == min(number, at_least)


def test_beyond_the_limit_only_near_voices_are_merged_in_advance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether two groups are one speaker is decided over the whole recording."""
    beyond(monkeypatch, most=40, block=40)
    angles = np.radians(np.repeat([0.0, 60.0, 150.0], 20))  # 0.5 apart, then 1
    voices = voices_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert number_of(agglomerate(voices, 0.45, 1)) == 3
    assert number_of(agglomerate(voices, 0.6, 1)) == 2
    # the second would join the first if it had not found a nearer one in the other block
    angles = np.radians(np.repeat([0.0, 55.0, -50.0], [20, 20, 40]))
    voices = voices_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    labels = agglomerate(voices, 0.45, 1)
    assert labels[0] == labels[79] != labels[20]


def test_beyond_the_limit_a_group_weighs_as_much_as_its_voices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """30 and 10 voices of one speaker, 0.5 and 0.234 from the third: on average 0.43, not 0.37."""
    angles = np.radians(np.repeat([0.0, 20.0, 60.0], [30, 10, 10]))
    voices = voices_of(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert number_of(agglomerate(voices, 0.4, 1)) == 2
    beyond(monkeypatch, most=20, block=10)
    monkeypatch.setattr(agglomerative, "COARSE_DISTANCE", 0.01)
    assert number_of(agglomerate(voices, 0.4, 1)) == 2


@given(PLANTED)
def test_the_request_reaches_the_linkage(planted: Planted) -> None:
    voices, _ = planted
    for request in (Request(THRESHOLD), Request(THRESHOLD, 7), Request(1.9, 2)):
        found = CLUSTERERS["agglomerative"](voices, request)
        expected = agglomerate(voices, request.threshold, request.at_least)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", sorted(set(CLUSTERERS) - {"vbx"}))
@given(PLANTED, st.integers(1, 40))
def test_every_clusterer_numbers_its_clusters_and_finds_at_least_the_requested_number(
    method: str, planted: Planted, at_least: int
) -> None:
    voices, speakers = planted
    labels = CLUSTERERS[method](voices, Request(THRESHOLD, at_least))
    assert labels.shape == speakers.shape
    assert number_of(labels) >= min(at_least, len(speakers))


@pytest.mark.parametrize("method", sorted(set(CLUSTERERS) - {"vbx"}))
def test_every_clusterer_takes_few_and_identical_voices(method: str) -> None:
    for number, at_least in product((0, 1, 2, 12), (1, 3)):
        labels = CLUSTERERS[method](voices_of(np.ones((number, 8))), Request(THRESHOLD, at_least))
        assert labels.shape == (number,)
        assert number_of(labels) == min(at_least, number)


def test_a_clusterer_that_lacks_its_plda_is_refused() -> None:
    with pytest.raises(ConfigError, match="method is 'vbx' but plda is not given; give "):
        CLUSTERERS["vbx"](scattered(4, 1), Request(THRESHOLD))


@given(arrays(np.float32, st.sampled_from([(5, 3), (2, 3, 4), (0, 3)]), elements=COORDINATES))
def test_unit_length_keeps_directions_and_zeros(vectors: NDArray[np.float32]) -> None:
    scaled = unit_length(vectors)
    assert scaled.dtype == np.float32
    assert scaled.shape == vectors.shape
    for place in np.ndindex(vectors.shape[:-1]):
        before, after = vectors[place], scaled[place]
        length = float(np.sqrt(sum(float(value) ** 2 for value in before)))
        np.testing.assert_allclose(after * length, before, rtol=1e-4)
        assert float(np.linalg.norm(after)) == pytest.approx(1.0 if length else 0.0, abs=1e-5)


@given(st.integers(0, 12), SEEDS)
def test_centroids_point_to_the_mean_weighted_by_speech(number: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    voices = scattered(number, seed)._replace(seconds=rng.uniform(0.2, 3, number))
    labels = rng.integers(-1, 3, number).astype(np.int32)
    found = centroids_of(voices, labels)
    assert found.dtype == np.float32
    assert found.shape == (labels.max(initial=-1) + 1, 4)
    for cluster, centroid in enumerate(found):
        total = np.zeros(4)
        columns = voices.vectors, voices.seconds, labels.tolist()
        for vector, seconds, label in zip(*columns, strict=True):
            total += float(seconds) * vector * (label == cluster)
        length = float(np.linalg.norm(total))
        np.testing.assert_allclose(centroid, total / length if length else total, atol=1e-4)


@given(PLANTED)
def test_centroids_have_unit_length_and_lie_among_their_voices(planted: Planted) -> None:
    voices, speakers = planted
    centroids = centroids_of(voices, speakers.astype(np.int32))
    assert len(centroids) == len(groups(speakers))
    np.testing.assert_allclose(np.linalg.norm(centroids, axis=1), 1.0, rtol=1e-5)
    nearest = (voices.vectors @ centroids.T).argmax(axis=1)
    np.testing.assert_array_equal(nearest, speakers)


@pytest.mark.parametrize("voices", [0, 3])
def test_without_clusters_there_are_no_centroids(voices: int) -> None:
    unlabelled = np.full(voices, -1, np.int32)
    assert centroids_of(scattered(voices, 1), unlabelled).shape == (0, 4)
