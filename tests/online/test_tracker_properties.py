"""The tracker: pure, exact about time, robust to unusable embeddings."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.errors import ConfigError
from hocket.online.tracker import KnownSpeaker, State, Update, WindowEmbeddings, step
from hocket.turns import Turn
from tests.helpers.stream_windows import (
    DIMENSION,
    RULES,
    SHIPPED,
    Speech,
    follow_windows,
    voices,
    windows_of,
    with_config,
)

FRAME_S = 270 / 16_000
VOICES = voices(3)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Speech, int]:
    """Up to three voices, consecutive, overlapping or with pauses; and the length."""
    speech, at = [], 0
    for _ in range(draw(st.integers(0, 5))):
        first = max(0, at + draw(st.integers(-60, 120)))
        last = first + draw(st.integers(5, 300))
        speech.append((draw(st.integers(0, 2)), first, last))
        at = last
    return speech, max(at + draw(st.integers(0, 90)), 60)


def all_final(updates: list[Update]) -> list[Turn]:
    return [turn for update in updates for turn in update.final]


def by_speaker(turns: list[Turn]) -> dict[str, list[Turn]]:
    return {
        name: sorted(t for t in turns if t.speaker == name) for name in {t.speaker for t in turns}
    }


@settings(max_examples=12)
@given(conversations(), st.integers(0, 9))
def test_a_step_does_not_change_its_inputs(spoken: tuple[Speech, int], seed: int) -> None:
    state = State.start(DIMENSION)
    for window in windows_of(*spoken, VOICES, 0.3, seed):
        before = state.to_bytes()
        after, update = step(state, window, RULES)
        again, same = step(state, window, RULES)
        assert state.to_bytes() == before
        assert (after.to_bytes(), update) == (again.to_bytes(), same)
        state = after


@settings(max_examples=12)
@given(conversations(), st.integers(0, 9), st.data())
def test_a_stream_continues_from_a_saved_state(
    spoken: tuple[Speech, int], seed: int, data: st.DataObject
) -> None:
    windows = windows_of(*spoken, VOICES, 0.3, seed)
    expected, _ = follow_windows(windows)
    half = data.draw(st.integers(0, len(windows) - 1))
    state = State.start(DIMENSION)
    for window in windows[:half]:
        state, _ = step(state, window, RULES)
    updates, _ = follow_windows(windows[half:], state=State.from_bytes(state.to_bytes()))
    assert updates == expected[half:]


@pytest.mark.parametrize("content", [b"", b"no archive", State.start(2).to_bytes()[:-30]])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read .*; give what State\.to_bytes wrote$"):
        State.from_bytes(content)


@settings(max_examples=20)
@given(conversations(), st.integers(0, 9))
def test_overlapping_windows_emit_nothing_twice_nor_beyond_the_samples(
    spoken: tuple[Speech, int], seed: int
) -> None:
    windows = windows_of(*spoken, VOICES, 0.3, seed)
    updates, _ = follow_windows(windows)
    end = SHIPPED.seconds_of(windows[-1].samples)
    assert not updates[-1].tentative
    for turns in by_speaker(all_final(updates)).values():
        assert turns[0].start >= 0
        assert turns[-1].end <= end
        assert all(a.end <= b.start for a, b in pairwise(turns))
    for update, window in zip(updates, windows, strict=True):
        assert update.time == SHIPPED.seconds_of(window.samples)
        shown = [*update.final, *update.tentative]
        assert all(turn.start < turn.end <= update.time for turn in shown)
        assert list(update.final) == sorted(update.final)


@settings(max_examples=20)
@given(conversations(), st.integers(0, 9))
def test_nothing_waits_longer_than_the_latest(spoken: tuple[Speech, int], seed: int) -> None:
    latest = RULES.pace.latest * FRAME_S
    windows = windows_of(*spoken, VOICES, 0.0, seed)
    updates, _ = follow_windows(windows)
    for update in updates:
        for turn in update.final:
            assert update.time - turn.start <= latest + FRAME_S
        for turn in update.tentative:
            assert update.time - turn.start <= latest


@settings(max_examples=12)
@given(st.integers(0, 99))
def test_different_voices_are_separated_and_keep_their_names(seed: int) -> None:
    speech = [(0, 0, 300), (1, 320, 700), (0, 720, 900), (2, 910, 1400), (1, 1300, 1700)]
    updates, state = follow_windows(windows_of(speech, 1800, VOICES, 0.4, seed))
    assert state.names == ("SPEAKER_00", "SPEAKER_01", "SPEAKER_02")
    frames = {
        name: np.concatenate([frames_of(turn) for turn in turns])
        for name, turns in by_speaker(all_final(updates)).items()
    }
    for voice, name in enumerate(state.names):
        truth = [frame for v, a, b in speech if v == voice for frame in range(a, b)]
        assert len(np.setxor1d(frames[name], truth)) < 0.05 * len(truth)


def frames_of(turn: Turn) -> np.ndarray:
    first, last = (
        round((second * 16_000 - SHIPPED.frame_start(0)) / 270) for second in (turn.start, turn.end)
    )
    return np.arange(first, last)


@given(st.sampled_from([0.0, np.nan, np.inf, -np.inf]), st.booleans())
def test_a_zero_or_nan_embedding_creates_and_updates_no_speaker(value: float, known: bool) -> None:
    windows = windows_of([(0, 0, 500)], 520, VOICES[:1])
    state = State.start(DIMENSION)
    if known:
        _, state = follow_windows(windows[:-1])
    before = state.to_bytes()
    odd = np.full_like(windows[-1].subsegments.vectors, value)
    subsegments = windows[-1].subsegments._replace(vectors=odd)
    blank = with_subsegments(state, subsegments)
    after, _ = step(blank, windows[-1]._replace(subsegments=subsegments), RULES)
    assert len(after.names) == len(state.names)
    assert after.sums.tobytes() == state.sums.tobytes()
    assert after.exemplars.tobytes() == state.exemplars.tobytes()
    assert state.to_bytes() == before


def with_subsegments(state: State, subsegments: WindowEmbeddings) -> State:
    """The state with such subsegments only."""
    return replace(state, subsegments=WindowEmbeddings(*(column[:0] for column in subsegments)))


@settings(max_examples=20)
@given(st.integers(0, 99))
def test_two_slots_of_a_window_are_never_one_speaker(seed: int) -> None:
    alike = np.stack([VOICES[0], VOICES[0] + 0.1 * VOICES[1]])
    alike /= np.linalg.norm(alike, axis=1, keepdims=True)
    speech = [(0, 0, 200), (1, 150, 400), (0, 390, 580)]
    windows = windows_of(speech, 589, alike.astype(np.float32), 0.0, seed)
    updates, _ = follow_windows(windows)
    for update in updates:
        for turns in by_speaker([*update.final, *update.tentative]).values():
            assert all(a.end <= b.start for a, b in pairwise(turns))


def test_numbered_names_differ_from_those_of_known_speakers() -> None:
    known = [KnownSpeaker("SPEAKER_00", VOICES[:1]), KnownSpeaker("SPEAKER_02", VOICES[1:2])]
    others = voices(5)[3:5]
    updates, state = follow_windows(
        windows_of([(0, 0, 400), (1, 410, 900)], 1000, others), known=known
    )
    assert state.names == ("SPEAKER_01", "SPEAKER_03")
    assert {turn.speaker for turn in all_final(updates)} == {"SPEAKER_01", "SPEAKER_03"}


def test_a_known_voice_has_its_name_from_the_first_update() -> None:
    updates, state = follow_windows(
        windows_of([(0, 0, 900)], 900, VOICES, 0.4), known=[KnownSpeaker("Ada", VOICES[:1])]
    )
    assert state.names == ("Ada",)
    for update in updates:
        assert {turn.speaker for turn in [*update.final, *update.tentative]} <= {"Ada"}
    assert sum(turn.duration for turn in all_final(updates)) == pytest.approx(900 * FRAME_S, 0.02)


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        (
            [KnownSpeaker("Ada", VOICES[:1]), KnownSpeaker("Ada", VOICES[1:])],
            "two known speakers called 'Ada'",
        ),
        (
            [KnownSpeaker("Ada", VOICES[:1, :5])],
            r"'Ada': found exemplars of shape \(1, 5\).*16 numbers",
        ),
        ([KnownSpeaker("Ada", VOICES[:0])], r"'Ada': found exemplars of shape \(0, 16\)"),
        ([KnownSpeaker("Ada", VOICES[:1] * np.nan)], "'Ada': .* finite"),
        ([KnownSpeaker("Ada", VOICES[:1] * 0)], "'Ada': .* none near zero"),
        ([KnownSpeaker("Ada", VOICES[:1] * np.inf)], "'Ada': .* finite"),
        ([KnownSpeaker("Ada", VOICES[:1] * np.float32(1e-3))], "'Ada': .* none near zero"),
        ([KnownSpeaker("Ada", VOICES[:1] * np.float32(1e-30))], "'Ada': .* none near zero"),
    ],
)
def test_unusable_known_speakers_are_refused(known: list[KnownSpeaker], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        State.start(DIMENSION, tuple(known))


def test_two_speakers_that_turn_out_to_be_one_are_merged() -> None:
    first = VOICES[0] + 0.75 * VOICES[1]
    second = VOICES[0] - 0.75 * VOICES[1]
    drifting = np.stack([first, second, VOICES[0] + 0.25 * VOICES[1]])
    drifting /= np.linalg.norm(drifting, axis=1, keepdims=True)
    speech = [(0, 0, 300), (1, 1000, 1300), (2, 2000, 5000)]
    windows = windows_of(speech, 5200, drifting.astype(np.float32))
    rules = with_config(match=0.65, create=0.65, update=0.65, merge=0.45)
    updates, state = follow_windows(windows, rules)
    assert {turn.speaker for turn in all_final(updates)} == {"SPEAKER_00", "SPEAKER_01"}
    assert len(state.names) == 1
    _, state = follow_windows(windows, with_config(match=0.65, create=0.65, merge=0.0))
    assert len(state.names) == 2


@pytest.mark.parametrize("most", [1, 2, 3])
def test_there_are_no_more_speakers_than_allowed(most: int) -> None:
    speech = [(0, 0, 400), (1, 410, 800), (2, 810, 1200), (0, 1210, 1500)]
    updates, state = follow_windows(
        windows_of(speech, 1600, VOICES), with_config(max_speakers=most)
    )
    assert len(state.names) == most
    spoken = sum(turn.duration for turn in all_final(updates))
    assert spoken > 0.9 * 1490 * FRAME_S  # all speech has a speaker


def test_short_speech_of_a_speaker_of_the_stream_is_kept() -> None:
    speech = [(0, 0, 300), (0, 700, 735), (0, 1300, 1330)]  # 0.6 s and 0.5 s
    updates, _ = follow_windows(windows_of(speech, 1900, VOICES, 0.2))
    starts = [turn.start for turn in all_final(updates)]
    assert any(abs(start - 700 * FRAME_S) < 0.1 for start in starts)
    assert any(abs(start - 1300 * FRAME_S) < 0.1 for start in starts)


def test_a_moment_of_speech_creates_a_speaker_only_when_it_must_become_final() -> None:
    windows = windows_of([(0, 0, 60)], 400, VOICES)
    updates, state = follow_windows(windows)
    assert not any(update.final or update.tentative for update in updates[:-1])
    assert [turn.speaker for turn in updates[-1].final] == ["SPEAKER_00"]
    assert state.names == ("SPEAKER_00",)


@settings(max_examples=3)  # a minute of stream each
@given(st.integers(0, 20))
def test_exemplars_of_a_speaker_are_bounded(seed: int) -> None:
    speech = [(0, start, start + 500) for start in range(0, 4_800, 600)]
    windows = windows_of(speech, 4_800, VOICES, 1.2, seed)
    _, state = follow_windows(
        windows, with_config(most_exemplars=3, match=0.9, create=0.95, coherence=0.4)
    )
    assert np.bincount(state.owners).max() <= 3
    assert len(state.subsegments.first) < 60  # and nothing else grows


def test_a_wider_match_never_creates_more_speakers() -> None:
    speech = [(voice % 3, 300 * voice, 300 * voice + 280) for voice in range(9)]
    windows = windows_of(speech, 2800, VOICES + 0.5 * VOICES[[1, 2, 0]], 0.8)
    counts = [
        len(follow_windows(windows, with_config(match=far, create=far, merge=0.0))[1].names)
        for far in (0.05, 0.5, 0.9, 1.4)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1] == 1
