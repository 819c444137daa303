"""Whether a clip shows one voice clearly, and whether that is the voice that it is said to be."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.errors import AudioVoiceError, SpeakerError, one_line
from hocket.offline.artifacts import Artifacts
from hocket.result import EmbeddingModel, Result
from hocket.speakers.matching import distances, index_exemplars

# measured on 60 voices, clean and in 16 kinds of noise: of clean clips, in rooms and by telephone
# none is refused, with noise of -10 dB and of several voices all are
MOST_OVERLAP = 0.2  # mean probability that several people speak, where anybody does
LEAST_CLEAR = 0.65  # probability that one person speaks, times confidence in the turns
RANGE_DB = 4.5  # of levels, from their 10 % to their 90 % quantile; noise alone has less
NARROW_RANGE_DB, NARROW_CLEAR = 5.5, 0.87  # less range is suspicious unless speech is clear
PART_S = 0.02  # length of what has one level


def check_clear(
    artifacts: Artifacts, result: Result, samples: Waveform, rate: int, name: str
) -> None:
    """Raise AudioVoiceError unless one person speaks in a clip, clearly enough to be enrolled.

    Args:
        artifacts: of the clip.
        result: of the clip.
        samples: (samples,) of the clip.
        rate: Hz.
        name: of the clip.
    """
    remedy = "give a clip of one person in a quiet place"
    occupancy = artifacts.segmentation.occupancy
    spoken = occupancy[occupancy[:, 1:].sum(axis=1) > 0.5]
    if not len(spoken) or not result.turns:
        return
    single, several = spoken[:, 1:3].mean(axis=0).tolist()
    if several >= MOST_OVERLAP:
        raise AudioVoiceError(name, "has several voices at once", remedy)
    seconds = sum(turn.duration for turn in result.turns)
    sure = sum(turn.duration * (turn.confidence or 0.0) for turn in result.turns) / seconds
    spread, clear = _range_db(samples, rate), single * sure
    noisy = spread < RANGE_DB or (spread < NARROW_RANGE_DB and clear < NARROW_CLEAR)
    if noisy or clear < LEAST_CLEAR:
        raise AudioVoiceError(name, "has a voice that is hardly louder than the noise", remedy)


def _range_db(samples: Waveform, rate: int) -> float:
    """Range of levels in a clip, in dB."""
    part = max(1, round(PART_S * rate))
    parts = samples[: len(samples) // part * part].reshape(-1, part)
    levels = 10 * np.log10(np.mean(parts**2, axis=1, dtype=np.float64) + 1e-10)
    low, high = np.quantile(levels, (0.1, 0.9)) if len(levels) else (0.0, 0.0)
    return float(high - low)


class Voice(NamedTuple):
    """A speaker's exemplars, (exemplars, dimension)."""

    name: str
    vectors: NDArray[np.float32]


def distance_between(voice: NDArray[np.float32], exemplars: NDArray[np.float32]) -> float:
    """Distance of a voice, (dimension,), from a speaker's exemplars; infinite if there are none."""
    if not len(exemplars):
        return float("inf")
    index = index_exemplars(np.zeros(len(exemplars), np.int64), exemplars)
    return float(distances(voice[None], index)[0, 0])


def check_same(
    clip: str, voice: NDArray[np.float32], own: Voice, others: list[Voice], model: EmbeddingModel
) -> float:
    """Distance of a clip's voice from the exemplars that it is to join.

    Args:
        clip: name of the clip.
        voice: (dimension,) unit vector.
        own: whom it joins.
        others: all other speakers.
        model: of the embeddings.

    Raises:
        SpeakerError: it is farther than `verify_distance`, or nearer to another speaker.
    """
    far = distance_between(voice, own.vectors)
    insist = "check the clip, or add it all the same with --force (force=True)"
    if far > model.verify_distance:
        raise SpeakerError(
            f"{one_line(clip)}: is not the voice of {own.name} (distance {far:.3f}, "
            f"{model.verify_distance:g} at most); {insist}"
        )
    nearest = nearest_of(voice, others)
    if nearest is not None and nearest[1] < far and nearest[1] <= model.name_distance:
        raise SpeakerError(
            f"{one_line(clip)}: is nearer to {nearest[0]} (distance {nearest[1]:.3f}) than to "
            f"{own.name} ({far:.3f}); {insist}"
        )
    return far


def nearest_of(voice: NDArray[np.float32], others: list[Voice]) -> tuple[str, float] | None:
    """Name and distance of the speaker nearest to a voice; None if there is none."""
    found = [(distance_between(voice, other.vectors), other.name) for other in others]
    if not found:
        return None
    far, name = min(found)
    return name, far
