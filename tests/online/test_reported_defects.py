"""Defects of FluidAudio's tracker that hocket does not have; see docs/fluidaudio.md."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.config import StreamConfig
from hocket.online.tracker import (
    KnownSpeaker,
    Pace,
    Rules,
    State,
    Update,
    WindowResult,
    step,
)
from hocket.speakers import SpeakerStore
from hocket.turns import Turn
from tests.helpers.stream_windows import (
    RULES,
    Speech,
    follow_windows,
    voices,
    windows_of,
    with_config,
)
from tests.helpers.voice_vectors import MODEL, axis, exemplar, result_of, wave

FRAME_S = 270 / 16_000
LATE = 1000  # frames until the next word: no window contains two of them


def unit_rows(*rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.stack([row / np.linalg.norm(row) for row in rows]).astype(np.float32)


def spoken(updates: Sequence[Update]) -> list[tuple[int, int, str]]:
    """Final turns in frames."""
    turns = sorted(turn for update in updates for turn in update.final)
    first = 495 - 270 // 2
    return [
        (*(round((edge * 16_000 - first) / 270) for edge in (t.start, t.end)), t.speaker)
        for t in turns
    ]


def follow_patterns(
    speech: Speech, frames: int, rules: Rules = RULES
) -> tuple[list[Update], State]:
    """Updates of a conversation of FluidAudio's patterns 1 and 2."""
    windows = windows_of(speech, frames, unit_rows(wave(1), wave(2)))
    return follow_windows(windows, rules, state=State.start(256))


# Which speakers are created


def test_the_first_voice_is_the_first_speaker() -> None:
    assert State.start(256).names == ()
    updates, state = follow_patterns([(0, 0, 120)], 120)
    assert state.names == ("SPEAKER_00",)
    assert spoken(updates) == [(0, 120, "SPEAKER_00")]


def test_a_voice_that_hardly_changed_is_the_same_speaker() -> None:
    changed = wave(1)
    changed[0] += 0.001
    windows = windows_of([(0, 0, 300), (1, 600, 900)], 900, unit_rows(wave(1), changed))
    rules = with_config(match=0.3, create=0.3, merge=0.0)
    _, state = follow_windows(windows, rules, state=State.start(256))
    assert state.names == ("SPEAKER_00",)


def test_different_voices_are_two_speakers() -> None:
    _, state = follow_patterns(
        [(0, 0, 300), (1, 600, 900)], 900, with_config(match=0.5, create=0.5)
    )
    assert state.names == ("SPEAKER_00", "SPEAKER_01")


@pytest.mark.parametrize("threshold", [0.01, 0.001])
def test_the_narrowest_threshold_still_matches_the_same_voice(threshold: float) -> None:
    rules = with_config(match=threshold, create=threshold, update=threshold, merge=0.0)
    _, state = follow_patterns([(0, 0, 300), (0, 600, 900)], 900, rules)
    assert state.names == ("SPEAKER_00",)


@pytest.mark.parametrize(("frames", "made"), [(60, 0), (180, 1)])  # 1 s and 3 s
def test_a_new_speaker_needs_some_speech_while_more_may_come(frames: int, made: int) -> None:
    state = State.start(256)
    windows = windows_of([(0, 330, 330 + frames)], 600, unit_rows(wave(1)))
    for window in windows:  # none of them is the last
        state, _ = step(state, window, with_config(create_s=2.0))
    assert len(state.names) == made


def test_of_similar_known_voices_the_exact_one_is_found() -> None:
    known = (KnownSpeaker("Alice", wave(10)[None]), KnownSpeaker("Bob", wave(20)[None]))
    for voice, name in ((10, "Alice"), (20, "Bob")):
        windows = windows_of([(0, 0, 300)], 300, unit_rows(wave(voice)))
        updates, state = follow_windows(windows, state=State.start(256, known))
        assert state.names == (name,)
        assert spoken(updates) == [(0, 300, name)]


def test_exemplars_that_cancel_out_give_no_nan() -> None:
    state = State.start(2, (KnownSpeaker("Ada", np.array([[1, 0], [-1, 0]], np.float32)),))
    (again,) = state.speakers()
    assert np.isfinite(again.exemplars).all()
    assert np.linalg.norm(again.exemplars, axis=1) == pytest.approx(1)
    assert State.start(2, (again,)).known.names == ("Ada",)


