"""Made-up speech: voiced syllables of a pitch and noise, in phrases with pauses between."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from bench.annotations import Turn

RATE = 16_000
RICH = ("rich0", "rich1", "rich2")
SINGLE = tuple(f"single{number}" for number in range(6))
PHRASE_S, PAUSE_S, SYLLABLES_PER_S = 2.0, 0.45, 4.0


@cache
def speech(seconds: float, seed: int) -> np.ndarray:
    """Speech of a voice of its own, (samples,); no stretch of it is like another."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    steps = np.repeat(rng.uniform(0.8, 1.25, len(times) // 1600 + 1), 1600)[: len(times)]
    pitch = rng.uniform(90, 240) * sosfilt(butter(1, 8, fs=RATE, output="sos"), steps)
    phase = np.cumsum(pitch) / RATE
    source = (phase % 1) ** 4 - 0.2 + 0.1 * rng.standard_normal(len(times))
    voiced = 0.3 * source
    for low, high in ((400, 800), (1100, 1600), (2300, 2900)):
        voiced += sosfilt(butter(1, (low, high), "bandpass", fs=RATE, output="sos"), source)
    syllables = 0.3 + np.abs(np.sin(np.pi * SYLLABLES_PER_S * times))
    spoken = (times % (PHRASE_S + PAUSE_S) < PHRASE_S) * syllables
    return (0.2 * voiced * spoken + 1e-5 * rng.standard_normal(len(times))).astype(np.float32)


def write_speakers(folder: Path, seconds: dict[str, list[float]]) -> Path:
    """A folder of clips for everybody, so many seconds long."""
    for number, (name, lengths) in enumerate(seconds.items()):
        (folder / name).mkdir(parents=True)
        for clip, length in enumerate(lengths):
            path = folder / name / f"{clip}.wav"
            soundfile.write(path, speech(length, 100 * number + clip), RATE, subtype="FLOAT")
    return folder


def write_cast(folder: Path) -> Path:
    """Nine people: RICH have 27 s in three clips, SINGLE 14 s in one."""
    lengths = {name: [14.0] for name in SINGLE} | {name: [9.0, 9.0, 9.0] for name in RICH}
    return write_speakers(folder, lengths)


def speaking(turns: Sequence[Turn], samples: int) -> np.ndarray:
    """Where anybody speaks, (samples,)."""
    found = np.zeros(samples, np.bool_)
    for turn in turns:
        found[round(turn.start * RATE) : round(turn.end * RATE)] = True
    return found


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


def talker_seconds(turns: Sequence[Turn], name: str) -> float:
    return sum(turn.end - turn.start for turn in turns if turn.speaker == name)
