"""When a speaker gets the name of a known speaker, and when it is given up."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.online.identity import create, duplicates, merge, second_best
from hocket.online.naming import name, name_distances, nearest_known
from hocket.online.tracker import KnownSpeaker, State, WindowResult, step
from hocket.speakers import MOST_EXEMPLARS
from hocket.speakers.matching import distances
from tests.helpers.stream_windows import (
    DIMENSION,
    RULES,
    SHIPPED,
    follow_windows,
    slots_of,
    state_of,
    voices,
    windows_of,
    with_config,
)

A, B, C, D = voices(4)
CONFIG = RULES.config
EARLY = (CONFIG.name + CONFIG.name_early) / 2  # near enough with little speech, not with more


def away(distance: float, voice: NDArray[np.float32] = A) -> NDArray[np.float32]:
    """A voice at this distance from another."""
    cosine = 1 - distance
    other = D if voice is not D else C
    return (cosine * voice + np.sqrt(1 - cosine**2) * other).astype(np.float32)


def named(state: State) -> tuple[str, ...]:
    return name(state, name_distances(state.known, state.sums, state.seconds, CONFIG)).names


@pytest.mark.parametrize(
    ("distance", "seconds", "expected"),
    [
        (EARLY, 1.0, "Ada"),
        (EARLY, CONFIG.name_s, "SPEAKER_00"),
        (CONFIG.name_early + 0.01, 1.0, "SPEAKER_00"),
        (CONFIG.name - 0.01, CONFIG.name_s, "Ada"),
    ],
)
def test_a_speaker_with_little_speech_may_be_farther_away(
    distance: float, seconds: float, expected: str
) -> None:
    known = (KnownSpeaker("Ada", A[None]),)
    assert named(state_of(away(distance), known=known, seconds=seconds)) == (expected,)


@pytest.mark.parametrize(("number", "expected"), [(5, "Ada"), (500, "SPEAKER_00")])
def test_the_more_speakers_are_known_the_nearer_one_must_be(number: int, expected: str) -> None:
    ten = np.stack([B] * 10)  # exemplars do not count
    known = (
        KnownSpeaker("Ada", A[None]),
        *(KnownSpeaker(f"P{i}", ten) for i in range(number - 1)),
    )
    distance = CONFIG.name_early - 3 * CONFIG.crowd
    assert named(state_of(away(distance), known=known)) == (expected,)


def test_however_many_are_known_near_speakers_get_their_names() -> None:
    changed = replace(CONFIG, crowd=1.0)
    known = (KnownSpeaker("Ada", A[None]), *(KnownSpeaker(f"P{i}", B[None]) for i in range(50)))
    state = state_of(away(CONFIG.name - 0.01), known=known)
    to_known = name_distances(state.known, state.sums, state.seconds, changed)
    assert name(state, to_known).names == ("Ada",)


def test_exactly_on_the_limit_is_near_enough_as_in_the_store() -> None:
    state = state_of(away(0.3), known=(KnownSpeaker("Ada", A[None]),), seconds=CONFIG.name_s)
    distance = float(distances(state.sums.astype(np.float32), state.known.exemplars)[0, 0])
    for limit, expected in ((distance, "Ada"), (np.nextafter(distance, 0), "SPEAKER_00")):
        changed = replace(CONFIG, name=float(limit))
        to_known = name_distances(state.known, state.sums, state.seconds, changed)
        assert name(state, to_known).names == (expected,)


def test_all_subsegments_together_give_the_name_and_not_a_single_one() -> None:
    """Subsegments that are each too far from Ada, and whose mean is Ada."""
    rng, known = np.random.default_rng(3), (KnownSpeaker("Ada", A[None]),)
    subsegments = A + 1.2 * rng.standard_normal((40, DIMENSION)).astype(np.float32) / np.sqrt(
        DIMENSION
    )
    lengths = np.linalg.norm(subsegments, axis=1)
    assert ((subsegments @ A) / lengths < 1 - CONFIG.name).any()
    assert named(state_of(subsegments.sum(axis=0), known=known, seconds=40.0)) == ("Ada",)


def test_the_nearest_known_speaker_gives_the_name() -> None:
    known = (
        KnownSpeaker("Ada", away(0.3)[None]),
        KnownSpeaker("Bo", away(0.1)[None]),
        KnownSpeaker("Cy", C[None]),
    )
    assert named(state_of(A, B, known=known)) == ("Bo", "SPEAKER_01")


def test_of_two_candidates_the_nearer_gets_the_name() -> None:
    known = (KnownSpeaker("Ada", A[None]),)
    assert named(state_of(away(0.3), away(0.1, A), known=known)) == ("SPEAKER_00", "Ada")


@pytest.mark.parametrize("apart", [0, 1])
def test_two_speakers_who_are_one_known_speaker_are_merged_unless_they_overlapped(
    apart: int,
) -> None:
    one, other = (A + B) / np.sqrt(2), (A - B) / np.sqrt(2)  # at right angles, 0.29 from Ada
    state = state_of(C, one, other, known=(KnownSpeaker("Ada", A[None]),))
    state = replace(state, apart=np.array([[0, 0, 0], [0, 0, apart], [0, apart, 0]]))
    to_known = name_distances(state.known, state.sums, state.seconds, CONFIG)
    assert duplicates(state, to_known, CONFIG) == (None if apart else (1, 2))
    assert duplicates(state, to_known[:, :0], CONFIG) is None


def test_speakers_who_are_different_known_speakers_are_never_merged() -> None:
    one, other = away(0.05), A
    known = (KnownSpeaker("Ada", A[None]), KnownSpeaker("Bo", one[None]))
    state = state_of(one, other, known=known)
    to_known = name_distances(state.known, state.sums, state.seconds, CONFIG)
    assert nearest_known(to_known).tolist() == [1, 0]
    assert duplicates(state, to_known, CONFIG) is None
    assert duplicates(state, to_known[:, :0], CONFIG) == (0, 1)


def test_a_name_that_more_speech_refutes_is_given_up() -> None:
    windows = windows_of([(0, 0, 2000)], 2000, away(EARLY)[None], 0.3)
    updates, state = follow_windows(
        windows, with_config(name_s=20.0, hold=0.0), [KnownSpeaker("Ada", A[None])]
    )
    names = [turn.speaker for update in updates for turn in update.final]
    assert names[0] == "Ada"
    assert names[-1] == "SPEAKER_00"
    assert names == sorted(names, key=["Ada", "SPEAKER_00"].index)
    assert state.names == ("SPEAKER_00",)


def test_a_known_speaker_is_created_even_beyond_the_allowed_number() -> None:
    speech = [(0, 0, 300), (1, 310, 600)]
    windows = windows_of(speech, 700, np.stack([A, B]))
    for known, expected in (("Ada", {"SPEAKER_00", "Ada"}), ("Eve", {"SPEAKER_00"})):
        others = [KnownSpeaker(known, (B if known == "Ada" else C)[None])]
        updates, _ = follow_windows(windows, with_config(max_speakers=1), others)
        assert {turn.speaker for update in updates for turn in update.final} == expected


def test_a_voice_that_only_resembles_a_named_speaker_counts_as_new() -> None:
    """Far from the speaker named Ada, but near enough to Ada's exemplars."""
    known = (KnownSpeaker("Ada", A[None]),)
    own, other = away(0.25), (1.5 * A - away(0.25)).astype(np.float32)  # 0.25 from her each
    changed = replace(CONFIG, max_speakers=1, create=0.4)
    for identity, created in ((0, 0), (-1, 1)):
        state = replace(
            state_of(own, B, window=np.stack([other] * 4), known=known),
            identities=np.array([identity, -1]),
        )
        after, _, _ = create(state, slots_of(state), np.array([-1, -1, -1]), changed)
        assert len(after.numbers) - 2 == created


