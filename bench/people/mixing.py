"""Conversations with known turns, mixed from speech of single speakers; and simple rooms."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.signal import oaconvolve

from bench.annotations import Turn
from bench.people.voices import RATE, Sound

PAUSE_S = 0.5  # mean of the pauses between turns
INTERRUPTED = 0.65  # share of turns that begin before the previous one ends
OVERLAP = 0.5  # of the shorter of the two turns, at most
LEVEL = 0.05
GAIN_DB = 4.0  # largest deviation of a speaker's level
ECHO_S, DIRECT_DB, NOISE_DB = (0.25, 0.5), (0.0, 6.0), (12.0, 28.0)


class Conversation(NamedTuple):
    """Sound, (samples,) at 16 kHz, and its turns."""

    sound: Sound
    turns: list[Turn]

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return len(self.sound) / RATE


def draw_turns(
    spoken_s: Mapping[str, Sequence[float]], most_s: float, rng: np.random.Generator
) -> list[Turn]:
    """Turns of speakers with phrases of these lengths, each used once, up to `most_s`.

    A turn is a phrase. It begins after a pause, or before the previous turn ends. At most two
    speakers speak at once.
    """
    left, turns, last = {name: list(each) for name, each in spoken_s.items()}, list[Turn](), None
    start = PAUSE_S
    while able := [name for name in left if left[name] and name != last]:
        last = able[int(rng.integers(len(able)))]
        length = left[last].pop(0)
        if turns and rng.random() < INTERRUPTED:
            shorter = min(length, turns[-1].end - turns[-1].start)
            start = turns[-1].end - rng.uniform(0, OVERLAP) * shorter
        elif turns:
            start = turns[-1].end + rng.exponential(PAUSE_S)
        if start + length > most_s:
            break
        turns.append(Turn(start, start + length, last))
    return turns


def mix(
    voices: Mapping[str, Sequence[Sound]], most_s: float, rng: np.random.Generator
) -> Conversation:
    """A conversation of up to `most_s` in one room.

    Args:
        voices: phrases of every speaker.
        most_s: longest conversation; it ends earlier if only one speaker has phrases left.
        rng: draws turns, echoes and noise.
    """
    lengths = {name: [len(part) / RATE for part in parts] for name, parts in voices.items()}
    turns = draw_turns(lengths, most_s, rng)
    end = max((turn.end for turn in turns), default=0.0) + PAUSE_S
    total = np.zeros(round(end * RATE), np.float32)
    for name in sorted(voices):
        speech, used = np.concatenate(voices[name]), 0
        track = np.zeros_like(total)
        for turn in turns:
            if turn.speaker == name:
                first = round(turn.start * RATE)
                size = round((turn.end - turn.start) * RATE)
                track[first : first + size] += speech[used : used + size]
                used += size
        gain = LEVEL / level(speech) * 10 ** (rng.uniform(-GAIN_DB, GAIN_DB) / 20)
        total += np.float32(gain) * echoed(track, rng)
    return Conversation(noisy(total, rng), turns)


def in_room(sound: Sound, rng: np.random.Generator) -> Sound:
    """A sound in a simple room: an echo of 0.25 to 0.5 s, and noise 12 to 28 dB below."""
    return noisy(echoed(sound, rng), rng)


def overlap_percent(turns: list[Turn]) -> float:
    """Share of the speech in which two speakers speak, in percent."""
    edges = sorted([(t.start, 1) for t in turns] + [(t.end, -1) for t in turns])
    spoken, overlapped, speakers, before = 0.0, 0.0, 0, 0.0
    for time, change in edges:
        spoken += (time - before) * (speakers > 0)
        overlapped += (time - before) * (speakers > 1)
        speakers, before = speakers + change, time
    return 100 * overlapped / spoken if spoken else 0.0


def echoed(sound: Sound, rng: np.random.Generator) -> Sound:
    """The direct sound, followed by noise that decays by 60 dB within the echo."""
    length_s = rng.uniform(*ECHO_S)
    times = np.arange(round(length_s * RATE)) / RATE
    tail = rng.standard_normal(len(times)) * np.exp(-np.log(1000) * times / length_s)
    tail[: RATE // 500] = 0
    tail *= 10 ** (-rng.uniform(*DIRECT_DB) / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    found: Sound = oaconvolve(sound, tail.astype(np.float32))[: len(sound)].astype(np.float32)
    return found


def noisy(
    sound: Sound, rng: np.random.Generator, below_db: tuple[float, float] = NOISE_DB
) -> Sound:
    """The sound with noise that falls by 3 dB per octave, as in rooms; never clipped.

    Args:
        sound: (samples,) at 16 kHz.
        rng: draws the noise, then its level below the sound.
        below_db: least and most of that level.
    """
    spectrum = np.fft.rfft(rng.standard_normal(len(sound)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, len(sound))
    gain = level(sound) / level(noise) * 10 ** (-rng.uniform(*below_db) / 20)
    found = (sound + gain * noise).astype(np.float32)
    loudest = float(np.abs(found).max(initial=0.0))
    return found / np.float32(loudest / 0.9) if loudest > 0.9 else found


def level(sound: "np.ndarray[tuple[int], np.dtype[np.floating]]") -> float:
    """Root mean square of the samples that are not silent; 1 for silence."""
    loud = sound[np.abs(sound) > 1e-5]
    return float(np.sqrt(np.mean(np.square(loud)))) if len(loud) else 1.0
