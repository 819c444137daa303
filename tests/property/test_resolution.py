"""Speakers split and merged by evidence, and numbers of speakers that were asked for."""

import time
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.clustering import UNITS_OF_A_TURN, make_voices
from hocket.arrays import ClusterLabels
from hocket.clustering import (
    DuplicateLimit,
    TwoSpeakers,
    VoiceVectors,
    find_speakers,
    resolution,
)
from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.division import Halves, Traits, traits_of
from hocket.clustering.resolution import LEAST_S, LEAST_VOICES, MOST_COMPARED
from hocket.config import Config, SpeakerCount
from hocket.models import read_catalogue
from tests.talks import UNIT_S, Talk, talk, voices_of

SHIPPED = read_catalogue().calibrations[Config().graphs.embedding]
MODEL = TwoSpeakers(*(SHIPPED[f"two_{name}"] for name in TwoSpeakers._fields))
LIMIT = DuplicateLimit(*(SHIPPED[f"duplicate_{name}"] for name in DuplicateLimit._fields))
ALL_STAY = DuplicateLimit(at_1s=2.0, growth=0.0, most=2.0)
MIN_SPEAKER_S = 0.9
ANY_COUNT = SpeakerCount()
SEEDS = st.integers(0, 2**32 - 1)
MANY, MOST_CPU_S, MOST_BYTES = 30_000, 60.0, 200e6


class Asked(NamedTuple):
    """What to find speakers in."""

    voices: VoiceVectors
    regions: NDArray[np.int64]
    clusters: ClusterLabels | None = None  # None: by the linkage, so many as are asked for
    limit: DuplicateLimit = LIMIT
    model: TwoSpeakers = MODEL

    def group(self, at_least: int) -> ClusterLabels:
        if self.clusters is not None:
            return self.clusters
        return agglomerate(self.voices, SHIPPED["threshold"], at_least)

    def find(
        self, count: SpeakerCount = ANY_COUNT, judged: resolution.OnTraits | None = None
    ) -> ClusterLabels:
        """The speaker of each; numbered by most speech, and nobody is left out."""
        before = [array.copy() for array in (*self.voices[:4], self.regions)]
        setting = (self.limit, self.model, MIN_SPEAKER_S)
        found = find_speakers(self.voices, self.regions, self.group, *setting, count, judged)
        for array, copy in zip((*self.voices[:4], self.regions), before, strict=True):
            np.testing.assert_array_equal(array, copy)
        assert found.labels.dtype == np.int32
        assert found.labels.shape == self.regions.shape
        spoken = np.bincount(found.labels, self.voices.seconds)
        assert (np.diff(spoken) <= 0).all()
        assert set(found.labels.tolist()) == set(range(len(spoken)))
        assert found.uncertain.shape == spoken.shape
        return found.labels


def asked(one: Talk, clusters: NDArray[np.integer] | int | None = 0) -> Asked:
    """A talk whose linkage gave these clusters, or one; None: as it comes."""
    if clusters is None:
        return Asked(one.voices, one.regions)
    labels = np.broadcast_to(clusters, one.speakers.shape).astype(np.int32)
    return Asked(one.voices, one.regions, labels, ALL_STAY)


def number_of(labels: ClusterLabels) -> int:
    return int(labels.max(initial=-1)) + 1


def same_groups(one: NDArray[np.integer], other: NDArray[np.integer]) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def joined(first: Talk, second: Talk) -> tuple[VoiceVectors, NDArray[np.int64], ClusterLabels]:
    """One talk after the other, and which of them is which."""
    voices = VoiceVectors(
        *map(np.concatenate, zip(first.voices[:4], second.voices[:4], strict=True))
    )
    regions = np.concatenate([first.regions, first.regions[-1] + 1 + second.regions])
    sizes = [len(first.speakers), len(second.speakers)]
    return voices, regions, np.repeat(np.array([0, 1], np.int32), sizes)


