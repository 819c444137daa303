"""Defects of FluidAudio that hocket does not have, on speech; see docs/fluidaudio.md."""

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from hocket import Config, Diarizer, SpeakerStore, Stream
from hocket.config import (
    GraphConfig,
    StreamConfig,
    SubsegmentConfig,
)
from hocket.errors import AudioVoiceError, ConfigError
from hocket.graph import Tensors
from hocket.online.state import KnownSpeaker
from hocket.online.tracker import Update
from hocket.speakers.enroll import enroll, extract_voice
from hocket.turns import Turn
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.recorder import Recorder
from tests.helpers.shared import ONE_THREAD, RATE, samples_of

Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def graphs() -> tuple[Recorder, Recorder]:
    """The segmentation and the embedding network of all tests here."""
    diarizer = Diarizer(runtime=ONE_THREAD).load()
    return Recorder(diarizer.segmentation_graph), Recorder(diarizer.embedding_graph)


@pytest.fixture(autouse=True)
def _shared(graphs: tuple[Recorder, Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, graph in zip(("segmentation_graph", "embedding_graph"), graphs, strict=True):
        graph.given.clear()
        monkeypatch.setattr(Diarizer, name, graph)


@pytest.fixture(scope="module")
def conversation() -> Sound:
    return samples_of(CONVERSATION)


@pytest.fixture(scope="module")
def words() -> Sound:
    """Six seconds of one speaker."""
    panel = samples_of(CLIPS / "panel03.flac")
    return panel[round(14.1 * RATE) : round(18.9 * RATE)]


def streamed(sound: Sound, rate: int = RATE, **options: Any) -> list[Update]:
    stream = Stream(rate, **{"runtime": ONE_THREAD, "refinable": False, **options})
    return stream.feed(sound) + stream.finish()


def finals(updates: Sequence[Update]) -> list[Turn]:
    return sorted(turn for update in updates for turn in update.final)


def spoken_frames(turns: Sequence[Turn], frames: int = 3_000) -> dict[str, NDArray[np.bool_]]:
    """Who speaks in each hundredth of a second."""
    found = {turn.speaker: np.zeros(frames, np.bool_) for turn in turns}
    for turn in turns:
        found[turn.speaker][round(100 * turn.start) : round(100 * turn.end)] = True
    return found


def silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), np.float32)


# Time


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_the_given_sample_rate_is_used(rate: int) -> None:
    panel = samples_of(CLIPS / "panel03.flac")[: 20 * RATE]
    expected = spoken_frames(finals(streamed(panel)))
    turns = finals(streamed(soxr.resample(panel, RATE, rate), rate))
    found = spoken_frames(turns)
    assert set(found) == set(expected)
    for name, frames in expected.items():
        assert np.count_nonzero(frames != found[name]) < 0.1 * np.count_nonzero(frames)
    assert turns[-1].end <= 20.0


@pytest.mark.parametrize("seconds", [0.7, 4.0, 10.01, 12.345])
def test_a_stream_emits_turns_up_to_its_end_and_not_beyond(
    conversation: Sound, seconds: float
) -> None:
    samples = conversation[7 * RATE : round((7 + seconds) * RATE)]  # somebody speaks at its end
    updates = streamed(samples)
    end = len(samples) / RATE
    for update in updates:
        assert update.time <= end
        assert all(0 <= t.start < t.end <= end for t in (*update.final, *update.tentative))
    assert finals(updates)[-1].end == pytest.approx(end, abs=0.1)


def test_more_overlap_of_windows_emits_nothing_twice(conversation: Sound) -> None:
    part = conversation[: 18 * RATE]
    expected = spoken_frames(finals(streamed(part)))
    turns = finals(streamed(part, config=Config(stream=StreamConfig(step_s=0.9))))
    found = spoken_frames(turns)
    for name in found:
        own = [turn for turn in turns if turn.speaker == name]
        assert all(before.end <= after.start for before, after in pairwise(own))
    found_s, usual_s = (sum(frames.sum() for frames in each.values()) for each in (found, expected))
    assert found_s == pytest.approx(usual_s, rel=0.1)


def test_an_earlier_stream_does_not_shift_a_later_one(conversation: Sound) -> None:
    earlier = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    earlier.feed(conversation)
    earlier.finish()
    later = conversation[6 * RATE :]
    fresh = finals(streamed(later))
    again = finals(streamed(later, known=earlier.state.speakers()))
    assert again[0].start == pytest.approx(fresh[0].start, abs=0.017)
    assert again[-1].end == pytest.approx(fresh[-1].end, abs=0.017)


# All speech has a speaker


