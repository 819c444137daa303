"""`bench simulate`: seeds, turns, words, voices and files."""

import json
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate

from bench.annotations import Turn, read_rttm
from bench.corpus import find_recordings
from bench.errors import BenchError
from bench.simulation.calls import call_any, monologue, monologue_long
from bench.simulation.channels import CHANNELS
from bench.simulation.interviews import interview
from bench.simulation.making import KINDS, Given, simulate, simulate_scene
from bench.simulation.scene import Scene, joined
from bench.simulation.voices import VoicePool, half_of
from bench.simulation.words import Words
from bench.simulation.writing import Batch, write_conversations
from bench.tests.helpers import run
from bench.tests.speech import (
    RATE,
    RICH,
    SINGLE,
    rms,
    speaking,
    speech,
    talker_seconds,
    write_speakers,
)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_seed_and_index_determine_a_conversation(voices: VoicePool) -> None:
    first, again = (simulate("call-any", "room", 3, 2, voices) for _ in range(2))
    np.testing.assert_array_equal(first.sound, again.sound)
    assert first.turns == again.turns
    for seed, index in ((4, 2), (3, 1)):
        assert simulate("call-any", "room", seed, index, voices).turns != first.turns


def test_all_channels_have_the_same_conversation(voices: VoicePool) -> None:
    turns = [simulate("interview", name, 1, 0, voices).turns for name in ("full", "room", "gsm")]
    assert turns[0] == turns[1] == turns[2]


@pytest.mark.parametrize("kind", ["call-any", "monologue", "panel"])
def test_sound_is_where_turns_are_and_nowhere_else(voices: VoicePool, kind: str) -> None:
    made = simulate(kind, "full", 1, 0, voices, levels_db=[0.0])
    spoken = speaking(made.turns, len(made.sound))
    assert rms(made.sound[~spoken]) < 0.03 * rms(made.sound[spoken])
    for turn in made.turns:
        first, last = round(turn.start * RATE), round(turn.end * RATE)
        edge = RATE // 10
        assert min(rms(made.sound[first:][:edge]), rms(made.sound[last - edge : last])) > 0.005
    assert 0 < made.turns[0].start < max(turn.end for turn in made.turns) < made.duration_s


@pytest.mark.parametrize("make", [call_any, interview, monologue])
def test_no_words_are_used_twice(
    voices: VoicePool, make: Callable[[VoicePool, np.random.Generator], Scene]
) -> None:
    scene = make(voices, rng(0))
    matched = [found for name in scene.tracks for found in said_by(name, scene, voices)]
    spoken = sum(talker_seconds(scene.turns, name) for name in scene.tracks)
    assert sum(size for *_, size in matched) / RATE > 0.85 * spoken
    assert twice(matched) == 0


def test_words_of_a_long_monologue_are_repeated_in_other_orders(voices: VoicePool) -> None:
    scene = monologue_long(voices, rng(), repeat_s=60.0)
    (name,) = scene.tracks
    matched = said_by(name, scene, voices)
    size = sum(map(len, voices.pieces(name)))
    assert twice(matched) > 0.3 * size
    followers = defaultdict[int, set[int]](set)
    for (_, place, _), (_, after, _) in pairwise(matched):
        followers[round(place / RATE)].add(round(after / RATE))
    assert max(map(len, followers.values())) > 1
    assert 58 < scene.samples / RATE < 62


def said_by(name: str, scene: Scene, voices: VoicePool) -> list[tuple[str, int, int]]:
    """Every sound of a speaker that is words: its place in the words, and its length in samples."""
    words = np.concatenate(voices.pieces(name))
    # twice, since words start at a random piece and continue at the first
    around = np.concatenate([words, words])
    squares = np.cumsum(np.pad(np.square(around, dtype=np.float64), (1, 0)))
    track, found = scene.tracks[name], []
    for first, last in sounds_of(track):
        part = track[first:last]
        products = correlate(around, part, mode="valid")
        levels = np.sqrt(squares[len(part) :] - squares[: -len(part)])
        likeness = products / (levels * np.linalg.norm(part) + 1e-9)
        if likeness.max() > 0.9:
            found.append((name, int(likeness.argmax()) % len(words), len(part)))
    return found


