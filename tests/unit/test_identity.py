"""What the tracker learns, makes and merges, one rule at a time."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from hocket.online.fusion import activations_of
from hocket.online.identity import Slots, assign, create, label, learn, merge, duplicates
from hocket.online.tracker import WindowEmbeddings, State
from tests.conversations import DIMENSION, RULES, met, slots_of, unit, voices

A, B, C = voices(3)
LIMITS = RULES.limits


def twins_of(state: State) -> tuple[int, int] | None:
    """Who turn out to be one where nobody was known before."""
    return duplicates(state, np.zeros((len(state.names), 0)), LIMITS)


def test_a_unit_that_is_as_near_to_another_teaches_nobody() -> None:
    between, clear = unit(A + 0.95 * B), unit(A + 0.3 * B)
    for vector, taught in ((between, False), (clear, True)):
        state = met(A, B, heard=vector[None])
        labels = np.array([0])
        after = learn(state, slots_of(state), np.array([0, -1, -1]), labels, LIMITS)
        assert (after.seconds[0] > state.seconds[0]) == taught
        assert after.seconds[1] == state.seconds[1]


def test_units_whose_mean_is_somebody_make_nobody() -> None:
    # each is far from A, for it is off in a way of its own; together they are A, or they are C
    off = np.eye(DIMENSION, dtype=np.float32) - np.outer(A, A)
    outliers = np.stack([unit(0.38 * A + unit(off[i]) + 0.9 * unit(off[5])) for i in range(4)])
    state = met(A, heard=outliers)
    slots = slots_of(state)
    assert (slots.subsegment_distances >= LIMITS.create).all()
    nearer = replace(LIMITS, coherence=0.5, create=float(slots.subsegment_distances.min()))
    after, _, _ = create(state, slots, np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 1
    others = met(A, heard=np.stack([C] * 4))
    after, _, speakers = create(others, slots_of(others), np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 2
    assert speakers.tolist() == [1, -1, -1]


def test_a_unit_stays_with_its_slot_unless_it_is_much_nearer_another() -> None:
    for share, expected in ((1.1, 0), (3.0, 1)):
        state = met(A, B, heard=unit(A + share * B)[None])
        assert label(slots_of(state), np.array([0, -1, -1]), LIMITS).tolist() == [expected]


def test_two_who_were_heard_at_once_are_never_one() -> None:
    state = met(A, unit(A + 0.2 * B), heard=A[None])
    assert twins_of(state) == (0, 1)
    assert len(merge(state, 0, 1).names) == 1
    assert twins_of(replace(state, apart=np.array([[0, 1], [1, 0]]))) is None


def test_a_name_that_was_merged_away_is_not_given_again() -> None:
    state = met(A, heard=np.stack([B] * 4))
    grown, _, _ = create(state, slots_of(state), np.array([-1, -1, -1]), LIMITS)
    assert grown.names == ("SPEAKER_00", "SPEAKER_01")
    gone = replace(
        merge(grown, 0, 1), subsegments=grown.subsegments._replace(vectors=np.stack([C] * 4))
    )
    again, _, _ = create(gone, slots_of(gone), np.array([-1, -1, -1]), LIMITS)
    assert again.names == ("SPEAKER_00", "SPEAKER_02")


def test_what_is_final_stays_as_it_was_said() -> None:
    said = np.zeros((20, 1), np.bool_)
    said[2:5] = True  # shorter than a turn may be: it was said before that could be known
    people = np.tile(np.array([0, 1, 0, 1], np.float32), (40, 1))
    state = replace(
        met(A, heard=A[None]),
        said=said,
        done=100,
        end=140,
        votes=np.ones((40, 1), np.float32),
        people=people,
    )
    active = activations_of(state, RULES.regions, RULES.pace)
    assert np.array_equal(active[:20], said)
    assert active[20:].all()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_three_that_are_one_the_nearest_two_become_one_first(order: tuple[int, ...]) -> None:
    people = [unit(A + share * B) for share in (0.0, 0.2, 0.5)]
    state = met(*(people[index] for index in order), heard=A[None])
    pair = twins_of(state)
    assert pair == tuple(sorted((order.index(0), order.index(1))))


def test_of_equal_pairs_the_first_become_one() -> None:
    assert twins_of(met(A, A, A, heard=A[None])) == (0, 1)


def test_what_is_merged_adds_up_and_is_no_more_than_may_be() -> None:
    many = np.stack([unit(A + 0.3 * off) for off in np.eye(DIMENSION)[:8]])
    state = met(unit(many[:4].sum(axis=0)), A, heard=A[None])
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
    after = learn(one, slots_of(one), np.array([0, -1, -1]), np.array([0]), LIMITS)
    assert len(after.exemplars) == LIMITS.most_exemplars


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_no_two_slots_of_a_window_are_given_one_speaker(order: tuple[int, ...]) -> None:
    """All three are nearest to the first; only together is the best way seen."""
    distances = np.array([[0.1, 0.3, 0.9], [0.05, 0.5, 0.9], [0.2, 0.4, 0.59]])
    rows = list(order)
    full = np.full(3, 2.0)
    slots = Slots(full, np.eye(3), full > 0, distances[rows], distances[rows], full > 0, full > 0)
    found = assign(slots, np.zeros((3, 3)), LIMITS)
    assert found[np.argsort(rows)].tolist() == [1, 0, 2]
