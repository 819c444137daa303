"""Voices of known speakers: their clips, divided into enrollment and later speech."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_dilation, binary_opening

from bench.errors import BenchError
from bench.matching import AUDIO_SUFFIXES
from hocket.arrays import segments_of

RATE = 16_000
ENROLLED_S = 20.0
LEVEL_STEP = 160  # samples per level, 10 ms
PAUSE_S, MARGIN_S, LEAST_PHRASE_S = 0.25, 0.03, 2.0
QUIET = 0.06  # of the level of loud steps

Sound = NDArray[np.float32]
Clips = Mapping[str, tuple[Path, ...]]


class Divided(NamedTuple):
    """Clips of a speaker, in two parts without common samples.

    enrolled: sound for a store, up to 20 s in one piece.
    rest: sound for conversations and comparisons, clip by clip.
    """

    enrolled: Sound
    rest: tuple[Sound, ...]


def find_voices(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Clips of every speaker with a folder in `folder`, by its name; BenchError if none."""
    found: dict[str, tuple[Path, ...]] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        clips = [path for path in sorted(place.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES]
        if clips:
            found[place.name] = tuple(clips)
    if not found:
        raise BenchError(f"{folder}: found no folder with clips; give a folder for each speaker")
    return found


@cache
def read_clip(path: Path) -> Sound:
    """Read a clip, (samples,); BenchError if it does not have one channel at 16 kHz."""
    sound, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    if rate != RATE or sound.shape[1] != 1:
        raise BenchError(f"{path.name}: {rate} Hz, {sound.shape[1]} channels; give mono at {RATE}")
    return np.ascontiguousarray(sound[:, 0])


def divide(clips: Sequence[Path], rng: np.random.Generator | None = None) -> Divided:
    """Divide the clips of a speaker: several by whole clips, in random order; a single one in half.

    Of several clips, as many as make 20 s are enrolled.
    """
    if len(clips) == 1:
        sound = read_clip(clips[0])
        half = len(sound) // 2
        return Divided(sound[: min(half, round(ENROLLED_S * RATE))], (sound[half:],))
    order = list(range(len(clips))) if rng is None else rng.permutation(len(clips)).tolist()
    enrolled: list[Sound] = []
    while sum(map(len, enrolled)) < ENROLLED_S * RATE and len(order) > 1:
        enrolled.append(read_clip(clips[order.pop(0)]))
    rest = tuple(read_clip(clips[index]) for index in order)
    return Divided(np.concatenate(enrolled)[: round(ENROLLED_S * RATE)], rest)


def phrases(
    sound: Sound, least_s: float = LEAST_PHRASE_S, least_sound_s: float = 0.0
) -> list[Sound]:
    """Speech cut at pauses of 0.25 s, in phrases of `least_s` or longer.

    Shorter phrases are joined to the next. The remainder at the end is dropped. `least_sound_s` is
    as in `loud_steps`.
    """
    loud = loud_steps(sound, least_sound_s)
    steps = len(loud)
    if not steps:
        return []
    # padded, so that closing does not remove speech at the ends
    pause, margin = round(PAUSE_S * RATE / LEVEL_STEP), round(MARGIN_S * RATE / LEVEL_STEP)
    closed = binary_closing(np.pad(loud, pause), np.ones(pause + 1, np.bool_))
    kept = binary_dilation(closed, np.ones(2 * margin + 1, np.bool_))[pause:][:steps]
    found, begun = list[Sound](), list[Sound]()
    for first, last in segments_of(kept).tolist():
        begun.append(sound[first * LEVEL_STEP : last * LEVEL_STEP])
        if sum(map(len, begun)) >= least_s * RATE:
            found.append(np.concatenate(begun))
            begun = []
    return found


def step_levels(sound: Sound) -> NDArray[np.float32]:
    """Root mean square of every full 10 ms of a sound, (steps,)."""
    steps = len(sound) // LEVEL_STEP
    blocks = sound[: steps * LEVEL_STEP].reshape(steps, LEVEL_STEP)
    found: NDArray[np.float32] = np.sqrt(np.mean(np.square(blocks), axis=1))
    return found


def loud_steps(sound: Sound, least_sound_s: float = 0.0) -> NDArray[np.bool_]:
    """Which 10 ms of speech are not part of a pause, (steps,).

    Sounds shorter than `least_sound_s` count as noise in a pause.
    """
    levels = step_levels(sound)
    if not len(levels):
        return np.zeros(0, np.bool_)
    loud = np.asarray(levels > QUIET * np.percentile(levels, 95))
    least = round(least_sound_s * RATE / LEVEL_STEP)
    return np.asarray(binary_opening(loud, np.ones(least, np.bool_))) if least > 1 else loud
