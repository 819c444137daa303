"""Voices of tones."""

from pathlib import Path

import numpy as np
import soundfile

from bench.people.voices import RATE


def tone(seconds: float, pitch: float = 200.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * np.sin(2 * np.pi * pitch * times)).astype(np.float32)


def write_voices(folder: Path, lengths: dict[str, list[float]]) -> Path:
    """A folder of tones for every speaker; each clip has a pitch of its own."""
    for speaker, each in lengths.items():
        (folder / speaker).mkdir(parents=True)
        for index, seconds in enumerate(each):
            pitch = 200 + 10 * index
            soundfile.write(folder / speaker / f"{index}.wav", tone(seconds, pitch), RATE)
    return folder
