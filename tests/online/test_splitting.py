"""A speaker of a stream is split in two."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.clustering.division import TwoSpeakers
from hocket.models import read_catalogue
from hocket.online.identity import Slots
from hocket.online.splitting import FEWEST, MOST_KEPT, divide, keep
from hocket.online.state import RecentSubsegments, WindowEmbeddings
from hocket.online.tracker import State
from tests.helpers.stream_windows import RULES

DIMENSION = 192
MODEL = TwoSpeakers.of(read_catalogue().calibrations["campplus-local"])
CONFIG = RULES.config


def vectors_of(order: NDArray[np.int64], cosine: float, seed: int) -> NDArray[np.float32]:
    """Unit vectors of two voices with this cosine, in an order of 0 and 1."""
    rng = np.random.default_rng(seed)
    first, second = np.linalg.qr(rng.normal(size=(DIMENSION, 2)))[0].T
    voices = np.stack([first, cosine * first + np.sqrt(1 - cosine**2) * second])
    noise = unit_length(rng.normal(size=(len(order), DIMENSION)).astype(np.float32))
    return unit_length((voices[order] + 0.8 * noise).astype(np.float32))


def one_speaker(vectors: NDArray[np.float32], per_region: int = 4) -> State:
    """A stream in which one speaker spoke all of it, in regions of so many subsegments."""
    number = len(vectors)
    first = np.arange(number) * 36 + np.arange(number) // per_region * 60
    owners, narrow = np.zeros(number, np.int64), np.zeros(number)
    past = RecentSubsegments(first, first + 71, vectors, narrow, np.full(number, 0.6), owners)
    nobody = np.zeros(1, np.int64)
    return replace(
        State.start(DIMENSION),
        numbers=nobody,
        identities=nobody - 1,
        pinned=np.zeros(1, np.bool_),
        created=1,
        sums=vectors.sum(axis=0, keepdims=True).astype(np.float64),
        seconds=np.array([number * 1.2]),
        exemplars=unit_length(vectors[:1]),
        owners=nobody,
        apart=np.zeros((1, 1), np.int64),
        past=past,
        judged=nobody,
        votes=np.zeros((0, 1), np.float32),
        settled=np.zeros((0, 1), np.bool_),
        begun=nobody - 1,
        trust=np.zeros(1),
    )


def turns_of_four(number: int) -> NDArray[np.int64]:
    return np.arange(number) // 4 % 2


@pytest.mark.parametrize("seed", range(5))
def test_two_voices_that_take_turns_are_split(seed: int) -> None:
    order = turns_of_four(48)
    order[:4] = 0  # so that the first voice speaks more
    order[4:8] = 0
    state = divide(one_speaker(vectors_of(order, 0.5, seed)), MODEL, CONFIG)
    assert state.names == ("SPEAKER_00", "SPEAKER_01")
    assert state.past.owners.tolist() == order.tolist()
    assert state.apart[0, 1] == state.apart[1, 0] == 1
    centroids = unit_length(state.sums.astype(np.float32))
    expected = [state.past.vectors[order == voice].mean(axis=0) for voice in (0, 1)]
    np.testing.assert_allclose(centroids, unit_length(np.stack(expected)), atol=1e-5)
    assert state.owners.tolist() == [0, 1]


@pytest.mark.parametrize("seed", range(5))
def test_one_voice_is_not_split(seed: int) -> None:
    vectors = vectors_of(np.zeros(96, np.int64), 0.5, seed)
    assert divide(one_speaker(vectors), MODEL, CONFIG).names == ("SPEAKER_00",)


def test_two_voices_one_after_the_other_are_not_split_yet() -> None:
    order = np.arange(48) // 24
    assert divide(one_speaker(vectors_of(order, 0.3, 1)), MODEL, CONFIG).names == ("SPEAKER_00",)


def test_nothing_is_split_beyond_the_allowed_number_of_speakers() -> None:
    full = replace(CONFIG, max_speakers=1)
    state = one_speaker(vectors_of(turns_of_four(48), 0.5, 1))
    assert divide(state, MODEL, full).names == ("SPEAKER_00",)


def test_a_speaker_is_examined_again_only_after_more_speech() -> None:
    state = one_speaker(vectors_of(np.zeros(48, np.int64), 0.5, 2))
    looked = divide(state, MODEL, CONFIG)
    assert looked.judged.tolist() == [48]
    few = one_speaker(vectors_of(np.zeros(FEWEST - 1, np.int64), 0.5, 2))
    assert divide(few, MODEL, CONFIG).judged.tolist() == [0]
    two = vectors_of(turns_of_four(48), 0.5, 2)
    changed = replace(looked, past=looked.past._replace(vectors=two))
    assert divide(changed, MODEL, CONFIG) is changed


def test_kept_subsegments_are_bounded_and_new() -> None:
    state = one_speaker(vectors_of(np.zeros(MOST_KEPT, np.int64), 0.5, 3))
    bounds = np.array([5, 90_000]), np.array([76, 90_071])
    subsegments = WindowEmbeddings(*bounds, vectors_of(np.zeros(2, int), 0.5, 4), np.zeros(2))
    slots = Slots(
        seconds=np.zeros(1),
        slot_seconds=np.array([[1.0], [1.1]]),
        new=np.array([False, True]),
        distances=np.zeros((1, 1)),
        subsegment_distances=np.zeros((2, 1)),
        active=np.ones(1, np.bool_),
        valid=np.ones(1, np.bool_),
    )
    kept = keep(replace(state, subsegments=subsegments), slots, np.zeros(2, np.int64)).past
    assert len(kept.first) == MOST_KEPT
    assert kept.first.tolist() == [*state.past.first[1:].tolist(), 90_000]
    assert kept.seconds[-1] == pytest.approx(0.55)


def test_a_state_with_kept_subsegments_survives_its_bytes() -> None:
    state = divide(one_speaker(vectors_of(turns_of_four(48), 0.5, 5)), MODEL, CONFIG)
    again = State.from_bytes(state.to_bytes())
    for one, other in zip(state.past, again.past, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(state.judged, again.judged)


@pytest.mark.parametrize(("log_odds", "speakers"), [(0.5, 1), (1.5, 2)])
def test_even_odds_are_not_enough_to_split(log_odds: float, speakers: int) -> None:
    two = one_speaker(vectors_of(np.arange(48) // 4 % 2, 0.2, 1))
    always = TwoSpeakers(log_odds, *np.zeros(len(TwoSpeakers._fields) - 1))
    assert len(divide(two, always, CONFIG).names) == speakers