def test_less_than_a_second_updates_too() -> None:
    _, before = follow_patterns([(0, 0, 300)], 300)
    _, after = follow_patterns([(0, 0, 300), (0, 860, 900)], 900)
    assert after.seconds[0] - before.seconds[0] == pytest.approx(40 * FRAME_S)


# All speech has a speaker


@pytest.mark.parametrize(
    "known", [(), (KnownSpeaker("Ada", voices(4)[3:]),)], ids=["nobody", "another"]
)
def test_words_far_apart_are_not_lost(known: tuple[KnownSpeaker, ...]) -> None:
    """A second in every 17, too little to create a speaker while more may come."""
    speech = [(0, first, first + 60) for first in range(30, 5 * LATE, LATE)]
    updates, _ = follow_windows(windows_of(speech, 5 * LATE, voices(1)), known=known)
    assert spoken(updates) == [(first, last, "SPEAKER_00") for _, first, last in speech]


def test_a_short_answer_of_a_new_speaker_is_not_lost() -> None:
    updates, _ = follow_patterns([(0, 0, 300), (1, 310, 360), (0, 390, 700)], 1500)
    assert any(first <= 310 and last >= 360 for first, last, _ in spoken(joined(updates)))


def joined(updates: Sequence[Update]) -> list[Update]:
    """The updates with parts of turns joined if they touch or the pause is very short."""
    turns: list[Turn] = []
    for turn in sorted(turn for update in updates for turn in update.final):
        if turns and turn.start - turns[-1].end < 0.3:
            turns[-1] = replace(turns[-1], end=turn.end)
        else:
            turns.append(turn)
    return [Update(0.0, tuple(turns), ())]


def test_a_stranger_gets_no_known_name_even_beyond_the_allowed_number() -> None:
    known = [KnownSpeaker("Ada", voices(4)[3:])]
    speech = [(0, 0, 300), (1, 310, 600)]
    rules = with_config(max_speakers=1)
    updates, _ = follow_windows(windows_of(speech, 700, voices(2)), rules, known=known)
    assert {name for _, _, name in spoken(updates)} == {"SPEAKER_00"}
    assert sum(last - first for first, last, _ in spoken(updates)) >= 590


@pytest.mark.parametrize(
    "first", [*range(900, 900 + RULES.pace.step, 20), RULES.geometry.window_frames - 24]
)
def test_words_across_the_end_of_a_window_are_one_turn(first: int) -> None:
    """0.8 s of an existing speaker, at any position between the ends of two windows."""
    speech = [(0, 0, 300), (0, first, first + 48)]
    updates, _ = follow_windows(windows_of(speech, 1600, voices(1)))
    assert [turn for turn in spoken(updates) if turn[0] >= 400] == [
        (first, first + 48, "SPEAKER_00")
    ]


def test_overlapping_speech_gives_two_turns() -> None:
    speech = [(0, 0, 300), (1, 310, 700), (0, 500, 650)]
    updates, _ = follow_windows(windows_of(speech, 800, voices(2)))
    at_600 = {name for first, last, name in spoken(updates) if first <= 600 < last}
    assert at_600 == {"SPEAKER_00", "SPEAKER_01"}


# Every setting has an effect

CHANGED_CONFIG = {
    "match": 0.3,
    "create": 0.9,
    "update": 0.1,
    "merge": 1.0,
    "create_s": 3.0,
    "continuity_bonus": 1.0,
    "max_speakers": 1,
    "margin": 0.6,
    "coherence": 0.99,
    "slot_bonus": 0.8,
    "name": 0.6,
    "name_early": 0.0,
    "name_s": 100.0,
    "hold": 0.0,
    "crowd": 0.2,
    "most_exemplars": 1,
}
CHANGED_PACE = {
    "delay": 100,
    "latest": 455,
    "step": 1,
    "ramp": 200,
    "fade": 60.0,
    "min_pause": 1,
    "min_turn": 60,
}


