"""Division of a cluster in two halves, and the traits of a division."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.clustering import Tracks, TwoSpeakers, VoiceVectors
from hocket.clustering.division import (
    COHERENCE,
    LINKS,
    Halves,
    Traits,
    settle,
    traits_of,
    widest,
)
from tests.helpers.conversations import Conversation, conversation, voices_of

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Two speakers, each with at least a third of the regions."""
    threes = st.permutations([0, 0, 1]) | st.permutations([0, 1, 1])
    turns = [turn for three in draw(st.lists(threes, min_size=2, max_size=8)) for turn in three]
    return conversation(turns, draw(st.floats(0, 0.3)), draw(SEEDS), draw(st.integers(3, 6)))


CONVERSATIONS = conversations()


def with_seconds(two: Conversation, seed: int) -> Conversation:
    seconds = np.random.default_rng(seed).uniform(0.2, 2, len(two.speakers))
    return two._replace(voices=two.voices._replace(seconds=seconds))


def traits(two: Conversation, halves: Halves | None = None) -> Traits:
    return traits_of(two.voices, two.regions, two.speakers if halves is None else halves)


def of_halves(halves: list[int], regions: list[int] | None = None) -> Traits:
    """Traits of a division of voices that have nothing in common."""
    voices = voices_of(np.eye(len(halves)), 1.0)
    rows = np.array(regions or [0] * len(halves))
    return traits_of(voices, rows, np.array(halves, np.int64))


@given(CONVERSATIONS, SEEDS)
def test_two_voices_are_divided_exactly(two: Conversation, seed: int) -> None:
    two = with_seconds(two, seed)
    vectors, seconds = two.voices.vectors.astype(np.float64), two.voices.seconds
    halves = settle(vectors, seconds, widest(vectors, seconds))
    assert set(halves.tolist()) == {0, 1}
    assert (halves == two.speakers).all() or (halves != two.speakers).all()


