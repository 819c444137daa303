"""Speakers split and merged by their odds, and requested numbers of speakers."""

import time
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import ClusterLabels
from hocket.clustering import TwoSpeakers, VoiceVectors, resolution, resolve_speakers
from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.division import Halves, Traits, traits_of
from hocket.clustering.resolution import LEAST_S, LEAST_VOICES, MOST_COMPARED
from hocket.config import ResolvedClustering, SpeakerCount
from tests.helpers.conversations import (
    SUBSEGMENT_S,
    Conversation,
    conversation,
    long_conversation,
    voices_of,
)
from tests.helpers.settings import CALIBRATION, clustering

MODEL = TwoSpeakers.of(CALIBRATION)
CONFIG = clustering()
ALL_STAY = clustering(duplicate_at_1s=2.0, duplicate_growth=0.0, duplicate_most=2.0)
ANY_COUNT = SpeakerCount()
SEEDS = st.integers(0, 2**32 - 1)
MANY, MOST_CPU_S, MOST_BYTES = 15_000, 60.0, 200e6


class Problem(NamedTuple):
    """Voices, and the settings to find speakers with."""

    voices: VoiceVectors
    regions: NDArray[np.int64]
    clusters: ClusterLabels | None = None  # None: by the linkage
    config: ResolvedClustering = CONFIG
    model: TwoSpeakers = MODEL

    def group(self, at_least: int) -> ClusterLabels:
        if self.clusters is not None:
            return self.clusters
        return agglomerate(self.voices, self.config.threshold, at_least)

    def find(
        self, count: SpeakerCount = ANY_COUNT, on_traits: resolution.TraitsCallback | None = None
    ) -> ClusterLabels:
        """The speaker of each voice, checked: numbered by decreasing speech, no voice left out."""
        before = [array.copy() for array in (*self.voices[:4], self.regions)]
        found = resolve_speakers(
            self.voices, self.regions, self.group, self.config, self.model, count, on_traits
        )
        for array, copy in zip((*self.voices[:4], self.regions), before, strict=True):
            np.testing.assert_array_equal(array, copy)
        assert found.labels.dtype == np.int32
        assert found.labels.shape == self.regions.shape
        spoken = np.bincount(found.labels, self.voices.seconds)
        assert (np.diff(spoken) <= 0).all()
        assert set(found.labels.tolist()) == set(range(len(spoken)))
        assert found.spurious.shape == spoken.shape
        return found.labels


def problem(one: Conversation, clusters: NDArray[np.integer] | int | None = 0) -> Problem:
    """A conversation with clusters given instead of the linkage's; None: the linkage's."""
    if clusters is None:
        return Problem(one.voices, one.regions)
    labels = np.broadcast_to(clusters, one.speakers.shape).astype(np.int32)
    return Problem(one.voices, one.regions, labels, ALL_STAY)


def number_of(labels: ClusterLabels) -> int:
    return int(labels.max(initial=-1)) + 1


def same_groups(one: NDArray[np.integer], other: NDArray[np.integer]) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def joined(
    first: Conversation, second: Conversation
) -> tuple[VoiceVectors, NDArray[np.int64], ClusterLabels]:
    """One conversation after the other, and which of them each voice belongs to."""
    voices = VoiceVectors(
        *map(np.concatenate, zip(first.voices[:4], second.voices[:4], strict=True))
    )
    regions = np.concatenate([first.regions, first.regions[-1] + 1 + second.regions])
    sizes = [len(first.speakers), len(second.speakers)]
    return voices, regions, np.repeat(np.array([0, 1], np.int32), sizes)


