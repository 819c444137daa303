"""Confidence of results on speech, which changes nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

from hocket import Diarizer, Result
from hocket.confidence.turns import Evidence
from hocket.config import SpeakerCount
from hocket.offline import diarizer as engine
from hocket.offline.artifacts import Artifacts
from hocket.turns import Turn
from tests.helpers.command_line import hocket
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import artifacts_of, diarizer_of

COUNTS = [SpeakerCount(), SpeakerCount(1, 1), SpeakerCount(3, 3)]


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return diarizer_of()


@pytest.fixture(scope="module")
def artifacts() -> Artifacts:
    return artifacts_of(CONVERSATION)


def edges(turns: tuple[Turn, ...]) -> list[tuple[float, float, str]]:
    return [(turn.start, turn.end, turn.speaker) for turn in turns]


def all_turns(result: Result) -> tuple[Turn, ...]:
    return (*result.turns, *result.exclusive_turns)


@pytest.mark.parametrize("count", COUNTS)
def test_every_turn_and_the_number_of_speakers_have_a_probability(
    diarizer: Diarizer, artifacts: Artifacts, count: SpeakerCount
) -> None:
    given: list[Evidence] = []
    result = diarizer.finish(artifacts, count, on_evidence=given.append)
    assert len(given) == 1
    assert len(given[0].turns.first) == len(result.turns)
    found = [turn.confidence for turn in all_turns(result)]
    assert all(value is not None and 0 <= value <= 1 for value in found)
    assert len(result.speakers) in result.count_confidence
    assert all(0 <= value <= 1 for value in result.count_confidence.values())
    assert sum(result.count_confidence.values()) <= 1 + 1e-9
    within = {turn.speaker: [] for turn in result.turns}
    for turn in result.turns:
        within[turn.speaker].append(turn)
    for part in result.exclusive_turns:
        (whole,) = [t for t in within[part.speaker] if t.start <= part.start < t.end]
        assert part.confidence == whole.confidence


@pytest.mark.parametrize("count", COUNTS)
def test_confidence_changes_neither_turns_nor_speakers(
    diarizer: Diarizer,
    artifacts: Artifacts,
    count: SpeakerCount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = diarizer.finish(artifacts, count)
    monkeypatch.setattr(engine, "with_confidence", lambda *rest: rest[-1])
    monkeypatch.setattr(engine, "count_confidence", lambda *_all: {})
    plain = diarizer.finish(artifacts, count)
    assert edges(all_turns(plain)) == edges(all_turns(result))
    assert all_turns(plain) == all_turns(result)
    assert plain.speakers == result.speakers
    np.testing.assert_array_equal(plain.embeddings, result.embeddings)
    assert {turn.confidence for turn in all_turns(plain)} == {None}


def test_two_clear_speakers_are_most_likely_two(diarizer: Diarizer, artifacts: Artifacts) -> None:
    result = diarizer.finish(artifacts)
    assert result.count_confidence[2] > 0.5
    spoken = np.array([turn.duration for turn in result.turns])
    sure = np.array([turn.confidence for turn in result.turns])
    assert np.average(sure, weights=spoken) > 0.8


def test_a_given_number_is_certain(diarizer: Diarizer, artifacts: Artifacts) -> None:
    found = diarizer.finish(artifacts, SpeakerCount(2, 2)).count_confidence
    assert found[2] == pytest.approx(1)


def test_silence_has_no_speaker_for_certain(diarizer: Diarizer) -> None:
    result = diarizer(np.zeros(16_000 * 3, np.float32), sample_rate=16_000)
    assert result.turns == ()
    assert result.count_confidence == {0: 1.0}


def test_the_command_leaves_out_turns_below_the_least_confidence(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "clip.json"
    assert hocket("diarize", clip, "-o", output, "--format", "json") == 0
    whole = json.loads(output.read_text())
    found = sorted({turn["confidence"] for turn in whole["turns"]})
    assert capsys.readouterr().err == ""
    least = found[-1] - 0.0005
    assert hocket("diarize", clip, "-o", output, "--overwrite", "--min-confidence", str(least)) == 0
    left = json.loads(output.read_text())
    assert left["turns"] == [turn for turn in whole["turns"] if turn["confidence"] == found[-1]]
    assert left["speakers"] == whole["speakers"]
    number = len(whole["turns"]) - len(left["turns"])
    message = capsys.readouterr().err
    assert f"left out {number} turn" in message
    assert message.count("\n") == 1


def test_rttm_has_the_confidence_after_the_name(
    clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", clip, "--min-confidence", "0") == 0
    out, err = capsys.readouterr()
    assert "left out 0 turns" in err
    for line in out.splitlines():
        fields = line.split()
        assert len(fields) == 10
        assert 0 <= float(fields[8]) <= 1


def test_a_table_without_certain_turns(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hocket("diarize", clip, "--min-confidence", "1", "--table") == 0
    assert "nobody speaks" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("value", ["1.1", "-0.1", "nan", "half"])
def test_a_value_that_is_no_probability_is_refused(
    clip: Path, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", clip, f"--min-confidence={value}") == 2
    assert "min-confidence" in capsys.readouterr().err
