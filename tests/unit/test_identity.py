"""What the tracker learns, makes and merges, one rule at a time."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.tracking import Heard, State
from hocket.tracking.fusion import activations_of
from hocket.tracking.identity import Slots, assign, create, label, learn, merge, twins
from tests.conversations import DIMENSION, RULES, voices

A, B, C = voices(3)
LIMITS = RULES.limits


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def state_of(*people: NDArray[np.float32], vectors: NDArray[np.float32]) -> State:
    """Speakers met in the stream, and units heard in its last window."""
    number, frames = len(people), np.arange(len(vectors), dtype=np.int64) * 30
    exemplars = np.stack(people)
    return replace(
        State.start(DIMENSION),
        numbers=np.arange(number),
        called=np.full(number, -1),
        created=number,
        sums=exemplars.astype(np.float64),
        seconds=np.ones(number),
        exemplars=exemplars,
        owners=np.arange(number),
        apart=np.zeros((number, number), np.int64),
        units=Heard(frames, frames + 60, vectors),
        votes=np.zeros((0, number), np.float32),
        said=np.zeros((0, number), np.bool_),
        begun=np.full(number, -1),
    )


def twins_of(state: State) -> tuple[int, int] | None:
    """Who turn out to be one where nobody was known before."""
    return twins(state, np.zeros((len(state.names), 0)), LIMITS)


def slots_of(state: State, seconds: float = 1.0) -> Slots:
    """All units are one slot's."""
    rows = state.units.vectors @ unit_rows(state.sums).T
    mine = np.zeros((len(rows), 3))
    mine[:, 0] = seconds
    away = np.full((3, len(state.names)), np.inf)
    away[0] = 1 - rows.mean(axis=0)
    one = np.array([True, False, False])
    new = np.ones(len(rows), np.bool_)
    return Slots(mine.sum(axis=0), mine, new, away, 1 - rows, one, one)


def unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.stack([unit(row) for row in rows])


def test_a_unit_that_is_as_near_to_another_teaches_nobody() -> None:
    between, clear = unit(A + 0.95 * B), unit(A + 0.3 * B)
    for vector, taught in ((between, False), (clear, True)):
        state = state_of(A, B, vectors=vector[None])
        labels = np.array([0])
        after = learn(state, slots_of(state), np.array([0, -1, -1]), labels, LIMITS)
        assert (after.seconds[0] > state.seconds[0]) == taught
        assert after.seconds[1] == state.seconds[1]


def test_units_whose_mean_is_somebody_make_nobody() -> None:
    # each is far from A, for it is off in a way of its own; together they are A, or they are C
    off = np.eye(DIMENSION, dtype=np.float32) - np.outer(A, A)
    outliers = np.stack([unit(0.38 * A + unit(off[i]) + 0.9 * unit(off[5])) for i in range(4)])
    state = state_of(A, vectors=outliers)
    slots = slots_of(state)
    assert (slots.of_units >= LIMITS.create).all()
    nearer = replace(LIMITS, coherence=0.5, create=float(slots.of_units.min()))
    after, _, _ = create(state, slots, np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 1
    others = state_of(A, vectors=np.stack([C] * 4))
    after, _, speakers = create(others, slots_of(others), np.array([-1, -1, -1]), nearer)
    assert len(after.names) == 2
    assert speakers.tolist() == [1, -1, -1]


def test_a_unit_stays_with_its_slot_unless_it_is_much_nearer_another() -> None:
    for share, expected in ((1.1, 0), (3.0, 1)):
        state = state_of(A, B, vectors=unit(A + share * B)[None])
        assert label(slots_of(state), np.array([0, -1, -1]), LIMITS).tolist() == [expected]


def test_two_who_were_heard_at_once_are_never_one() -> None:
    state = state_of(A, unit(A + 0.2 * B), vectors=A[None])
    assert twins_of(state) == (0, 1)
    assert len(merge(state, 0, 1).names) == 1
    assert twins_of(replace(state, apart=np.array([[0, 1], [1, 0]]))) is None


def test_a_name_that_was_merged_away_is_not_given_again() -> None:
    state = state_of(A, vectors=np.stack([B] * 4))
    grown, _, _ = create(state, slots_of(state), np.array([-1, -1, -1]), LIMITS)
    assert grown.names == ("SPEAKER_00", "SPEAKER_01")
    gone = replace(merge(grown, 0, 1), units=grown.units._replace(vectors=np.stack([C] * 4)))
    again, _, _ = create(gone, slots_of(gone), np.array([-1, -1, -1]), LIMITS)
    assert again.names == ("SPEAKER_00", "SPEAKER_02")


def test_what_is_final_stays_as_it_was_said() -> None:
    said = np.zeros((20, 1), np.bool_)
    said[2:5] = True  # shorter than a turn may be: it was said before that could be known
    people = np.tile(np.array([0, 1, 0, 1], np.float32), (40, 1))
    state = replace(
        state_of(A, vectors=A[None]),
        said=said,
        done=100,
        end=140,
        votes=np.ones((40, 1), np.float32),
        people=people,
    )
    active = activations_of(state, RULES.runs, RULES.pace)
    assert np.array_equal(active[:20], said)
    assert active[20:].all()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_three_that_are_one_the_nearest_two_become_one_first(order: tuple[int, ...]) -> None:
    people = [unit(A + share * B) for share in (0.0, 0.2, 0.5)]
    state = state_of(*(people[index] for index in order), vectors=A[None])
    pair = twins_of(state)
    assert pair == tuple(sorted((order.index(0), order.index(1))))


def test_of_equal_pairs_the_first_become_one() -> None:
    assert twins_of(state_of(A, A, A, vectors=A[None])) == (0, 1)


def test_what_is_merged_adds_up_and_is_no_more_than_may_be() -> None:
    many = np.stack([unit(A + 0.3 * off) for off in np.eye(DIMENSION)[:8]])
    state = state_of(unit_rows(many[:4].sum(axis=0)[None])[0], A, vectors=A[None])
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
    one = replace(one, units=Heard(np.array([0]), np.array([60]), A[None]))
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
