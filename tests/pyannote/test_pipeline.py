"""Names, outputs and parameters of the pipeline."""

import inspect
import json
import logging
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyannote.core import Annotation

from hocket.errors import ArgumentError, ConfigError, ExtraError
from hocket.pyannote import DiarizeOutput, Pipeline
from hocket.pyannote.output import output_of
from hocket.pyannote.pipeline import PARAMETERS
from tests.helpers.paths import CONVERSATION, ROOT
from tests.helpers.shared import result_of

V3, V4 = "pyannote/speaker-diarization-3.1", "pyannote/speaker-diarization-community-1"
SILENCE = {"waveform": np.zeros((1, 16_000), np.float32), "sample_rate": 16_000}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        (V3, 3),
        ("pyannote/speaker-diarization-3.0", 3),
        ("pyannote/speaker-diarization@2.1", 3),
        ("pyannote/speaker-diarization", 3),
        (V4, 4),
        ("someone/speaker-diarization-community-1", 4),
        ("/models/pyannote-speaker-diarization-community-1", 4),
        (Path("/speaker-diarization-community-1/speaker-diarization-3.1/config.yaml"), 3),
    ],
)
def test_the_name_decides_what_a_call_returns(name: str | Path, version: int) -> None:
    found = Pipeline.from_pretrained(name)(SILENCE)
    assert isinstance(found, Annotation if version == 3 else DiarizeOutput)


@pytest.mark.parametrize(
    "given",
    [
        {"use_auth_token": "hf_x", "cache_dir": Path("cache")},
        {"token": True, "revision": "main", "subfolder": "x", "cache_dir": "cache"},
    ],
)
def test_what_is_for_downloads_is_ignored(given: dict[str, Any]) -> None:
    assert Pipeline.from_pretrained(V3, **given).version == 3
    assert Pipeline.from_pretrained(checkpoint_path=V3, **given).version == 3


@pytest.mark.parametrize(
    "name",
    [
        "pyannote/segmentation-3.0",
        "pyannote/speaker-diarization-precision-2",
        "config.yaml",
        "",
    ],
)
def test_another_name_is_an_error_that_shows_names(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{V3}' or '{V4}'"):
        Pipeline.from_pretrained(name)


def test_wrong_arguments_are_errors_with_a_remedy() -> None:
    pipeline = Pipeline.from_pretrained(V3)
    for wrong in (None, {"pipeline": {}}):
        with pytest.raises(ArgumentError, match="give a string or PathLike"):
            Pipeline.from_pretrained(wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="did you mean 'token'"):
        Pipeline.from_pretrained(V3, tokens="x")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="did you mean 'num_speakers'"):
        pipeline(SILENCE, num_speaker=2)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="hook is 'x'"):
        pipeline(SILENCE, hook="x")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give 3 or 4"):
        Pipeline(2)


def test_a_missing_library_is_named_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyannote.core", None)
    with pytest.raises(ExtraError, match=r"pip install 'hocket\[pyannote\]'"):
        Pipeline.from_pretrained(V4)


def test_an_output_is_serialized_as_pyannote_does() -> None:
    result = result_of(CONVERSATION)
    found = json.loads(json.dumps(output_of(result, "x").serialize()))
    every = {"diarization": result.turns, "exclusive_diarization": result.exclusive_turns}
    assert found == {
        name: [
            {"start": round(a.start, 3), "end": round(a.end, 3), "speaker": a.speaker}
            for a in turns
        ]
        for name, turns in every.items()
    }


def test_embeddings_are_in_the_order_of_labels() -> None:
    result = result_of(CONVERSATION)
    swapped = {"SPEAKER_00": "SPEAKER_101", "SPEAKER_01": "SPEAKER_100"}
    turns = tuple(replace(turn, speaker=swapped[turn.speaker]) for turn in result.turns)
    renamed = replace(result, turns=turns, exclusive_turns=turns, speakers=tuple(swapped.values()))
    output = output_of(renamed, "x")
    assert output.speaker_diarization.labels() == ["SPEAKER_100", "SPEAKER_101"]
    assert np.array_equal(output.speaker_embeddings, result.embeddings[::-1])


