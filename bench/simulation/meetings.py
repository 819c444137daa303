"""Meetings with the turns of real ones, from RTTM files."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from bench.annotations import Turn, turns_by_recording
from bench.errors import BenchError
from bench.people.voices import RATE
from bench.simulation.nonspeech import add_nonspeech
from bench.simulation.scene import Scene, Script, joined
from bench.simulation.voices import VoicePool, rotated
from bench.simulation.words import Words

MEETING_S = (60.0, 480.0)
LONG_S = (600.0, 600.0)
LEAST_TURN_S = 0.2  # a syllable
TRIES = 20  # some VoxConverse timelines have only one speaker, or minutes of one

Turns = tuple[Turn, ...]


def meeting(
    voices: VoicePool,
    rng: np.random.Generator,
    timelines: Sequence[Path],
    lengths_s: tuple[float, float] = MEETING_S,
) -> Scene:
    """Part of a random timeline, spoken by other voices.

    Voices with several clips are used first. Words are repeated when they run out. If there are
    fewer voices than speakers, the speakers with the least speech are dropped.

    Args:
        voices: the voices to draw from.
        rng: draws everything.
        timelines: folders of RTTM files, all equally likely.
        lengths_s: shortest and longest part, if the timeline is long enough.

    Raises:
        BenchError: no timelines are given, or a folder has none.
    """
    turns = _drawn(timelines, rng, lengths_s)
    spoken: dict[str, float] = {}
    for turn in turns:
        spoken[turn.speaker] = spoken.get(turn.speaker, 0.0) + turn.end - turn.start
    order = sorted(spoken, key=lambda speaker: (-spoken[speaker], speaker))
    cast = dict(zip(order, voices.draw_rich(len(order), rng), strict=False))
    words = {n: Words(rotated(voices.pieces(n), rng), again=True) for n in cast.values()}
    script = Script(words, rng)
    for turn in turns:
        if turn.speaker in cast:
            at = round(turn.start * RATE)
            script.say(cast[turn.speaker], turn.end - turn.start, at)
    add_nonspeech(script, rng)
    return script.scene()


def _drawn(
    timelines: Sequence[Path], rng: np.random.Generator, lengths_s: tuple[float, float]
) -> list[Turn]:
    """Turns of a part of a timeline, with two or more speakers if TRIES suffice."""
    turns: list[Turn] = []
    for _ in range(TRIES):
        turns = _part(_timeline(timelines, rng), rng, lengths_s) or turns
        if len({turn.speaker for turn in turns}) > 1:
            break
    if not turns:
        raise BenchError(
            f"{timelines[0]}: found no turn of {LEAST_TURN_S:g} s; give other timelines"
        )
    return turns


def _timeline(folders: Sequence[Path], rng: np.random.Generator) -> Turns:
    if not folders:
        raise BenchError("a meeting needs timelines; give folders of RTTM files with --timelines")
    recordings = _recordings(folders[int(rng.integers(len(folders)))])
    return recordings[int(rng.integers(len(recordings)))]


@cache
def _recordings(folder: Path) -> tuple[Turns, ...]:
    """Turns of every recording in the RTTM files of a folder, if it has any."""
    found = [
        tuple(joined(turns))
        for path in sorted(folder.glob("*.rttm"))
        for _, turns in sorted(turns_by_recording(path).items())
        if turns
    ]
    if not found:
        raise BenchError(f"{folder}: found no RTTM file with turns; give another folder")
    return tuple(found)


def _part(turns: Turns, rng: np.random.Generator, lengths_s: tuple[float, float]) -> list[Turn]:
    """Turns of a part that begins with a turn, in seconds from its start."""
    whole_s = max(turn.end for turn in turns)
    length_s = rng.uniform(*lengths_s)
    drawn = turns[int(rng.integers(len(turns)))].start
    start = max(0.0, min(drawn, whole_s - length_s))
    clipped = [
        Turn(max(0.0, turn.start - start), min(turn.end - start, length_s), turn.speaker)
        for turn in turns
    ]
    return [turn for turn in clipped if turn.end - turn.start >= LEAST_TURN_S]
