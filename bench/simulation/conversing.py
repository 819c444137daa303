"""The order and timing of turns in a script."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench.people.voices import RATE
from bench.simulation.scene import Script, Utterance
from bench.simulation.voices import VoicePool, rotated
from bench.simulation.words import LEAST_S, Words

OVERLAP_MOST = 0.5  # of the shorter of the two turns
BACKCHANNEL_S = (0.3, 0.6)
BACKCHANNEL_AFTER_S = 0.4  # after the start of the turn that contains it
BACKCHANNEL_BEFORE_S = 0.8  # before its end, since the next turn may begin 0.6 s before that

Wanted = tuple[str, float]
"""The next speaker, and the seconds of the turn."""
NextTurn = Callable[[], Wanted | None]


class Manner(NamedTuple):
    """Timing of turns.

    pause_s: mean pause between turns; pauses have an exponential distribution.
    overlapped: share of turns that begin before the previous one ends.
    overlap_s: shortest and longest overlap.
    backchannels: probability of a word or two by another speaker inside a turn.
    """

    pause_s: float
    overlapped: float
    overlap_s: tuple[float, float]
    backchannels: float


def converse(
    script: Script, next_turn: NextTurn, manner: Manner, most_s: float, rng: np.random.Generator
) -> None:
    """Add turns until there is no next speaker, words run out, or `most_s` is reached."""
    last: Utterance | None = None
    while (wanted := next_turn()) is not None:
        speaker, seconds = wanted
        at = script.end if last is None else _start(last, seconds, speaker, manner, rng)
        left = most_s - max(at, script.ready(speaker)) / RATE
        turn = script.say(speaker, min(seconds, left), at) if left >= LEAST_S else None
        if turn is None:
            break
        if rng.random() < manner.backchannels:
            _add_backchannel(script, turn, rng)
        last = turn


def words_of(voices: VoicePool, names: list[str], rng: np.random.Generator) -> dict[str, Words]:
    """The words of these voices, each starting at a random piece, each piece used once."""
    return {name: Words(rotated(voices.pieces(name), rng)) for name in names}


def _start(
    last: Utterance, seconds: float, speaker: str, manner: Manner, rng: np.random.Generator
) -> int:
    """The first sample of the turn after `last`."""
    pause, overlap = rng.exponential(manner.pause_s), rng.uniform(*manner.overlap_s)
    overlapping = rng.random() < manner.overlapped and speaker != last.speaker
    if overlapping:
        pause = -min(overlap, OVERLAP_MOST * min(seconds, last.seconds))
    return last.end + round(pause * RATE)


def _add_backchannel(script: Script, turn: Utterance, rng: np.random.Generator) -> None:
    """Add a word or two of a speaker who is silent, inside a turn that is long enough."""
    others = [name for name in script.words if name != turn.speaker and script.able(name)]
    if not others:
        return
    speaker = others[int(rng.integers(len(others)))]
    first = max(turn.start + round(BACKCHANNEL_AFTER_S * RATE), script.ready(speaker))
    last = turn.end - round((BACKCHANNEL_BEFORE_S + BACKCHANNEL_S[1]) * RATE)
    if first < last:
        script.say(speaker, rng.uniform(*BACKCHANNEL_S), int(rng.integers(first, last)))
