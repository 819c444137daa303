"""The pipeline: what it takes, what it returns, and its errors."""

import sys
from typing import Any

import numpy as np
import pytest

from hocket.errors import ArgumentError, ConfigError, ExtraError
from hocket.whisperx import DiarizationPipeline, assign_word_speakers
from hocket.whisperx.diarize import _in_percent
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import result_of, samples_of

SILENCE = np.zeros(16_000, np.float32)


def test_a_path_and_its_samples_have_the_same_turns_and_embeddings() -> None:
    pipeline = DiarizationPipeline()
    table, embeddings = pipeline(str(CONVERSATION), return_embeddings=True)
    assert table.equals(pipeline(samples_of(CONVERSATION)))
    expected = result_of(CONVERSATION)
    assert list(embeddings) == [*expected.speakers]
    assert np.allclose([*embeddings.values()], expected.embeddings, atol=1e-6)
    found = assign_word_speakers(table, {"segments": []}, embeddings)
    assert found == {"segments": [], "speaker_embeddings": embeddings}


def test_numbers_of_speakers_are_those_of_whisperx() -> None:
    pipeline = DiarizationPipeline()
    # a number makes the others void, and 0 is no number
    assert pipeline(CONVERSATION, 1, 3, 2)["speaker"].nunique() == 1
    found = pipeline(CONVERSATION, num_speakers=0, min_speakers=None, max_speakers=1)
    assert found["speaker"].nunique() == 1


def test_nobody_is_an_empty_table() -> None:
    table, embeddings = DiarizationPipeline()(SILENCE, return_embeddings=True)
    assert (list(table.columns)[2:], len(table)) == (["speaker", "start", "end"], 0)
    assert embeddings == {}
    segment = {"start": 0.0, "end": 1.0, "text": "hello", "speaker": "SPEAKER_07"}
    assert "speaker" not in assign_word_speakers(table, {"segments": [segment]})["segments"][0]


def test_progress_rises_to_a_hundred() -> None:
    percents: list[float] = []
    DiarizationPipeline()(CONVERSATION, progress_callback=percents.append)
    assert percents == sorted(set(percents))
    assert percents[-1] == 100.0
    assert len(percents) > 2


def test_progress_is_not_that_of_what_is_segmented_so_far() -> None:
    percents: list[float] = []
    advance = _in_percent(percents.append)
    for step in (("segmentation", 1, 10), ("embedding", 5, 5), ("embedding", 5, 50)):
        advance(*step)
    assert percents == [5.0, pytest.approx(9.9)]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"model_name": "pyannote/segmentation-3.0"}, ConfigError, "no pipeline that hocket"),
        ({"model": "x"}, ArgumentError, "did you mean 'model_name'"),
        ({"token": 7}, ArgumentError, "token is 7"),
    ],
)
def test_a_wrong_pipeline_is_an_error(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        DiarizationPipeline(**options)


def test_wrong_arguments_of_a_call_are_errors() -> None:
    pipeline = DiarizationPipeline("pyannote/speaker-diarization-3.1", "hf_x", "cpu")
    with pytest.raises(ArgumentError, match="give a string or PathLike or ndarray"):
        pipeline(None)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="did you mean 'max_speakers'"):
        pipeline(SILENCE, max_speaker=2)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="progress_callback is 1"):
        pipeline(SILENCE, progress_callback=1)  # type: ignore[arg-type]


def test_missing_pandas_is_named_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ExtraError, match=r"pip install 'hocket\[pandas\]'"):
        DiarizationPipeline()


def test_pyannote_core_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyannote.core", None)
    assert len(DiarizationPipeline()(SILENCE)) == 0
