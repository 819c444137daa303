"""Voices that conversations are made of: their words, halves of them, and which are alike."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.people_mixing import LEVEL, level
from bench.people_voices import RATE, Clips, Sound, find_voices, phrases, read_clip
from bench.simulation.bands import in_telephone_band
from bench.simulation.words import LEAST_SOUND_S

if TYPE_CHECKING:
    from hocket.offline.diarizer import Diarizer

LEAST_PIECE_S = 0.2  # a syllable; what is shorter is joined to what comes after
LEAST_SPOKEN_S = 3.0  # with fewer words somebody is left out
COMPARED_S = 10.0  # of the words, for the embedding: most voices have little more
HALVES = ("tune", "held")

Vector = NDArray[np.float32]
Embed = Callable[[Sound], Vector]


class VoiceVectors:
    """Who there is to speak.

    clips: files of everybody, by name.
    embed: gives the vector of a sound, (samples,) at 16 kHz to (dimension,), and is called from
        several threads; None: hocket's embedding graph.
    """

    def __init__(self, clips: Clips, embed: Embed | None = None) -> None:
        self._clips = dict(clips)
        self._embed = embed or embed_with_hocket

    @classmethod
    def of(cls, folder: Path, half: str | None = None, embed: Embed | None = None) -> "VoiceVectors":
        """Voices of a folder that has a folder of clips for everybody.

        Args:
            folder: the place.
            half: `tune` or `held`, half of the names by their hash; None: all.
            embed: as in the class.

        Raises:
            BenchError: there are none, or no such half.
        """
        return cls(clips_of(folder, half), embed)

    @cached_property
    def spoken_s(self) -> dict[str, float]:
        """Seconds of words of everybody who has enough of them, by name."""
        spoken = {name: sum(map(len, self.pieces(name))) / RATE for name in sorted(self._clips)}
        return {name: seconds for name, seconds in spoken.items() if seconds >= LEAST_SPOKEN_S}

    @property
    def names(self) -> list[str]:
        """Everybody who has enough words, in order."""
        return list(self.spoken_s)

    def pieces(self, name: str) -> list[Sound]:
        """What a voice says, cut at its pauses of over 0.25 s: (samples,) each, of equal level."""
        found: list[Sound] = []
        for clip in self._clips[name]:
            said = phrases(read_clip(clip), LEAST_PIECE_S, LEAST_SOUND_S)
            if said:
                gain = np.float32(LEVEL / level(np.concatenate(said)))
                found += [gain * piece for piece in said]
        return found

    def draw(self, count: int, rng: np.random.Generator) -> list[str]:
        """So many different voices; all there are if that is fewer."""
        self.require(1)
        found: list[str] = rng.permutation(self.names)[:count].tolist()
        return found

    def draw_rich(self, count: int, rng: np.random.Generator) -> list[str]:
        """So many different voices, those with several clips first."""
        order = self.draw(len(self.names), rng)
        return sorted(order, key=lambda name: len(self._clips[name]) == 1)[:count]

    def draw_talker(self, rng: np.random.Generator, power: float = 1.0) -> str:
        """A voice, likelier with more words: by their seconds to that power."""
        self.require(1)
        weights = np.array(list(self.spoken_s.values())) ** power
        return self.names[int(rng.choice(len(weights), p=weights / weights.sum()))]

    def nearest(self, name: str, count: int) -> list[str]:
        """The other voices that are most like one on the telephone, most alike first."""
        vectors = self._vectors
        order = sorted(
            (other for other in vectors if other != name),
            key=lambda other: -float(vectors[name] @ vectors[other]),
        )
        return order[:count]

    def require(self, count: int) -> None:
        """Raise BenchError if fewer voices than that have enough words."""
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
        said = np.concatenate(self.pieces(name))[: round(COMPARED_S * RATE)]
        vector = self._embed(in_telephone_band(said))
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def clips_of(folder: Path, half: str | None) -> dict[str, tuple[Path, ...]]:
    """Clips of everybody in a folder, or of half of them; everything else as in `VoiceVectors.of`."""
    clips = find_voices(folder)
    if half is None:
        return clips
    if half not in HALVES:
        raise BenchError(f"{half}: no such half; choose one of {', '.join(HALVES)}")
    return {name: clips[name] for name in clips if half_of(name) == half}


def half_of(name: str) -> str:
    """Which half a voice belongs to, whatever others there are."""
    return HALVES[hashlib.sha256(name.encode()).digest()[0] % 2]


def embed_with_hocket(sound: Sound) -> Vector:
    """What hocket's embedding graph makes of a sound as a whole, (samples,) to (dimension,)."""
    # Imported here: graphs bring their runtimes, which most kinds have no use for.
    from hocket.speakers.enroll import embed

    return embed(sound, _diarizer())


@cache
def _diarizer() -> "Diarizer":
    from hocket.offline.diarizer import Diarizer

    return Diarizer()


def rotated(pieces: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """The same pieces in their order from a drawn one on, the first ones last."""
    first = int(rng.integers(len(pieces)))
    return [*pieces[first:], *pieces[:first]]
