"""Voices to clusters, slots and units to clusters, on planted speakers."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.arrays import Centroids, Embeddings, Labels, Units
from hocket.clustering import (
    CLUSTERERS,
    Voices,
    agglomerative,
    assign_slots,
    assign_units,
    centroids_of,
    slot_embeddings,
    unit_length,
)
from hocket.clustering.agglomerative import agglomerate
from hocket.config import SpeakerCount

DIMENSION = 24
THRESHOLD = 0.5
ANY_COUNT = SpeakerCount()
SEEDS = st.integers(0, 2**32 - 1)
COORDINATES = st.floats(-1000, 1000, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)

Planted = tuple[Voices, NDArray[np.int64]]
"""Voices, and the speaker of each."""


def directions(number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Vectors at right angles to each other, (number, DIMENSION)."""
    return np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0][:number]


def plant(sizes: list[int], seed: int, seconds: float = 2.0) -> Planted:
    """Voices of `len(sizes)` well separated speakers in random order."""
    rng = np.random.default_rng(seed)
    speakers = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    noise = 0.05 * rng.normal(size=(len(speakers), DIMENSION))
    vectors = unit_length((directions(len(sizes), rng)[speakers] + noise).astype(np.float32))
    return Voices(vectors, np.full(len(speakers), seconds)), speakers


PLANTED = st.builds(plant, st.lists(st.integers(3, 6), min_size=1, max_size=5), SEEDS)


def groups(labels: NDArray[np.generic]) -> set[frozenset[int]]:
    """Which voices are together, whatever the clusters are called; outliers are left out."""
    clusters = set(labels.tolist()) - {-1}
    return {frozenset(np.flatnonzero(labels == cluster).tolist()) for cluster in clusters}


def number_of(labels: NDArray[np.int32]) -> int:
    """Number of clusters; they must be numbered from 0 without a gap."""
    clusters = set(labels.tolist()) - {-1}
    assert clusters == set(range(len(clusters)))
    return len(clusters)


def cluster(voices: Voices, count: SpeakerCount = ANY_COUNT) -> NDArray[np.int32]:
    return agglomerate(voices, THRESHOLD, 1.0, count)


def exactly(number: int) -> SpeakerCount:
    return SpeakerCount(number, number)


def lonely_voices() -> Voices:
    """Two speakers with 10 s each, voices 0 to 9, and a third with half a second, voice 10."""
    speakers = [0] * 5 + [1] * 5 + [2]
    vectors = np.eye(3, DIMENSION, dtype=np.float32)[speakers]
    vectors[:, 3] = 0.02 * np.arange(len(speakers))  # no two alike
    return Voices(unit_length(vectors), np.array([2.0] * 10 + [0.5]))


@given(PLANTED)
def test_separate_speakers_are_found_without_being_counted(planted: Planted) -> None:
    voices, speakers = planted
    labels = cluster(voices)
    assert labels.dtype == np.int32
    number_of(labels)
    assert groups(labels) == groups(speakers)


@given(PLANTED, st.data())
def test_an_exact_count_is_honoured(planted: Planted, data: st.DataObject) -> None:
    voices, speakers = planted
    number = data.draw(st.integers(1, len(speakers)))
    labels = cluster(voices, exactly(number))
    assert number_of(labels) == number
    assert labels.min() == 0
    for one in groups(labels):  # too few: whole speakers are merged; too many: speakers are split
        for other in groups(speakers):
            assert one <= other or other <= one or not one & other


@given(PLANTED, st.data())
def test_a_range_moves_the_count_only_as_far_as_it_must(
    planted: Planted, data: st.DataObject
) -> None:
    voices, speakers = planted
    planted_number = len(groups(speakers))
    minimum = data.draw(st.integers(1, len(speakers)))
    maximum = data.draw(st.none() | st.integers(minimum, len(speakers) + 2))
    found = number_of(cluster(voices, SpeakerCount(minimum, maximum)))
    expected = max(planted_number, minimum)
    assert found == (expected if maximum is None else min(expected, maximum))


def test_more_speakers_than_voices_gives_every_voice_its_own() -> None:
    voices, speakers = plant([3, 4], seed=1)
    assert number_of(cluster(voices, exactly(50))) == len(speakers)


