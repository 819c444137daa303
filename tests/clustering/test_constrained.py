"""Groups of constrained segments: which speaker each becomes."""

import numpy as np
from numpy.typing import NDArray

from hocket.clustering import (
    Groups,
    Selection,
    TwoSpeakers,
    VoiceVectors,
    place_groups,
)
from hocket.clustering.constrained import GroupShares
from hocket.config import SpeakerCount
from tests.helpers.settings import CALIBRATION, clustering

CONFIG = clustering()


def voice(*cosines: float) -> NDArray[np.float32]:
    """Unit vector with these cosines to the first axes."""
    rest = np.sqrt(1 - np.square(cosines).sum())
    return np.array([*cosines, rest], np.float32)


def test_a_group_with_two_candidates_yields_to_a_group_with_one() -> None:
    first, second = voice(1, 0), voice(0, 1)
    one_only, either = voice(0.2, 0.74), voice(0.63, 0.76)
    vectors = np.stack([*[first] * 10, *[second] * 10, one_only, either])
    seconds = np.full(len(vectors), 1.2)
    voices = VoiceVectors(vectors, vectors, seconds, np.zeros(len(vectors)))
    labels = np.repeat([0, 1, 1, 1], [10, 10, 1, 1]).astype(np.int32)
    shares = GroupShares(np.array([20, 21]), np.array([0, 1]), np.ones(2))
    groups = Groups(shares, np.full(2, -1), np.zeros(2, np.bool_), frozenset({(0, 1)}))
    placed = place_groups(
        voices,
        np.arange(len(vectors)),
        Selection(labels, np.zeros(2)),
        groups,
        CONFIG,
        TwoSpeakers.of(CALIBRATION),
        SpeakerCount(),
    )
    assert placed.cluster.tolist() == [1, 0]
    assert placed.before.tolist() == [0, 1]


def test_a_group_split_from_a_speaker_takes_all_similar_subsegments_with_it() -> None:
    rng = np.random.default_rng(0)
    owner = np.tile(np.repeat([0, 1], 3), 8)  # taking turns of three subsegments
    both = np.stack([np.r_[1, 0, np.zeros(30)], np.r_[0.62, 0.78, np.zeros(30)]])
    noisy = both[owner] + rng.normal(0, 0.11, (len(owner), 32))
    vectors = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)
    voices = VoiceVectors(vectors, vectors, np.full(len(owner), 1.2), np.zeros(len(owner)))
    shares = GroupShares(np.array([0, 1, 3, 4]), np.array([0, 0, 1, 1]), np.ones(4))
    placed = place_groups(
        voices,
        np.arange(len(owner)) // 3,
        Selection(np.zeros(len(owner), np.int32), np.zeros(1)),
        Groups(shares, np.full(2, -1), np.zeros(2, np.bool_), frozenset({(0, 1)})),
        CONFIG,
        TwoSpeakers.of(CALIBRATION),
        SpeakerCount(),
    )
    assert np.array_equal(placed.labels, owner) or np.array_equal(placed.labels, 1 - owner)
