"""Real recordings through the whole engine."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from bench.corpus import find_recordings
from bench.scoring import score, summarize
from hocket import Config, Diarizer, Result, diarize
from hocket.audio import decoding
from hocket.audio import reading as audio
from hocket.audio.reading import read_audio
from hocket.config import PRESETS, ClusteringConfig, GraphConfig, Runtime, SpeakerCount, TurnConfig
from hocket.errors import ConfigError, GraphInputError
from hocket.formats.writers import WRITERS, document
from hocket.result import Turn
from hocket.segmentation.windows import WindowGrid
from tests.backends import INSTALLED
from tests.places import CLIPS, CONVERSATION, EXAMPLES

BUDGETS = {  # DER in percent
    "accurate": {"conversation": 9.0, "panel03": 6.0, "trn00": 45.5, "trn05": 12.0},
    "balanced": {"conversation": 11.0, "panel03": 6.5, "trn00": 47.5, "trn05": 12.0},
    "fast": {"conversation": 11.5, "panel03": 6.5, "trn00": 47.5, "trn05": 12.0},
}
MEAN_BUDGETS = {"accurate": 17.0, "balanced": 18.0, "fast": 18.0}


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return Diarizer()


@pytest.fixture(scope="module")
def conversation(diarizer: Diarizer) -> Result:
    return diarizer(CONVERSATION)


def samples_of(path: Path) -> NDArray[np.float32]:
    return soundfile.read(path, dtype="float32")[0]


def everything(result: Result) -> tuple[object, ...]:
    return (*(document(result, name) for name in WRITERS), result.embeddings.tolist())


@pytest.mark.parametrize("preset", list(PRESETS))
def test_der_stays_within_budget_on_real_and_simulated_clips(preset: str) -> None:
    scores, diarizer = {}, Diarizer(Config.preset(preset))
    for folder in (CLIPS, EXAMPLES):
        for recording in find_recordings(folder):
            turns = diarizer(recording.audio).turns
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


def test_a_result_tells_what_was_copied(diarizer: Diarizer, conversation: Result) -> None:
    samples = 30 * 16_000
    grid = WindowGrid.of(diarizer.geometry, diarizer.config.windows.step_s)
    heard = sum(min(160_000, samples - start) for start in grid.starts(samples).tolist())
    assert set(conversation.copied) == {"segmentation", "embedding"}
    assert conversation.copied["segmentation"] == 4 * heard
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
    """Seconds in which anybody speaks."""
    total, reached = 0.0, 0.0
    for turn in sorted(turns):
        total += max(0.0, turn.end - max(turn.start, reached))
        reached = max(reached, turn.end)
    return total


def test_the_same_bytes_come_out_every_time(diarizer: Diarizer, conversation: Result) -> None:
    assert everything(diarizer(CONVERSATION)) == everything(conversation)
    assert everything(Diarizer()(CONVERSATION)) == everything(conversation)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_runtime_changes_nothing(
    diarizer: Diarizer, conversation: Result, threads: int
) -> None:
    other = diarizer_like(diarizer, Runtime(threads=threads))
    artifacts = other.infer(read_audio(CONVERSATION, target_rate=16_000))
    expected = diarizer.infer(samples_of(CONVERSATION))
    assert artifacts.embeddings.tobytes() == expected.embeddings.tobytes()
    found, wanted = (
        [*each.segmentation, *each.bands[:3]] for each in (artifacts, expected) if each.bands
    )
    for one, same in zip(found, wanted, strict=True):
        assert one.tobytes() == same.tobytes()
    assert everything(other.finish(artifacts)) == everything(conversation)


def diarizer_like(diarizer: Diarizer, runtime: Runtime) -> Diarizer:
    """With the same open graphs."""
    other = Diarizer(runtime=runtime)
    other.segmentation_graph = diarizer.segmentation_graph
    other.embedding_graph = diarizer.embedding_graph
    return other


@pytest.mark.parametrize("frames", [1_000, 1 << 16, 1 << 20])
def test_the_size_of_blocks_changes_nothing(
    diarizer: Diarizer, conversation: Result, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "BLOCK_FRAMES", frames)
    monkeypatch.setattr(audio, "BLOCK_FRAMES", frames)
    assert everything(diarizer(CONVERSATION)) == everything(conversation)
    samples = samples_of(CONVERSATION)
    by_array = diarizer(samples, sample_rate=16_000, name=str(CONVERSATION))
    assert everything(by_array) == everything(conversation)


@pytest.mark.parametrize("clip", sorted(CLIPS.glob("*.flac")), ids=lambda path: path.stem)
def test_every_backend_hears_the_same_turns(clip: Path) -> None:
    turns = [
        Diarizer(Config(graphs=GraphConfig(precision="float32", backend=backend)))(clip).turns
        for backend in INSTALLED
    ]
    assert turns[0]
    assert all(found == turns[0] for found in turns)


def test_file_bytes_and_array_give_the_same_turns(diarizer: Diarizer, conversation: Result) -> None:
    assert diarizer(CONVERSATION.read_bytes()).turns == conversation.turns
    assert diarizer(str(CONVERSATION)).turns == conversation.turns
    with CONVERSATION.open("rb") as file:
        assert diarizer(file).turns == conversation.turns
    samples = samples_of(CONVERSATION)
    by_array = diarizer(samples, sample_rate=16_000)
    assert by_array.turns == conversation.turns
    assert by_array.embeddings.tobytes() == conversation.embeddings.tobytes()
    assert diarize(samples, sample_rate=16_000).turns == conversation.turns


def test_finish_replays_artifacts_with_other_settings(diarizer: Diarizer) -> None:
    artifacts = diarizer.infer(samples_of(CONVERSATION))
    first = diarizer.finish(artifacts)
    assert diarizer.finish(artifacts).turns == first.turns
    longer = replace(Config(), turns=TurnConfig(min_turn_s=2.0))
    turns = Diarizer(longer).finish(artifacts).turns
    assert len(turns) < len(first.turns)
    assert all(turn.duration >= 1.9 for turn in turns)
    # linkage makes one cluster of all; the order of time parts it again
    merged = replace(Config(), clustering=ClusteringConfig(threshold=2.0))
    assert len(Diarizer(merged).finish(artifacts).speakers) == 2
    assert len(diarizer.finish(artifacts, SpeakerCount(1, 1)).speakers) == 1


@pytest.mark.parametrize("length", [0, 5_000, 160_000, 200_001])
def test_artifacts_hold_together(diarizer: Diarizer, length: int) -> None:
    artifacts = diarizer.infer(samples_of(CONVERSATION)[112_000 : 112_000 + length])
    regions, subsegments, said = artifacts.regions, artifacts.subsegments, artifacts.segmentation
    assert artifacts.samples == length
    assert said.activity.shape[0] == len(said.first_frames)
    assert len(said.occupancy) == (said.first_frames[-1] + said.activity.shape[1] if length else 0)
    assert (regions[:, 0] < regions[:, 1]).all()
    assert (regions[1:, 0] >= regions[:-1, 1]).all()
    assert (regions[subsegments.run, 0] <= subsegments.first).all()
    assert (subsegments.last <= regions[subsegments.run, 1]).all()
    assert all(artifacts.geometry.frame_start(last) <= length for last in subsegments.last.tolist())
    assert artifacts.embeddings.shape == (len(subsegments.run), 192)
    assert artifacts.embeddings.any(axis=1).all()
    assert (len(regions) > 0) == (length > 0)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_asked_number_of_speakers_comes_back(diarizer: Diarizer, number: int) -> None:
    artifacts = diarizer.infer(samples_of(CLIPS / "panel03.flac"))
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
def test_numbers_that_make_no_sense_are_refused(
    diarizer: Diarizer, numbers: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        diarizer(CONVERSATION, **numbers)


def test_more_speakers_than_the_audio_holds_is_no_crash(diarizer: Diarizer) -> None:
    result = diarizer(CONVERSATION, num_speakers=500)
    assert 2 <= len(result.speakers) <= 500


def test_an_unknown_clusterer_is_refused_by_name(diarizer: Diarizer) -> None:
    artifacts = diarizer.infer(np.zeros(16_000, np.float32))
    wrong = replace(Config(), clustering=ClusteringConfig(method="magic"))
    with pytest.raises(ConfigError, match="method is 'magic'; give one of agglomerative"):
        Diarizer(wrong).finish(artifacts)


def test_progress_is_told_for_every_stage(diarizer: Diarizer) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    diarizer(
        CONVERSATION,
        progress=lambda stage, done, total: told.setdefault(stage, []).append((done, total)),
    )
    assert list(told) == ["segmentation", "embedding"]
    for steps in told.values():
        done = [step[0] for step in steps]
        assert done == sorted(done)
        assert steps[-1][0] == steps[-1][1]


def silence(rate: int) -> NDArray[np.float32]:
    return np.zeros(12 * rate, np.float32)


def white_noise(rate: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(12 * rate).astype(np.float32) * 0.1


def clipped(rate: int) -> NDArray[np.float32]:
    return np.ones(12 * rate, np.float32)


@pytest.mark.parametrize("make", [silence, clipped])
@pytest.mark.parametrize("rate", [8_000, 16_000, 96_000])
def test_without_speech_the_result_is_empty_and_valid(
    diarizer: Diarizer, make: Callable[[int], NDArray[np.float32]], rate: int
) -> None:
    result = diarizer(make(rate), sample_rate=rate)
    assert result.turns == result.exclusive_turns == result.speakers == ()
    assert result.duration == pytest.approx(12.0, abs=1e-3)
    for name in WRITERS:
        document(result, name)


def test_white_noise_gives_a_valid_result(diarizer: Diarizer) -> None:
    result = diarizer(white_noise(16_000), sample_rate=16_000)
    assert all(0 <= turn.start < turn.end <= 12 for turn in result.turns)


@pytest.mark.parametrize("length", [0, 1, 269, 1_600, 14_400, 159_999, 160_000, 160_001])
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