def scattered(number: int, seed: int) -> Problem:
    """Random voices in few dimensions, for splits and merges of all kinds."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(1, 4))
    vectors = middle + rng.uniform(0.2, 2) * rng.normal(size=(number, 4))
    voices = voices_of(vectors, rng.uniform(0.2, 2, number))
    regions = np.sort(rng.integers(1 + number // 4, size=number))
    return Problem(voices, regions)


@st.composite
def counts(draw: st.DrawFn) -> SpeakerCount:
    minimum = draw(st.integers(1, 12))
    return SpeakerCount(minimum, draw(st.none() | st.integers(minimum, 13)))


SCATTERED = st.builds(scattered, st.integers(1, 80), SEEDS)
TURNS = st.lists(st.permutations([0, 1]), min_size=4, max_size=8).map(
    lambda pairs: [turn for pair in pairs for turn in pair]
)


@settings(max_examples=30)
@given(st.integers(1, 200), SEEDS)
def test_one_voice_stays_one(number: int, seed: int) -> None:
    one = long_conversation(number, 1, seed)
    assert number_of(Problem(one.voices, one.regions).find()) == 1


@settings(max_examples=30)
@given(TURNS, st.floats(0, 0.55), SEEDS)
def test_two_speakers_who_take_turns_are_split(turns: list[int], cosine: float, seed: int) -> None:
    two = conversation(turns, cosine, seed)
    assert same_groups(problem(two).find(), two.speakers)


def test_three_speakers_are_split_out_of_one_cluster() -> None:
    three = conversation([0, 1, 2, 0, 2, 1, 0, 1, 0, 2] * 2, 0.3)
    assert same_groups(problem(three).find(), three.speakers)


def best_odds(case: Problem) -> float:
    """Logarithm of the highest odds of its divisions."""
    called: list[Traits] = []
    never = MODEL._replace(bias=-1e6)
    case._replace(model=never).find(on_traits=lambda *given: called.append(given[2]))
    return max(map(MODEL.log_odds, called))


@pytest.mark.parametrize("seed", range(4))
def test_one_change_is_a_change_of_channel_and_turns_are_two_speakers(seed: int) -> None:
    """The same vectors in two orders, with a model for which both are equally unlikely."""
    blocks = conversation([0] * 12 + [1] * 12, 0.75, seed, dimension=400)
    order = np.arange(len(blocks.speakers)).reshape(2, 12, -1).swapaxes(0, 1).ravel()
    turns = blocks._replace(voices=blocks.voices.at(np.arange(len(blocks.voices.seconds))[order]))
    middle = (best_odds(problem(blocks)) + best_odds(problem(turns))) / 2
    even = MODEL._replace(bias=MODEL.bias - middle)
    assert number_of(problem(blocks)._replace(model=even).find()) == 1
    assert number_of(problem(turns)._replace(model=even).find()) == 2


@settings(max_examples=30)
@given(st.integers(4, 12), SEEDS)
def test_mixed_halves_of_one_voice_are_merged(regions: int, seed: int) -> None:
    one = conversation([0] * regions, seed=seed)
    halves = np.random.default_rng(seed).permutation(np.arange(len(one.speakers)) % 2)
    assert number_of(problem(one, halves).find()) == 1


@settings(max_examples=30)
@given(TURNS, st.floats(0, 0.55), SEEDS)
def test_two_speakers_in_four_clusters_are_merged_to_two(
    turns: list[int], cosine: float, seed: int
) -> None:
    two = conversation(turns, cosine, seed)
    mixed = np.random.default_rng(seed).integers(2, size=len(two.speakers))
    quarters = np.unique(2 * two.speakers + mixed, return_inverse=True)[1]
    assert same_groups(problem(two, quarters).find(), two.speakers)


@pytest.mark.parametrize(
    ("subsegments", "seconds", "number"),
    [
        (LEAST_VOICES - 1, 5.0, 1),
        (LEAST_VOICES, 5.0, 2),
        (8, 0.9 * LEAST_S / 8, 1),
        (8, 1.1 * LEAST_S / 8, 2),
    ],
)
def test_a_half_is_a_speaker_from_a_least_amount_of_speech_on(
    subsegments: int, seconds: float, number: int
) -> None:
    few = conversation([0, 0, 0, 0, 1, 0, 0, 0, 0], subsegments=subsegments)
    voices = voices_of(few.voices.vectors, seconds)
    assert number_of(problem(few._replace(voices=voices)).find()) == number


@given(SCATTERED, counts())
def test_requested_numbers_are_met_if_there_are_as_many_voices(
    case: Problem, count: SpeakerCount
) -> None:
    found = number_of(case.find(count))
    assert found >= min(count.minimum, len(case.regions))
    assert found <= (count.maximum or found)


@given(SCATTERED, st.booleans())
def test_requesting_the_number_that_is_found_changes_nothing(case: Problem, at_most: bool) -> None:
    labels = case.find()
    number = number_of(labels)
    count = SpeakerCount(number, number if at_most else None)
    np.testing.assert_array_equal(case.find(count), labels)


def test_the_likelier_of_two_requested_splits_is_made() -> None:
    """Two speakers too close to be split, beside more speech of a clear one."""
    close, clear = conversation([0, 1] * 6, 0.75), conversation([0] * 20, seed=1)
    case = Problem(*joined(close, clear), config=ALL_STAY)
    assert same_groups(case.find(), case.clusters)
    labels = case.find(SpeakerCount(3, 3))
    assert number_of(labels) == 3
    assert set(labels[case.clusters == 1].tolist()) == {0}


def test_the_split_with_the_best_odds_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two clusters with two speakers each, the one whose speakers are less similar."""
    monkeypatch.setattr(resolution, "SPARE_CHANGES", -1)  # one change for two speakers
    near, far = conversation([0, 1] * 6, 0.55, seed=1), conversation([0, 1] * 6, 0.0, seed=2)
    for first, second in ((near, far), (far, near)):
        voices, regions, clusters = joined(first, second)
        labels = Problem(voices, regions, clusters, ALL_STAY).find()
        assert number_of(labels) == 3
        parted = labels[clusters == int(second is far)]
        assert same_groups(parted, far.speakers)


