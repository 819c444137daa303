"""Interviews, in which one speaker speaks most, and panels of many speakers."""

import math

import numpy as np

from bench.simulation.conversing import Manner, Wanted, converse, words_of
from bench.simulation.nonspeech import add_nonspeech
from bench.simulation.scene import Scene, Script
from bench.simulation.voices import VoicePool

INTERVIEW_S = (20.0, 120.0)
LONG_SHAPE, LONG_SCALE_S, LEAST_LONG_S = 2.0, 4.0, 1.0  # 8 s on average
SHORT_SHAPE, SHORT_SCALE_S, LEAST_SHORT_S = 2.0, 0.8, 0.4
RARE, RARE_TURNS, RARE_S = 0.4, (1, 3), (1.0, 3.0)
INTERVIEW = Manner(pause_s=0.4, overlapped=0.12, overlap_s=(0.1, 0.6), backchannels=0.15)
PANEL_SPEAKERS, PANEL_S = (2, 10), (2.0, 8.0)
PANEL = Manner(pause_s=0.4, overlapped=0.2, overlap_s=(0.1, 1.0), backchannels=0.0)


class Interview:
    """The order of speakers in an interview: the guest, another speaker, the guest, and so on.

    script: holds the remaining words.
    guest: speaker with long turns.
    others: speakers with short turns; the last may be rare, with few turns.
    rng: draws everything.
    """

    def __init__(
        self, script: Script, guest: str, others: list[str], rng: np.random.Generator
    ) -> None:
        self.script, self.guest, self.others, self.rng = script, guest, others, rng
        self.rare = others[-1] if rng.random() < RARE else None
        self.rare_turns = int(rng.integers(*RARE_TURNS, endpoint=True))
        self.guest_next = bool(rng.random() < 0.5)

    def next_turn(self) -> Wanted | None:
        """The next speaker and the seconds of the turn; None if the guest has no words left."""
        others = [name for name in self.others if self._may(name)]
        if self.guest_next or not others:
            self.guest_next = False
            length = max(LEAST_LONG_S, self.rng.gamma(LONG_SHAPE, LONG_SCALE_S))
            return (self.guest, length) if self.script.able(self.guest) else None
        self.guest_next = True
        speaker = others[int(self.rng.integers(len(others)))]
        if speaker != self.rare:
            return speaker, max(LEAST_SHORT_S, self.rng.gamma(SHORT_SHAPE, SHORT_SCALE_S))
        self.rare_turns -= 1
        return speaker, self.rng.uniform(*RARE_S)

    def _may(self, name: str) -> bool:
        return self.script.able(name) and (name != self.rare or self.rare_turns > 0)


def interview(voices: VoicePool, rng: np.random.Generator) -> Scene:
    """An interview of two or three speakers, one of whom may have only 1 to 3 turns of 1 to 3 s."""
    voices.require(2)
    # squared, since long turns need words, and about half of the guests should have minutes of them
    guest = voices.draw_talker(rng, 2.0)
    others = [name for name in voices.draw(3, rng) if name != guest]
    others = others[: int(rng.integers(1, 2, endpoint=True))]
    script = Script(words_of(voices, [guest, *others], rng), rng)
    order = Interview(script, guest, others, rng)
    manner = INTERVIEW if order.rare is None else INTERVIEW._replace(backchannels=0.0)
    converse(script, order.next_turn, manner, rng.uniform(*INTERVIEW_S), rng)
    add_nonspeech(script, rng)
    return script.scene()


def panel(voices: VoicePool, rng: np.random.Generator, longest_s: float = math.inf) -> Scene:
    """2 to 10 speakers with turns of 2 to 8 s, none twice in a row, while they have words."""
    voices.require(2)
    names = voices.draw(int(rng.integers(*PANEL_SPEAKERS, endpoint=True)), rng)
    script = Script(words_of(voices, names, rng), rng)
    last: list[str] = []

    def next_turn() -> Wanted | None:
        able = [n for n in names if script.able(n, PANEL_S[0]) and n not in last]
        if not able:
            return None
        last[:] = [able[int(rng.integers(len(able)))]]
        return last[0], rng.uniform(*PANEL_S)

    converse(script, next_turn, PANEL, longest_s, rng)
    return script.scene()