def test_words_far_apart_are_found(words: Sound) -> None:
    """0.8 s in every 12 s: less than two words in any window, at times none."""
    starts, parts = [], [silence(1.0)]
    for index in range(4):
        starts.append(sum(map(len, parts)) / RATE)
        parts += [words[round(index * RATE) :][: round(0.8 * RATE)], silence(11.2)]
    sound = np.concatenate(parts)
    for turns in (
        finals(streamed(sound)),
        list(Diarizer(runtime=ONE_THREAD)(sound, sample_rate=RATE).turns),
    ):
        assert [turn.speaker for turn in turns] == ["SPEAKER_00"] * 4
        assert [turn.start for turn in turns] == pytest.approx(starts, abs=0.15)
        assert [turn.duration for turn in turns] == pytest.approx([0.9] * 4, abs=0.25)


def test_overlap_is_found_without_a_setting(conversation: Sound) -> None:
    offline = Diarizer(runtime=ONE_THREAD)(conversation, sample_rate=RATE)
    for turns in (finals(streamed(conversation)), list(offline.turns)):
        both = np.logical_and(*spoken_frames(turns).values())
        assert both.sum() >= 20  # hundredths of a second


# No speakers out of nothing


class Broken(Recorder):
    """An embedding network whose output has one value throughout."""

    value = 0.0

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        return {
            name: np.full_like(array, self.value) for name, array in super().run(inputs).items()
        }


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_network_that_fails_creates_no_speaker(
    conversation: Sound, graphs: tuple[Recorder, Recorder], monkeypatch: pytest.MonkeyPatch,
    value: float,
) -> None:  # fmt: skip
    broken = Broken(graphs[1].graph)
    broken.value = value
    monkeypatch.setattr(Diarizer, "embedding_graph", broken)
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    part = conversation[7 * RATE : 17 * RATE]
    updates = stream.feed(part) + stream.finish()
    assert broken.given
    assert (finals(updates), stream.state.names) == ([], ())
    result = Diarizer(runtime=ONE_THREAD)(
        part, sample_rate=RATE
    )  # offline, all speech has a speaker
    assert result.speakers == ("SPEAKER_00",)
    assert not result.embeddings.any()


# Settings


def test_windows_that_would_skip_sound_are_refused() -> None:
    far = Config(stream=StreamConfig(step_s=12.0, latest_s=20.0))
    with pytest.raises(
        ConfigError, match=r"^found step_s 12\.0 and back_s 0\.59; give a window_s of at least"
    ):
        Stream(RATE, config=far, runtime=ONE_THREAD)


def test_the_shortest_step_is_a_frame(words: Sound) -> None:
    tiny = Config(stream=StreamConfig(step_s=1e-6))
    updates = streamed(words[: round(0.4 * RATE)], config=tiny)
    steps = [after.time - before.time for before, after in pairwise(updates)]
    assert steps
    assert max(steps) == pytest.approx(270 / RATE)


