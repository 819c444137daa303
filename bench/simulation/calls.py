"""Calls of two speakers, and monologues."""

import numpy as np

from bench.errors import BenchError
from bench.people.voices import RATE, Sound
from bench.simulation.conversing import Manner, Wanted, converse, words_of
from bench.simulation.scene import Scene, Script
from bench.simulation.voices import VoicePool, rotated
from bench.simulation.words import LEAST_S, Words, faded

NEAREST = 3
TURN_SHAPE, TURN_SCALE_S, LEAST_TURN_S = 2.2, 1.1, 0.4  # of a gamma distribution: 2.4 s on average
CALL_S = (15.0, 60.0)
OVERLAPPED, OVERLAP_S, PAUSE_S, BACKCHANNELS = (0.15, 0.20), (0.1, 0.6), 0.3, 0.15
MONOLOGUE_S, LONG_S = (5.0, 60.0), (60.0, 1200.0)
BREAK_S, LONG_BREAK_S, LONG_BREAKS = 0.4, (1.0, 3.0), 0.08
DRIFT_DB, DRIFT_STEP_DB = 3.0, 0.7


def call_like(voices: VoicePool, rng: np.random.Generator) -> Scene:
    """A call of two speakers with similar voices: one is among the 3 nearest of the other."""
    voices.require(2)
    first = voices.draw(1, rng)[0]
    near = voices.nearest(first, NEAREST)
    return _call(voices, [first, near[int(rng.integers(len(near)))]], rng)


def call_any(voices: VoicePool, rng: np.random.Generator) -> Scene:
    """A call of any two speakers."""
    voices.require(2)
    return _call(voices, voices.draw(2, rng), rng)


def monologue(voices: VoicePool, rng: np.random.Generator, repeat_s: float | None = None) -> Scene:
    """One speaker with natural pauses, 5 to 60 s, or until the words run out.

    Args:
        voices: voices with more words are more likely.
        rng: draws everything.
        repeat_s: length instead; the words are repeated in other orders.
    """
    name = voices.draw_talker(rng)
    pieces = voices.pieces(name)
    most_s = rng.uniform(*MONOLOGUE_S) if repeat_s is None else repeat_s
    script = Script({name: Words(pieces)}, rng)
    order, drift_db = rotated(pieces, rng), 0.0
    while True:
        for piece in order:
            start = script.end + (_break(rng) if script.utterances else 0)
            left_s = most_s - start / RATE
            if left_s < LEAST_S:
                return script.scene()
            if repeat_s is not None:
                drift_db += rng.uniform(-DRIFT_STEP_DB, DRIFT_STEP_DB)
                drift_db = float(np.clip(drift_db, -DRIFT_DB, DRIFT_DB))
            fits = len(piece) <= left_s * RATE
            sound = faded(piece) if fits else Words([piece]).take(left_s)
            script.place(name, _louder(sound, drift_db), start)
        if repeat_s is None:
            return script.scene()
        order = [pieces[index] for index in rng.permutation(len(pieces)).tolist()]


def monologue_long(
    voices: VoicePool, rng: np.random.Generator, repeat_s: float | None = None
) -> Scene:
    """A monologue of 1 to 20 minutes with repeated words; shorter ones are more likely."""
    drawn = float(np.exp(rng.uniform(*np.log(LONG_S))))
    length = drawn if repeat_s is None else repeat_s
    if not 0 < length <= LONG_S[1]:
        raise BenchError(f"repeat_s: found {length:g}; give up to {LONG_S[1]:g} seconds")
    return monologue(voices, rng, length)


def _call(voices: VoicePool, names: list[str], rng: np.random.Generator) -> Scene:
    script = Script(words_of(voices, names, rng), rng)
    manner = Manner(PAUSE_S, rng.uniform(*OVERLAPPED), OVERLAP_S, BACKCHANNELS)
    turns = [0]

    def next_turn() -> Wanted:
        turns[0] += 1
        return names[turns[0] % 2], max(LEAST_TURN_S, rng.gamma(TURN_SHAPE, TURN_SCALE_S))

    converse(script, next_turn, manner, rng.uniform(*CALL_S), rng)
    return script.scene()


def _break(rng: np.random.Generator) -> int:
    """Samples of a pause within the speech of one speaker."""
    long = rng.random() < LONG_BREAKS
    seconds = rng.uniform(*LONG_BREAK_S) if long else rng.exponential(BREAK_S)
    return round(seconds * RATE)


def _louder(sound: Sound, decibels: float) -> Sound:
    return np.float32(10 ** (decibels / 20)) * sound
