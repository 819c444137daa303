"""Selection of the clusters that are speakers, and requested numbers of speakers."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels, unit_length
from hocket.clustering import VoiceVectors, centroids_of, select_speakers
from hocket.clustering.selection import LONG_S, SPURIOUS_WIDTH, duplicate_limit
from hocket.config import ResolvedClustering, SpeakerCount
from tests.helpers.settings import clustering

MIN_SPEAKER_S = 0.9
CONFIG = clustering(
    duplicate_at_1s=0.3, duplicate_growth=0.1, duplicate_most=0.6, min_speaker_s=MIN_SPEAKER_S
)
CONFIGS = st.builds(
    clustering,
    duplicate_at_1s=st.floats(0, 0.6),
    duplicate_growth=st.floats(0, 0.2),
    duplicate_most=st.floats(0.3, 1),
    min_speaker_s=st.just(MIN_SPEAKER_S),
)
ANY_COUNT = SpeakerCount()
SEEDS = st.integers(0, 2**32 - 1)


class Clusters(NamedTuple):
    """Voices, and the cluster of each."""

    voices: VoiceVectors
    labels: ClusterLabels

    def select(
        self, count: SpeakerCount = ANY_COUNT, config: ResolvedClustering = CONFIG
    ) -> ClusterLabels:
        return select_speakers(*self, config, count).labels

    def spurious(self, count: SpeakerCount = ANY_COUNT) -> list[float]:
        return select_speakers(*self, CONFIG, count).spurious.tolist()


def clusters_of(
    vectors: NDArray[np.floating], seconds: NDArray[np.float64], labels: NDArray[np.integer]
) -> Clusters:
    embeddings = vectors.astype(np.float32)
    voices = VoiceVectors(unit_length(embeddings), embeddings, seconds, np.zeros(len(seconds)))
    return Clusters(voices, labels.astype(np.int32))


def spread(number: int, seed: int) -> Clusters:
    """Clusters of one to three voices in random order, some similar, some with little speech."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(number), rng.integers(1, 4, number)))
    directions = rng.normal(size=(number, 3))  # in few dimensions some are near each other
    vectors = directions[labels] + 0.1 * rng.normal(size=(len(labels), 3))
    seconds = 10 ** rng.uniform(-1, 2, len(labels))
    return clusters_of(vectors, seconds, labels)


def along(cosines: list[float], seconds: list[float]) -> Clusters:
    """Clusters of one voice each, with these cosines to the first and nothing else in common."""
    vectors = np.zeros((len(cosines), len(cosines)))
    vectors[:, 0] = cosines
    vectors[np.arange(len(cosines)), np.arange(len(cosines))] += np.sqrt(1 - np.square(cosines))
    return clusters_of(vectors, np.array(seconds), np.arange(len(cosines)))


SPREAD = st.builds(spread, st.integers(1, 12), SEEDS)


@st.composite
def counts(draw: st.DrawFn) -> SpeakerCount:
    minimum = draw(st.integers(1, 14))
    return SpeakerCount(minimum, draw(st.none() | st.integers(minimum, 15)))


def number_of(labels: ClusterLabels) -> int:
    """Number of speakers, which must be numbered from 0 without gaps."""
    assert labels.dtype == np.int32
    speakers = set(labels.tolist()) - {-1}
    assert speakers == set(range(len(speakers)))
    return len(speakers)


def speech_of(voices: VoiceVectors, labels: NDArray[np.generic]) -> dict[int, float]:
    total = dict[int, float]()
    for seconds, label in zip(voices.seconds.tolist(), labels.tolist(), strict=True):
        total[label] = total.get(label, 0.0) + seconds
    return total


def gains(clusters: Clusters, config: ResolvedClustering) -> dict[int, float]:
    """Expected seconds labeled right by keeping a cluster, less those labeled wrong."""
    total = speech_of(*clusters)
    allowed = dict(
        zip(total, duplicate_limit(np.array(list(total.values())), config).tolist(), strict=True)
    )
    centroids = centroids_of(*clusters).astype(np.float64)
    found = dict[int, float]()
    for cluster, seconds in sorted(total.items(), key=lambda pair: -pair[1]):
        if not found:
            probability = 1.0
        elif seconds < MIN_SPEAKER_S:
            probability = 0.0
        else:
            alike = max(float(centroids[cluster] @ centroids[larger]) for larger in found)
            excess = 2 * (alike - allowed[cluster]) / SPURIOUS_WIDTH
            probability = 1 / (1 + float(np.exp(excess)))
        found[cluster] = seconds * probability - seconds * (1 - probability)
    return found


