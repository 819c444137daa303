"""Engines: words with times from real ones, and what is missing or unusable in one line."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import soundfile
from onnx import TensorProto, helper

from hocket.config import Runtime
from hocket.errors import ArgumentError, ConfigError, ExtraError, HocketError, RecognitionError
from hocket.recognition import engine
from hocket.recognition.engine import ENGINES, Recognizer, open_recognizer
from hocket.recognition.settings import RecognitionConfig
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import TINY


def opened(**settings: Any) -> Recognizer:
    found = open_recognizer(RecognitionConfig(**settings), Runtime(threads=2))
    found.load()
    return found


@pytest.fixture(scope="module")
def whisper() -> Recognizer:
    return opened(engine="faster-whisper", model=TINY)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, _ = soundfile.read(CONVERSATION, dtype="float32")
    return np.asarray(samples, np.float32)


def test_faster_whisper_finds_the_words_of_each_clip(
    whisper: Recognizer, speech: np.ndarray
) -> None:
    clips = [speech[14 * 16_000 : 18 * 16_000], speech[22 * 16_000 : 28 * 16_000]]
    assert whisper.language_of(clips[0]) == "en"
    first, second = whisper.recognize(clips, "en", None)
    assert "Chicago." in [word.text for word in first]
    assert "Yankee" in [word.text for word in second]
    for words, clip in zip((first, second), clips, strict=True):
        assert all(0 <= w.start <= w.end <= len(clip) / 16_000 + 0.05 for w in words)
        assert all(w.confidence is not None and 0 <= w.confidence <= 1 for w in words)
        assert [w.start for w in words] == sorted(w.start for w in words)


def test_faster_whisper_finds_the_same_alone_and_together(
    whisper: Recognizer, speech: np.ndarray
) -> None:
    clips = [speech[14 * 16_000 : 18 * 16_000], speech[22 * 16_000 : 28 * 16_000]]
    together = whisper.recognize(clips, "en", None)
    alone = [whisper.recognize([clip], "en", None)[0] for clip in clips]
    assert [[w.text for w in words] for words in together] == [
        [w.text for w in words] for words in alone
    ]


def test_a_prompt_is_of_one_call_and_shows_how_names_are_spelled(
    whisper: Recognizer, speech: np.ndarray
) -> None:
    clips = [speech[11 * 16_000 : 18 * 16_000]]
    prompts = [None, "Sheilah", None]
    found = [[w.text for w in whisper.recognize(clips, "en", each)[0]] for each in prompts]
    assert ["Sheilah" in texts for texts in found] == [False, True, False]


@pytest.fixture
def conformer(tmp_path: Path) -> Path:
    """A model of the shape of NeMo's Conformer, whose only word is spoken where it is loud."""
    nodes = [
        helper.make_node("ReduceMean", ["audio_signal", "axes"], ["mean"], keepdims=1),
        helper.make_node(
            "AveragePool", ["mean"], ["pooled"], kernel_shape=[8], strides=[8], ceil_mode=1
        ),
        helper.make_node("Transpose", ["pooled"], ["loud"], perm=[0, 2, 1]),
        helper.make_node("Neg", ["loud"], ["quiet"]),
        helper.make_node("Concat", ["loud", "quiet"], ["logprobs"], axis=2),
    ]
    inputs = [
        helper.make_tensor_value_info("audio_signal", TensorProto.FLOAT, ["b", 80, "t"]),
        helper.make_tensor_value_info("length", TensorProto.INT64, ["b"]),
    ]
    outputs = [helper.make_tensor_value_info("logprobs", TensorProto.FLOAT, ["b", "n", 2])]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "loud", inputs, outputs, [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder = tmp_path / "conformer"
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text('{"model_type": "nemo-conformer-ctc"}')
    (folder / "vocab.txt").write_text("\u2581loud 0\n<blk> 1\n")
    return folder


def test_onnx_asr_finds_words_with_their_times(conformer: Path) -> None:
    found = opened(engine="onnx-asr", model=str(conformer))
    noise = np.random.default_rng(0).normal(0, 1, 6 * 16_000).astype(np.float32)
    seconds = np.arange(len(noise)) / 16_000
    is_loud = ((seconds > 1) & (seconds < 2)) | ((seconds > 4) & (seconds < 4.5))
    clip = np.where(is_loud, 0.3 * noise, 0.001 * noise).astype(np.float32)
    assert found.language_of(clip) is None
    [words] = found.recognize([clip], None, "quiet")
    assert [word.text for word in words] == ["loud", "loud"]
    assert [word.start for word in words] == pytest.approx([1.0, 4.0], abs=0.15)
    assert all(word.end - word.start < 0.401 for word in words)


def test_an_engine_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(ExtraError, match=r"is installed; run \"pip install 'hocket\[asr\]'"):
        open_recognizer(RecognitionConfig(), Runtime())
    with pytest.raises(ExtraError, match=r"onnx-asr is not installed; run \"pip install onnx"):
        open_recognizer(RecognitionConfig(engine="onnx-asr"), Runtime())


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("model", "problem"),
    [(None, "is not on this machine; give the folder of one"), ("/", "give the folder of a")],
)
def test_a_model_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, model: str | None, problem: str
) -> None:
    monkeypatch.delenv("HOCKET_ASR_MODEL", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    empty = None if model is None else str(tmp_path)
    with pytest.raises(RecognitionError) as caught:
        opened(engine=name, model=empty)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("settings", "error", "problem"),
    [
        ({"engine": "sphinx"}, ConfigError, "engine is 'sphinx'; give one of auto, faster"),
        ({"device": "tpu"}, ConfigError, "device is 'tpu'; give one of auto, cpu, cuda"),
        ({"language": 1}, ArgumentError, "language is 1, an int; give a string or None"),
    ],
)
def test_settings_that_cannot_be_are_one_line(
    settings: dict[str, Any], error: type[HocketError], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        open_recognizer(RecognitionConfig(**settings), Runtime())


def test_importing_the_package_imports_no_engine() -> None:
    assert "hocket.recognition.faster_whisper" in sys.modules
    source = Path(engine.__file__).parent
    for file in source.glob("*.py"):
        head = file.read_text().partition("\nclass ")[0].partition("\ndef ")[0]
        assert "\nimport faster_whisper" not in head
        assert "\nimport onnx_asr" not in head
