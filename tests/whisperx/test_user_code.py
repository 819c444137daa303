"""Code that was written against whisperX, with its imports changed and nothing else.

The calls are those of its README, of version 3.8 and of version 3.3. whisperX's own part, the
recognition, is a stand-in.
"""

import contextlib
import io
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hocket.audio.reading import read_audio
from hocket.errors import ExtraError
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import result_of

VERSION_3_8 = """
import whisperx
import gc
from whisperx.diarize import DiarizationPipeline

device = "cuda"
audio_file = "audio.mp3"
batch_size = 16
compute_type = "float16"

model = whisperx.load_model("large-v2", device, compute_type=compute_type)
audio = whisperx.load_audio(audio_file)
result = model.transcribe(audio, batch_size=batch_size)
print(result["segments"])

model_a, metadata = whisperx.load_align_model(language_code=result["language"], device=device)
result = whisperx.align(
    result["segments"], model_a, metadata, audio, device, return_char_alignments=False)

diarize_model = DiarizationPipeline(token=YOUR_HF_TOKEN, device=device)

diarize_segments = diarize_model(audio)
result = whisperx.assign_word_speakers(diarize_segments, result)
print(diarize_segments)
print(result["segments"])
"""

VERSION_3_3 = VERSION_3_8.replace("from whisperx.diarize import DiarizationPipeline\n", "").replace(
    "DiarizationPipeline(token=", "whisperx.DiarizationPipeline(use_auth_token="
)

OLD_IMPORT = re.compile(r"(?m)^(import|from) whisperx")
NEW_IMPORT = {"import": "from hocket import whisperx", "from": "from hocket.whisperx"}


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The conversation as audio.mp3 in the current folder; its content tells its format."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(CONVERSATION, tmp_path / "audio.mp3"))


def aligned() -> dict[str, Any]:
    """What whisperX's align returns: a number has no times."""
    words = [
        {"word": "Are", "start": 8.0, "end": 8.2, "score": 0.9},
        {"word": "you", "start": 8.2, "end": 8.4, "score": 0.9},
        {"word": "sure?", "start": 8.4, "end": 9.0, "score": 0.9},
        {"word": "Since", "start": 16.0, "end": 16.4, "score": 0.9},
        {"word": "2014."},
        {"word": "Yes.", "start": 19.0, "end": 19.5, "score": 0.9},
    ]
    segments = [
        {"start": 8.0, "end": 16.4, "text": "Are you sure? Since 2014.", "words": words[:5]},
        {"start": 19.0, "end": 19.5, "text": "Yes.", "words": words[5:]},
    ]
    return {"segments": segments, "word_segments": [*words]}


@pytest.fixture
def whisperx(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """whisperX's recognition, which gets the samples that it would get from its own loader."""
    module: Any = ModuleType("whisperx")

    def transcribe(samples: np.ndarray, batch_size: int) -> dict[str, Any]:
        assert (samples.dtype, samples.ndim, samples.flags.writeable) == (np.float32, 1, True)
        segment = {"start": 8.0, "end": 16.5, "text": "Are you sure?"}
        return {"segments": [segment], "language": "en"}

    module.load_model = lambda *_, **__: SimpleNamespace(transcribe=transcribe)
    module.load_align_model = lambda **_: (None, {})
    module.align = lambda *_, **__: aligned()
    monkeypatch.setitem(sys.modules, "whisperx", module)
    return module


@pytest.mark.parametrize("program", [VERSION_3_8, VERSION_3_3], ids=["3.8", "3.3"])
def test_the_code_of_a_user_runs_with_its_imports_changed(
    program: str, audio: Path, whisperx: ModuleType
) -> None:
    changed = OLD_IMPORT.sub(lambda found: NEW_IMPORT[found[1]], program)
    names: dict[str, Any] = {"YOUR_HF_TOKEN": "hf_x"}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(changed, names)
    table, result = names["diarize_segments"], names["result"]
    expected = result_of(CONVERSATION).turns
    assert list(table.columns) == ["segment", "label", "speaker", "start", "end"]
    assert table["speaker"].tolist() == [turn.speaker for turn in expected]
    times = [(turn.start, turn.end) for turn in expected]
    assert [*zip(table["start"], table["end"], strict=True)] == times
    assert [(each.start, each.end) for each in table["segment"]] == times
    one, other = "SPEAKER_00", "SPEAKER_01"
    speakers = [[word["speaker"] for word in each["words"]] for each in result["segments"]]
    assert speakers == [[one, one, one, other, other], [one]]
    assert [segment["speaker"] for segment in result["segments"]] == [one, one]
    assert [word["speaker"] for word in result["word_segments"]] == [*speakers[0], *speakers[1]]


def test_samples_are_those_of_hocket(audio: Path) -> None:
    from hocket import whisperx

    samples = whisperx.load_audio(str(audio))
    assert np.array_equal(samples, read_audio(audio, target_rate=16_000).samples)
    assert len(whisperx.load_audio(audio, sr=8_000)) == len(samples) // 2


def test_without_whisperx_its_own_names_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hocket import whisperx

    monkeypatch.setitem(sys.modules, "whisperx", None)
    with pytest.raises(ExtraError, match=r'run "pip install whisperx"'):
        _ = whisperx.load_model
    assert not hasattr(whisperx, "__wrapped__")  # nothing that looks around needs whisperX
