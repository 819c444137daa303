"""`bench people`: voices divided, conversations made of them, and names held against the truth."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import people_mixing
from bench.annotations import Turn
from bench.errors import BenchError
from bench.people_mixing import in_room, lay_turns, mix, overlap_percent
from bench.people_scoring import Tally, compare, label_seconds, main_label, tally
from bench.people_stores import MEETING, PANEL, by_kind, gather
from bench.people_voices import ENROLLED_S, RATE, divide, find_voices, phrases, read_clip


def tone(seconds: float, pitch: float = 200.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def write_voices(folder: Path, lengths: dict[str, list[float]]) -> Path:
    """A folder of tones for everybody; every clip has a pitch of its own."""
    for person, each in lengths.items():
        (folder / person).mkdir(parents=True)
        for index, seconds in enumerate(each):
            pitch = 200 + 10 * index
            soundfile.write(folder / person / f"{index}.wav", tone(seconds, pitch), RATE)
    return folder


# Voices


def test_everybody_has_a_folder_of_clips(tmp_path: Path) -> None:
    write_voices(tmp_path, {"anna": [3.0, 3.0], "ben": [3.0]})
    (tmp_path / "empty").mkdir()
    (tmp_path / "anna" / "notes.txt").write_text("no clip")
    found = find_voices(tmp_path)
    assert {name: len(clips) for name, clips in found.items()} == {"anna": 2, "ben": 1}
    with pytest.raises(BenchError, match="found no folder with clips"):
        find_voices(tmp_path / "anna")


def test_no_sample_is_both_enrolled_and_said(tmp_path: Path) -> None:
    clips = find_voices(write_voices(tmp_path, {"anna": [9.0] * 5, "ben": [9.0], "cleo": [50.0]}))
    parts = divide(clips["anna"], np.random.default_rng(1))
    assert len(parts.enrolled) == ENROLLED_S * RATE
    assert len(parts.said) == 2
    kept = {sound[:400].tobytes() for sound in parts.said}
    assert parts.enrolled[:400].tobytes() not in kept
    orders = {divide(clips["anna"], np.random.default_rng(n)).said[0].tobytes() for n in range(9)}
    assert len(orders) > 1
    one = divide(clips["ben"])
    np.testing.assert_array_equal(
        np.concatenate([one.enrolled, *one.said]), read_clip(*clips["ben"])
    )
    long = divide(clips["cleo"])
    assert (len(long.enrolled), len(long.said[0])) == (20 * RATE, 25 * RATE)


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


# Conversations


def test_turns_are_said_once_and_two_people_at_most_speak() -> None:
    spoken = {name: [2.0, 3.0, 4.0, 5.0] * 5 for name in "abcde"}
    turns = lay_turns(spoken, 10_000.0, np.random.default_rng(3))
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
    assert lay_turns(spoken, 60.0, np.random.default_rng(3))[-1].end <= 60.0


def test_overlap_is_counted() -> None:
    turns = [Turn(0.0, 4.0, "a"), Turn(3.0, 6.0, "b"), Turn(8.0, 12.0, "a")]
    assert overlap_percent(turns) == pytest.approx(10.0)
    assert overlap_percent([]) == 0


def test_a_conversation_sounds_where_its_turns_are() -> None:
    voices = {name: [tone(3.0, pitch)] * 4 for name, pitch in (("a", 200.0), ("b", 300.0))}
    talk = mix(voices, 60.0, np.random.default_rng(5))
    assert talk.duration == pytest.approx(talk.turns[-1].end + 0.5, abs=0.01)
    level = np.sqrt(np.mean(talk.sound[: RATE // 4] ** 2))
    first = talk.turns[0]
    spoken = talk.sound[round(first.start * RATE) : round(first.end * RATE)]
    assert np.sqrt(np.mean(spoken**2)) > 3 * level > 0
    assert np.abs(talk.sound).max() <= 0.9 + 1e-6
    again = mix(voices, 60.0, np.random.default_rng(5))
    np.testing.assert_array_equal(talk.sound, again.sound)


def test_phrases_are_said_in_order_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("echoed", "noisy"):
        monkeypatch.setattr(people_mixing, part, lambda sound, _: sound)
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
    heard = in_room(sound, np.random.default_rng(2))
    before, after = heard[: RATE // 2], heard[2 * RATE : 2 * RATE + RATE // 10]
    assert 0 < np.std(before) < 0.3 * np.std(heard[RATE : 2 * RATE])
    assert np.std(after) > 1.5 * np.std(before)


def test_a_gathering_enrols_other_sound_than_is_said(tmp_path: Path) -> None:
    people = {f"p{index}": [7.0] * 6 for index in range(6)}
    clips = find_voices(write_voices(tmp_path, people))
    one, other = (gather(MEETING, clips, seed, 120.0) for seed in (0, 1))
    assert len(one.enrolled) == 5
    assert {turn.speaker for turn in one.talk.turns} == set(one.enrolled)
    assert [turn.start for turn in one.talk.turns] != [turn.start for turn in other.talk.turns]
    short = find_voices(write_voices(tmp_path / "short", {f"s{n}": [8.0] for n in range(6)}))
    with pytest.raises(BenchError, match="fewer than 5 people say 5 s"):
        gather(PANEL, short, 0, 60.0)
    with pytest.raises(BenchError, match="found 6 people with several clips and 0 with one"):
        by_kind(clips)


# Names against the truth


TRUTH = [Turn(0.0, 4.0, "anna"), Turn(3.0, 6.0, "ben"), Turn(8.0, 10.0, "cleo")]


def test_right_wrong_unnamed_and_missed() -> None:
    found = [
        Turn(0.0, 4.0, "0"),  # anna; in the overlap ben is missed
        Turn(4.0, 5.0, "1"),  # ben, called dora
        Turn(5.0, 6.0, "2"),  # ben, without a name
        Turn(9.0, 10.0, "3"),  # cleo, half of whose speech is missed
    ]
    heard = compare(TRUTH, found, 10.0)
    tallies = tally(heard, {"0": "anna", "1": "dora", "3": "cleo"})
    assert tallies["anna"] == Tally(4.0, 4.0, 0.0, 0.0)
    assert tallies["ben"] == Tally(3.0, 0.0, 1.0, 1.0)
    assert tallies["cleo"] == Tally(2.0, 1.0, 0.0, 0.0)
    assert tallies["ben"].right_percent == 0
    assert tallies["cleo"].right_percent == 100
    both = tallies["ben"] + tallies["cleo"]
    assert both.right_percent == pytest.approx(100 / 3, abs=1e-3)
    assert both.right_of_all_percent == 20
    assert Tally().right_percent is Tally().right_of_all_percent is None
    labels = label_seconds(heard, {"0": "anna", "1": "dora", "3": "cleo"})
    assert (labels.found_s, labels.named_s, labels.right_s) == pytest.approx((7, 6, 5))


def test_one_wrong_label_stands_for_half_of_two_people() -> None:
    heard = compare([Turn(0, 2, "anna"), Turn(0, 2, "ben")], [Turn(0, 2, "0")], 2.0)
    assert tally(heard, {"0": "zoe"})["anna"] == Tally(2.0, 0.0, 1.0, 0.0)
    assert tally(heard, {})["ben"] == Tally(2.0, 0.0, 0.0, 1.0)


def test_somebodys_name_where_only_another_speaks_is_wrong() -> None:
    heard = compare(TRUTH, [Turn(0.0, 6.0, "0")], 10.0)
    tallies = tally(heard, {"0": "anna"})
    assert tallies["anna"].right_s == 4
    assert tallies["ben"].wrong_s == 2


def test_what_most_of_somebodys_speech_is_called() -> None:
    heard = compare(TRUTH, [Turn(0.0, 3.5, "0"), Turn(3.5, 6.0, "1")], 10.0)
    assert [main_label(heard, name) for name in ("anna", "ben", "cleo", "dora")] == [
        "0", "1", None, None,
    ]  # fmt: skip
    assert main_label(compare(TRUTH, [], 10.0), "anna") is None