def scattered(number: int, seed: int) -> Asked:
    """Voices of nobody in particular, in few dimensions: splits and merges of all kinds."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(1, 4))
    vectors = middle + rng.uniform(0.2, 2) * rng.normal(size=(number, 4))
    voices = voices_of(vectors, rng.uniform(0.2, 2, number))
    regions = np.sort(rng.integers(1 + number // 4, size=number))
    return Asked(voices, regions)


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
    vectors = make_voices(number, 1, seed)
    voices = voices_of(vectors, UNIT_S)
    assert number_of(Asked(voices, np.arange(number) // UNITS_OF_A_TURN).find()) == 1


@settings(max_examples=30)
@given(TURNS, st.floats(0, 0.55), SEEDS)
def test_two_who_take_turns_are_split_though_they_were_one(
    turns: list[int], cosine: float, seed: int
) -> None:
    two = talk(turns, cosine, seed)
    assert same_groups(asked(two).find(), two.speakers)


def test_three_who_were_one_are_three() -> None:
    three = talk([0, 1, 2, 0, 2, 1, 0, 1, 0, 2] * 2, 0.3)
    assert same_groups(asked(three).find(), three.speakers)


def best_odds(talked: Asked) -> float:
    """Of its divisions as one speaker, as a logarithm."""
    told: list[Traits] = []
    never = MODEL._replace(bias=-1e6)
    talked._replace(model=never).find(judged=lambda *judged: told.append(judged[2]))
    return max(map(MODEL.log_odds, told))


@pytest.mark.parametrize("seed", range(4))
def test_who_changes_once_has_moved_and_who_takes_turns_is_two(seed: int) -> None:
    """The same vectors in two orders, by a model to which the one is as unlikely as the other."""
    blocks = talk([0] * 12 + [1] * 12, 0.75, seed, dimension=400)
    order = np.arange(len(blocks.speakers)).reshape(2, 12, -1).swapaxes(0, 1).ravel()
    turns = blocks._replace(voices=blocks.voices.at(np.arange(len(blocks.voices.seconds))[order]))
    middle = (best_odds(asked(blocks)) + best_odds(asked(turns))) / 2
    even = MODEL._replace(bias=MODEL.bias - middle)
    assert number_of(asked(blocks)._replace(model=even).find()) == 1
    assert number_of(asked(turns)._replace(model=even).find()) == 2


@settings(max_examples=30)
@given(st.integers(4, 12), SEEDS)
def test_halves_of_one_voice_that_mix_are_merged(regions: int, seed: int) -> None:
    one = talk([0] * regions, seed=seed)
    halves = np.random.default_rng(seed).permutation(np.arange(len(one.speakers)) % 2)
    assert number_of(asked(one, halves).find()) == 1


@settings(max_examples=30)
@given(TURNS, st.floats(0, 0.55), SEEDS)
def test_two_who_were_four_are_two(turns: list[int], cosine: float, seed: int) -> None:
    two = talk(turns, cosine, seed)
    mixed = np.random.default_rng(seed).integers(2, size=len(two.speakers))
    quarters = np.unique(2 * two.speakers + mixed, return_inverse=True)[1]
    assert same_groups(asked(two, quarters).find(), two.speakers)


@pytest.mark.parametrize(
    ("units", "seconds", "number"),
    [
        (LEAST_VOICES - 1, 5.0, 1),
        (LEAST_VOICES, 5.0, 2),
        (8, 0.9 * LEAST_S / 8, 1),
        (8, 1.1 * LEAST_S / 8, 2),
    ],
)
def test_a_half_is_a_speaker_from_so_much_speech_on(
    subsegments: int, seconds: float, number: int
) -> None:
    few = talk([0, 0, 0, 0, 1, 0, 0, 0, 0], subsegments=subsegments)
    voices = voices_of(few.voices.vectors, seconds)
    assert number_of(asked(few._replace(voices=voices)).find()) == number


@given(SCATTERED, counts())
def test_numbers_asked_for_are_met_where_there_are_as_many_voices(
    talked: Asked, count: SpeakerCount
) -> None:
    found = number_of(talked.find(count))
    assert found >= min(count.minimum, len(talked.regions))
    assert found <= (count.maximum or found)


@given(SCATTERED, st.booleans())
def test_asking_for_what_is_found_changes_nothing(talked: Asked, at_most: bool) -> None:
    labels = talked.find()
    number = number_of(labels)
    count = SpeakerCount(number, number if at_most else None)
    np.testing.assert_array_equal(talked.find(count), labels)


def test_of_splits_that_are_asked_for_the_likelier_is_made() -> None:
    """Two who are too close to be told, beside more speech of one who is clear."""
    close, clear = talk([0, 1] * 6, 0.75), talk([0] * 20, seed=1)
    talked = Asked(*joined(close, clear), limit=ALL_STAY)
    assert same_groups(talked.find(), talked.clusters)
    labels = talked.find(SpeakerCount(3, 3))
    assert number_of(labels) == 3
    assert set(labels[talked.clusters == 1].tolist()) == {0}


def test_the_split_with_the_best_odds_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two clusters that each are two speakers, the one whose two are the less alike."""
    monkeypatch.setattr(resolution, "SPARE_CHANGES", -1)  # one change for two speakers
    near, far = talk([0, 1] * 6, 0.55, seed=1), talk([0, 1] * 6, 0.0, seed=2)
    for first, second in ((near, far), (far, near)):
        voices, regions, clusters = joined(first, second)
        labels = Asked(voices, regions, clusters, ALL_STAY).find()
        assert number_of(labels) == 3
        parted = labels[clusters == int(second is far)]
        assert same_groups(parted, far.speakers)


