"""`bench people`: divided voices, and conversations made of them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.annotations import Turn
from bench.errors import BenchError
from bench.people import mixing
from bench.people.mixing import draw_turns, in_room, mix, overlap_percent
from bench.people.stores import MEETING, PANEL, by_kind, make_scenario
from bench.people.voices import ENROLLED_S, RATE, divide, find_voices, phrases, read_clip
from bench.tests.people.helpers import tone, write_voices


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_every_speaker_has_a_folder_of_clips(tmp_path: Path) -> None:
    write_voices(tmp_path, {"anna": [3.0, 3.0], "ben": [3.0]})
    (tmp_path / "empty").mkdir()
    (tmp_path / "anna" / "notes.txt").write_text("no clip")
    found = find_voices(tmp_path)
    assert {name: len(clips) for name, clips in found.items()} == {"anna": 2, "ben": 1}
    with pytest.raises(BenchError, match="found no folder with clips"):
        find_voices(tmp_path / "anna")


def test_no_sample_is_both_enrolled_and_spoken(tmp_path: Path) -> None:
    clips = find_voices(write_voices(tmp_path, {"anna": [9.0] * 5, "ben": [9.0], "cleo": [50.0]}))
    parts = divide(clips["anna"], np.random.default_rng(1))
    assert len(parts.enrolled) == ENROLLED_S * RATE
    assert len(parts.rest) == 2
    kept = {sound[:400].tobytes() for sound in parts.rest}
    assert parts.enrolled[:400].tobytes() not in kept
    orders = {divide(clips["anna"], np.random.default_rng(n)).rest[0].tobytes() for n in range(9)}
    assert len(orders) > 1
    one = divide(clips["ben"])
    np.testing.assert_array_equal(
        np.concatenate([one.enrolled, *one.rest]), read_clip(*clips["ben"])
    )
    long = divide(clips["cleo"])
    assert (len(long.enrolled), len(long.rest[0])) == (20 * RATE, 25 * RATE)


def test_a_clip_of_another_rate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "anna").mkdir()
    soundfile.write(tmp_path / "anna" / "odd.wav", tone(1.0), 8_000)
    with pytest.raises(BenchError, match=r"odd\.wav: 8000 Hz, 1 channels"):
        divide(find_voices(tmp_path)["anna"])


def test_phrases_end_at_pauses_and_hold_none() -> None:
    sound = np.concatenate(
        [tone(2.5), silence(0.6), tone(1.0), silence(0.1), tone(1.2), silence(0.5), tone(1.0)]
    )
    found = phrases(sound)
    assert [len(phrase) / RATE for phrase in found] == pytest.approx([2.53, 2.36], abs=0.03)
    joined = phrases(np.concatenate([tone(1.0), silence(1.0), tone(1.5)]))
    assert [len(phrase) / RATE for phrase in joined] == pytest.approx([2.56], abs=0.03)
    assert phrases(silence(0.001)) == []


def test_phrases_are_used_once_and_at_most_two_speakers_speak() -> None:
    spoken = {name: [2.0, 3.0, 4.0, 5.0] * 5 for name in "abcde"}
    turns = draw_turns(spoken, 10_000.0, np.random.default_rng(3))
    for name in spoken:
        own = [turn for turn in turns if turn.speaker == name]
        assert [turn.end - turn.start for turn in own] == pytest.approx(spoken[name][: len(own)])
        assert all(before.end <= after.start for before, after in pairwise(own))
    starts = [turn.start for turn in turns]
    assert starts == sorted(starts)
    ends_before = zip(turns, turns[2:], strict=False)
    assert all(first.end <= third.start for first, third in ends_before)
    assert len(turns) > 80
    assert 8 < overlap_percent(turns) < 16
    assert draw_turns(spoken, 60.0, np.random.default_rng(3))[-1].end <= 60.0


def test_overlap_is_counted() -> None:
    turns = [Turn(0.0, 4.0, "a"), Turn(3.0, 6.0, "b"), Turn(8.0, 12.0, "a")]
    assert overlap_percent(turns) == pytest.approx(10.0)
    assert overlap_percent([]) == 0


def test_a_conversation_sounds_where_its_turns_are() -> None:
    voices = {name: [tone(3.0, pitch)] * 4 for name, pitch in (("a", 200.0), ("b", 300.0))}
    talk = mix(voices, 60.0, np.random.default_rng(5))
    assert talk.duration_s == pytest.approx(talk.turns[-1].end + 0.5, abs=0.01)
    level = np.sqrt(np.mean(talk.sound[: RATE // 4] ** 2))
    first = talk.turns[0]
    spoken = talk.sound[round(first.start * RATE) : round(first.end * RATE)]
    assert np.sqrt(np.mean(spoken**2)) > 3 * level > 0
    assert np.abs(talk.sound).max() <= 0.9 + 1e-6
    again = mix(voices, 60.0, np.random.default_rng(5))
    np.testing.assert_array_equal(talk.sound, again.sound)


def test_phrases_are_spoken_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("echoed", "noisy"):
        monkeypatch.setattr(mixing, part, lambda sound, _: sound)
    size = 2 * RATE
    voices = {
        name: [np.full(size, sign * level, np.float32) for level in (1.0, 2.0, 3.0)]
        for name, sign in (("a", 1.0), ("b", -1.0))
    }
    talk = mix(voices, 60.0, np.random.default_rng(4))
    middles = [
        float(talk.sound[round((turn.start + 1.0) * RATE)])
        for turn in talk.turns
        if turn.speaker == "a"
    ]
    assert len(middles) > 1
    assert [level / middles[0] for level in middles] == pytest.approx([1, 2, 3][: len(middles)])


def test_a_room_adds_an_echo_and_noise() -> None:
    sound = np.concatenate([silence(1.0), tone(1.0), silence(1.0)])
    found = in_room(sound, np.random.default_rng(2))
    before, after = found[: RATE // 2], found[2 * RATE : 2 * RATE + RATE // 10]
    assert 0 < np.std(before) < 0.3 * np.std(found[RATE : 2 * RATE])
    assert np.std(after) > 1.5 * np.std(before)


def test_speakers_are_enrolled_from_other_sound_than_they_speak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("echoed", "noisy"):
        monkeypatch.setattr(mixing, part, lambda sound, _: sound)
    clips = find_voices(write_voices(tmp_path, {f"p{index}": [11.0] * 3 for index in range(6)}))
    one, other = (make_scenario(MEETING, clips, seed, 60.0) for seed in (0, 1))
    assert len(one.enrolled) == 5
    assert {turn.speaker for turn in one.conversation.turns} == set(one.enrolled)
    assert one.conversation.turns != other.conversation.turns
    short = find_voices(write_voices(tmp_path / "short", {f"s{n}": [8.0] for n in range(6)}))
    with pytest.raises(BenchError, match="fewer than 5 speakers have 5 s of speech"):
        make_scenario(PANEL, short, 0, 60.0)
    with pytest.raises(BenchError, match="found 6 speakers with several clips and 0 with one"):
        by_kind(clips)
