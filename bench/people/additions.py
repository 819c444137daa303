"""Additions to speakers of a store: right voices that are taken, wrong ones that are refused.

Each speaker is enrolled from a clip as it is. What is added then is other sound of the speaker, or
of somebody else, in one of CONDITIONS.
"""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.people.mixing import in_room, noisy
from bench.people.voices import RATE, Clips, Sound, divide
from bench.report import Progress
from bench.simulation.bands import in_telephone_band

if TYPE_CHECKING:
    from hocket import Diarizer

ADDED_S = 8.0
NOISE_DB = (15.0, 15.0)
CONDITIONS = ("clean", "in a room", "by telephone", "noise at 15 dB")
ALLOWED_PERCENT = 98.0


class Addition(NamedTuple):
    """What is tried: the condition of a clip, and what became of it."""

    condition: str
    right: bool
    outcome: str


def measure_additions(
    clips: Clips, trials: int, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Add so many right and so many wrong clips, each to a store of one speaker."""
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads))
    rng = np.random.default_rng(0)
    usable = {name: each for name, each in clips.items() if _has_enough(each)}
    found = list[Addition]()
    for trial in range(trials):
        name, other = rng.choice(list(usable), 2, replace=False).tolist()
        condition = CONDITIONS[trial % len(CONDITIONS)]
        mine, others = divide(usable[name], rng), divide(usable[other], rng)
        sounds = [_changed(_cut(sound, rng), condition, rng) for sound in (mine.rest, others.rest)]
        outcomes = add_both(mine.enrolled, sounds[0], sounds[1], diarizer)
        found += [
            Addition(condition, right, outcome)
            for right, outcome in zip((True, False), outcomes, strict=True)
        ]
        if trial % 20 == 19:
            progress(f"{trial + 1} of {trials} additions")
    return {
        "voices": len(usable),
        "added_s": ADDED_S,
        "allowed_percent": ALLOWED_PERCENT,
        "rows": [_row(found, condition) for condition in (*CONDITIONS, "all")],
    }


def _has_enough(clips: tuple[Path, ...]) -> bool:
    return max(len(sound) for sound in divide(clips).rest) >= ADDED_S * RATE


def _cut(sounds: tuple[Sound, ...], rng: np.random.Generator) -> Sound:
    """ADDED_S of the longest sound, from a random place."""
    sound, length = max(sounds, key=len), round(ADDED_S * RATE)
    first = int(rng.integers(0, max(1, len(sound) - length + 1)))
    return sound[first : first + length]


def _changed(sound: Sound, condition: str, rng: np.random.Generator) -> Sound:
    changes = {
        "in a room": lambda: in_room(sound, rng),
        "by telephone": lambda: in_telephone_band(sound),
        "noise at 15 dB": lambda: noisy(sound, rng, NOISE_DB),
    }
    return changes[condition]() if condition in changes else sound


def add_both(enrolled: Sound, right: Sound, wrong: Sound, diarizer: "Diarizer") -> tuple[str, str]:
    """Outcomes of adding a speaker's own sound and somebody else's: taken, or why it was not."""
    from hocket import SpeakerStore
    from hocket.errors import AudioVoiceError, SpeakerError
    from hocket.speakers.enroll import enroll

    outcomes = []
    for sound in (right, wrong):
        with TemporaryDirectory() as folder, SpeakerStore(Path(folder) / "store") as store:
            try:
                enroll(store, "Anna", [enrolled], diarizer, sample_rate=RATE)
                enroll(store, "Anna", [sound], diarizer, add=True, sample_rate=RATE)
            except SpeakerError:
                outcomes.append("another voice")
            except AudioVoiceError:
                outcomes.append("not clear")
            else:
                outcomes.append("taken")
    return outcomes[0], outcomes[1]


def _row(found: list[Addition], condition: str) -> dict[str, Any]:
    these = [each for each in found if condition in (each.condition, "all")]
    right = Counter(each.outcome for each in these if each.right)
    wrong = Counter(each.outcome for each in these if not each.right)
    return {
        "condition": condition,
        "right": right.total(),
        "right_taken": right["taken"],
        "right_not_clear": right["not clear"],
        "wrong": wrong.total(),
        "wrong_refused": wrong.total() - wrong["taken"],
    }
