"""Speaker diarization for code that was written against whisperX.

>>> from hocket import whisperx  # in place of: import whisperx

What is not here, such as `whisperx.load_model` and `whisperx.align`, is whisperX's own, if that is
installed: docs/whisperx.md.
"""

from typing import Any

from hocket.bridges import library
from hocket.whisperx.audio import load_audio
from hocket.whisperx.diarize import DiarizationPipeline, assign_word_speakers

__all__ = ["DiarizationPipeline", "assign_word_speakers", "load_audio"]


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # only Python itself looks such names up
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(library("whisperx", "whisperx"), name)
