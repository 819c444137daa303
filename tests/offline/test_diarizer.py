"""Recordings through the whole engine."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.accuracy.scoring import score, summarize
from bench.corpus import find_recordings
from hocket import Config, Diarizer, Result, diarize
from hocket.audio import reading as audio
from hocket.audio import sndfile
from hocket.audio.reading import read_audio
from hocket.config import PRESETS, ClusteringConfig, GraphConfig, Runtime, SpeakerCount, TurnConfig
from hocket.errors import ArgumentError, Cancelled, ConfigError, GraphInputError
from hocket.formats import FORMATS
from hocket.segmentation.windows import WindowGrid
from hocket.turns import Turn
from tests.helpers.documents import document
from tests.helpers.graphs import INSTALLED
from tests.helpers.paths import CLIPS, CONVERSATION, EXAMPLE
from tests.helpers.shared import artifacts_of, diarizer_of, result_of, samples_of

PANEL = CLIPS / "panel03.flac"
BUDGETS = {  # DER in percent
    "accurate": {"conversation": 9.0, "panel03": 6.0, "trn00": 45.5, "trn05": 12.0},
    "balanced": {"conversation": 11.0, "panel03": 6.5, "trn00": 47.5, "trn05": 12.0},
    "fast": {"conversation": 11.5, "panel03": 6.5, "trn00": 47.5, "trn05": 12.0},
}
MEAN_BUDGETS = {"accurate": 17.0, "balanced": 18.0, "fast": 18.0}


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return diarizer_of()


@pytest.fixture(scope="module")
def conversation() -> Result:
    return result_of(CONVERSATION)


def everything(result: Result) -> tuple[object, ...]:
    return (*(document(result, name) for name in FORMATS), result.embeddings.tolist())


@pytest.mark.parametrize("preset", list(PRESETS))
def test_der_stays_within_budget_on_real_and_simulated_clips(preset: str) -> None:
    scores = {}
    for folder in (CLIPS, EXAMPLE):
        for recording in find_recordings(folder):
            turns = result_of(recording.audio, preset).turns
            scores[recording.uri] = score(recording.turns(), turns, recording.regions())
    assert set(scores) == set(BUDGETS[preset])
    for uri, budget in BUDGETS[preset].items():
        assert scores[uri].as_row()["der_percent"] <= budget, uri
    summary = summarize(list(scores.values()))
    assert summary["der_percent"] <= MEAN_BUDGETS[preset]
    assert summary["files_right_count"] >= 2


def test_a_result_carries_turns_speakers_embeddings_and_times(conversation: Result) -> None:
    assert conversation.uri == "conversation"
    assert conversation.duration == 30.0
    assert conversation.speakers == ("SPEAKER_00", "SPEAKER_01")
    assert conversation.embeddings.shape == (2, 192)
    assert np.allclose(np.linalg.norm(conversation.embeddings, axis=1), 1, atol=1e-5)
    stages = {"load", "decode", "segmentation", "embedding", "clustering", "reconstruct"}
    assert set(conversation.seconds) == stages
    assert all(seconds >= 0 for seconds in conversation.seconds.values())
    assert conversation.turns[0].speaker == "SPEAKER_00"


def test_a_result_counts_the_bytes_copied(diarizer: Diarizer, conversation: Result) -> None:
    samples = 30 * 16_000
    grid = WindowGrid.of(diarizer.geometry, diarizer.config.windows.step_s)
    covered = sum(min(160_000, samples - start) for start in grid.starts(samples).tolist())
    assert set(conversation.copied) == {"segmentation", "embedding"}
    assert conversation.copied["segmentation"] == 4 * covered
    assert 0 < conversation.copied["embedding"] < 3 * 4 * samples


def test_turns_are_sorted_and_inside_the_recording(conversation: Result) -> None:
    assert list(conversation.turns) == sorted(conversation.turns)
    for turn in conversation.turns:
        assert 0 <= turn.start < turn.end <= conversation.duration
        assert turn.duration >= 0.18


def test_exclusive_turns_never_overlap_and_keep_the_names(conversation: Result) -> None:
    ordered = conversation.exclusive_turns
    assert all(before.end <= after.start for before, after in pairwise(ordered))
    assert {turn.speaker for turn in ordered} == set(conversation.speakers)
    assert covered(conversation.turns) == pytest.approx(covered(ordered), abs=1e-6)


def covered(turns: tuple[Turn, ...]) -> float:
    """Seconds in which at least one speaker speaks."""
    total, reached = 0.0, 0.0
    for turn in sorted(turns):
        total += max(0.0, turn.end - max(turn.start, reached))
        reached = max(reached, turn.end)
    return total


@pytest.mark.computes
def test_every_run_gives_the_same_bytes(diarizer: Diarizer, conversation: Result) -> None:
    assert everything(diarizer(CONVERSATION)) == everything(conversation)
    assert everything(Diarizer()(CONVERSATION)) == everything(conversation)


@pytest.mark.computes
@pytest.mark.parametrize("threads", [1, 3])
def test_the_runtime_changes_nothing(
    diarizer: Diarizer, conversation: Result, threads: int
) -> None:
    other = diarizer_like(diarizer, Runtime(threads=threads))
    artifacts = other.infer(read_audio(CONVERSATION, target_rate=16_000))
    expected = artifacts_of(CONVERSATION)
    assert artifacts.embeddings.tobytes() == expected.embeddings.tobytes()
    found, wanted = (
        [*each.segmentation, *each.bands[:3]] for each in (artifacts, expected) if each.bands
    )
    for one, same in zip(found, wanted, strict=True):
        assert one.tobytes() == same.tobytes()
    assert everything(other.finish(artifacts)) == everything(conversation)


def diarizer_like(diarizer: Diarizer, runtime: Runtime) -> Diarizer:
    """A diarizer with the same open graphs."""
    other = Diarizer(runtime=runtime)
    other.segmentation_graph = diarizer.segmentation_graph
    other.embedding_graph = diarizer.embedding_graph
    return other


@pytest.mark.parametrize("frames", [1_000, 1 << 20])
def test_the_size_of_blocks_changes_nothing(
    diarizer: Diarizer, conversation: Result, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "BLOCK_FRAMES", frames)
    monkeypatch.setattr(audio, "BLOCK_FRAMES", frames)
    samples = samples_of(CONVERSATION)
    by_array = diarizer(samples, sample_rate=16_000, name=str(CONVERSATION))
    assert everything(by_array) == everything(conversation)


def test_every_backend_gives_the_same_turns(clip: Path) -> None:
    turns = [
        Diarizer(Config(graphs=GraphConfig(precision="float32", backend=backend)))(clip).turns
        for backend in INSTALLED
    ]
    assert turns[0]
    assert all(found == turns[0] for found in turns)


def test_path_bytes_file_and_array_give_the_same_turns(diarizer: Diarizer, clip: Path) -> None:
    expected = diarizer(clip)
    assert expected.turns
    assert diarizer(str(clip)).turns == expected.turns
    assert diarizer(clip.read_bytes()).turns == expected.turns
    with clip.open("rb") as file:
        assert diarizer(file).turns == expected.turns
    samples = soundfile.read(clip, dtype="float32")[0]
    by_array = diarizer(samples, sample_rate=16_000)
    assert by_array.turns == expected.turns
    assert by_array.embeddings.tobytes() == expected.embeddings.tobytes()
    assert diarize(samples, sample_rate=16_000).turns == expected.turns


def test_finish_replays_artifacts_with_other_settings(diarizer: Diarizer) -> None:
    artifacts = artifacts_of(CONVERSATION)
    first = diarizer.finish(artifacts)
    assert diarizer.finish(artifacts).turns == first.turns
    longer = replace(Config(), turns=TurnConfig(min_turn_s=2.0))
    turns = Diarizer(longer).finish(artifacts).turns
    assert len(turns) < len(first.turns)
    assert all(turn.duration >= 1.9 for turn in turns)
    # linkage makes one cluster; the order of time splits it again
    merged = replace(Config(), clustering=ClusteringConfig(threshold=2.0))
    assert len(Diarizer(merged).finish(artifacts).speakers) == 2
    assert len(diarizer.finish(artifacts, SpeakerCount(1, 1)).speakers) == 1


@pytest.mark.parametrize("length", [0, 5_000, 200_001])
def test_artifacts_are_consistent(diarizer: Diarizer, length: int) -> None:
    artifacts = diarizer.infer(samples_of(CONVERSATION)[112_000 : 112_000 + length])
    regions, subsegments = artifacts.regions, artifacts.subsegments
    windows = artifacts.segmentation
    assert artifacts.samples == length
    assert windows.activity.shape[0] == len(windows.first_frames)
    assert len(windows.occupancy) == (
        windows.first_frames[-1] + windows.activity.shape[1] if length else 0
    )
    assert (regions[:, 0] < regions[:, 1]).all()
    assert (regions[1:, 0] >= regions[:-1, 1]).all()
    assert (regions[subsegments.region, 0] <= subsegments.first).all()
    assert (subsegments.last <= regions[subsegments.region, 1]).all()
    assert all(artifacts.geometry.frame_start(last) <= length for last in subsegments.last.tolist())
    assert artifacts.embeddings.shape == (len(subsegments.region), 192)
    assert artifacts.embeddings.any(axis=1).all()
    assert (len(regions) > 0) == (length > 0)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_requested_number_of_speakers_is_met(diarizer: Diarizer, number: int) -> None:
    artifacts = artifacts_of(PANEL)
    assert len(diarizer.finish(artifacts, SpeakerCount.of(number)).speakers) == number
    at_least = diarizer.finish(artifacts, SpeakerCount.of(min_speakers=number))
    assert len(at_least.speakers) >= number
    at_most = diarizer.finish(artifacts, SpeakerCount.of(max_speakers=number))
    assert len(at_most.speakers) <= number


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"num_speakers": 0}, "num_speakers is 0"),
        ({"num_speakers": -2}, "num_speakers is -2"),
        ({"min_speakers": 3, "max_speakers": 2}, "min_speakers is 3 but max_speakers is 2"),
        ({"num_speakers": 2, "max_speakers": 3}, "num_speakers excludes"),
    ],
)
def test_numbers_of_speakers_that_contradict_each_other_are_refused(
    diarizer: Diarizer, numbers: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        diarizer(CONVERSATION, **numbers)


def test_more_speakers_than_there_are_voices_is_no_error(diarizer: Diarizer) -> None:
    result = diarizer.finish(artifacts_of(CONVERSATION), SpeakerCount(500, 500))
    assert 2 <= len(result.speakers) <= 500


def test_progress_is_reported_for_every_stage(diarizer: Diarizer, clip: Path) -> None:
    calls: dict[str, list[tuple[int, int]]] = {}
    diarizer(
        clip,
        progress=lambda stage, done, total: calls.setdefault(stage, []).append((done, total)),
    )
    assert list(calls) == ["segmentation", "embedding"]
    for steps in calls.values():
        done = [step[0] for step in steps]
        assert done == sorted(done)
        assert steps[-1][0] == steps[-1][1]


def silence(rate: int) -> NDArray[np.float32]:
    return np.zeros(6 * rate, np.float32)


def white_noise(rate: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(6 * rate).astype(np.float32) * 0.1


def clipped(rate: int) -> NDArray[np.float32]:
    return np.ones(6 * rate, np.float32)


@pytest.mark.parametrize(("make", "rate"), [(silence, 8_000), (clipped, 16_000), (silence, 96_000)])
def test_without_speech_the_result_is_empty_and_valid(
    diarizer: Diarizer, make: Callable[[int], NDArray[np.float32]], rate: int
) -> None:
    result = diarizer(make(rate), sample_rate=rate)
    assert result.turns == result.exclusive_turns == result.speakers == ()
    assert result.duration == pytest.approx(6.0, abs=1e-3)
    for name in FORMATS:
        document(result, name)


def test_white_noise_gives_a_valid_result(diarizer: Diarizer) -> None:
    result = diarizer(white_noise(16_000), sample_rate=16_000)
    assert all(0 <= turn.start < turn.end <= 6 for turn in result.turns)


@pytest.mark.parametrize("length", [0, 1, 1_600, 159_999, 160_001])
def test_any_length_gives_a_valid_result(diarizer: Diarizer, length: int) -> None:
    samples = samples_of(CONVERSATION)[112_000 : 112_000 + length]
    result = diarizer(samples, sample_rate=16_000)
    assert result.duration == length / 16_000
    assert all(turn.end <= result.duration for turn in result.turns)


def test_half_a_file_keeps_its_speech(diarizer: Diarizer, conversation: Result) -> None:
    result = diarizer(samples_of(CONVERSATION)[: 15 * 16_000], sample_rate=16_000)
    before = [turn for turn in conversation.turns if turn.end < 14]
    assert covered(result.turns) >= 0.9 * covered(tuple(before))


def test_infer_refuses_samples_of_another_type(diarizer: Diarizer) -> None:
    with pytest.raises(GraphInputError, match="found float64"):
        diarizer.infer(np.zeros(16_000))


@pytest.mark.parametrize("part", [{}, {"start": 5.0, "end": 25.0, "channels": 1}], ids=str)
def test_an_open_stream_gives_what_the_file_gives(diarizer: Diarizer, part: dict) -> None:
    usual = {"channels": audio.MIX, "start": None, "end": None} | part
    selection = audio.select(CONVERSATION, None, None, regions=None, **usual)
    rate = diarizer.geometry.sample_rate
    with audio.open_audio(CONVERSATION, target_rate=rate, selection=selection) as stream:
        artifacts = diarizer.infer(stream)
    assert diarizer.finish(artifacts) == diarizer(CONVERSATION, **part)


def test_a_preset_stands_for_its_config() -> None:
    assert Diarizer(preset="fast").config == Config.preset("fast")
    assert Diarizer().config == Diarizer(preset="balanced").config == Config()
    with pytest.raises(ConfigError, match="preset is 'best'; give one of accurate, balanced, fast"):
        Diarizer(preset="best")
    with pytest.raises(ConfigError, match="preset excludes config"):
        Diarizer(Config(), preset="fast")


def test_an_unknown_argument_suggests_the_nearest_before_anything_is_loaded() -> None:
    cases: list[tuple[Callable[..., object], str]] = [
        (lambda: diarize(CONVERSATION, speakers=2), r"diarize\(\) .*'speakers'.*'num_speakers'"),
        (lambda: Diarizer()(CONVERSATION, max_speaker=2), r"Diarizer\(\) .*'max_speakers'"),
        (lambda: Diarizer(presets="fast"), r"Diarizer\(\) .*'presets'; did you mean 'preset'"),
        (lambda: Diarizer().infer(None, progres=print), "'progres'; did you mean 'progress'"),
        (lambda: diarize(CONVERSATION, xyz=1), "no argument 'xyz'; it has source, preset"),
    ]
    for call, message in cases:
        with pytest.raises(ArgumentError, match=message) as caught:
            call()
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_speakers": "2"}, "num_speakers is '2', a str; give a whole number"),
        ({"num_speakers": 2.0}, r"num_speakers is 2\.0, a float; give a whole number"),
        ({"num_speakers": True}, "num_speakers is True, a bool; give a whole number"),
        ({"sample_rate": "16k"}, "sample_rate is '16k', a str; give a whole number or None"),
        ({"name": 3}, "name is 3, an int; give a string or None"),
        ({"progress": 3}, "progress is 3, an int; give a function or None"),
        ({"cancel": True}, "cancel is True, a bool; give Event or None"),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused(
    diarizer: Diarizer, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        diarizer(CONVERSATION, **arguments)


def test_config_and_runtime_must_be_of_their_types() -> None:
    for arguments in ({"config": "fast"}, {"runtime": 2}, {"preset": 1}):
        with pytest.raises(ArgumentError, match=f"{next(iter(arguments))} is "):
            Diarizer(**arguments)


def test_cancelling_raises_and_leaves_no_thread(diarizer: Diarizer) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        diarizer(CONVERSATION, progress=lambda *_: cancel.set(), cancel=cancel)
    with pytest.raises(Cancelled):
        diarizer.infer(samples_of(CONVERSATION), cancel=cancel)
    with pytest.raises(Cancelled):
        diarize(CONVERSATION, cancel=cancel)
    assert not any(each.name.startswith("hocket") for each in threading.enumerate())