@pytest.mark.parametrize(("threshold", "expected"), [(0.35, 2), (0.45, 1)])
def test_clusters_merge_up_to_the_threshold(threshold: float, expected: int) -> None:
    vectors = np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)  # 0.4 apart
    labels = agglomerate(Voices(vectors, np.full(2, 5.0)), threshold, 1.0, ANY_COUNT)
    assert number_of(labels) == expected


def test_the_distance_of_clusters_is_the_mean_over_their_pairs() -> None:
    angles = np.radians([0.0, 20.0, 80.0])  # 0.5 and 0.826 away from the third: 0.663 on average
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    voices = Voices(vectors, np.full(3, 5.0))
    assert number_of(agglomerate(voices, 0.65, 1.0, ANY_COUNT)) == 2
    assert number_of(agglomerate(voices, 0.68, 1.0, ANY_COUNT)) == 1


def test_a_cluster_with_little_speech_is_an_outlier() -> None:
    labels = cluster(lonely_voices())
    assert number_of(labels) == 2
    assert np.flatnonzero(labels == -1).tolist() == [10]


def test_a_cluster_with_just_enough_speech_is_a_speaker() -> None:
    voices = lonely_voices()
    for count in (ANY_COUNT, exactly(3)):
        labels = agglomerate(voices, THRESHOLD, 0.5, count)
        assert groups(labels) == {frozenset(range(5)), frozenset(range(5, 10)), frozenset({10})}


def test_seconds_of_a_cluster_add_up() -> None:
    voices, speakers = plant([4, 4], seed=3, seconds=0.3)  # 1.2 s each
    assert groups(cluster(voices)) == groups(speakers)


def test_merging_stops_at_the_nearest_point_that_meets_the_count() -> None:
    """Later, the outlier would join a speaker; much earlier, only two speakers have any speech."""
    speakers = np.repeat([0, 1, 2, 3], [5, 5, 5, 1])
    vectors = np.eye(4, DIMENSION, dtype=np.float32)[speakers]
    vectors[speakers == 1, 0] = 0.45  # 0.59 from the first
    vectors[speakers == 3, 2] = 0.2  # 0.8 from the third, nearer than the third to the others
    vectors[:, 4] = 0.02 * np.arange(len(speakers))
    voices = Voices(unit_length(vectors), np.full(len(speakers), 0.4))
    labels = cluster(voices, SpeakerCount(1, 2))
    assert groups(labels) == {frozenset(range(10)), frozenset(range(10, 15))}
    assert labels[15] == -1


def test_an_outlier_does_not_count_as_a_speaker() -> None:
    labels = cluster(lonely_voices(), exactly(2))
    assert number_of(labels) == 2
    assert labels[10] == -1


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_with_too_little_speech_for_the_count_any_cluster_counts(number: int) -> None:
    voices, _ = plant([2, 2], seed=5, seconds=0.2)
    labels = cluster(voices, exactly(number))
    assert number_of(labels) == number
    assert labels.min() == 0


def test_a_little_speech_is_still_somebody() -> None:
    voices, _ = plant([2, 1], seed=6, seconds=0.2)
    assert cluster(voices).tolist() == [0, 0, 0]


def test_no_voice_has_no_label() -> None:
    labels = cluster(Voices(np.zeros((0, DIMENSION), np.float32), np.zeros(0)), exactly(3))
    assert labels.shape == (0,)
    assert labels.dtype == np.int32


@pytest.mark.parametrize("count", [ANY_COUNT, exactly(1), exactly(4)])
def test_one_voice_is_one_cluster(count: SpeakerCount) -> None:
    voices, _ = plant([1], seed=1, seconds=0.3)
    assert cluster(voices, count).tolist() == [0]


@given(SEEDS, st.integers(2, 12))
def test_identical_voices_are_one_speaker_unless_told_otherwise(seed: int, number: int) -> None:
    vector = plant([1], seed)[0].vectors
    voices = Voices(np.repeat(vector, number, axis=0), np.full(number, 2.0))
    assert cluster(voices).tolist() == [0] * number
    assert number_of(cluster(voices, exactly(2))) == 2