def test_the_requested_merge_that_costs_least_is_made() -> None:
    """Two speakers with much speech stay apart, although the third is less similar to both."""
    voices, regions, clusters = joined(conversation([0, 1] * 6, 0.5), conversation([0], seed=1))
    speakers = np.append(np.repeat([0, 1] * 6, 6), [2] * 6)
    labels = Problem(voices, regions, speakers.astype(np.int32), ALL_STAY).find(SpeakerCount(1, 2))
    assert number_of(labels) == 2
    assert same_groups(labels[clusters == 0], speakers[clusters == 0])


def test_a_speaker_of_a_word_is_found_if_the_number_is_given() -> None:
    """No half is as small, so the linkage must give as many clusters."""
    voices, regions, speakers = conversation([0] * 9 + [1], 0.55)
    few = Problem(voices.at(np.arange(len(voices.seconds))[:-4]), regions[:-4])
    assert number_of(few.find()) == 1
    assert same_groups(few.find(SpeakerCount(2, 2)), speakers[:-4])


@pytest.mark.parametrize("count", [ANY_COUNT, SpeakerCount(1, 1), SpeakerCount(3, 3)], ids=str)
@pytest.mark.parametrize("number", [0, 1, 2, 30])
def test_identical_voices_are_one_speaker_unless_more_are_requested(
    number: int, count: SpeakerCount
) -> None:
    voices = voices_of(np.ones((number, 4)), SUBSEGMENT_S)
    found = number_of(Problem(voices, np.zeros(number, np.int64)).find(count))
    assert found == min(number, count.minimum)


def test_a_cluster_of_two_voices_is_neither_divided_nor_merged_unless_requested() -> None:
    case = problem(conversation([0] * 6), np.repeat([0, 1], [34, 2]))
    assert number_of(case.find()) == 2
    assert number_of(case.find(SpeakerCount(1, 1))) == 1


def test_the_callback_sees_all_divisions_and_pairs_and_changes_nothing() -> None:
    called: list[tuple[NDArray[np.int64], Halves, Traits]] = []
    case = problem(conversation([0, 1] * 6, 0.5), np.repeat([0, 1], 36))
    labels = case.find(on_traits=lambda *given: called.append(given))
    np.testing.assert_array_equal(labels, case.find())
    assert {len(members) for members, _, _ in called} >= {36, 72}
    for members, halves, traits in called:
        voices = case.voices.at(np.arange(len(case.voices.seconds))[members])
        assert traits == traits_of(voices, case.regions[members], halves)


def test_many_voices_are_represented_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    two = conversation([0, 1] * 200, 0.4)
    assert len(two.speakers) > MOST_COMPARED
    called: list[NDArray[np.int64]] = []
    some = problem(two).find(on_traits=lambda *given: called.append(given[0]))
    assert max(map(len, called)) == len(called[0]) <= MOST_COMPARED < 2 * len(called[0])
    steps = np.diff(called[0])  # neighbors, without large gaps
    assert np.mean(steps == 1) > 0.9
    assert steps.min() == 1
    assert steps.max() < len(two.speakers) / 50
    monkeypatch.setattr(resolution, "MOST_COMPARED", len(two.speakers))
    np.testing.assert_array_equal(some, problem(two).find())
    assert same_groups(some, two.speakers)


def test_hours_of_voices_are_resolved_in_time_and_without_all_pairs() -> None:
    five = long_conversation(MANY, 5, seed=1)
    vectors = five.voices.vectors
    clusters = (vectors @ vectors[0] > 0.25).astype(np.int32)
    case = Problem(five.voices, five.regions, clusters, ALL_STAY)
    tracemalloc.start()
    started = time.process_time()
    labels = case.find()
    took, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number_of(labels) == 5
    assert took < MOST_CPU_S
    assert peak < MOST_BYTES
