"""How turns follow each other, and scripts of people who have words of their own to say."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench.people_voices import RATE
from bench.simulation.scene import Said, Script
from bench.simulation.voices import VoiceVectors, rotated
from bench.simulation.words import LEAST_S, Words

OVERLAP_MOST = 0.5  # of the shorter of the two turns
BACKCHANNEL_S = (0.3, 0.6)
BACKCHANNEL_AFTER_S = 0.4  # from the start of the turn it falls into
BACKCHANNEL_BEFORE_S = 0.8  # before its end: the next turn may begin 0.6 s before that

Wanted = tuple[str, float]
"""Who speaks next, and for how many seconds."""
NextTurn = Callable[[], Wanted | None]


class Manner(NamedTuple):
    """How people take turns.

    pause_s: mean of the pauses between turns, which are distributed exponentially.
    overlapped: share of turns that begin before the last one ends.
    overlap_s: least and most of that.
    backchannels: chance of a word or two of somebody else inside a turn.
    """

    pause_s: float
    overlapped: float
    overlap_s: tuple[float, float]
    backchannels: float


def converse(
    script: Script, next_turn: NextTurn, manner: Manner, most_s: float, rng: np.random.Generator
) -> None:
    """Add turns until nobody is next, words run out, or the conversation is `most_s` long."""
    last: Said | None = None
    while (wanted := next_turn()) is not None:
        speaker, seconds = wanted
        at = script.end if last is None else _start(last, seconds, speaker, manner, rng)
        left = most_s - max(at, script.ready(speaker)) / RATE
        said = script.say(speaker, min(seconds, left), at) if left >= LEAST_S else None
        if said is None:
            break
        if rng.random() < manner.backchannels:
            _add_backchannel(script, said, rng)
        last = said


def words_of(voices: VoiceVectors, names: list[str], rng: np.random.Generator) -> dict[str, Words]:
    """What these voices have to say, each from a drawn piece on, each piece once."""
    return {name: Words(rotated(voices.pieces(name), rng)) for name in names}


def _start(
    last: Said, seconds: float, speaker: str, manner: Manner, rng: np.random.Generator
) -> int:
    """Sample at which the turn after `last` begins."""
    pause, overlap = rng.exponential(manner.pause_s), rng.uniform(*manner.overlap_s)
    overlapping = rng.random() < manner.overlapped and speaker != last.speaker
    if overlapping:
        pause = -min(overlap, OVERLAP_MOST * min(seconds, last.seconds))
    return last.end + round(pause * RATE)


def _add_backchannel(script: Script, turn: Said, rng: np.random.Generator) -> None:
    """A word or two of somebody who has ended, inside a turn that is long enough for it."""
    others = [name for name in script.words if name != turn.speaker and script.able(name)]
    if not others:
        return
    speaker = others[int(rng.integers(len(others)))]
    first = max(turn.start + round(BACKCHANNEL_AFTER_S * RATE), script.ready(speaker))
    last = turn.end - round((BACKCHANNEL_BEFORE_S + BACKCHANNEL_S[1]) * RATE)
    if first < last:
        script.say(speaker, rng.uniform(*BACKCHANNEL_S), int(rng.integers(first, last)))