CHANGED: dict[str, dict[str, Any]] = {
    "stream": {
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
    "regions": {
        "min_speech": 0.8,
        "min_overlap": 0.05,
        "min_change": 0.05,
        "change_s": 2.0,
        "longest_s": 1.0,
    },
    "subsegments": {
        "length_s": 2.4,
        "hop_s": 0.3,
        "min_s": 0.9,
        "crop_s": 1.3,
        "pack_s": 5.0,
        "gap_s": 0.5,
    },
    "clustering": {
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
OF_THE_TRACKER = (
    *("continuity_bonus", "slot_bonus", "margin", "coherence", "most_exemplars"),
    *("name", "name_early", "name_s", "hold", "crowd"),
)
ELSEWHERE = {  # below, in test_reported_defects.py, test_finish.py and test_plda_properties.py
    *(("stream", name) for name in OF_THE_TRACKER),
    ("subsegments", "grid_s"),
    ("clustering", "min_trusted_s"),
    ("clustering", "plda"),
}
SETTINGS = [(part, name) for part, changed in CHANGED.items() for name in changed]


def outcome(config: Config, part: str, graphs: tuple[Recorder, Recorder]) -> object:
    """Turns of half a minute of a meeting, and the shapes of all network inputs."""
    sound = samples_of(CLIPS / "trn00.flac")
    config = replace(config, graphs=GraphConfig(precision="float32"))  # int8 has no batches
    for graph in graphs:
        graph.given.clear()
    if part == "stream":
        return streamed(sound, config=config), *(graph.shapes for graph in graphs)
    result = Diarizer(config, ONE_THREAD)(sound, sample_rate=RATE)
    return result.turns, result.exclusive_turns, *(graph.shapes for graph in graphs)


@pytest.fixture(scope="module")
def usual_outcomes() -> dict[bool, object]:
    """Outcomes with default settings, of streams and of recordings."""
    return {}


@pytest.mark.parametrize(("part", "name"), SETTINGS)
def test_every_setting_has_an_effect(
    part: str,
    name: str,
    graphs: tuple[Recorder, Recorder],
    usual_outcomes: dict[bool, object],
) -> None:
    usual = Config()
    one = replace(getattr(usual, part), **{name: CHANGED[part][name]})
    if (part == "stream") not in usual_outcomes:
        usual_outcomes[part == "stream"] = outcome(usual, part, graphs)
    changed = outcome(replace(usual, **{part: one}), part, graphs)
    assert changed != usual_outcomes[part == "stream"], "nothing changes"


def test_no_setting_is_left_out() -> None:
    """Settings of graphs are names, and unknown ones are refused."""
    there = {
        (part.name, one.name)
        for part in fields(Config)
        if part.name != "graphs"
        for one in fields(getattr(Config(), part.name))
    }
    assert there == {*SETTINGS, *ELSEWHERE}


def test_settings_of_the_tracker_reach_it() -> None:
    chosen = StreamConfig(most_exemplars=7, **dict.fromkeys(OF_THE_TRACKER[:4], 0.7))
    stream = Stream(RATE, config=Config(stream=chosen), runtime=ONE_THREAD)
    for name in OF_THE_TRACKER[:5]:
        assert getattr(stream.rules.config, name) == getattr(chosen, name)
    stream.close()


def test_the_sound_of_an_enrollment_is_padded_to_the_grid(
    words: Sound, graphs: tuple[Recorder, Recorder]
) -> None:
    lengths = []
    for grid_s in (0.25, 3.0):
        extract_voice(
            words, Diarizer(Config(subsegments=SubsegmentConfig(grid_s=grid_s))), sample_rate=RATE
        )
        lengths.append(graphs[1].shapes[-1][0][-1])
    assert lengths[0] % (RATE // 4) == lengths[1] % (3 * RATE) == 0
    assert lengths[0] < lengths[1]


# Speakers and enrollment


def test_the_number_of_speakers_is_found_without_a_setting(conversation: Sound) -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    updates = stream.feed(conversation) + stream.finish()
    assert stream.state.names[:2] == ("SPEAKER_00", "SPEAKER_01")
    # rounding differs between processors: on some, a word has a speaker of its own
    assert len({turn.speaker for turn in finals(updates)} | set(stream.state.names)) <= 3
    result = Diarizer(runtime=ONE_THREAD)(conversation, sample_rate=RATE)
    assert result.speakers == ("SPEAKER_00", "SPEAKER_01")


@pytest.mark.computes
def test_a_voice_has_the_same_embedding_every_time(words: Sound) -> None:
    diarizer = Diarizer(runtime=ONE_THREAD)
    once, again = (extract_voice(words, diarizer, sample_rate=RATE) for _ in range(2))
    assert once.embedding.tobytes() == again.embedding.tobytes()
    assert np.linalg.norm(once.embedding) == pytest.approx(1, abs=1e-5)
    updates = streamed(words, known=[KnownSpeaker("Ben", once.embedding[None])])
    assert {turn.speaker for turn in finals(updates)} == {"Ben"}


def test_an_enrollment_that_fails_does_not_disturb_a_stream(
    conversation: Sound, words: Sound, tmp_path: Path
) -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    updates = stream.feed(conversation[: 15 * RATE])
    with SpeakerStore(tmp_path / "team.db") as store:
        with pytest.raises(AudioVoiceError, match="give a clip with 2 s or more"):
            enroll(store, "Ben", [halves(words, tmp_path)], Diarizer(runtime=ONE_THREAD))
        assert store.speakers() == ()
    updates += stream.feed(conversation[15 * RATE :])
    assert updates + stream.finish() == streamed(conversation)


def halves(words: Sound, folder: Path) -> Path:
    """A clip with half a second of speech."""
    soundfile.write(folder / "short.wav", words[: RATE // 2], RATE)
    return folder / "short.wav"


def test_a_stream_uses_the_new_name_of_a_renamed_speaker(
    conversation: Sound, tmp_path: Path
) -> None:
    result = Diarizer(runtime=ONE_THREAD)(conversation, sample_rate=RATE)
    with SpeakerStore(tmp_path / "team.db") as store:
        for name, cluster in (("Ada", "SPEAKER_00"), ("Bo", "SPEAKER_01")):
            store.enroll_cluster(name, result, cluster)
        store.rename("Ada", "Ada Maria")
        updates = streamed(conversation, store=store)
    assert {turn.speaker for turn in finals(updates)} == {"Ada Maria", "Bo"}
