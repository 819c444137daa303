"""`bench simulate`: what every kind of talk is like."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.annotations import Turn
from bench.simulation import VoiceVectors, making, nonspeech, simulate
from bench.simulation.bands import in_telephone_band
from bench.simulation.calls import call_like
from bench.simulation.interviews import Interview, interview, panel
from bench.simulation.meetings import meeting
from bench.simulation.scene import Scene, Script, excerpt
from bench.simulation.words import Words
from tests.speech import RATE, RICH, rms, speaking, talker_seconds, write_cast, write_speakers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cast(tmp_path_factory.mktemp("voices"))


@pytest.fixture(scope="module")
def voices(folder: Path) -> VoiceVectors:
    return VoiceVectors.of(folder, embed=lambda sound: np.ones(2, np.float32))


@pytest.fixture(scope="module")
def timelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Turns of 3 s with an overlap of half a second, of three people in turn."""
    place = tmp_path_factory.mktemp("timelines")
    lines = [f"SPEAKER t 1 {2.5 * k:.3f} 3.000 <NA> <NA> {'abc'[k % 3]} <NA>" for k in range(40)]
    (place / "t.rttm").write_text("\n".join(lines) + "\n")
    return place


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_parties_of_a_call_take_turns_at_levels_up_to_12_db_apart(voices: VoiceVectors) -> None:
    apart = []
    for index in range(4):
        talk = simulate("call-any", "full", 1, index, voices)
        assert len({turn.speaker for turn in talk.turns}) == 2
        assert 10 < talk.duration < 62
        apart.append(level_db(talk, 0) - level_db(talk, 1))
    assert all(abs(each) < 15 for each in apart)
    assert max(apart) - min(apart) > 3


def test_levels_can_be_given(voices: VoiceVectors) -> None:
    talk = simulate("call-any", "full", 1, 0, voices, levels_db=[0.0, -20.0])
    assert level_db(talk, 0) - level_db(talk, 1) == pytest.approx(20, abs=2)


def level_db(talk, place: int) -> float:
    """Level of the speaker who is first, second, ... to speak, where speaking alone."""
    names = list(dict.fromkeys(turn.speaker for turn in talk.turns))
    mine = [turn for turn in talk.turns if turn.speaker == names[place]]
    others = [turn for turn in talk.turns if turn.speaker != names[place]]
    alone = speaking(mine, len(talk.sound)) & ~speaking(others, len(talk.sound))
    return 20 * np.log10(rms(talk.sound[alone]))