def test_of_merges_that_are_asked_for_the_one_that_costs_least_is_made() -> None:
    """Two of much speech stay apart, though the third is less like either than they are."""
    voices, regions, clusters = joined(talk([0, 1] * 6, 0.5), talk([0], seed=1))
    people = np.append(np.repeat([0, 1] * 6, 6), [2] * 6)
    labels = Asked(voices, regions, people.astype(np.int32), ALL_STAY).find(SpeakerCount(1, 2))
    assert number_of(labels) == 2
    assert same_groups(labels[clusters == 0], people[clusters == 0])


def test_who_says_a_word_is_found_by_the_number() -> None:
    """No half is as small, so the linkage is asked for as many clusters."""
    voices, regions, speakers = talk([0] * 9 + [1], 0.55)
    few = Asked(voices.at(np.arange(len(voices.seconds))[:-4]), regions[:-4])
    assert number_of(few.find()) == 1
    assert same_groups(few.find(SpeakerCount(2, 2)), speakers[:-4])


@pytest.mark.parametrize("count", [ANY_COUNT, SpeakerCount(1, 1), SpeakerCount(3, 3)], ids=str)
@pytest.mark.parametrize("number", [0, 1, 2, 30])
def test_voices_that_are_all_the_same(number: int, count: SpeakerCount) -> None:
    voices = voices_of(np.ones((number, 4)), UNIT_S)
    found = number_of(Asked(voices, np.zeros(number, np.int64)).find(count))
    assert found == min(number, count.minimum)


def test_a_cluster_of_two_is_neither_divided_nor_merged_unless_asked_for() -> None:
    talked = asked(talk([0] * 6), np.repeat([0, 1], [34, 2]))
    assert number_of(talked.find()) == 2
    assert number_of(talked.find(SpeakerCount(1, 1))) == 1


def test_all_divisions_and_pairs_are_told_of_and_change_nothing() -> None:
    told: list[tuple[NDArray[np.int64], Halves, Traits]] = []
    talked = asked(talk([0, 1] * 6, 0.5), np.repeat([0, 1], 36))
    labels = talked.find(judged=lambda *judged: told.append(judged))
    np.testing.assert_array_equal(labels, talked.find())
    assert {len(places) for places, _, _ in told} >= {36, 72}
    for places, halves, traits in told:
        voices = talked.voices.at(np.arange(len(talked.voices.seconds))[places])
        assert traits == traits_of(voices, talked.regions[places], halves)


def test_of_many_voices_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    two = talk([0, 1] * 200, 0.4)
    assert len(two.speakers) > MOST_COMPARED
    told: list[NDArray[np.int64]] = []
    some = asked(two).find(judged=lambda *judged: told.append(judged[0]))
    assert max(map(len, told)) == len(told[0]) <= MOST_COMPARED < 2 * len(told[0])
    steps = np.diff(told[0])  # neighbours, and nowhere a hole
    assert np.mean(steps == 1) > 0.9
    assert steps.min() == 1
    assert steps.max() < len(two.speakers) / 50
    monkeypatch.setattr(resolution, "MOST_COMPARED", len(two.speakers))
    np.testing.assert_array_equal(some, asked(two).find())
    assert same_groups(some, two.speakers)


def test_hours_are_searched_in_time_and_without_all_pairs() -> None:
    vectors = make_voices(MANY, 5, seed=1)
    voices = VoiceVectors(vectors, vectors, np.full(MANY, UNIT_S), np.zeros(MANY))
    clusters = (vectors @ vectors[0] > 0.25).astype(np.int32)
    talked = Asked(voices, np.arange(MANY) // UNITS_OF_A_TURN, clusters, ALL_STAY)
    tracemalloc.start()
    started = time.process_time()
    labels = talked.find()
    took, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert number_of(labels) == 5
    assert took < MOST_CPU_S
    assert peak < MOST_BYTES
