"""`bench simulate`: properties of every kind of conversation."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.annotations import Turn
from bench.people.mixing import Conversation
from bench.simulation import making, nonspeech
from bench.simulation.bands import in_telephone_band
from bench.simulation.calls import call_like
from bench.simulation.interviews import Interview, interview, panel
from bench.simulation.making import simulate
from bench.simulation.meetings import meeting
from bench.simulation.scene import Scene, Script, Utterance, excerpt
from bench.simulation.voices import VoicePool
from bench.simulation.words import Words
from bench.tests.speech import RATE, RICH, rms, speaking, talker_seconds, write_speakers


@pytest.fixture(scope="module")
def timelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Turns of 3 s with an overlap of half a second, of three people in turn."""
    place = tmp_path_factory.mktemp("timelines")
    lines = [f"SPEAKER t 1 {2.5 * k:.3f} 3.000 <NA> <NA> {'abc'[k % 3]} <NA>" for k in range(40)]
    (place / "t.rttm").write_text("\n".join(lines) + "\n")
    return place


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_speakers_of_a_call_take_turns_at_levels_up_to_12_db_apart(voices: VoicePool) -> None:
    apart = []
    for index in range(4):
        made = simulate("call-any", "full", 1, index, voices)
        assert len({turn.speaker for turn in made.turns}) == 2
        assert 10 < made.duration_s < 62
        apart.append(level_db(made, 0) - level_db(made, 1))
    assert all(abs(each) < 15 for each in apart)
    assert max(apart) - min(apart) > 3


def test_levels_can_be_given(voices: VoicePool) -> None:
    made = simulate("call-any", "full", 1, 0, voices, levels_db=[0.0, -20.0])
    assert level_db(made, 0) - level_db(made, 1) == pytest.approx(20, abs=2)


def level_db(made: Conversation, place: int) -> float:
    """Level of the first, second, ... speaker where alone."""
    names = list(dict.fromkeys(turn.speaker for turn in made.turns))
    mine = [turn for turn in made.turns if turn.speaker == names[place]]
    others = [turn for turn in made.turns if turn.speaker != names[place]]
    alone = speaking(mine, len(made.sound)) & ~speaking(others, len(made.sound))
    return 20 * np.log10(rms(made.sound[alone]))