@pytest.mark.parametrize(("identity", "expected"), [(0, -1), (-1, 0)])
def test_a_full_stream_reuses_speakers_unless_a_known_one_may_still_come(
    identity: int, expected: int
) -> None:
    """One may be created: a slot without a speaker gets the existing one unless that has a name."""
    state = state_of(A, window=A[None], known=[KnownSpeaker("Ada", A[None])])
    state = replace(state, identities=np.array([identity]))
    slots = slots_of(state)._replace(
        active=np.array([True, True, False]), distances=np.array([[0.1], [0.1], [np.inf]])
    )
    changed = replace(CONFIG, max_speakers=1)
    none_due = np.zeros(3, np.bool_)
    found = second_best(state, slots, np.array([0, -1, -1]), none_due, changed)
    assert found.tolist() == [0, expected, -1]


def test_a_merged_speakers_open_turn_is_emitted() -> None:
    state = state_of(C, A, away(0.1), known=())
    empty = np.zeros((100, 3), np.float32)
    state = replace(state, done=100, end=100, begun=np.array([-1, -1, 40]))
    nobody = np.tile(np.array([1, 0, 0], np.float32), (100, 1))
    window = WindowResult(
        100, empty.astype(np.float16), nobody, empty, state.subsegments, SHIPPED.frame_start(200)
    )
    after, update = step(state, window, RULES)
    assert after.names == ("SPEAKER_00", "SPEAKER_01")
    ((start, end, speaker),) = [(t.start, t.end, t.speaker) for t in update.final]
    assert speaker == "SPEAKER_02"
    edges = (SHIPPED.seconds_of(SHIPPED.frame_start(frame)) for frame in (40, 100))
    assert (start, end) == pytest.approx(tuple(edges))