def same_groups(one: ClusterLabels, other: ClusterLabels) -> bool:
    return {frozenset(np.flatnonzero(one == label)) for label in set(one.tolist())} == {
        frozenset(np.flatnonzero(other == label)) for label in set(other.tolist())
    }


def limit_of(config: ResolvedClustering, seconds: float, all_seconds: float = LONG_S) -> float:
    """The limit of one cluster among others with the rest of the speech."""
    return float(duplicate_limit(np.array([all_seconds - seconds, seconds]), config)[1])


@given(CONFIGS, st.floats(0.01, LONG_S / 4))
def test_the_limit_grows_with_each_doubling_up_to_the_most(
    config: ResolvedClustering, seconds: float
) -> None:
    assert limit_of(config, 1.0) == pytest.approx(
        min(config.duplicate_at_1s, config.duplicate_most)
    )
    once, twice = limit_of(config, seconds), limit_of(config, 2 * seconds)
    assert once <= twice <= config.duplicate_most
    if twice < config.duplicate_most:
        assert twice - once == pytest.approx(config.duplicate_growth)


@given(CONFIGS, st.floats(0.01, 50), st.floats(1, 100))
def test_in_long_recordings_the_share_counts_and_in_short_ones_the_seconds(
    config: ResolvedClustering, seconds: float, factor: float
) -> None:
    of_long = limit_of(config, seconds)
    assert limit_of(config, factor * seconds, factor * LONG_S) == pytest.approx(of_long)
    assert limit_of(config, seconds, max(2 * seconds, LONG_S / factor)) == pytest.approx(of_long)


def test_the_limit_is_finite_without_any_speech() -> None:
    assert np.isfinite(duplicate_limit(np.zeros(2), CONFIG)).all()
    assert duplicate_limit(np.zeros(0), CONFIG).shape == (0,)


@given(SPREAD, counts(), CONFIGS)
def test_clusters_with_a_gain_stay_as_far_as_the_count_allows(
    clusters: Clusters, count: SpeakerCount, config: ResolvedClustering
) -> None:
    gain = gains(clusters, config)
    wanted = max(sum(value > 0 for value in gain.values()), count.minimum)
    wanted = min(wanted, count.maximum or wanted)
    best = sorted(gain, key=lambda cluster: -gain[cluster])[:wanted]
    labels = clusters.select(count, config)
    number_of(labels)
    assert set(clusters.labels[labels >= 0].tolist()) == set(best)


@given(SPREAD, counts())
def test_requested_numbers_are_met_if_there_are_as_many_clusters(
    clusters: Clusters, count: SpeakerCount
) -> None:
    found = number_of(clusters.select(count))
    assert found >= min(count.minimum, clusters.labels.max() + 1)
    assert found <= (count.maximum or found)


@given(SPREAD, counts())
def test_speakers_are_whole_clusters_numbered_by_most_speech(
    clusters: Clusters, count: SpeakerCount
) -> None:
    labels = clusters.select(count)
    for cluster in set(clusters.labels.tolist()):
        assert len(set(labels[clusters.labels == cluster].tolist())) == 1
    total = speech_of(clusters.voices, labels)
    speech = [total[speaker] for speaker in range(number_of(labels))]
    assert speech == sorted(speech, reverse=True)
    all_speech = speech_of(clusters.voices, clusters.labels)
    assert speech[0] == pytest.approx(max(all_speech.values()))  # at least one speaker stays


@given(SPREAD, counts(), SEEDS)
def test_order_and_numbering_do_not_matter(
    clusters: Clusters, count: SpeakerCount, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(clusters.labels))
    names = rng.permutation(clusters.labels.max() + 1).astype(np.int32)
    voices = clusters.voices.at(np.arange(len(clusters.voices.seconds))[order])
    mixed = Clusters(voices, names[clusters.labels[order]])
    np.testing.assert_array_equal(mixed.select(count), clusters.select(count)[order])