def test_speakers_of_a_call_have_similar_voices_by_telephone(tmp_path: Path) -> None:
    names = [f"voice{number:02d}" for number in range(12)]
    write_speakers(tmp_path, {name: [4.5] for name in names})
    measured: list[float] = []

    def embed(sound: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        outside = spectrum[round(len(sound) * 4000 / RATE) :].sum()
        measured.append(outside / spectrum.sum())
        # the number of the voice, as an angle
        said = [np.linalg.norm(sound[: RATE * 2] - known) for known in known_sounds]
        return np.array([np.cos(np.argmin(said) / 8), np.sin(np.argmin(said) / 8)], np.float32)

    voices = VoicePool.of(tmp_path, embed=embed)
    known_sounds = [
        in_telephone_band(np.concatenate(voices.pieces(name)))[: RATE * 2] for name in names
    ]
    assert set(voices.nearest("voice05", 2)) == {"voice04", "voice06"}
    assert max(measured) < 1e-3
    pairs = set()
    for seed in range(12):
        first, second = call_like(voices, rng(seed)).tracks
        assert second in voices.nearest(first, 3)
        pairs.add((first, second))
    assert len(pairs) > 6


def test_a_monologue_is_one_voice_with_pauses(voices: VoicePool) -> None:
    made = [simulate("monologue", "full", 1, index, voices) for index in range(8)]
    assert {len({turn.speaker for turn in each.turns}) for each in made} == {1}
    assert all(4 < each.duration_s < 62 for each in made)
    assert max(len(each.turns) for each in made) > 2
    pauses = [after.start - before.end for each in made for before, after in pairwise(each.turns)]
    assert 0.25 < min(pauses) < np.median(pauses) < 1.0
    assert max(pauses) < 3.3
    # voices with more clips have longer monologues
    assert max(each.duration_s for each in made if each.turns[0].speaker in RICH) > 20


def test_the_guest_of_an_interview_speaks_most(voices: VoicePool) -> None:
    shares, sizes = [], set()
    for seed in range(8):
        turns = interview(voices, rng(seed)).turns
        spoken = [talker_seconds(turns, name) for name in {turn.speaker for turn in turns}]
        shares.append(max(spoken) / sum(spoken))
        sizes.add(len(spoken))
    assert np.median(shares) > 0.6
    assert sizes >= {2, 3}


def test_a_speaker_in_an_interview_may_be_rare(voices: VoicePool) -> None:
    words = {name: Words(voices.pieces(name), again=True) for name in RICH}
    numbers = []
    for seed in range(20):
        order = Interview(Script(words, rng(seed)), RICH[0], list(RICH[1:]), rng(seed))
        turns = [order.next_turn() for _ in range(60)]
        assert {RICH[0], RICH[1]} <= {name for name, _ in turns}
        rare = [seconds for name, seconds in turns if name == RICH[2]]
        numbers.append(len(rare))
        assert len(rare) > 10 or all(1 <= seconds <= 3 for seconds in rare)
    few = [number for number in numbers if number <= 3]
    assert {1, 3} <= set(few) <= {1, 2, 3}
    assert min(number for number in numbers if number > 3) > 10
    assert 4 <= len(few) <= 14


def test_speakers_of_a_panel_are_2_to_10_with_turns_of_2_to_8_s(voices: VoicePool) -> None:
    scenes = [panel(voices, rng(seed)) for seed in (6, 7, 11)]
    sizes = {len(scene.tracks) for scene in scenes}
    assert 2 <= min(sizes) <= 3
    assert max(sizes) == len(voices.names)
    lengths = [turn.end - turn.start for scene in scenes for turn in scene.turns]
    assert 1.2 < min(lengths) < 3
    assert 5 < max(lengths) < 8.5
    for scene in scenes:
        assert all(one.speaker != other.speaker for one, other in pairwise(scene.turns))


def test_a_meeting_follows_a_timeline(voices: VoicePool, timelines: Path) -> None:
    scene = meeting(voices, rng(), [timelines])
    assert set(scene.tracks) == set(RICH)  # those with several clips
    assert 60 < scene.samples / RATE < 103
    starts = [turn.start for turn in scene.turns[1:]]
    # a turn begins every 2.5 s
    assert np.ptp([(start - starts[0] + 1.25) % 2.5 for start in starts]) < 0.2
    lengths = [turn.end - turn.start for turn in scene.turns]
    assert np.median(lengths) == pytest.approx(3.0, abs=0.3)
    words = sum(len(piece) / RATE for name in RICH for piece in voices.pieces(name))
    assert sum(lengths) > 1.2 * words  # they are repeated


def test_meetings_are_mostly_in_rooms(
    voices: VoicePool, timelines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms: list[int] = []

    def in_room(tracks: dict[str, np.ndarray], _: np.random.Generator) -> np.ndarray:
        rooms.append(len(tracks))
        return sum(tracks.values())

    monkeypatch.setattr(making, "in_one_room", in_room)
    for index in range(3):
        simulate("meeting", "clipped" if index else "full", 2, index, voices, [timelines])
    assert 2 <= len(rooms) <= 3
    rooms.clear()
    simulate("call-any", "full", 1, 0, voices)
    simulate("meeting", "room", 1, 0, voices, [timelines])  # the channel has a room
    assert not rooms


def test_an_excerpt_has_turns_clipped_to_it(voices: VoicePool, timelines: Path) -> None:
    for index in range(2):
        made = simulate("excerpt", "full", 1, index, voices, [timelines])
        assert 5 < made.duration_s <= 40.01
        assert made.turns
        assert all(0 <= t.start < t.end <= made.duration_s + 1e-6 for t in made.turns)
    track = np.arange(10 * RATE, dtype=np.float32)
    whole = Scene(
        {"a": track, "b": -track},
        [Turn(0.0, 4.0, "a"), Turn(3.0, 9.0, "a"), Turn(0.5, 1.0, "b")],
        tuple(
            Utterance(name, first * RATE, track[first * RATE : last * RATE])
            for name, first, last in (("a", 0, 4), ("a", 4, 9), ("b", 0, 1))
        ),
    )
    part = excerpt(whole, 2.0, 5.0)
    assert part.turns == [Turn(0.0, 2.0, "a"), Turn(1.0, 3.0, "a")]
    assert list(part.tracks) == ["a"]
    np.testing.assert_array_equal(part.tracks["a"], track[2 * RATE : 5 * RATE])
    assert [each.start / RATE for each in part.utterances] == [0.0, 2.0]
    np.testing.assert_array_equal(
        np.concatenate([each.sound for each in part.utterances]), part.tracks["a"]
    )


def test_laughs_and_breaths_are_outside_turns(
    voices: VoicePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = {}
    for chance in (0.0, 1.0):
        monkeypatch.setattr(nonspeech, "CHANCE", chance)
        scenes = [interview(voices, rng(seed)) for seed in range(4)]
        outside[chance] = [
            np.abs(sum(scene.tracks.values()))[~speaking(scene.turns, scene.samples)].max()
            for scene in scenes
        ]
    assert max(outside[0.0]) == 0
    assert max(outside[1.0]) > 0.01
