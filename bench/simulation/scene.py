"""Who says what when: a script that is being written, and the tracks it becomes."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.fft import next_fast_len

from bench.annotations import Turn
from bench.people_voices import PAUSE_S, RATE, Sound
from bench.simulation.words import LEAST_S, Words

APART_S = 0.05  # nobody's next words begin earlier after their last
EDGE_S = (0.1, 0.8)  # silence before the first words, and after the last


class Said(NamedTuple):
    """Words of a speaker, (samples,) at 16 kHz, from the sample `start` of the conversation on."""

    speaker: str
    start: int
    sound: Sound

    @property
    def end(self) -> int:
        """Sample past the last."""
        return self.start + len(self.sound)

    @property
    def seconds(self) -> float:
        """Length of the words."""
        return len(self.sound) / RATE


class Scene(NamedTuple):
    """A conversation before any channel.

    tracks: what everybody's microphone would have alone, (samples,) each, all as long.
    turns: in order of their starts.
    """

    tracks: dict[str, Sound]
    turns: list[Turn]

    @property
    def samples(self) -> int:
        """Length of it."""
        return max((len(track) for track in self.tracks.values()), default=0)

    @property
    def speakers(self) -> list[str]:
        """Everybody, in the order in which they first speak."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))


class Script:
    """A conversation while it is being written.

    words: what everybody has to say.
    rng: draws the silence at both ends.
    """

    def __init__(self, words: Mapping[str, Words], rng: np.random.Generator) -> None:
        self.words = dict(words)
        self.said: list[Said] = []
        self.other: list[Said] = []  # sounds that are no words
        self._first, self._tail = (round(edge * RATE) for edge in rng.uniform(*EDGE_S, 2))

    @property
    def end(self) -> int:
        """Sample past the last words; before any, where the first begin."""
        return max((each.end for each in self.said), default=self._first)

    def ready(self, speaker: str) -> int:
        """First sample at which a speaker has ended."""
        mine = (each.end for each in self.said if each.speaker == speaker)
        return max(mine, default=-round(APART_S * RATE)) + round(APART_S * RATE)

    def able(self, speaker: str, least_s: float = 0.0) -> bool:
        """Whether a speaker has words left."""
        return self.words[speaker].left_s >= max(least_s, LEAST_S)

    def say(self, speaker: str, seconds: float, at: int) -> Said | None:
        """Let a speaker say the next words at a sample, or when ended; None without words."""
        return self.place(speaker, self.words[speaker].take(seconds), at)

    def place(self, speaker: str, sound: Sound, at: int) -> Said | None:
        """Let a speaker say this; None if it is empty."""
        if not len(sound):
            return None
        self.said.append(Said(speaker, max(0, at, self.ready(speaker)), sound))
        return self.said[-1]

    def scene(self) -> Scene:
        """Tracks and turns."""
        # Noise is made many times quicker for lengths that have small factors.
        size = next_fast_len(self.end + self._tail, real=True)
        tracks = {name: np.zeros(size, np.float32) for name in self.words}
        for each in [*self.said, *self.other]:
            tracks[each.speaker][each.start : each.end] += each.sound
        turns = [Turn(each.start / RATE, each.end / RATE, each.speaker) for each in self.said]
        return Scene(tracks, joined(turns))


def joined(turns: list[Turn]) -> list[Turn]:
    """Turns in order, those of one speaker at most 0.25 s apart as one.

    So short are the pauses that words themselves have (`people_voices.phrases`).
    """
    found: list[Turn] = []
    last: dict[str, int] = {}
    for turn in sorted(turns):
        before = found[last[turn.speaker]] if turn.speaker in last else None
        if before is not None and turn.start - before.end <= PAUSE_S:
            end = max(before.end, turn.end)
            found[last[turn.speaker]] = before._replace(end=end)
        else:
            last[turn.speaker] = len(found)
            found.append(turn)
    return found


def excerpt(scene: Scene, start: float, end: float) -> Scene:
    """What lies between two times, with turns clipped to it and without whoever says nothing."""
    first, last = round(start * RATE), round(end * RATE)
    start, end = first / RATE, last / RATE
    clipped = [
        Turn(max(turn.start, start) - start, min(turn.end, end) - start, turn.speaker)
        for turn in scene.turns
    ]
    turns = [turn for turn in clipped if turn.end - turn.start > 0]
    speakers = {turn.speaker for turn in turns}
    tracks = {name: track[first:last] for name, track in scene.tracks.items() if name in speakers}
    return Scene(tracks, turns)
