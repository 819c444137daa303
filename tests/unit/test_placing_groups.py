"""Which speaker a group of stretches becomes where several want the same."""

import numpy as np
from numpy.typing import NDArray

from hocket.clustering import (
    Groups,
    Selection,
    DuplicateLimit,
    TwoSpeakers,
    VoiceVectors,
    place_groups,
)
from hocket.clustering.constrained import Touches
from hocket.config import SpeakerCount
from hocket.models import read_catalogue

CALIBRATION = read_catalogue().calibrations["campplus"]
LIMIT = DuplicateLimit(*(CALIBRATION[f"duplicate_{name}"] for name in DuplicateLimit._fields))


def voice(*cosines: float) -> NDArray[np.float32]:
    """Unit vector with these cosines to the first axes."""
    rest = np.sqrt(1 - np.square(cosines).sum())
    return np.array([*cosines, rest], np.float32)


def test_who_could_be_either_gives_way_to_who_could_be_one_only() -> None:
    first, second = voice(1, 0), voice(0, 1)
    one_only, either = voice(0.2, 0.74), voice(0.63, 0.76)
    vectors = np.stack([*[first] * 10, *[second] * 10, one_only, either])
    seconds = np.full(len(vectors), 1.2)
    voices = VoiceVectors(vectors, vectors, seconds, np.zeros(len(vectors)))
    labels = np.repeat([0, 1, 1, 1], [10, 10, 1, 1]).astype(np.int32)
    touches = Touches(np.array([20, 21]), np.array([0, 1]), np.ones(2))
    groups = Groups(touches, np.full(2, -1), np.zeros(2, np.bool_), frozenset({(0, 1)}))
    placed = place_groups(
        voices,
        np.arange(len(vectors)),
        Selection(labels, np.zeros(2)),
        groups,
        LIMIT,
        TwoSpeakers.of(CALIBRATION),
        SpeakerCount(),
    )
    assert placed.cluster.tolist() == [1, 0]
    assert placed.before.tolist() == [0, 1]


def test_who_is_told_apart_from_a_speaker_takes_all_that_is_theirs_from_it() -> None:
    rng = np.random.default_rng(0)
    owner = np.tile(np.repeat([0, 1], 3), 8)  # taking turns, three units each
    both = np.stack([np.r_[1, 0, np.zeros(30)], np.r_[0.62, 0.78, np.zeros(30)]])
    noisy = both[owner] + rng.normal(0, 0.11, (len(owner), 32))
    vectors = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    voices = VoiceVectors(vectors, vectors, np.full(len(owner), 1.2), np.zeros(len(owner)))
    touches = Touches(np.array([0, 1, 3, 4]), np.array([0, 0, 1, 1]), np.ones(4))
    placed = place_groups(
        voices,
        np.arange(len(owner)) // 3,
        Selection(np.zeros(len(owner), np.int32), np.zeros(1)),
        Groups(touches, np.full(2, -1), np.zeros(2, np.bool_), frozenset({(0, 1)})),
        LIMIT,
        TwoSpeakers.of(CALIBRATION),
        SpeakerCount(),
    )
    assert np.array_equal(placed.labels, owner) or np.array_equal(placed.labels, 1 - owner)