@given(CONVERSATIONS, SEEDS)
def test_voices_on_the_wrong_side_are_moved(two: Conversation, seed: int) -> None:
    wrong = np.random.default_rng(seed).random(len(two.speakers)) < 0.2
    wrong[[0, -1]] = False
    vectors = two.voices.vectors.astype(np.float64)
    for speaker in (0, 1):  # most voices of each speaker stay
        rows = np.flatnonzero(two.speakers == speaker)
        wrong[rows[: len(rows) // 2 + 1]] = False
    halves = settle(vectors, two.voices.seconds, two.speakers ^ wrong)
    np.testing.assert_array_equal(halves, two.speakers)


def test_seconds_decide_where_a_cluster_is_widest() -> None:
    """Four seconds of two similar voices, and a moment of something else."""
    angles = np.array([0.3, 0.3, -0.3, -0.3])
    vectors = np.zeros((5, 3))
    vectors[:4, 0], vectors[:4, 1] = np.cos(angles), np.sin(angles)
    vectors[4, 2] = 1
    by_voice = widest(vectors, np.ones(5))
    assert len(set(by_voice[:4].tolist())) == 1
    halves = widest(vectors, np.array([1, 1, 1, 1, 0.01]))
    assert halves[0] == halves[1] != halves[2] == halves[3]


def test_seconds_decide_where_a_half_lies() -> None:
    angles = np.radians([0, 55, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    start = np.array([0, 0, 1])
    assert settle(vectors, np.ones(3), start).tolist() == [0, 0, 1]
    assert settle(vectors, np.array([20.0, 1.0, 20.0]), start).tolist() == [0, 1, 1]


@pytest.mark.parametrize("number", [1, 2, 30])
def test_identical_voices_stay_together(number: int) -> None:
    vectors = np.repeat(np.random.default_rng(number).normal(size=(1, 8)), number, axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seconds = np.ones(number)
    for start in (widest(vectors, seconds), np.arange(number) % 2):
        assert len(set(settle(vectors, seconds, start).tolist())) == 1


@given(CONVERSATIONS)
def test_whole_regions_are_coherent(two: Conversation) -> None:
    assert traits(two).coherence == pytest.approx(1)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_random_halves_are_not_coherent(share: float) -> None:
    one = conversation([0] * 1_000)
    halves = (np.random.default_rng(1).random(len(one.speakers)) < share).astype(np.int64)
    assert traits(one, halves).coherence == pytest.approx(0, abs=0.04)


def test_only_neighbors_within_a_region_count_for_coherence() -> None:
    assert of_halves([0, 0, 1, 1], [0, 0, 1, 1]).coherence == pytest.approx(1)
    assert of_halves([0, 0, 1, 1], [0, 0, 0, 1]).coherence == pytest.approx(0)
    assert of_halves([0, 1, 0, 1], [0, 0, 1, 1]).coherence == pytest.approx(-1)
    assert of_halves([0, 1, 0, 1], [0, 1, 2, 3]).coherence == COHERENCE


@pytest.mark.parametrize(
    ("halves", "changes", "share"),
    [([0, 0, 1, 1], 1, 1 / 2), ([1, 0, 0, 0], 1, 1 / 4), ([0, 1, 0, 1], 3, 1 / 2)],
)
def test_changes_and_share_are_counted(halves: list[int], changes: int, share: float) -> None:
    found = of_halves(halves)
    assert found.changes == pytest.approx(np.log1p(changes))
    assert found.share == pytest.approx(np.log(share))
    assert found.block == pytest.approx(1 / changes)
    assert found.block_divergence == pytest.approx(found.divergence / changes)


@given(CONVERSATIONS, st.integers(2, 5))
def test_divergence_grows_with_the_number_of_voices(two: Conversation, times: int) -> None:
    voices = VoiceVectors(*(np.concatenate([column] * times) for column in two.voices[:4]))
    more = Conversation(voices, np.tile(two.regions, times), np.tile(two.speakers, times))
    assert traits(more).divergence > traits(two).divergence
    assert traits(more).concentration == pytest.approx(traits(two).concentration)


def test_divergence_grows_with_the_distance_of_the_halves() -> None:
    turns = [0, 1] * 5
    found = [traits(conversation(turns, cosine)).divergence for cosine in (0.8, 0.6, 0.3, 0.0)]
    assert found == sorted(found)
    assert found[0] < found[-1] - 1


def test_a_half_of_one_voice_is_concentrated_and_one_of_many_is_not() -> None:
    alike = np.repeat(np.eye(2), 4, axis=0)
    halves = np.repeat([0, 1], 4)
    regions = np.zeros(8, np.int64)
    assert traits_of(voices_of(alike, 1.0), regions, halves).concentration == pytest.approx(1)
    # the mean of four voices with nothing in common has half their length
    assert of_halves([0] * 4 + [1] * 4).concentration == pytest.approx(1 / 4)


def test_traits_are_finite_for_degenerate_halves() -> None:
    """Halves in the same place, opposite ones, and one whose voices cancel out."""
    one, other = np.eye(2)
    for vectors in ([one, one, one, one], [one, one, -one, -one], [one, -one, other, other]):
        voices = voices_of(np.array(vectors), 1.0)
        found = traits_of(voices, np.zeros(4, np.int64), np.array([0, 0, 1, 1]))
        assert np.isfinite(found).all()


@given(CONVERSATIONS, SEEDS, st.floats(0.01, 100))
def test_rotation_and_scale_of_seconds_and_the_order_of_halves_do_not_matter(
    two: Conversation, seed: int, factor: float
) -> None:
    rng = np.random.default_rng(seed)
    two = with_seconds(two, seed)
    halves: NDArray[np.int64] = rng.integers(2, size=len(two.speakers))
    halves[:2] = 0, 1
    expected = traits(two, halves)
    vectors, seconds = two.voices.vectors, two.voices.seconds
    rotation = np.linalg.qr(rng.normal(size=(vectors.shape[1],) * 2))[0]
    turned = two._replace(voices=voices_of(vectors @ rotation, seconds))
    longer = two._replace(voices=two.voices._replace(seconds=factor * seconds))
    for found in (traits(turned, halves), traits(longer, halves), traits(two, 1 - halves)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_every_weight_belongs_to_its_trait() -> None:
    assert TwoSpeakers._fields == ("bias", *Traits._fields)
    weights = TwoSpeakers(*10.0 ** np.arange(14))
    expected = sum(number * 10.0**number for number in range(1, 14))
    assert weights.log_odds(Traits(*range(1, 14))) == pytest.approx(1 + expected)


def test_narrow_is_the_share_of_narrow_band_voices() -> None:
    two = conversation([0, 1] * 3)
    half = two.voices._replace(narrow=np.repeat([0.0, 1.0], len(two.speakers) // 2))
    wide, mixed = (traits(two._replace(voices=v), two.speakers) for v in (two.voices, half))
    assert (wide.narrow, wide.narrow_share) == (0, 0)
    assert mixed.narrow == pytest.approx(0.5)
    assert mixed.narrow_share == pytest.approx(0.5 * mixed.share)
    assert mixed[:7] == wide[:7]


def test_links_between_halves_count_for_telephone_voices_only() -> None:
    """For other channels the embeddings say more."""
    two = conversation([0, 1] * 4)
    number = len(two.speakers)
    slots = np.eye(3, dtype=np.float32)
    window = np.zeros((number, 1), np.int64)
    apart = Tracks(window, slots[two.speakers][:, None])
    together = Tracks(window, slots[np.zeros(number, np.int64)][:, None])
    by_telephone = two.voices._replace(telephone=np.ones(number))

    def found(voices: VoiceVectors) -> Traits:
        return traits_of(voices, two.regions, two.speakers)

    assert found(by_telephone._replace(tracks=apart)).telephone_links == pytest.approx(-LINKS)
    linked = found(by_telephone._replace(tracks=together)).telephone_links
    assert linked == pytest.approx(1 - LINKS)
    unknown = found(by_telephone)
    assert (unknown.telephone, unknown.telephone_links, unknown.telephone_linked) == (1, 0, 0)
    assert unknown.telephone_coherence == unknown.coherence
    wide = found(two.voices._replace(telephone=np.zeros(number), tracks=apart))
    assert wide[-4:] == (0, 0, 0, 0)
    assert wide[:-4] == found(two.voices)[:-4]