@given(PLANTED, SEEDS, st.sampled_from([ANY_COUNT, exactly(1), exactly(2), SpeakerCount(4)]))
def test_the_order_of_voices_does_not_matter(
    planted: Planted, seed: int, count: SpeakerCount
) -> None:
    voices, _ = planted
    order = np.random.default_rng(seed).permutation(len(voices.seconds))
    moved = np.empty(len(order), np.int32)
    moved[order] = cluster(Voices(voices.vectors[order], voices.seconds[order]), count)
    assert groups(moved) == groups(cluster(voices, count))


@given(PLANTED)
def test_clustering_is_repeatable_and_leaves_voices_alone(planted: Planted) -> None:
    voices, _ = planted
    before = voices.vectors.copy(), voices.seconds.copy()
    first = CLUSTERERS["agglomerative"](voices, THRESHOLD, 1.0, ANY_COUNT)
    np.testing.assert_array_equal(first, cluster(voices))
    np.testing.assert_array_equal(voices.vectors, before[0])
    np.testing.assert_array_equal(voices.seconds, before[1])


@pytest.mark.parametrize("number", [ANY_COUNT, exactly(2), exactly(5)])
def test_beyond_the_limit_some_voices_are_left_out(
    number: SpeakerCount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agglomerative, "MAX_LINKED", 25)
    voices, speakers = plant([20, 25, 30], seed=8)
    labels = cluster(voices, number)
    linked = np.flatnonzero(labels >= 0)
    assert len(linked) == 25
    assert np.diff(linked).max() <= 4  # spread over the whole recording
    assert number_of(labels) == (number.maximum or 3)
    if number is ANY_COUNT:
        assert groups(labels[linked]) == groups(speakers[linked])


def test_up_to_the_limit_no_voice_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agglomerative, "MAX_LINKED", 25)
    assert cluster(plant([12, 13], seed=8)[0]).min() == 0


def random_slots(
    slots: int, clusters: int, seed: int
) -> tuple[Embeddings, Centroids, NDArray[np.bool_]]:
    """Embeddings of three windows, some of them zero, centroids, and which are not zero."""
    rng = np.random.default_rng(seed)
    present = rng.random((3, slots)) < 0.7
    embeddings = unit_length(rng.normal(size=(3, slots, 6)).astype(np.float32))
    centroids = unit_length(rng.normal(size=(clusters, 6)).astype(np.float32))
    return embeddings * present[..., None], centroids, present


def best_total(similarity: NDArray[np.float32]) -> float:
    """Highest sum over all ways to pair rows with columns, as many as there can be."""
    rows, columns = similarity.shape
    pairs = min(rows, columns)
    return max(
        sum(float(similarity[row, column]) for row, column in zip(chosen, order, strict=True))
        for chosen in combinations(range(rows), pairs)
        for order in permutations(range(columns), pairs)
    )


@given(st.integers(1, 4), st.integers(0, 4), SEEDS)
def test_slots_get_the_best_one_to_one_choice(slots: int, clusters: int, seed: int) -> None:
    embeddings, centroids, present = random_slots(slots, clusters, seed)
    labels = assign_slots(embeddings, centroids)
    assert labels.dtype == np.int32
    assert np.all(labels[~present] == -1)
    for window in range(3):
        assigned = np.flatnonzero(labels[window] >= 0)
        given_out = labels[window, assigned].tolist()
        assert len(assigned) == min(int(present[window].sum()), clusters)
        assert len(set(given_out)) == len(given_out)
        similarity = embeddings[window] @ centroids.T
        total = float(similarity[assigned, given_out].sum())
        assert total == pytest.approx(best_total(similarity[present[window]]), abs=1e-5)


def test_two_slots_of_one_voice_do_not_share_a_cluster() -> None:
    embeddings = np.array([[[1.0, 0.0], [0.9, 0.1], [0.0, 0.0]]], np.float32)
    centroids = np.eye(2, dtype=np.float32)
    assert assign_slots(embeddings, centroids).tolist() == [[0, 1, -1]]


def test_windows_without_voices_or_no_windows_have_no_labels() -> None:
    centroids = np.eye(2, dtype=np.float32)
    assert assign_slots(np.zeros((2, 3, 2), np.float32), centroids).tolist() == [[-1] * 3] * 2
    assert assign_slots(np.zeros((0, 3, 2), np.float32), centroids).shape == (0, 3)