def test_nobody_is_an_empty_annotation() -> None:
    output = Pipeline.from_pretrained(V4)(SILENCE)
    assert output.serialize() == {"diarization": [], "exclusive_diarization": []}
    assert output.speaker_embeddings.shape == (0, 192)
    annotation, embeddings = Pipeline.from_pretrained(V3)(SILENCE, return_embeddings=True)
    assert (annotation.uri, len(annotation), len(embeddings)) == ("waveform", 0, 0)


def test_numbers_of_speakers_are_those_of_pyannote() -> None:
    pipeline = Pipeline.from_pretrained(V3)
    # a number makes the others void, and 0 is no number
    found = pipeline(CONVERSATION, num_speakers=1, min_speakers=3, max_speakers=2)
    assert len(found.labels()) == 1
    assert len(pipeline(CONVERSATION, max_speakers=1, num_speakers=0).labels()) == 1
    with pytest.raises(ConfigError, match="min_speakers is 3 but max_speakers is 2"):
        pipeline(CONVERSATION, min_speakers=3, max_speakers=2)


def test_embeddings_of_version_4_are_in_the_output(caplog: pytest.LogCaptureFixture) -> None:
    output = Pipeline.from_pretrained(V4)(SILENCE, return_embeddings=True, preload=True)
    assert isinstance(output, DiarizeOutput)
    assert caplog.messages == [
        "return_embeddings has no effect; use output.speaker_embeddings",
    ]


def test_devices_and_batches_have_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    from hocket.pyannote import pipeline as module

    module._note_device.cache_clear()
    pipeline = Pipeline.from_pretrained(V3)
    assert pipeline.to("cpu") is pipeline
    assert not caplog.messages
    for _ in range(2):
        assert pipeline.to("cuda:0").device == "cuda:0"
        assert pipeline.cuda() is pipeline
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = 1
    assert pipeline(SILENCE) == Annotation()


def test_parameters_are_kept_and_said_to_have_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = Pipeline.from_pretrained(V3)
    published = pipeline.default_parameters()
    assert pipeline.instantiated
    assert pipeline.parameters(instantiated=True) == published
    assert pipeline.instantiate({"clustering": {"threshold": 0.5}}) is pipeline
    assert pipeline.parameters() == {
        "segmentation": {"min_duration_off": 0.0},
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.5},
    }
    assert pipeline.default_parameters() == published
    Pipeline.from_pretrained(V4, hparams_file="params.yml").instantiate({})
    assert caplog.messages == [
        "parameters of pyannote have no effect in hocket: clustering.threshold",
        "hparams_file is for pyannote.audio and has no effect in hocket",
    ]


@pytest.mark.parametrize(
    ("params", "kind", "text"),
    [
        ({"clustering": {"treshold": 1}}, ConfigError, "has method, min_cluster_size, threshold"),
        ({"embedding": {}}, ConfigError, "give segmentation or clustering"),
        ({"clustering": 1}, ArgumentError, "clustering is 1"),
        (1, ArgumentError, "params is 1"),
    ],
)
def test_unknown_parameters_are_errors(params: Any, kind: type[Exception], text: str) -> None:
    pipeline = Pipeline.from_pretrained(V3)
    with pytest.raises(kind, match=text):
        pipeline.instantiate(params)
    assert pipeline.parameters() == pipeline.default_parameters()


def test_a_pipeline_can_be_sent_to_another_process() -> None:
    pipeline = pickle.loads(pickle.dumps(Pipeline.from_pretrained(V3)))
    assert pipeline(SILENCE) == Annotation()


def test_the_page_names_every_argument_and_parameter() -> None:
    page = (ROOT / "docs" / "pyannote.md").read_text(encoding="utf-8")
    names = [name for values in PARAMETERS.values() for name in values]
    for method in (Pipeline.from_pretrained, Pipeline.__call__):
        names += inspect.signature(inspect.unwrap(method)).parameters
    assert [name for name in names if name not in {"self", "cls"} and name not in page] == []