def test_parties_of_a_call_sound_alike_on_the_telephone(tmp_path: Path) -> None:
    names = [f"voice{number:02d}" for number in range(12)]
    write_speakers(tmp_path, {name: [4.5] for name in names})
    measured = []

    def embed(sound: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        outside = spectrum[round(len(sound) * 4000 / RATE) :].sum()
        measured.append(outside / spectrum.sum())
        # The voice that it is: its number as an angle.
        said = [np.linalg.norm(sound[: RATE * 2] - known) for known in known_sounds]
        return np.array([np.cos(np.argmin(said) / 8), np.sin(np.argmin(said) / 8)], np.float32)

    voices = VoiceVectors.of(tmp_path, embed=embed)
    known_sounds = [
        in_telephone_band(np.concatenate(voices.pieces(name)))[: RATE * 2] for name in names
    ]
    assert set(voices.nearest("voice05", 2)) == {"voice04", "voice06"}
    assert max(measured) < 1e-3
    pairs = set()
    for seed in range(20):
        first, second = call_like(voices, rng(seed)).tracks
        assert second in voices.nearest(first, 3)
        pairs.add((first, second))
    assert len(pairs) > 10


def test_a_monologue_is_one_voice_with_pauses(voices: VoiceVectors) -> None:
    talks = [simulate("monologue", "full", 1, index, voices) for index in range(12)]
    assert {len({turn.speaker for turn in talk.turns}) for talk in talks} == {1}
    assert all(4 < talk.duration < 62 for talk in talks)
    assert max(len(talk.turns) for talk in talks) > 2
    pauses = [after.start - before.end for talk in talks for before, after in pairwise(talk.turns)]
    assert 0.25 < min(pauses) < np.median(pauses) < 1.0
    assert max(pauses) < 3.3
    # Whoever has more clips says more.
    assert max(talk.duration for talk in talks if talk.turns[0].speaker in RICH) > 20


def test_a_guest_of_an_interview_says_most(voices: VoiceVectors) -> None:
    shares, sizes = [], set()
    for seed in range(12):
        turns = interview(voices, rng(seed)).turns
        spoken = [talker_seconds(turns, name) for name in {turn.speaker for turn in turns}]
        shares.append(max(spoken) / sum(spoken))
        sizes.add(len(spoken))
    assert np.median(shares) > 0.6
    assert sizes >= {2, 3}


def test_somebody_in_an_interview_may_be_rare(voices: VoiceVectors) -> None:
    words = {name: Words(voices.pieces(name), again=True) for name in RICH}
    numbers = []
    for seed in range(20):
        talk = Interview(Script(words, rng(seed)), RICH[0], list(RICH[1:]), rng(seed))
        turns = [talk.next_turn() for _ in range(60)]
        assert {RICH[0], RICH[1]} <= {name for name, _ in turns}
        rare = [seconds for name, seconds in turns if name == RICH[2]]
        numbers.append(len(rare))
        assert len(rare) > 10 or all(1 <= seconds <= 3 for seconds in rare)
    few = [number for number in numbers if number <= 3]
    assert {1, 3} <= set(few) <= {1, 2, 3}
    assert min(number for number in numbers if number > 3) > 10
    assert 4 <= len(few) <= 14


def test_speakers_of_a_panel_are_2_to_10_with_turns_of_2_to_8_s(voices: VoiceVectors) -> None:
    scenes = [panel(voices, rng(seed)) for seed in range(4, 12)]
    sizes = {len(scene.tracks) for scene in scenes}
    assert 2 <= min(sizes) <= 3
    assert max(sizes) == len(voices.names)
    lengths = [turn.end - turn.start for scene in scenes for turn in scene.turns]
    assert 1.2 < min(lengths) < 3
    assert 5 < max(lengths) < 8.5
    for scene in scenes:
        assert all(one.speaker != other.speaker for one, other in pairwise(scene.turns))


def test_a_meeting_follows_a_timeline(voices: VoiceVectors, timelines: Path) -> None:
    scene = meeting(voices, rng(), [timelines])
    assert set(scene.tracks) == set(RICH)  # those with several clips
    assert 60 < scene.samples / RATE < 103
    starts = [turn.start for turn in scene.turns[1:]]
    # A turn begins every 2.5 s.
    assert np.ptp([(start - starts[0] + 1.25) % 2.5 for start in starts]) < 0.2
    lengths = [turn.end - turn.start for turn in scene.turns]
    assert np.median(lengths) == pytest.approx(3.0, abs=0.3)
    words = sum(len(piece) / RATE for name in RICH for piece in voices.pieces(name))
    assert sum(lengths) > 1.2 * words  # they come again


def test_meetings_are_mostly_in_rooms(
    voices: VoiceVectors, timelines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = []

    def in_room(tracks, draws) -> np.ndarray:
        rooms.append(len(tracks))
        return sum(tracks.values())

    monkeypatch.setattr(making, "in_one_room", in_room)
    for index in range(5):
        simulate("meeting", "clipped" if index else "full", 2, index, voices, [timelines])
    assert 3 <= len(rooms) <= 5
    rooms.clear()
    simulate("call-any", "full", 1, 0, voices)
    simulate("meeting", "room", 1, 0, voices, [timelines])  # has one of its own
    assert not rooms


def test_an_excerpt_has_turns_clipped_to_it(voices: VoiceVectors, timelines: Path) -> None:
    for index in range(4):
        talk = simulate("excerpt", "full", 1, index, voices, [timelines])
        assert 5 < talk.duration <= 40.01
        assert talk.turns
        assert all(0 <= t.start < t.end <= talk.duration + 1e-6 for t in talk.turns)
    track = np.arange(10 * RATE, dtype=np.float32)
    whole = Scene(
        {"a": track, "b": -track}, [Turn(0.0, 4.0, "a"), Turn(3.0, 9.0, "a"), Turn(0.5, 1.0, "b")]
    )
    part = excerpt(whole, 2.0, 5.0)
    assert part.turns == [Turn(0.0, 2.0, "a"), Turn(1.0, 3.0, "a")]
    assert list(part.tracks) == ["a"]
    np.testing.assert_array_equal(part.tracks["a"], track[2 * RATE : 5 * RATE])


def test_laughs_and_breaths_are_nobodys_turn(
    voices: VoiceVectors, monkeypatch: pytest.MonkeyPatch
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