@cache
def lively_windows() -> list[list[WindowResult]]:
    """Three somewhat similar voices, short turns, noise."""
    one, two, three = voices(3)
    alike = unit_rows(one, two + 0.4 * one, three + 0.5 * two)
    found = []
    for seed, noise in ((0, 0.6), (4, 1.0), (3, 1.4)):
        rng, at, speech = np.random.default_rng(seed), 0, []
        for _ in range(14):
            last = at + int(rng.integers(15, 260))
            speech.append((int(rng.integers(0, 3)), at, last))
            at = max(0, last + int(rng.integers(-30, 50)))
        found.append(windows_of(speech, max(last for *_, last in speech) + 60, alike, noise, seed))
    return found


def updates_with(rules: Rules, number: int) -> list[Update]:
    one, other = voices(4)[[0, 3]]
    known = [KnownSpeaker("Ada", unit_rows(one + 1.5 * other))]  # 0.45 from the first voice
    known += [KnownSpeaker(f"P{i}", voice[None]) for i, voice in enumerate(voices(14)[4:])]
    return follow_windows(lively_windows()[number], rules, known)[0]


@cache
def usual_updates(number: int) -> list[Update]:
    return updates_with(RULES, number)


def differ(rules: Rules) -> bool:
    """Whether these rules change the updates of any conversation."""
    return any(
        updates_with(rules, each) != usual_updates(each) for each in range(len(lively_windows()))
    )


@pytest.mark.parametrize("name", CHANGED_CONFIG)
def test_every_threshold_has_an_effect(name: str) -> None:
    assert differ(with_config(**{name: CHANGED_CONFIG[name]}))


@pytest.mark.parametrize("name", CHANGED_PACE)
def test_every_part_of_the_pace_has_an_effect(name: str) -> None:
    assert differ(replace(RULES, pace=replace(RULES.pace, **{name: CHANGED_PACE[name]})))


def test_no_threshold_and_no_part_of_the_pace_is_left_out() -> None:
    """Durations go into the pace or the window."""
    elsewhere = {"window_s", "step_s", "delay_s", "latest_s", "back_s"}
    assert {*CHANGED_CONFIG, *elsewhere} == {field.name for field in fields(StreamConfig)}
    assert set(CHANGED_PACE) == {field.name for field in fields(Pace)}


# The store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SpeakerStore]:
    """Anna, Ben and Cleo: the voices 0, 1 and 2."""
    with SpeakerStore(tmp_path / "team.db") as made:
        for voice, name in enumerate(["Anna", "Ben", "Cleo"]):
            made.enroll(name, [exemplar(axis(voice), 2.0 + voice)], MODEL)
        yield made


def test_all_speakers_are_found_nearest_first(store: SpeakerStore) -> None:
    voice = 0.2 * axis(0) + 0.9 * axis(1) + 0.4 * axis(2)
    found = store.nearest(voice.astype(np.float32), MODEL, most=3)
    assert [speaker.name for speaker, _ in found] == ["Ben", "Cleo", "Anna"]
    assert [far for _, far in found] == sorted(far for _, far in found)
    assert store.nearest(axis(1), MODEL)[0][1] == pytest.approx(0, abs=1e-4)
    (match,) = store.identify(result_of([axis(9)]))
    assert (match.speaker, match.distance) == (None, pytest.approx(1, abs=1e-4))


def test_merged_speakers_add_up(store: SpeakerStore) -> None:
    assert store.merge("Anna", into="Ben").speech_s == 2.0 + 3.0
    assert store.speaker("Ben").exemplars == 2


def test_an_update_keeps_the_creation_time_and_renews_the_last_time_seen(
    store: SpeakerStore,
) -> None:
    long_ago = "2020-01-01T00:00:00.000+00:00"
    with store.file.writing() as database:
        database.execute("UPDATE speakers SET created_at = ?, seen_at = ?", (long_ago, long_ago))
    after = store.add("Anna", [exemplar(axis(5), 3.5)], MODEL)
    assert after.created_at == long_ago
    assert after.seen_at > long_ago
    assert after.speech_s == 2.0 + 3.5


def test_a_renamed_speaker_is_found_by_the_new_name(store: SpeakerStore) -> None:
    store.rename("Anna", "Anna Maria")
    (match,) = store.identify(result_of([axis(0)]))
    assert match.speaker is not None
    assert match.speaker.name == "Anna Maria"


def test_names_and_ids_of_speakers_are_distinct(store: SpeakerStore) -> None:
    assert [speaker.name for speaker in store.speakers()] == ["Anna", "Ben", "Cleo"]
    assert [speaker.id for speaker in store.speakers()] == [1, 2, 3]
