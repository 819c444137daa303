"""Code that was written against pyannote.audio, with its imports changed and nothing else.

The programs are those of its README and of the pages of its pipelines, of version 3.1 and 4.0. They
know only what pyannote documents.
"""

import contextlib
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import result_of

VERSION_3 = """
from pyannote.audio import Pipeline
from pyannote.audio.pipelines.utils.hook import ProgressHook
pipeline = Pipeline.from_pretrained(
    "pyannote/speaker-diarization-3.1",
    use_auth_token="HUGGINGFACE_ACCESS_TOKEN_GOES_HERE")

# send pipeline to GPU (when available)
import torch
pipeline.to(torch.device("cuda"))

# apply pretrained pipeline (with optional progress hook)
with ProgressHook() as hook:
    diarization = pipeline("audio.flac", hook=hook)

# print the result
for turn, _, speaker in diarization.itertracks(yield_label=True):
    print(f"start={turn.start:.1f}s stop={turn.end:.1f}s speaker_{speaker}")

# dump the diarization output to disk using RTTM format
with open("audio.rttm", "w") as rttm:
    diarization.write_rttm(rttm)

diarization = pipeline("audio.flac", num_speakers=2)
diarization = pipeline("audio.flac", min_speakers=2, max_speakers=5)

diarization, embeddings = pipeline("audio.flac", return_embeddings=True)
for s, speaker in enumerate(diarization.labels()):
    print(f"{speaker}: {embeddings[s].shape}")
"""

VERSION_4 = """
import torch
from pyannote.audio import Pipeline
from pyannote.audio.pipelines.utils.hook import ProgressHook

# Community-1 open-source speaker diarization pipeline
pipeline = Pipeline.from_pretrained(
    "pyannote/speaker-diarization-community-1",
    token="HUGGINGFACE_ACCESS_TOKEN")

# send pipeline to GPU (when available)
pipeline.to(torch.device("cuda"))

# apply pretrained pipeline (with optional progress hook)
with ProgressHook() as hook:
    output = pipeline("audio.flac", hook=hook)  # runs locally

# print the result
for turn, speaker in output.speaker_diarization:
    print(f"start={turn.start:.1f}s stop={turn.end:.1f}s speaker_{speaker}")

for turn, speaker in output.exclusive_speaker_diarization:
    assert speaker in output.speaker_diarization.labels()

output = pipeline("audio.flac", num_speakers=2)
output = pipeline("audio.flac", min_speakers=2, max_speakers=5)

for s, speaker in enumerate(output.speaker_diarization.labels()):
    print(f"{speaker}: {output.speaker_embeddings[s].shape}")
embeddings = output.speaker_embeddings
diarization = output.speaker_diarization
with open("audio.rttm", "w") as rttm:
    diarization.write_rttm(rttm)
"""

OLD_LINE = re.compile(r"from pyannote\.audio[\w.]* import")


@pytest.mark.parametrize(
    "program",
    [VERSION_3, VERSION_4, VERSION_4.replace("community-1", "3.1")],
    ids=["3", "4", "4 with a name of 3"],
)
def test_the_code_of_a_user_runs_with_its_imports_changed(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(device=lambda name: name))
    monkeypatch.chdir(tmp_path)
    Path("audio.flac").write_bytes(CONVERSATION.read_bytes())
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(OLD_LINE.sub("from hocket.pyannote import", program), names)
    expected = result_of(CONVERSATION)
    assert printed.getvalue().splitlines() == [
        *(f"start={a.start:.1f}s stop={a.end:.1f}s speaker_{a.speaker}" for a in expected.turns),
        "SPEAKER_00: (192,)",
        "SPEAKER_01: (192,)",
    ]
    diarization, embeddings = names["diarization"], names["embeddings"]
    assert isinstance(diarization, Annotation)
    assert isinstance(embeddings, np.ndarray)
    assert np.allclose(embeddings, expected.embeddings, atol=1e-6)
    (written,) = load_rttm("audio.rttm").values()
    assert written.uri == diarization.uri == "audio"
    whole = Timeline([Segment(0, expected.duration)])
    assert DiarizationErrorRate()(diarization, written, uem=whole) < 1e-3
    assert DiarizationErrorRate()(expected.to_annotation(), diarization, uem=whole) == 0
