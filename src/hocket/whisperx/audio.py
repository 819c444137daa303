"""Recordings as whisperX loads them."""

import os

import numpy as np

from hocket.arguments import check_type, known_names_only
from hocket.arrays import Waveform
from hocket.audio.reading import read_audio

SAMPLE_RATE = 16_000
"""Hz of all arrays in whisperX."""


@known_names_only
def load_audio(file: str | os.PathLike[str], sr: int = SAMPLE_RATE) -> Waveform:
    """The samples of a recording, in mono.

    Args:
        file: path of a recording in any format that hocket reads; no ffmpeg program is needed.
        sr: Hz of the samples.

    Returns:
        float32 (samples,), which may be written to.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioError: the recording cannot be used.
    """
    check_type("file", file, str | os.PathLike)
    check_type("sr", sr, int)
    return np.array(read_audio(file, target_rate=sr).samples)
