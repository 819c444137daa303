"""Voices for conversations: their words, their similarity, and a division into halves."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.people.mixing import LEVEL, level
from bench.people.voices import RATE, Clips, Sound, find_voices, phrases, read_clip
from bench.simulation.bands import in_telephone_band
from bench.simulation.words import LEAST_SOUND_S

if TYPE_CHECKING:
    from hocket.offline.diarizer import Diarizer

LEAST_PIECE_S = 0.2  # a syllable; shorter pieces are joined to the next
LEAST_SPOKEN_S = 3.0  # voices with fewer words are not used
COMPARED_S = 10.0  # of the words are embedded; most voices have little more
HALVES = ("tune", "held")

Vector = NDArray[np.float32]
Embed = Callable[[Sound], Vector]


class VoicePool:
    """Voices to draw speakers from.

    clips: files of every voice, by name.
    embed: returns the vector of a sound, (samples,) at 16 kHz to (dimension,); called from several
        threads; None: hocket's embedding graph.
    """

    def __init__(self, clips: Clips, embed: Embed | None = None) -> None:
        self._clips = dict(clips)
        self._embed = embed or embed_with_hocket

    @classmethod
    def of(cls, folder: Path, half: str | None = None, embed: Embed | None = None) -> "VoicePool":
        """Voices of a folder that holds a folder of clips for each.

        Args:
            folder: where they are.
            half: `tune` or `held`, half of the names by their hash; None: all.
            embed: as in the class.

        Raises:
            BenchError: there are no voices, or the half is unknown.
        """
        return cls(clips_of(folder, half), embed)

    @cached_property
    def spoken_s(self) -> dict[str, float]:
        """Seconds of words by name, of voices that have enough."""
        spoken = {name: sum(map(len, self.pieces(name))) / RATE for name in sorted(self._clips)}
        return {name: seconds for name, seconds in spoken.items() if seconds >= LEAST_SPOKEN_S}

    @property
    def names(self) -> list[str]:
        """Names of voices with enough words, in order."""
        return list(self.spoken_s)

    def pieces(self, name: str) -> list[Sound]:
        """Speech of a voice, cut at pauses over 0.25 s: (samples,) each, of equal level."""
        found: list[Sound] = []
        for clip in self._clips[name]:
            pieces = phrases(read_clip(clip), LEAST_PIECE_S, LEAST_SOUND_S)
            if pieces:
                gain = np.float32(LEVEL / level(np.concatenate(pieces)))
                found += [gain * piece for piece in pieces]
        return found

    def draw(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different voices, or all if there are fewer."""
        self.require(1)
        found: list[str] = rng.permutation(self.names)[:count].tolist()
        return found

    def draw_rich(self, count: int, rng: np.random.Generator) -> list[str]:
        """Draw `count` different voices, those with several clips first."""
        order = self.draw(len(self.names), rng)
        return sorted(order, key=lambda name: len(self._clips[name]) == 1)[:count]

    def draw_talker(self, rng: np.random.Generator, power: float = 1.0) -> str:
        """Draw a voice with a probability by its seconds of words to that power."""
        self.require(1)
        weights = np.array(list(self.spoken_s.values())) ** power
        return self.names[int(rng.choice(len(weights), p=weights / weights.sum()))]

    def nearest(self, name: str, count: int) -> list[str]:
        """The other voices most similar to one by telephone, the most similar first."""
        vectors = self._vectors
        order = sorted(
            (other for other in vectors if other != name),
            key=lambda other: -float(vectors[name] @ vectors[other]),
        )
        return order[:count]

    def require(self, count: int) -> None:
        """Raise BenchError if fewer than `count` voices have enough words."""
        if len(self.names) < count:
            raise BenchError(
                f"{len(self.names)} of {len(self._clips)} voices have {LEAST_SPOKEN_S:g} s of "
                f"speech; give {count} or more"
            )

    @cached_property
    def _vectors(self) -> dict[str, Vector]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(self.names, pool.map(self._vector, self.names), strict=True))

    def _vector(self, name: str) -> Vector:
        speech = np.concatenate(self.pieces(name))[: round(COMPARED_S * RATE)]
        vector = self._embed(in_telephone_band(speech))
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def clips_of(folder: Path, half: str | None) -> dict[str, tuple[Path, ...]]:
    """Clips of the voices in a folder, or of half of them; arguments as in `VoicePool.of`."""
    clips = find_voices(folder)
    if half is None:
        return clips
    if half not in HALVES:
        raise BenchError(f"{half}: no such half; choose one of {', '.join(HALVES)}")
    return {name: clips[name] for name in clips if half_of(name) == half}


def half_of(name: str) -> str:
    """The half that a voice belongs to, independent of other voices."""
    return HALVES[hashlib.sha256(name.encode()).digest()[0] % 2]


def embed_with_hocket(sound: Sound) -> Vector:
    """Embed a whole sound with hocket, (samples,) to (dimension,)."""
    return _diarizer().load().embedder.embed_sound(sound)


@cache
def _diarizer() -> "Diarizer":
    # imported here: graphs import their runtimes, which most kinds do not need
    from hocket.offline.diarizer import Diarizer

    return Diarizer()


def rotated(pieces: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """The same pieces, rotated to start at a random one."""
    first = int(rng.integers(len(pieces)))
    return [*pieces[first:], *pieces[:first]]
