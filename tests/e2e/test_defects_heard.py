"""What the system of the notes got wrong, one by one, on real speech: docs/behaviour.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from bench.host_loops import Overheard
from hocket import Config, Diarizer, SpeakerStore, Stream
from hocket.config import (
    GraphConfig,
    StreamConfig,
    Runtime,
    SubsegmentConfig,
)
from hocket.errors import AudioVoiceError, ConfigError
from hocket.graph import Tensors
from hocket.online.state import KnownSpeaker
from hocket.online.tracker import Update
from hocket.result import Turn
from hocket.speakers.enroll import enroll, extract_voice
from tests.places import CLIPS, CONVERSATION

RATE = 16_000
ONE = Runtime(threads=1)
Sound = NDArray[np.float32]


@dataclass(eq=False)
class Remembering(Overheard):
    """A graph that computes nothing twice."""

    answers: dict[tuple[bytes, ...], dict[str, NDArray[np.float32]]] = field(default_factory=dict)

    @property
    def calls(self) -> list[tuple[tuple[int, ...], ...]]:
        """Shapes of all inputs of every call."""
        return [tuple(array.shape for array in inputs.values()) for inputs in self.given]

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        question = tuple(array.tobytes() for array in inputs.values())
        if question in self.answers:
            self.given.append(inputs)
        else:
            self.answers[question] = super().run(inputs)
        return self.answers[question]


@pytest.fixture(scope="module")
def graphs() -> tuple[Remembering, Remembering]:
    """The segmentation and the embedding of all tests here."""
    diarizer = Diarizer(runtime=ONE).load()
    return Remembering(diarizer.segmentation_graph), Remembering(diarizer.embedding_graph)


@pytest.fixture(autouse=True)
def _shared(graphs: tuple[Remembering, Remembering], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, graph in zip(("segmentation_graph", "embedding_graph"), graphs, strict=True):
        graph.given.clear()
        monkeypatch.setattr(Diarizer, name, graph)


@pytest.fixture(scope="module")
def conversation() -> Sound:
    return soundfile.read(CONVERSATION, dtype="float32")[0]


@pytest.fixture(scope="module")
def words() -> Sound:
    """Six seconds of one person."""
    panel = soundfile.read(CLIPS / "panel03.flac", dtype="float32")[0]
    return panel[round(14.1 * RATE) : round(18.9 * RATE)]


def streamed(sound: Sound, rate: int = RATE, **options: Any) -> list[Update]:
    stream = Stream(rate, **{"runtime": ONE, "refinable": False, **options})
    return stream.feed(sound) + stream.finish()


def finals(updates: Sequence[Update]) -> list[Turn]:
    return sorted(turn for update in updates for turn in update.final)


def spoken_frames(turns: Sequence[Turn], frames: int = 3_000) -> dict[str, NDArray[np.bool_]]:
    """Who speaks in every hundredth of a second."""
    found = {turn.speaker: np.zeros(frames, np.bool_) for turn in turns}
    for turn in turns:
        found[turn.speaker][round(100 * turn.start) : round(100 * turn.end)] = True
    return found


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), np.float32)


# Time


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_the_rate_that_is_given_is_the_rate_that_is_used(rate: int) -> None:
    panel = soundfile.read(CLIPS / "panel03.flac", dtype="float32")[0][: 30 * RATE]
    expected = spoken_frames(finals(streamed(panel)))
    turns = finals(streamed(soxr.resample(panel, RATE, rate), rate))
    found = spoken_frames(turns)
    assert set(found) == set(expected)
    for name, frames in expected.items():
        assert np.count_nonzero(frames != found[name]) < 0.1 * np.count_nonzero(frames)
    assert turns[-1].end <= 30.0


@pytest.mark.parametrize("seconds", [0.7, 1.81, 4.0, 9.99, 10.01, 12.345])
def test_a_stream_says_nothing_beyond_its_end_and_all_up_to_it(
    conversation: Sound, seconds: float
) -> None:
    samples = conversation[7 * RATE : round((7 + seconds) * RATE)]  # somebody speaks at its end
    updates = streamed(samples)
    heard = len(samples) / RATE
    for update in updates:
        assert update.time <= heard
        assert all(0 <= t.start < t.end <= heard for t in (*update.final, *update.tentative))
    assert finals(updates)[-1].end == pytest.approx(heard, abs=0.1)


def test_more_overlap_of_windows_says_nothing_twice(conversation: Sound) -> None:
    expected = spoken_frames(finals(streamed(conversation)))
    turns = finals(streamed(conversation, config=Config(stream=StreamConfig(step_s=0.9))))
    found = spoken_frames(turns)
    for name in found:
        own = [turn for turn in turns if turn.speaker == name]
        assert all(before.end <= after.start for before, after in pairwise(own))
    said, usual = (sum(frames.sum() for frames in each.values()) for each in (found, expected))
    assert said == pytest.approx(usual, rel=0.1)


def test_what_was_heard_before_does_not_shift_a_later_stream(conversation: Sound) -> None:
    earlier = Stream(RATE, runtime=ONE, refinable=False)
    earlier.feed(conversation)
    earlier.finish()
    later = conversation[6 * RATE :]
    fresh = finals(streamed(later))
    again = finals(streamed(later, known=earlier.state.speakers()))
    assert again[0].start == pytest.approx(fresh[0].start, abs=0.017)
    assert again[-1].end == pytest.approx(fresh[-1].end, abs=0.017)


# What is said is said by somebody


def test_words_that_are_all_there_is_are_heard(words: Sound) -> None:
    """0.8 s in every 12: less than two in any window, less than one at a time."""
    starts, parts = [], [silence(1.0)]
    for index in range(4):
        starts.append(sum(map(len, parts)) / RATE)
        parts += [words[round(index * RATE) :][: round(0.8 * RATE)], silence(11.2)]
    sound = np.concatenate(parts)
    for turns in (
        finals(streamed(sound)),
        list(Diarizer(runtime=ONE)(sound, sample_rate=RATE).turns),
    ):
        assert [turn.speaker for turn in turns] == ["SPEAKER_00"] * 4
        assert [turn.start for turn in turns] == pytest.approx(starts, abs=0.15)
        assert [turn.duration for turn in turns] == pytest.approx([0.9] * 4, abs=0.25)


def test_overlap_is_heard_without_asking(conversation: Sound) -> None:
    offline = Diarizer(runtime=ONE)(conversation, sample_rate=RATE)
    for turns in (finals(streamed(conversation)), list(offline.turns)):
        both = np.logical_and(*spoken_frames(turns).values())
        assert both.sum() >= 20  # hundredths of a second


# Nobody is made of nothing


class Broken(Remembering):
    """An embedding that is such a number everywhere."""

    value = 0.0

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        return {
            name: np.full_like(array, self.value) for name, array in super().run(inputs).items()
        }


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_network_that_fails_makes_nobody(
    conversation: Sound, graphs: tuple[Remembering, Remembering], monkeypatch: pytest.MonkeyPatch,
    value: float,
) -> None:  # fmt: skip
    broken = Broken(graphs[1].graph)
    broken.value = value
    monkeypatch.setattr(Diarizer, "embedding_graph", broken)
    stream = Stream(RATE, runtime=ONE, refinable=False)
    updates = stream.feed(conversation) + stream.finish()
    assert broken.calls
    assert (finals(updates), stream.state.names) == ([], ())
    result = Diarizer(runtime=ONE)(conversation, sample_rate=RATE)  # whose speech is somebody's
    assert result.speakers == ("SPEAKER_00",)
    assert not result.embeddings.any()


# Settings


def test_windows_that_would_leave_sound_unheard_are_refused() -> None:
    far = Config(stream=StreamConfig(step_s=12.0, latest_s=20.0))
    with pytest.raises(
        ConfigError, match=r"^found step_s 12\.0 and back_s 0\.59; give a window_s of at least"
    ):
        Stream(RATE, config=far, runtime=ONE)


def test_the_shortest_step_is_a_frame(words: Sound) -> None:
    tiny = Config(stream=StreamConfig(step_s=1e-6))
    updates = streamed(words[: round(0.4 * RATE)], config=tiny)
    steps = [after.time - before.time for before, after in pairwise(updates)]
    assert steps
    assert max(steps) == pytest.approx(270 / RATE)


CHANGED: dict[str, dict[str, Any]] = {
    "live": {
        "step_s": 3.0,
        "delay_s": 2.0,
        "latest_s": 8.0,
        "back_s": 0.0,
        "window_s": 9.0,
        "create_s": 4.0,
        "match": 0.05,
        "create": 0.2,
        "update": 0.05,
        "merge": 0.9,
        "max_speakers": 1,
    },
    "windows": {"step_s": 2.5, "ramp_s": 4.0, "batch": 1},
    "runs": {
        "min_speech": 0.8,
        "min_overlap": 0.05,
        "min_takeover": 0.05,
        "takeover_s": 2.0,
        "longest_s": 1.0,
    },
    "units": {
        "length_s": 2.4,
        "hop_s": 0.3,
        "min_s": 0.9,
        "crop_s": 1.3,
        "pack_s": 5.0,
        "gap_s": 0.5,
    },
    "clusters": {
        "method": "centroid",
        "threshold": 0.2,
        "duplicate_at_1s": 0.0,
        "duplicate_growth": 1.0,
        "duplicate_most": 0.0,
        "min_trusted_probability": 0.99,
        "min_speaker_s": 8.0,
    },
    "turns": {"fade_s": 2.0, "min_pause_s": 1.0, "min_turn_s": 1.0},
}
ELSEWHERE = {  # below, in test_made_up_artifacts.py, in test_plda.py
    ("live", "loyalty"),
    ("units", "grid_s"),
    ("clusters", "min_trusted_s"),
    ("clusters", "plda"),
}
SETTINGS = [(part, name) for part, changed in CHANGED.items() for name in changed]


def outcome(config: Config, part: str, graphs: tuple[Remembering, Remembering]) -> object:
    """What is said in half a minute of a meeting, and what the graphs are asked."""
    sound = soundfile.read(CLIPS / "trn00.flac", dtype="float32")[0]
    config = replace(config, graphs=GraphConfig(precision="float32"))  # int8 knows no batches
    for graph in graphs:
        graph.given.clear()
    if part == "live":
        return streamed(sound, config=config), *(graph.calls for graph in graphs)
    result = Diarizer(config, ONE)(sound, sample_rate=RATE)
    return result.turns, result.exclusive_turns, *(graph.calls for graph in graphs)


@pytest.fixture(scope="module")
def usually() -> dict[bool, object]:
    """What is said without a change: in a stream, and not."""
    return {}


@pytest.mark.parametrize(("part", "name"), SETTINGS)
def test_every_setting_does_something(
    part: str,
    name: str,
    graphs: tuple[Remembering, Remembering],
    usually: dict[bool, object],
) -> None:
    usual = Config()
    one = replace(getattr(usual, part), **{name: CHANGED[part][name]})
    if (part == "live") not in usually:
        usually[part == "live"] = outcome(usual, part, graphs)
    changed = outcome(replace(usual, **{part: one}), part, graphs)
    assert changed != usually[part == "live"], "nothing changes"


def test_no_setting_is_left_out() -> None:
    """But of graphs, whose names are looked up and refused if there are none of that name."""
    there = {
        (part.name, one.name)
        for part in fields(Config)
        if part.name != "graphs"
        for one in fields(getattr(Config(), part.name))
    }
    assert there == {*SETTINGS, *ELSEWHERE}


def test_loyalty_reaches_the_tracker() -> None:
    stream = Stream(RATE, config=Config(stream=StreamConfig(loyalty=0.7)), runtime=ONE)
    assert stream.rules.limits.loyalty == 0.7  # which changes what is said, as every limit does
    stream.close()


def test_what_a_voice_is_heard_in_is_rounded_up_to_the_grid(
    words: Sound, graphs: tuple[Remembering, Remembering]
) -> None:
    lengths = []
    for grid_s in (0.25, 3.0):
        extract_voice(
            words, Diarizer(Config(subsegments=SubsegmentConfig(grid_s=grid_s))), sample_rate=RATE
        )
        lengths.append(graphs[1].calls[-1][0][-1])
    assert lengths[0] % (RATE // 4) == lengths[1] % (3 * RATE) == 0
    assert lengths[0] < lengths[1]


# Speakers and enrolment


def test_the_number_of_speakers_is_known_without_asking(conversation: Sound) -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    updates = stream.feed(conversation) + stream.finish()
    assert stream.state.names == ("SPEAKER_00", "SPEAKER_01")
    assert {turn.speaker for turn in finals(updates)} == set(stream.state.names)
    result = Diarizer(runtime=ONE)(conversation, sample_rate=RATE)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")


def test_a_voice_is_heard_the_same_every_time(words: Sound) -> None:
    diarizer = Diarizer(runtime=ONE)
    once, again = (extract_voice(words, diarizer, sample_rate=RATE) for _ in range(2))
    assert once.embedding.tobytes() == again.embedding.tobytes()
    assert np.linalg.norm(once.embedding) == pytest.approx(1, abs=1e-5)
    updates = streamed(words, known=[KnownSpeaker("Ben", once.embedding[None])])
    assert {turn.speaker for turn in finals(updates)} == {"Ben"}


def test_an_enrolment_that_fails_leaves_a_stream_as_it_is(
    conversation: Sound, words: Sound, tmp_path: Path
) -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    updates = stream.feed(conversation[: 15 * RATE])
    with SpeakerStore(tmp_path / "team.db") as store:
        with pytest.raises(AudioVoiceError, match="give a clip with 2 s or more"):
            enroll(store, "Ben", [halves(words, tmp_path)], Diarizer(runtime=ONE))
        assert store.speakers() == ()
    updates += stream.feed(conversation[15 * RATE :])
    assert updates + stream.finish() == streamed(conversation)


def halves(words: Sound, folder: Path) -> Path:
    """A clip with half a second of speech."""
    soundfile.write(folder / "short.wav", words[: RATE // 2], RATE)
    return folder / "short.wav"


def test_a_stream_calls_who_was_renamed_by_the_new_name(
    conversation: Sound, tmp_path: Path
) -> None:
    result = Diarizer(runtime=ONE)(conversation, sample_rate=RATE)
    with SpeakerStore(tmp_path / "team.db") as store:
        for name, cluster in (("Ada", "SPEAKER_00"), ("Bo", "SPEAKER_01")):
            store.enroll_cluster(name, result, cluster)
        store.rename("Ada", "Ada Maria")
        updates = streamed(conversation, store=store)
    assert {turn.speaker for turn in finals(updates)} == {"Ada Maria", "Bo"}