def sounds_of(track: np.ndarray) -> list[tuple[int, int]]:
    """First and past-the-last sample of sounds with 5 ms of silence or more around them."""
    places = np.flatnonzero(track)
    cuts = np.flatnonzero(np.diff(places) > RATE // 200)
    firsts = places[np.append(0, cuts + 1)]
    lasts = places[np.append(cuts, len(places) - 1)] + 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def twice(matched: list[tuple[str, int, int]]) -> int:
    """Samples of words that are used more than once."""
    most = max(place + size for _, place, size in matched)
    said = {name: np.zeros(most, np.int64) for name, *_ in matched}
    for name, place, size in matched:
        said[name][place : place + size] += 1
    return int(sum((counts > 1).sum() for counts in said.values()))


def test_short_pauses_are_part_of_a_turn() -> None:
    turns = [Turn(2.2, 3.0, "a"), Turn(0.0, 1.0, "a"), Turn(1.2, 2.0, "a"), Turn(0.5, 4.0, "b")]
    assert joined([*turns, Turn(3.5, 4.0, "a")]) == [
        Turn(0.0, 3.0, "a"),
        Turn(0.5, 4.0, "b"),
        Turn(3.5, 4.0, "a"),
    ]


def test_words_are_cut_where_it_is_quiet_and_run_out() -> None:
    said = np.concatenate([speech(2.0, 5), speech(2.0, 6)])
    words = Words([said])
    taken = [words.take(0.7) for _ in range(8)]
    assert all(0.3 < len(part) / RATE < 1.1 for part in taken[:4])
    assert not len(taken[-1])
    assert sum(map(len, taken)) <= len(said)
    for part in taken[:4]:
        assert rms(part[-160:]) < 0.5 * rms(part)
        assert part[0] == part[-1] == 0  # no click
    again = Words([said], again=True)
    assert sum(len(again.take(0.7)) for _ in range(12)) > len(said)


def test_a_long_meeting_is_ten_minutes_of_a_timeline(voices: VoicePool, tmp_path: Path) -> None:
    lines = [f"SPEAKER a 1 {4 * n}.0 3.0 <NA> <NA> {'pq'[n % 2]} <NA> <NA>\n" for n in range(200)]
    (tmp_path / "a.rttm").write_text("".join(lines))
    scene = KINDS["meeting-long"].make(Given(voices, rng(), [tmp_path]))
    assert scene.samples / RATE == pytest.approx(600, abs=2)
    assert len(scene.speakers) == 2


@pytest.mark.parametrize("kind", ["meeting", "panel"])
def test_clean_clips_are_where_the_turns_are_and_end_in_time(
    voices: VoicePool, tmp_path: Path, kind: str
) -> None:
    lines = [f"SPEAKER a 1 {4 * n}.0 3.0 <NA> <NA> {'pq'[n % 2]} <NA> <NA>\n" for n in range(20)]
    (tmp_path / "a.rttm").write_text("".join(lines))
    scene, sound = simulate_scene(kind, "full", 1, 0, voices, [tmp_path], longest_s=20.0)
    assert 15 < len(sound) / RATE == scene.samples / RATE < 23
    for clip in scene.utterances:
        alone = scene.tracks[clip.speaker][clip.start : clip.end]
        np.testing.assert_array_equal(alone, clip.sound)
    clips = [Turn(each.start / RATE, each.end / RATE, each.speaker) for each in scene.utterances]
    assert joined(clips) == scene.turns


def test_halves_of_voices_are_disjoint_and_all_there_are(folder: Path) -> None:
    tune, held = (VoicePool.of(folder, half).names for half in ("tune", "held"))
    assert tune
    assert held
    assert sorted([*tune, *held]) == VoicePool.of(folder).names == sorted(RICH + SINGLE)
    many = [half_of(f"name{number}") for number in range(200)]
    assert 70 < many.count("tune") < 130
    # known values, since halves must not change from one version to the next
    assert [half_of(name) for name in ("rich0", "rich1", "single0")] == ["tune", "held", "held"]


def test_voices_with_few_words_are_not_used(tmp_path: Path) -> None:
    write_speakers(tmp_path, {"short": [2.0], "long": [6.0]})
    voices = VoicePool.of(tmp_path)
    assert voices.names == ["long"]
    with pytest.raises(BenchError, match="1 of 2 voices have 3 s of speech; give 2 or more"):
        simulate("call-any", "full", 0, 0, voices)


def test_pieces_are_speech_of_one_level(voices: VoicePool) -> None:
    pieces = voices.pieces("single0")
    assert [len(piece) / RATE for piece in pieces[:-1]] == pytest.approx([2.0] * 5, abs=0.15)
    assert rms(np.concatenate(pieces)) == pytest.approx(0.05, rel=0.05)


def test_errors_name_the_remedy(voices: VoicePool, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="chat: no such kind; choose one of call-like, "):
        simulate("chat", "full", 0, 0, voices)
    with pytest.raises(BenchError, match="radio: no such channel; choose one of full, room, "):
        simulate("panel", "radio", 0, 0, voices)
    with pytest.raises(BenchError, match=r"needs timelines; give folders of RTTM .* --timelines"):
        simulate("meeting", "full", 0, 0, voices)
    with pytest.raises(BenchError, match="found no RTTM file with turns"):
        simulate("meeting", "full", 0, 0, voices, [tmp_path])
    with pytest.raises(BenchError, match="panel: repeat_s is for monologue and monologue-long"):
        simulate("panel", "full", 0, 0, voices, repeat_s=60.0)
    with pytest.raises(BenchError, match="call-any: longest_s is for meeting and panel"):
        simulate_scene("call-any", "full", 0, 0, voices, longest_s=60.0)
    with pytest.raises(BenchError, match="repeat_s: found 5000; give up to 1200 seconds"):
        simulate("monologue-long", "full", 0, 0, voices, repeat_s=5000.0)
    with pytest.raises(BenchError, match="third: no such half; choose one of tune, held"):
        VoicePool.of(folder, "third")


def test_files_are_the_same_whatever_their_count(folder: Path, tmp_path: Path) -> None:
    command = ("simulate", tmp_path, "--kind", "call-any", "--channel", "telephone")
    options = ("--voices", folder, "--seed", "7")
    few = run(*command, *options, "--count", "1")
    assert few.exit_code == 0, few.output
    place = tmp_path / "call-any-telephone"
    name = "all-7-0000"
    first = {path.name: path.read_bytes() for path in place.iterdir()}
    assert set(first) == {f"{name}{suffix}" for suffix in (".flac", ".rttm", ".uem")}
    more = run(*command, *options, "--count", "2")
    assert more.exit_code == 0, more.output
    assert len(list(place.iterdir())) == 6
    assert all((place / each).read_bytes() == content for each, content in first.items())


def test_files_are_a_corpus_with_a_manifest(
    folder: Path, voices: VoicePool, tmp_path: Path
) -> None:
    batch = Batch("call-any", "full", 5, 2, "tune")
    manifest = write_conversations(tmp_path, batch, voices, [], lambda text: None)
    assert manifest.name == "manifest-call-any-full-tune-5.json"
    rows = json.loads(manifest.read_text())["files"]
    recordings = find_recordings(tmp_path)
    assert [each.uri for each in recordings] == [row["uri"] for row in rows]
    for index, (recording, row) in enumerate(zip(recordings, rows, strict=True)):
        made = simulate("call-any", "full", 5, index, voices)
        assert recording.duration_s() == pytest.approx(row["seconds"], abs=1e-3)
        assert recording.regions()[0].end == pytest.approx(made.duration_s, abs=1e-3)
        read = read_rttm(recording.reference)
        assert [turn.speaker for turn in read] == [turn.speaker for turn in made.turns]
        assert [t.end for t in read] == pytest.approx([t.end for t in made.turns], abs=2e-3)
        assert sorted(row["voices"]) == sorted({turn.speaker for turn in made.turns})
        assert row["speakers"] == len(row["voices"])
        assert (row["kind"], row["channel"], row["seed"]) == ("call-any", "full", 5)


def test_help_names_all_kinds_and_channels() -> None:
    told = " ".join(run("simulate", "--help").output.split())
    missing = [name for name in (*KINDS, *CHANNELS) if name not in told]
    assert not missing


def test_the_command_ends_in_one_line(folder: Path, tmp_path: Path) -> None:
    result = run("simulate", tmp_path, "--voices", folder, "--kind", "meeting")
    assert result.exit_code == 1
    assert result.output.startswith("Error: a meeting needs timelines")