@given(SPREAD, counts())
def test_inputs_are_not_changed(clusters: Clusters, count: SpeakerCount) -> None:
    before = [array.copy() for array in (*clusters.voices[:4], clusters.labels)]
    clusters.select(count)
    for array, copy in zip((*clusters.voices[:4], clusters.labels), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("seconds", [0.01, 0.5, 100.0])
def test_a_lone_cluster_is_a_speaker(seconds: float) -> None:
    assert along([1.0], [seconds]).select().tolist() == [0]
    assert along([1.0], [seconds]).select(SpeakerCount(3, 3)).tolist() == [0]


def test_of_clusters_with_little_speech_the_longest_is_a_speaker() -> None:
    assert along([1.0, 0.0, 0.0], [0.3, 0.5, 0.4]).select().tolist() == [-1, 0, -1]


def test_a_small_duplicate_is_no_speaker() -> None:
    assert along([1.0, 0.5], [60.0, 2.0]).select().tolist() == [
        0,
        -1,
    ]  # of 2 s, a cosine of 0.4 is allowed


def test_a_small_cluster_of_another_voice_stays() -> None:
    assert along([1.0, 0.1], [60.0, 2.0]).select().tolist() == [0, 1]


def test_a_large_cluster_may_be_more_similar_than_a_small_one() -> None:
    assert along([1.0, 0.5], [60.0, 20.0]).select().tolist() == [0, 1]
    assert along([1.0, 0.7], [60.0, 50.0]).select().tolist() == [0, -1]


def test_a_cluster_with_hardly_any_speech_is_no_speaker_however_different() -> None:
    assert along([1.0, 0.0], [60.0, 0.85]).select().tolist() == [0, -1]
    assert along([1.0, 0.0], [60.0, 0.95]).select().tolist() == [0, 1]


def test_a_cluster_is_compared_with_all_larger_ones_only() -> None:
    clusters = along([1.0, 0.5, 0.0], [3.0, 4.0, 60.0])
    assert clusters.select().tolist() == [-1, 1, 0]


def test_clusters_with_the_highest_gain_are_taken_if_more_are_requested() -> None:
    clusters = along([1.0, 0.8, 0.42, 0.0], [60.0, 2.0, 2.1, 0.5])
    assert clusters.select().tolist() == [0, -1, -1, -1]
    # half a second labeled wrong costs less than two seconds of a surer duplicate
    assert clusters.select(SpeakerCount(2)).tolist() == [0, -1, 1, -1]
    assert clusters.select(SpeakerCount(3)).tolist() == [0, -1, 1, 2]
    assert clusters.select(SpeakerCount(4)).tolist() == [0, 2, 1, 3]


def test_the_largest_cluster_is_never_spurious_and_a_certain_duplicate_always() -> None:
    clusters = along([1.0, 0.8, 0.42, 0.0], [60.0, 2.0, 2.1, 10.0])
    largest, certain = clusters.spurious()
    assert largest == 0
    assert certain < 0.01
    _, other, likely_duplicate, certain_duplicate = clusters.spurious(SpeakerCount(4))
    assert other == certain
    assert 0.5 < likely_duplicate < 0.9
    assert certain_duplicate > 0.99


def test_clusters_with_the_lowest_gain_go_if_fewer_are_requested() -> None:
    clusters = along([1.0, 0.0, 0.55], [60.0, 10.0, 12.0])
    assert clusters.select().tolist() == [0, 2, 1]
    assert clusters.select(SpeakerCount(1, 2)).tolist() == [0, 1, -1]
    assert clusters.select(SpeakerCount(1, 1)).tolist() == [0, -1, -1]


@pytest.mark.parametrize("count", [ANY_COUNT, SpeakerCount(1, 1), SpeakerCount(3, 3)])
def test_without_voices_there_is_no_speaker(count: SpeakerCount) -> None:
    labels = clusters_of(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)).select(count)
    assert labels.shape == (0,)
    assert labels.dtype == np.int32


@given(st.integers(1, 6), counts())
def test_clusters_without_a_direction_count_too(number: int, count: SpeakerCount) -> None:
    nowhere = clusters_of(np.zeros((number, 4)), np.arange(1.0, number + 1), np.arange(number))
    assert number_of(nowhere.select(count)) >= min(count.minimum, number)


def test_identical_clusters_are_one_speaker_unless_more_are_requested() -> None:
    duplicates = along([1.0, 1.0, 1.0, 1.0], [5.0, 5.0, 5.0, 5.0])
    assert number_of(duplicates.select()) == 1
    assert number_of(duplicates.select(SpeakerCount(3, 3))) == 3