def test_the_remaining_speakers_keep_their_names() -> None:
    state = state_of(A, B, C, known=(KnownSpeaker("Cy", C[None]),))
    state = replace(state, identities=np.array([-1, -1, 0]))
    assert merge(state, 0, 1).names == ("SPEAKER_00", "Cy")
    assert merge(state, 1, 0).names == ("SPEAKER_01", "Cy")


def test_named_speakers_do_not_count_for_the_allowed_number() -> None:
    speech = [(0, 0, 300), (1, 310, 600), (2, 610, 900)]
    windows = windows_of(speech, 1000, np.stack([A, B, C]))
    updates, _ = follow_windows(
        windows, with_config(max_speakers=1), [KnownSpeaker("Ada", A[None])]
    )
    found = {turn.speaker for update in updates for turn in update.final}
    assert found == {"Ada", "SPEAKER_01"}


def test_all_speakers_are_known_in_the_next_stream() -> None:
    known = [KnownSpeaker("Ada", A[None]), KnownSpeaker("Eve", D[None])]
    windows = windows_of([(0, 0, 300), (1, 310, 600)], 700, np.stack([A, B]))
    _, state = follow_windows(windows, known=known)
    speakers = state.speakers()
    assert [each.name for each in speakers] == ["Ada", "Eve", "SPEAKER_01"]
    assert [len(each.exemplars) for each in speakers] == [3, 1, 2]
    updates, _ = follow_windows(windows, known=speakers)
    assert {turn.speaker for each in updates for turn in each.final} == {"Ada", "SPEAKER_01"}


def test_a_chain_of_streams_keeps_no_more_exemplars_than_a_store() -> None:
    windows = windows_of([(0, 0, 900)], 900, np.stack([A]), 0.8)
    speakers: tuple[KnownSpeaker, ...] = (KnownSpeaker("Ada", A[None]),)
    for _ in range(8):
        _, state = follow_windows(windows, with_config(update=0.6, name=0.7), speakers)
        speakers = state.speakers()
        assert [each.name for each in speakers] == ["Ada"]
    assert len(speakers[0].exemplars) == MOST_EXEMPLARS


def test_a_state_keeps_its_known_speakers() -> None:
    windows = windows_of([(0, 0, 300)], 300, np.stack([A]))
    speakers = [KnownSpeaker("Ada", np.stack([A, away(0.2)])), KnownSpeaker("Eve", D[None])]
    _, state = follow_windows(windows, known=speakers)
    again = State.from_bytes(state.to_bytes())
    assert again.names == state.names == ("Ada",)
    assert again.known.names == state.known.names
    for one, other in zip(again.known.exemplars, state.known.exemplars, strict=True):
        assert np.array_equal(one, other)
