"""How the tracker updates, creates and merges speakers, one rule at a time."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from hocket.online.fusion import activations_of
from hocket.online.identity import Slots, assign, create, duplicates, label, learn, merge
from hocket.online.tracker import State, WindowEmbeddings
from tests.helpers.stream_windows import DIMENSION, RULES, slots_of, state_of, unit, voices

A, B, C = voices(3)
CONFIG = RULES.config


def pair_of(state: State) -> tuple[int, int] | None:
    """Duplicates among speakers if there are no known speakers."""
    return duplicates(state, np.zeros((len(state.names), 0)), CONFIG)


def test_a_subsegment_as_near_to_another_speaker_updates_nobody() -> None:
    between, clear = unit(A + 0.95 * B), unit(A + 0.3 * B)
    for vector, taught in ((between, False), (clear, True)):
        state = state_of(A, B, window=vector[None])
        labels = np.array([0])
        after = learn(state, slots_of(state), np.array([0, -1, -1]), labels, CONFIG)
        assert (after.seconds[0] > state.seconds[0]) == taught
        assert after.seconds[1] == state.seconds[1]


def test_subsegments_whose_mean_is_a_known_voice_create_nobody() -> None:
    # each is far from A in a direction of its own; together they are A, or they are C
    off = np.eye(DIMENSION, dtype=np.float32) - np.outer(A, A)
    outliers = np.stack([unit(0.38 * A + unit(off[i]) + 0.9 * unit(off[5])) for i in range(4)])
    state = state_of(A, window=outliers)
    slots = slots_of(state)
    assert (slots.subsegment_distances >= CONFIG.create).all()
    nearer = replace(CONFIG, coherence=0.5, create=float(slots.subsegment_distances.min()))
    after, _, _ = create(state, slots, np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 1
    others = state_of(A, window=np.stack([C] * 4))
    after, _, speakers = create(others, slots_of(others), np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 2
    assert speakers.tolist() == [1, -1, -1]


def test_a_subsegment_stays_with_its_slot_unless_it_is_much_nearer_another_speaker() -> None:
    for share, expected in ((1.1, 0), (3.0, 1)):
        state = state_of(A, B, window=unit(A + share * B)[None])
        assert label(slots_of(state), np.array([0, -1, -1]), CONFIG).tolist() == [expected]


def test_speakers_who_spoke_at_the_same_time_are_never_merged() -> None:
    state = state_of(A, unit(A + 0.2 * B), window=A[None])
    assert pair_of(state) == (0, 1)
    assert len(merge(state, 0, 1).names) == 1
    assert pair_of(replace(state, apart=np.array([[0, 1], [1, 0]]))) is None


def test_a_number_that_was_merged_away_is_not_used_again() -> None:
    state = state_of(A, window=np.stack([B] * 4))
    grown, _, _ = create(state, slots_of(state), np.array([-1, -1, -1]), CONFIG)
    assert grown.names == ("SPEAKER_00", "SPEAKER_01")
    gone = replace(
        merge(grown, 0, 1), subsegments=grown.subsegments._replace(vectors=np.stack([C] * 4))
    )
    again, _, _ = create(gone, slots_of(gone), np.array([-1, -1, -1]), CONFIG)
    assert again.names == ("SPEAKER_00", "SPEAKER_02")


def test_final_frames_stay_as_they_were_emitted() -> None:
    settled = np.zeros((20, 1), np.bool_)
    settled[2:5] = True  # shorter than a turn may be: it was settled before that could be known
    occupancy = np.tile(np.array([0, 1, 0, 1], np.float32), (40, 1))
    state = replace(
        state_of(A, window=A[None]),
        settled=settled,
        done=100,
        end=140,
        votes=np.ones((40, 1), np.float32),
        occupancy=occupancy,
    )
    active = activations_of(state, RULES.regions, RULES.pace)
    assert np.array_equal(active[:20], settled)
    assert active[20:].all()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_three_duplicates_the_nearest_two_are_merged_first(order: tuple[int, ...]) -> None:
    vectors = [unit(A + share * B) for share in (0.0, 0.2, 0.5)]
    state = state_of(*(vectors[index] for index in order), window=A[None])
    pair = pair_of(state)
    assert pair == tuple(sorted((order.index(0), order.index(1))))


def test_of_equal_pairs_the_first_is_merged() -> None:
    assert pair_of(state_of(A, A, A, window=A[None])) == (0, 1)


def test_merged_speakers_add_up_within_the_limit_of_exemplars() -> None:
    many = np.stack([unit(A + 0.3 * off) for off in np.eye(DIMENSION)[:8]])
    state = state_of(unit(many[:4].sum(axis=0)), A, window=A[None])
    state = replace(
        state,
        exemplars=many,
        owners=np.repeat([0, 1], 4),
        seconds=np.array([10.0, 20.0]),
    )
    one = merge(state, 0, 1)
    assert one.seconds.tolist() == [30.0]
    assert one.sums[0] == pytest.approx(state.sums.sum(axis=0))
    assert len(one.exemplars) == 8
    one = replace(
        one, subsegments=WindowEmbeddings(np.array([0]), np.array([60]), A[None], np.zeros(1))
    )
    after = learn(one, slots_of(one), np.array([0, -1, -1]), np.array([0]), CONFIG)
    assert len(after.exemplars) == CONFIG.most_exemplars


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_no_two_slots_of_a_window_are_assigned_to_one_speaker(order: tuple[int, ...]) -> None:
    """All three are nearest to the first; only the joint assignment shows it."""
    distances = np.array([[0.1, 0.3, 0.9], [0.05, 0.5, 0.9], [0.2, 0.4, 0.59]])
    rows = list(order)
    full = np.full(3, 2.0)
    slots = Slots(full, np.eye(3), full > 0, distances[rows], distances[rows], full > 0, full > 0)
    found = assign(slots, np.zeros((3, 3)), CONFIG)
    assert found[np.argsort(rows)].tolist() == [1, 0, 2]