def units_in(slots: list[tuple[int, int]]) -> Units:
    """One unit of one frame for each window and slot given."""
    window, slot = np.array(slots, np.int64).reshape(-1, 2).T
    return Units(window, slot, np.zeros(len(slots), np.int64), np.ones(len(slots), np.int64))


def label_unit(vector: list[float], slot_label: int, loyalty: float = 0.1) -> int:
    """Label of one unit among clusters along the axes."""
    vectors = np.array([vector], np.float32)
    slot_labels = np.array([[slot_label]], np.int32)
    centroids = np.eye(len(vector), dtype=np.float32)
    return int(assign_units(vectors, units_in([(0, 0)]), slot_labels, centroids, loyalty)[0])


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 0.5), st.booleans())
def test_a_unit_leaves_its_slot_only_for_a_voice_more_similar_by_loyalty(
    own: float, other: float, loyalty: float, second: bool
) -> None:
    slot_label = int(second)
    vector = [other, own] if second else [own, other]
    label = label_unit(vector, slot_label, loyalty)
    if other > own + loyalty + 1e-4:
        assert label == 1 - slot_label
    if other < own + loyalty - 1e-4 and (own, other) != (0, 0):
        assert label == slot_label


def test_a_unit_without_embedding_stays_with_its_slot() -> None:
    vectors = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]], np.float32)
    units = units_in([(0, 0), (0, 1), (0, 2)])
    slot_labels = np.array([[1, -1, 0]], np.int32)
    labels = assign_units(vectors, units, slot_labels, np.eye(2, dtype=np.float32), 0.0)
    assert labels.tolist() == [1, -1, 1]
    assert label_unit([0.0, 0.0], -1) == -1


def test_a_unit_whose_slot_has_no_cluster_takes_the_nearest() -> None:
    assert label_unit([0.2, 0.9, 0.88], -1) == 1


def test_every_unit_is_judged_by_its_own_slot() -> None:
    near_equal = np.tile(np.array([[0.7, 0.71]], np.float32), (4, 1))
    slot_labels = np.array([[0, 1], [1, -1]], np.int32)
    units = units_in([(0, 0), (0, 1), (1, 0), (1, 1)])
    labels = assign_units(near_equal, units, slot_labels, np.eye(2, dtype=np.float32), 0.1)
    assert labels.tolist() == [0, 1, 1, 1]
    assert labels.dtype == np.int32
    assert slot_labels.tolist() == [[0, 1], [1, -1]]


def test_without_clusters_units_keep_what_their_slots_have() -> None:
    slot_labels: Labels = np.full((1, 2), -1, np.int32)
    vectors = np.ones((2, 3), np.float32)
    units = units_in([(0, 0), (0, 1)])
    labels = assign_units(vectors, units, slot_labels, np.zeros((0, 3), np.float32), 0.1)
    assert labels.tolist() == [-1, -1]


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


def test_centroids_point_to_the_mean_weighted_by_speech() -> None:
    vectors = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    voices = Voices(vectors, np.array([3.0, 4.0, 1.0, 9.0]))
    centroids = centroids_of(voices, np.array([0, 0, 1, -1], np.int32))
    np.testing.assert_allclose(centroids, [[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], rtol=1e-6)
    assert centroids.dtype == np.float32


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
    found = centroids_of(Voices(np.ones((voices, 4), np.float32), np.ones(voices)), unlabelled)
    assert found.shape == (0, 4)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), max_size=8), SEEDS)
def test_a_slot_is_the_mean_of_its_units_weighted_by_speech(
    slots: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit_length(rng.normal(size=(len(slots), 5)).astype(np.float32))
    voices = Voices(vectors, rng.uniform(0.2, 3, len(slots)))
    found = slot_embeddings(np.zeros((2, 9, 3), np.uint8), units_in(slots), voices)
    assert found.dtype == np.float32
    for place in np.ndindex(2, 3):
        total = np.zeros(5)
        for index in [index for index, slot in enumerate(slots) if slot == place]:
            total += float(voices.seconds[index]) * vectors[index].astype(np.float64)
        length = float(np.linalg.norm(total))
        expected = total / length if length else total
        np.testing.assert_allclose(found[place], expected, atol=1e-4)
