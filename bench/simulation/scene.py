"""A script of utterances with their times, and the scene of tracks that it becomes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.fft import next_fast_len

from bench.annotations import Turn
from bench.people.voices import PAUSE_S, RATE, Sound
from bench.simulation.words import LEAST_S, Words

APART_S = 0.05  # shortest gap between utterances of one speaker
EDGE_S = (0.1, 0.8)  # silence before the first words, and after the last


class Utterance(NamedTuple):
    """Words of a speaker, (samples,) at 16 kHz, from sample `start` of the conversation."""

    speaker: str
    start: int
    sound: Sound

    @property
    def end(self) -> int:
        """The sample after the last one."""
        return self.start + len(self.sound)

    @property
    def seconds(self) -> float:
        """Length of the words."""
        return len(self.sound) / RATE


class Scene(NamedTuple):
    """A conversation before any channel.

    tracks: clean sound of every speaker, (samples,) each, of equal length.
    turns: in order of their starts.
    utterances: clean clips of words, and where they begin in the tracks.
    """

    tracks: dict[str, Sound]
    turns: list[Turn]
    utterances: tuple[Utterance, ...] = ()

    @property
    def samples(self) -> int:
        """Length of the scene."""
        return max((len(track) for track in self.tracks.values()), default=0)

    @property
    def speakers(self) -> list[str]:
        """Speakers in order of their first turn."""
        return list(dict.fromkeys(turn.speaker for turn in self.turns))


class Script:
    """A conversation while it is being written.

    words: the words of every speaker.
    rng: draws the silence at both ends.
    """

    def __init__(self, words: Mapping[str, Words], rng: np.random.Generator) -> None:
        self.words = dict(words)
        self.utterances: list[Utterance] = []
        self.nonspeech: list[Utterance] = []  # sounds without words
        self._first, self._tail = (round(edge * RATE) for edge in rng.uniform(*EDGE_S, 2))

    @property
    def end(self) -> int:
        """The sample after the last words; before the first words, where they will begin."""
        return max((each.end for each in self.utterances), default=self._first)

    def ready(self, speaker: str) -> int:
        """First sample at which a speaker can speak again."""
        mine = (each.end for each in self.utterances if each.speaker == speaker)
        return max(mine, default=-round(APART_S * RATE)) + round(APART_S * RATE)

    def able(self, speaker: str, least_s: float = 0.0) -> bool:
        """Whether a speaker has words left."""
        return self.words[speaker].left_s >= max(least_s, LEAST_S)

    def say(self, speaker: str, seconds: float, at: int) -> Utterance | None:
        """Add the next words of a speaker at a sample or later; None without words."""
        return self.place(speaker, self.words[speaker].take(seconds), at)

    def place(self, speaker: str, sound: Sound, at: int) -> Utterance | None:
        """Add a sound of a speaker at a sample or later; None if it is empty."""
        if not len(sound):
            return None
        self.utterances.append(Utterance(speaker, max(0, at, self.ready(speaker)), sound))
        return self.utterances[-1]

    def scene(self) -> Scene:
        """The tracks and turns."""
        # noise is generated many times faster for lengths with small factors
        size = next_fast_len(self.end + self._tail, real=True)
        tracks = {name: np.zeros(size, np.float32) for name in self.words}
        for each in [*self.utterances, *self.nonspeech]:
            tracks[each.speaker][each.start : each.end] += each.sound
        turns = [Turn(each.start / RATE, each.end / RATE, each.speaker) for each in self.utterances]
        return Scene(tracks, joined(turns), tuple(self.utterances))


def joined(turns: list[Turn]) -> list[Turn]:
    """Turns in order; turns of one speaker at most 0.25 s apart are joined.

    Pauses inside words are that short (`bench.people.voices.phrases`).
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
    """The part between two times, with clipped turns and words, and without silent speakers."""
    first, last = round(start * RATE), round(end * RATE)
    start, end = first / RATE, last / RATE
    clipped = [
        Turn(max(turn.start, start) - start, min(turn.end, end) - start, turn.speaker)
        for turn in scene.turns
    ]
    turns = [turn for turn in clipped if turn.end - turn.start > 0]
    speakers = {turn.speaker for turn in turns}
    tracks = {name: track[first:last] for name, track in scene.tracks.items() if name in speakers}
    return Scene(tracks, turns, tuple(_clipped(scene.utterances, first, last)))


def _clipped(utterances: Sequence[Utterance], first: int, last: int) -> Iterator[Utterance]:
    """Words between two samples, placed from the first of these."""
    for speaker, start, sound in utterances:
        kept = sound[max(0, first - start) : max(0, last - start)]
        if len(kept):
            yield Utterance(speaker, max(start - first, 0), kept)
