"""Who is called by the name of somebody known before, and since when, and when no longer."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.online.identity import create, merge, second_best, duplicates
from hocket.online.naming import name_distances, name, nearest_known
from hocket.online.tracker import ExemplarIndex, State, WindowResult, step
from hocket.speakers import MOST_EXEMPLARS
from hocket.speakers.matching import distances
from tests.conversations import (
    DIMENSION,
    GEOMETRY,
    RULES,
    follow_windows,
    met,
    slots_of,
    voices,
    windows_of,
    with_limits,
)

A, B, C, D = voices(4)
LIMITS = RULES.limits
EARLY = (LIMITS.name + LIMITS.name_early) / 2  # near enough while little was heard, no longer then


def away(distance: float, voice: NDArray[np.float32] = A) -> NDArray[np.float32]:
    """A voice so far from another."""
    cosine = 1 - distance
    other = D if voice is not D else C
    return (cosine * voice + np.sqrt(1 - cosine**2) * other).astype(np.float32)


def named(state: State) -> tuple[str, ...]:
    return name(state, name_distances(state.known, state.sums, state.seconds, LIMITS)).names


@pytest.mark.parametrize(
    ("distance", "seconds", "expected"),
    [
        (EARLY, 1.0, "Ada"),
        (EARLY, LIMITS.name_s, "SPEAKER_00"),
        (LIMITS.name_early + 0.01, 1.0, "SPEAKER_00"),
        (LIMITS.name - 0.01, LIMITS.name_s, "Ada"),
    ],
)
def test_who_was_heard_little_may_be_farther_away(
    distance: float, seconds: float, expected: str
) -> None:
    known = (ExemplarIndex("Ada", A[None]),)
    assert named(met(away(distance), known=known, seconds=seconds)) == (expected,)


@pytest.mark.parametrize(("people", "expected"), [(5, "Ada"), (500, "SPEAKER_00")])
def test_the_more_are_known_the_nearer_somebody_must_be(people: int, expected: str) -> None:
    ten = np.stack([B] * 10)  # exemplars are no more people
    known = (
        ExemplarIndex("Ada", A[None]),
        *(ExemplarIndex(f"P{i}", ten) for i in range(people - 1)),
    )
    distance = LIMITS.name_early - 3 * LIMITS.crowd
    assert named(met(away(distance), known=known)) == (expected,)


def test_however_many_are_known_those_who_are_near_have_their_names() -> None:
    limits = replace(LIMITS, crowd=1.0)
    known = (ExemplarIndex("Ada", A[None]), *(ExemplarIndex(f"P{i}", B[None]) for i in range(50)))
    state = met(away(LIMITS.name - 0.01), known=known)
    claims = name_distances(state.known, state.sums, state.seconds, limits)
    assert name(state, claims).names == ("Ada",)


def test_exactly_on_the_limit_is_near_enough_as_in_the_store() -> None:
    state = met(away(0.3), known=(ExemplarIndex("Ada", A[None]),), seconds=LIMITS.name_s)
    distance = float(distances(state.sums.astype(np.float32), state.known.voices)[0, 0])
    for limit, expected in ((distance, "Ada"), (np.nextafter(distance, 0), "SPEAKER_00")):
        limits = replace(LIMITS, name=float(limit))
        claims = name_distances(state.known, state.sums, state.seconds, limits)
        assert name(state, claims).names == (expected,)


def test_all_that_was_heard_tells_not_one_second() -> None:
    """Units that are each too far from Ada, and whose mean is Ada."""
    rng, known = np.random.default_rng(3), (ExemplarIndex("Ada", A[None]),)
    subsegments = A + 1.2 * rng.standard_normal((40, DIMENSION)).astype(np.float32) / np.sqrt(
        DIMENSION
    )
    lengths = np.linalg.norm(subsegments, axis=1)
    assert ((subsegments @ A) / lengths < 1 - LIMITS.name).any()
    assert named(met(subsegments.sum(axis=0), known=known, seconds=40.0)) == ("Ada",)


def test_the_nearest_of_those_known_gives_the_name() -> None:
    known = (
        ExemplarIndex("Ada", away(0.3)[None]),
        ExemplarIndex("Bo", away(0.1)[None]),
        ExemplarIndex("Cy", C[None]),
    )
    assert named(met(A, B, known=known)) == ("Bo", "SPEAKER_01")


def test_of_two_who_are_nobody_else_the_nearer_has_the_name() -> None:
    known = (ExemplarIndex("Ada", A[None]),)
    assert named(met(away(0.3), away(0.1, A), known=known)) == ("SPEAKER_00", "Ada")


@pytest.mark.parametrize("apart", [0, 1])
def test_two_who_are_one_person_become_one_unless_heard_at_once(apart: int) -> None:
    one, other = (A + B) / np.sqrt(2), (A - B) / np.sqrt(2)  # at right angles, 0.29 from Ada
    state = met(C, one, other, known=(ExemplarIndex("Ada", A[None]),))
    state = replace(state, apart=np.array([[0, 0, 0], [0, 0, apart], [0, apart, 0]]))
    claims = name_distances(state.known, state.sums, state.seconds, LIMITS)
    assert duplicates(state, claims, LIMITS) == (None if apart else (1, 2))
    assert duplicates(state, claims[:, :0], LIMITS) is None


def test_who_are_two_people_are_never_one_however_alike() -> None:
    one, other = away(0.05), A
    known = (ExemplarIndex("Ada", A[None]), ExemplarIndex("Bo", one[None]))
    state = met(one, other, known=known)
    claims = name_distances(state.known, state.sums, state.seconds, LIMITS)
    assert nearest_known(claims).tolist() == [1, 0]
    assert duplicates(state, claims, LIMITS) is None
    assert duplicates(state, claims[:, :0], LIMITS) == (0, 1)


def test_a_name_that_more_speech_belies_is_given_up() -> None:
    windows = windows_of([(0, 0, 2000)], 2000, away(EARLY)[None], 0.3)
    updates, state = follow_windows(
        windows, with_limits(name_s=20.0), [ExemplarIndex("Ada", A[None])]
    )
    said = [turn.speaker for update in updates for turn in update.final]
    assert said[0] == "Ada"
    assert said[-1] == "SPEAKER_00"
    assert said == sorted(said, key=["Ada", "SPEAKER_00"].index)
    assert state.names == ("SPEAKER_00",)


def test_who_is_known_is_met_even_if_no_more_may_be_made() -> None:
    said = [(0, 0, 300), (1, 310, 600)]
    windows = windows_of(said, 700, np.stack([A, B]))
    for known, expected in (("Ada", {"SPEAKER_00", "Ada"}), ("Eve", {"SPEAKER_00"})):
        people = [ExemplarIndex(known, (B if known == "Ada" else C)[None])]
        updates, _ = follow_windows(windows, with_limits(max_speakers=1), people)
        assert {turn.speaker for update in updates for turn in update.final} == expected


def test_who_is_only_taken_for_somebody_met_is_no_more_than_allowed() -> None:
    """Far from the speaker who is Ada, but near enough to what Ada was enrolled from."""
    known = (ExemplarIndex("Ada", A[None]),)
    said, other = away(0.25), (1.5 * A - away(0.25)).astype(np.float32)  # 0.25 from her each
    limits = replace(LIMITS, max_speakers=0, create=0.4)
    for called, made in ((0, 0), (-1, 1)):
        state = replace(
            met(said, heard=np.stack([other] * 4), known=known), called=np.array([called])
        )
        after, _, _ = create(state, slots_of(state), np.array([-1, -1, -1]), limits)
        assert len(after.numbers) - 1 == made


@pytest.mark.parametrize(("called", "expected"), [(0, -1), (-1, 0)])
def test_as_many_as_allowed_are_met_only_if_nobody_of_them_is_known(
    called: int, expected: int
) -> None:
    """One may be made: who has no speaker left is the one there is, unless one may still come."""
    state = met(A, heard=A[None], known=[ExemplarIndex("Ada", A[None])])
    state = replace(state, called=np.array([called]))
    slots = slots_of(state)._replace(
        active=np.array([True, True, False]), distances=np.array([[0.1], [0.1], [np.inf]])
    )
    limits = replace(LIMITS, max_speakers=1)
    none_due = np.zeros(3, np.bool_)
    found = second_best(state, slots, np.array([0, -1, -1]), none_due, limits)
    assert found.tolist() == [0, expected, -1]


def test_who_turns_out_to_be_another_leaves_a_turn_that_was_open() -> None:
    state = met(C, A, away(0.1), known=())
    empty = np.zeros((100, 3), np.float32)
    state = replace(state, done=100, end=100, begun=np.array([-1, -1, 40]))
    nobody = np.tile(np.array([1, 0, 0], np.float32), (100, 1))
    window = WindowResult(
        100, empty.astype(np.float16), nobody, empty, state.subsegments, GEOMETRY.frame_start(200)
    )
    after, update = step(state, window, RULES)
    assert after.names == ("SPEAKER_00", "SPEAKER_01")
    ((start, end, speaker),) = [(t.start, t.end, t.speaker) for t in update.final]
    assert speaker == "SPEAKER_02"
    edges = (GEOMETRY.seconds_of(GEOMETRY.frame_start(frame)) for frame in (40, 100))
    assert (start, end) == pytest.approx(tuple(edges))


def test_those_who_stay_keep_their_names() -> None:
    state = met(A, B, C, known=(ExemplarIndex("Cy", C[None]),))
    state = replace(state, called=np.array([-1, -1, 0]))
    assert merge(state, 0, 1).names == ("SPEAKER_00", "Cy")
    assert merge(state, 1, 0).names == ("SPEAKER_01", "Cy")


def test_strangers_do_not_count_those_who_have_a_name() -> None:
    said = [(0, 0, 300), (1, 310, 600), (2, 610, 900)]
    windows = windows_of(said, 1000, np.stack([A, B, C]))
    updates, _ = follow_windows(
        windows, with_limits(max_speakers=1), [ExemplarIndex("Ada", A[None])]
    )
    found = {turn.speaker for update in updates for turn in update.final}
    assert found == {"Ada", "SPEAKER_01"}


def test_everybody_is_known_in_the_next_stream() -> None:
    known = [ExemplarIndex("Ada", A[None]), ExemplarIndex("Eve", D[None])]
    windows = windows_of([(0, 0, 300), (1, 310, 600)], 700, np.stack([A, B]))
    _, state = follow_windows(windows, known=known)
    people = state.speakers()
    assert [person.name for person in people] == ["Ada", "Eve", "SPEAKER_01"]
    assert [len(person.exemplars) for person in people] == [3, 1, 2]
    updates, _ = follow_windows(windows, known=people)
    assert {turn.speaker for each in updates for turn in each.final} == {"Ada", "SPEAKER_01"}


def test_a_chain_of_streams_keeps_no_more_than_a_store() -> None:
    windows = windows_of([(0, 0, 900)], 900, np.stack([A]), 0.8)
    people: tuple[ExemplarIndex, ...] = (ExemplarIndex("Ada", A[None]),)
    for _ in range(8):
        _, state = follow_windows(windows, with_limits(update=0.6, name=0.7), people)
        people = state.speakers()
        assert [person.name for person in people] == ["Ada"]
    assert len(people[0].exemplars) == MOST_EXEMPLARS


def test_a_state_keeps_whom_it_knew() -> None:
    windows = windows_of([(0, 0, 300)], 300, np.stack([A]))
    people = [ExemplarIndex("Ada", np.stack([A, away(0.2)])), ExemplarIndex("Eve", D[None])]
    _, state = follow_windows(windows, known=people)
    again = State.from_bytes(state.to_bytes())
    assert again.names == state.names == ("Ada",)
    assert again.known.names == state.known.names
    for one, other in zip(again.known.voices, state.known.voices, strict=True):
        assert np.array_equal(one, other)
