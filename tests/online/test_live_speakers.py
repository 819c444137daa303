"""Speakers of a stream get names, keep labels, and go on in another stream."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hocket import SpeakerStore, Stream
from hocket.arrays import unit_length
from hocket.errors import ConfigError, SpeakerError
from hocket.online.events import SpeakerEvent
from hocket.online.naming import name, name_distances, with_name
from hocket.online.refining import LiveSpeakers
from hocket.online.state import KnownSpeaker, State, WindowResult
from hocket.online.tracker import Update, step
from hocket.renaming import renamed
from hocket.result import Result
from hocket.turns import Turn
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import ONE_THREAD, RATE, diarizer_of, samples_of
from tests.helpers.stream_windows import (
    RULES,
    follow_windows,
    state_of,
    voices,
    windows_of,
    with_config,
)

A, B, C, D = voices(4)
CONFIG = RULES.config


def away(distance: float, voice: np.ndarray = A) -> np.ndarray:
    cosine = 1 - distance
    found: np.ndarray = cosine * voice + np.sqrt(1 - cosine**2) * D
    return found.astype(np.float32)


def finals(updates: Sequence[Update]) -> list[Turn]:
    return [turn for update in updates for turn in update.final]


def events(updates: Sequence[Update]) -> list[SpeakerEvent]:
    return [event for update in updates for event in update.events]


def names_of(state: State) -> tuple[str, ...]:
    to_known = name_distances(
        state.known, state.sums, state.seconds, CONFIG, state.identities, state.pinned
    )
    return name(state, to_known).names


def test_a_voice_near_the_limit_keeps_its_name_and_gets_none() -> None:
    known = (KnownSpeaker("Ada", A[None]),)
    beyond = state_of(away(CONFIG.name + CONFIG.hold / 2), known=known, seconds=60)
    assert names_of(beyond) == ("SPEAKER_00",)
    assert names_of(replace(beyond, identities=np.array([0]))) == ("Ada",)
    far = state_of(away(CONFIG.name + 1.5 * CONFIG.hold), known=known, seconds=60)
    assert names_of(replace(far, identities=np.array([0]))) == ("SPEAKER_00",)


def test_a_name_does_not_change_for_a_slightly_nearer_one() -> None:
    known = (KnownSpeaker("Ada", A[None]), KnownSpeaker("Bo", away(0.1)[None]))
    state = state_of(away(0.05), known=known, seconds=60)
    assert names_of(state) == ("Bo",)
    assert names_of(replace(state, identities=np.array([0]))) == ("Ada",)
    far = replace(state_of(away(0.1), known=known, seconds=60), identities=np.array([0]))
    assert names_of(far) == ("Bo",)


def test_every_turn_of_a_speaker_has_one_label_and_a_new_name_is_an_event() -> None:
    windows = windows_of([(0, 0, 300), (1, 310, 600)], 700, np.stack([A, B]))
    updates, state = follow_windows(windows, RULES, [KnownSpeaker("Ada", A[None])])
    labels = {turn.speaker: turn.id for turn in finals(updates)}
    assert labels == {"Ada": "SPEAKER_00", "SPEAKER_01": None}
    (event,) = events(updates)
    assert (event.kind, event.id, event.name) == ("named", "SPEAKER_00", "Ada")
    assert str(event) == "SPEAKER_00 is Ada"
    assert event.distance is not None
    assert event.distance < CONFIG.name
    assert state.labels == ("SPEAKER_00", "SPEAKER_01")


def test_a_name_that_is_given_up_is_an_event() -> None:
    early = (CONFIG.name + CONFIG.name_early) / 2
    windows = windows_of([(0, 0, 2000)], 2000, away(early)[None], 0.3)
    rules = with_config(name_s=20.0, hold=0.0)
    updates, _ = follow_windows(windows, rules, [KnownSpeaker("Ada", A[None])])
    assert [event.kind for event in events(updates)] == ["named", "unnamed"]
    assert str(events(updates)[1]) == "SPEAKER_00 may not be Ada"


def test_speakers_who_are_one_are_an_event() -> None:
    state = state_of(C, A, away(0.1), known=())
    empty = np.zeros((100, 3), np.float32)
    nobody = np.tile(np.array([1, 0, 0], np.float32), (100, 1))
    window = WindowResult(0, empty.astype(np.float16), nobody, empty, state.subsegments, 27_000)
    _, update = step(state, window, RULES)
    (event,) = update.events
    assert (event.kind, str(event)) == ("merged", "SPEAKER_02 is SPEAKER_01")


def test_a_name_that_the_user_gives_stays_and_is_known_from_then_on() -> None:
    state = with_name(state_of(A, B, seconds=60), 1, "Bo")
    assert names_of(state) == ("SPEAKER_00", "Bo")
    assert {speaker.name for speaker in state.speakers()} == {"SPEAKER_00", "Bo"}
    other = with_name(state_of(A, known=[KnownSpeaker("Cy", C[None])], seconds=60), 0, "Cy")
    assert names_of(other) == ("Cy",)  # however far the voice is


@pytest.mark.parametrize("apart", [0, 3])
def test_of_two_with_one_name_the_other_joins_or_loses_it(apart: int) -> None:
    known = (KnownSpeaker("Ada", A[None]),)
    state = replace(state_of(A, B, known=known, seconds=60), identities=np.array([0, -1]))
    state = replace(state, apart=np.array([[9, apart], [apart, 9]]))
    given = with_name(state, 1, "Ada")
    assert names_of(given) == (("Ada", "Ada") if not apart else ("SPEAKER_00", "Ada"))


def test_names_are_in_the_state_and_back() -> None:
    state = with_name(state_of(A, B, seconds=60), 1, "Bo")
    again = State.from_bytes(state.to_bytes())
    assert again.names == state.names
    assert again.pinned.tolist() == [False, True]


# on speech


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return samples_of(CONVERSATION)


def test_a_stream_is_named_enrolled_and_refined(sound: np.ndarray, tmp_path: Path) -> None:
    store = SpeakerStore(tmp_path / "team.db")
    with store, Stream(RATE, runtime=ONE_THREAD, start=100.0, store=store) as stream:
        with pytest.raises(SpeakerError, match="nobody has spoken yet"):
            stream.name("SPEAKER_00", "Anna")
        updates = stream.feed(sound[: 18 * RATE])
        stream.name("SPEAKER_01", "Bo")
        with pytest.raises(SpeakerError, match="give one of SPEAKER_00, Bo"):
            stream.name("Cy", "Dee")
        with pytest.raises(SpeakerError, match="is what unknown speakers are called"):
            stream.name("Bo", "SPEAKER_07")
        assert stream.exemplars("Bo").shape[1] == 192
        speaker = stream.enroll("SPEAKER_00", "Anna", consent="yes")
        assert (speaker.name, store.exemplars("Anna")[0].consent) == ("Anna", "yes")
        assert speaker.exemplars >= 1
        updates += stream.feed(sound[18 * RATE :])
        result = stream.finish(refine=True)
    assert all(turn.start >= 100 for turn in finals(updates))
    assert {turn.id for turn in finals(updates) if turn.speaker == "Bo"} == {"SPEAKER_01"}
    assert "Bo" in result.speakers
    assert {turn.id for turn in result.turns if turn.speaker == "Bo"} == {"SPEAKER_01"}
    assert "Anna" in result.speakers
    assert result.duration == pytest.approx(130)
    with Stream(RATE, runtime=ONE_THREAD) as without, pytest.raises(ConfigError, match="no store"):
        without.enroll("SPEAKER_00", "Anna")
    assert all(turn.start >= 100 for turn in result.turns)


def test_the_refined_result_is_the_offline_result(sound: np.ndarray) -> None:
    part = sound[: 16 * RATE]
    for rate in (RATE, 22_050):
        stream = Stream(rate, runtime=ONE_THREAD)
        for start in range(0, len(part), 50_000):
            stream.feed(part[start : start + 50_000])
        refined = stream.finish(refine=True)
        offline = diarizer_of()(part, sample_rate=rate, name="stream")
        labels = dict(zip(offline.speakers, refined.speakers, strict=True))
        assert refined == renamed(offline, labels, as_labels=True)


@pytest.mark.parametrize("cut", [11 * RATE, 13 * RATE + 77])
def test_a_stream_goes_on_in_another(sound: np.ndarray, cut: int) -> None:
    with Stream(RATE, runtime=ONE_THREAD, refinable=False) as first:
        updates = first.feed(sound[:cut])
        state, reached = first.state.to_bytes(), first.state.samples
    with Stream.resume(state, RATE, runtime=ONE_THREAD, refinable=False) as second:
        updates += second.feed(sound[reached:]) + second.finish()
    times = [update.time for update in updates]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(len(sound) / RATE)
    turns = finals(updates)
    whole = diarizer_of()(sound, sample_rate=RATE)
    spoken = sum(turn.duration for turn in turns)
    assert spoken == pytest.approx(sum(turn.duration for turn in whole.turns), rel=0.12)
    for one in turns:  # none is there twice
        same = [each for each in turns if each.speaker == one.speaker and each is not one]
        assert all(each.end <= one.start or each.start >= one.end for each in same)


def test_what_contradicts_a_state_is_an_error(sound: np.ndarray) -> None:
    with Stream(RATE, runtime=ONE_THREAD, refinable=False) as first:
        first.feed(sound[: 4 * RATE])
        state = first.state
    for options in ({"start": 1.0}, {"channels": "each"}):
        with pytest.raises(ConfigError, match="state excludes start and channels=each"):
            Stream(RATE, state=state, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="start is -1"):
        Stream(RATE, start=-1)
    wrong = replace(state, sums=np.zeros((0, 7)))
    with pytest.raises(ConfigError, match="embeddings of 7 numbers"):
        Stream.resume(wrong, RATE)
    with pytest.raises(ConfigError, match="cannot be read"):
        Stream.resume(b"x", RATE)


def test_channels_of_a_stream_are_diarized_each_by_itself() -> None:
    panel = samples_of(CLIPS / "panel03.flac")
    call = 1e-4 * np.random.default_rng(0).standard_normal((len(panel), 2))
    sides: dict[str, int] = {}
    for line in (CLIPS / "panel03.rttm").read_text().splitlines():
        start, length, who = (line.split()[i] for i in (3, 4, 7))
        part = slice(round(float(start) * RATE), round((float(start) + float(length)) * RATE))
        call[part, sides.setdefault(who, len(sides)) % 2] += panel[part]
    with Stream(RATE, runtime=ONE_THREAD, channels="each") as stream:
        updates = stream.feed(call.astype(np.float32))
        with pytest.raises(ConfigError, match="every channel has its state"):
            _ = stream.state
        assert len(stream.states) == 2
        result = stream.finish(refine=True)
    turns = finals(updates)
    assert {turn.channel for turn in turns} == {1, 2}
    assert all(turn.speaker.startswith(f"CH{turn.channel}_") for turn in turns)
    assert {turn.channel for turn in result.turns} == {1, 2}
    assert {turn.speaker for turn in turns} & set(result.speakers)


# refining


def result_of(rows: Sequence[tuple[float, float, str]]) -> Result:
    turns = tuple(sorted(Turn(*row) for row in rows))
    speakers = tuple(dict.fromkeys(turn.speaker for turn in turns))
    vectors = unit_length(np.eye(len(speakers), 4, dtype=np.float32))
    return Result("s", turns, turns, speakers, vectors, 60.0, {})


def test_a_refined_result_has_the_labels_and_names_of_the_stream() -> None:
    live = LiveSpeakers()
    live.add([Turn(0, 5, "SPEAKER_00"), Turn(6, 9, "Ada", id="SPEAKER_01")])
    live.add([Turn(20, 25, "SPEAKER_02")])
    live.learn(SpeakerEvent("named", 9, "SPEAKER_01", "Ada"))
    live.learn(SpeakerEvent("merged", 30, "SPEAKER_02", "SPEAKER_00"))
    rows = [(6.0, 9.0, "SPEAKER_00"), (1.0, 5.0, "SPEAKER_01"), (40.0, 44.0, "SPEAKER_02")]
    named = live.named(result_of(rows))
    assert [(t.start, t.speaker, t.id) for t in named.turns] == [
        (1.0, "SPEAKER_00", None), (6.0, "Ada", "SPEAKER_01"), (40.0, "SPEAKER_02", None),
    ]  # fmt: skip
    live.learn(SpeakerEvent("unnamed", 50, "SPEAKER_01", "Ada"))
    assert "Ada" not in live.named(result_of(rows)).speakers


def test_a_speaker_who_was_not_found_live_gets_a_label_of_its_own() -> None:
    live = LiveSpeakers()
    live.add([Turn(0, 5, "SPEAKER_01")])
    named = live.named(result_of([(0.0, 5.0, "SPEAKER_00"), (7.0, 9.0, "SPEAKER_01")]))
    assert [turn.speaker for turn in named.turns] == ["SPEAKER_01", "SPEAKER_00"]
    assert LiveSpeakers().named(result_of([(0.0, 1.0, "SPEAKER_00")])).speakers == ("SPEAKER_00",)
