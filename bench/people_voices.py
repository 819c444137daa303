"""Voices of known people: clips by person, divided into what is enrolled and what is said later."""

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
LEVEL_STEP = 160  # samples between levels, 10 ms
PAUSE_S, MARGIN_S, LEAST_PHRASE_S = 0.25, 0.03, 2.0
QUIET = 0.06  # of the loud steps' level

Sound = NDArray[np.float32]
Clips = Mapping[str, tuple[Path, ...]]


class Divided(NamedTuple):
    """Somebody's clips; no sample is in both parts.

    enrolled: what goes into a store, up to 20 s in one piece.
    said: what is said in meetings or compared, clip by clip.
    """

    enrolled: Sound
    said: tuple[Sound, ...]


def find_voices(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Clips of everybody who has a folder in `folder`, by the name of that; BenchError if none."""
    found: dict[str, tuple[Path, ...]] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        clips = [path for path in sorted(place.iterdir()) if path.suffix.lower() in AUDIO_SUFFIXES]
        if clips:
            found[place.name] = tuple(clips)
    if not found:
        raise BenchError(f"{folder}: found no folder with clips in it; give one folder per person")
    return found


@cache
def read_clip(path: Path) -> Sound:
    """All of a clip, (samples,); BenchError if it is not of one channel at 16 kHz."""
    sound, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    if rate != RATE or sound.shape[1] != 1:
        raise BenchError(f"{path.name}: {rate} Hz, {sound.shape[1]} channels; give mono at {RATE}")
    return np.ascontiguousarray(sound[:, 0])


def divide(clips: Sequence[Path], rng: np.random.Generator | None = None) -> Divided:
    """Divide somebody's clips: whole clips of several, in an order drawn; halves of the only one.

    Several clips are enrolled until they make 20 s, and the others are said.
    """
    if len(clips) == 1:
        sound = read_clip(clips[0])
        half = len(sound) // 2
        return Divided(sound[: min(half, round(ENROLLED_S * RATE))], (sound[half:],))
    order = list(range(len(clips))) if rng is None else rng.permutation(len(clips)).tolist()
    enrolled: list[Sound] = []
    while sum(map(len, enrolled)) < ENROLLED_S * RATE and len(order) > 1:
        enrolled.append(read_clip(clips[order.pop(0)]))
    said = tuple(read_clip(clips[index]) for index in order)
    return Divided(np.concatenate(enrolled)[: round(ENROLLED_S * RATE)], said)


def phrases(
    sound: Sound, least_s: float = LEAST_PHRASE_S, least_sound_s: float = 0.0
) -> list[Sound]:
    """What somebody says, cut where they pause for 0.25 s, each `least_s` or longer.

    That is speech throughout. Shorter phrases are joined to what comes after; what is left at the
    end is dropped. `least_sound_s` as in `loud_steps`.
    """
    loud = loud_steps(sound, least_sound_s)
    steps = len(loud)
    if not steps:
        return []
    # padded: closing must not open what touches the ends
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
    """Root mean square of every whole 10 ms of a sound, (steps,)."""
    steps = len(sound) // LEVEL_STEP
    blocks = sound[: steps * LEVEL_STEP].reshape(steps, LEVEL_STEP)
    found: NDArray[np.float32] = np.sqrt(np.mean(np.square(blocks), axis=1))
    return found


def loud_steps(sound: Sound, least_sound_s: float = 0.0) -> NDArray[np.bool_]:
    """Which 10 ms of somebody's speech are no pause, (steps,).

    A sound shorter than `least_sound_s` is noise in a pause.
    """
    levels = step_levels(sound)
    if not len(levels):
        return np.zeros(0, np.bool_)
    loud = np.asarray(levels > QUIET * np.percentile(levels, 95))
    least = round(least_sound_s * RATE / LEVEL_STEP)
    return np.asarray(binary_opening(loud, np.ones(least, np.bool_))) if least > 1 else loud
