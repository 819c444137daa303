"""Regions to parts: the speaker of every frame."""

from itertools import groupby
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import Centroids, ClusterLabels, Parts, Regions, Subsegments, unit_length
from hocket.clustering import divide_regions, speaker_scores
from hocket.clustering.assignment import ANCHOR_BONUS, OWN_BONUS, SPURIOUS_PENALTY
from hocket.config import SubsegmentConfig
from hocket.embedding.subsegments import plan_subsegments
from tests.helpers.geometry import grid_of

GRID = grid_of(200, 4, 10)
CONFIG = SubsegmentConfig(length_s=0.4, hop_s=0.16, min_s=0.12)  # 10, 4 and 3 frames
SEEDS = st.integers(0, 2**32 - 1)
AXES: Centroids = np.eye(3, dtype=np.float32)


class Scene(NamedTuple):
    """Regions, and the embeddings of their subsegments."""

    regions: Regions
    subsegments: Subsegments
    vectors: NDArray[np.float32]
    labels: ClusterLabels
    centroids: Centroids
    spurious: NDArray[np.float64]

    def parts(self) -> list[tuple[int, int, int]]:
        return rows(divide_regions(self.regions, self.subsegments, speaker_scores(*self[2:])))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Regions, adjacent or not, with their subsegments and up to four speakers."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40)), max_size=6))
    regions = np.cumsum(np.array(pairs, np.int64).reshape(-1)).reshape(-1, 2)
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    rng = np.random.default_rng(draw(SEEDS))
    vectors = unit_length(rng.normal(size=(len(subsegments.region), 3)).astype(np.float32))
    clusters = draw(st.integers(0, 4))
    centroids = unit_length(rng.normal(size=(clusters, 3)).astype(np.float32))
    labels = rng.integers(-1, clusters, len(subsegments.region)).astype(np.int32)
    return Scene(regions, subsegments, vectors, labels, centroids, rng.uniform(size=clusters))


def one_region(
    crops: list[tuple[int, int]], vectors: list[list[float]], labels: list[int] | None = None
) -> Scene:
    """A region from frame 100 on, with subsegments in it; speakers lie along the axes."""
    firsts, lasts = np.array(crops, np.int64).reshape(-1, 2).T + 100
    regions = np.array([[100, max(lasts.tolist(), default=120)]], np.int64)
    subsegments = Subsegments(np.zeros(len(crops), np.int64), firsts, lasts)
    known = np.array([-1] * len(crops) if labels is None else labels, np.int32)
    return Scene(
        regions, subsegments, np.array(vectors, np.float32).reshape(-1, 3), known, AXES, np.zeros(3)
    )


def rows(parts: Parts) -> list[tuple[int, int, int]]:
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in parts)
    return list(zip(*(column.tolist() for column in parts), strict=True))


def scores_of(scene: Scene) -> NDArray[np.float64]:
    """Cosines less the penalty, plus the bonuses of subsegments that created a speaker."""
    found = scene.vectors @ scene.centroids.T
    for speaker, probability in enumerate(scene.spurious.tolist()):
        found[:, speaker] -= np.float32(SPURIOUS_PENALTY) * np.float32(probability)
        own = [row for row, label in enumerate(scene.labels.tolist()) if label == speaker]
        found[own, speaker] += OWN_BONUS
        if own:
            found[max(own, key=lambda row: (found[row, speaker], -row)), speaker] += ANCHOR_BONUS
    return found.astype(np.float64)


def highest(scene: Scene, scores: NDArray[np.float64], region: int, frame: int) -> int:
    """The speaker with the highest score over a frame; a subsegment counts most at its middle."""
    total = np.zeros(len(scene.centroids))
    for row in np.flatnonzero(scene.subsegments.region == region).tolist():
        first, last = int(scene.subsegments.first[row]), int(scene.subsegments.last[row])
        if first <= frame < last:
            half = (last - first) / 2
            total += (1 - 0.9 * abs(frame + 0.5 - first - half) / half) * scores[row]
    return int(total.argmax())


@given(scenes())
def test_a_frame_goes_to_the_speaker_with_the_highest_weighted_score(scene: Scene) -> None:
    expected, scores = [], scores_of(scene)
    for region, (first, last) in enumerate(scene.regions.tolist()):
        if len(scene.centroids) and (scene.subsegments.region == region).any():
            owners = [
                (frame, highest(scene, scores, region, frame)) for frame in range(first, last)
            ]
            for owner, group in groupby(owners, key=lambda pair: pair[1]):
                frames = [frame for frame, _ in group]
                expected.append((frames[0], frames[-1] + 1, owner))
    assert scene.parts() == expected


@given(scenes())
def test_parts_tile_the_regions_that_have_subsegments_and_no_others(scene: Scene) -> None:
    parts = scene.parts()
    covered = [frame for first, last, _ in parts for frame in range(first, last)]
    with_units = [
        scene.regions[region].tolist() for region in sorted(set(scene.subsegments.region.tolist()))
    ]
    expected = [frame for first, last in with_units for frame in range(first, last)]
    assert covered == (expected if len(scene.centroids) else [])
    assert all(first < last for first, last, _ in parts)


@given(scenes())
def test_inputs_are_not_changed(scene: Scene) -> None:
    arrays = [
        scene.regions,
        *scene.subsegments,
        scene.vectors,
        scene.labels,
        scene.centroids,
        scene.spurious,
    ]
    before = [array.copy() for array in arrays]
    scene.parts()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("cluster", [0, 1, 2])
def test_a_region_of_one_subsegment_is_one_part(cluster: int) -> None:
    scene = one_region([(0, 9)], [AXES[cluster].tolist()])
    assert scene.parts() == [(100, 109, cluster)]


@pytest.mark.parametrize(
    ("crops", "middle"),
    [([(0, 10), (10, 20)], 10), ([(0, 12), (8, 20)], 10), ([(0, 9), (1, 10)], 5)],
)
def test_two_distant_voices_are_divided_in_the_middle(
    crops: list[tuple[int, int]], middle: int
) -> None:
    scene = one_region(crops, [[1, 0, 0], [0, 1, 0]])
    assert scene.parts() == [
        (100, 100 + middle, 0),
        (100 + middle, 100 + crops[-1][1], 1),
    ]


def test_a_single_different_subsegment_among_others_is_a_part_of_its_own() -> None:
    crops = [(0, 10), (5, 15), (10, 20), (15, 25), (20, 30)]
    scene = one_region(crops, [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]])
    (_, first, _), (_, last, owner), _ = parts = scene.parts()
    assert [part[2] for part in parts] == [0, 2, 0]
    assert owner == 2
    assert first + last == 2 * 115  # around the middle of that subsegment
    assert last - first <= 6


def test_the_bonus_decides_between_nearly_equal_scores() -> None:
    between = [0.7, 0.7 + OWN_BONUS / 2, 0.0]
    for label, expected in [
        (-1, [(100, 109, 1), (109, 118, 0)]),
        (0, [(100, 118, 0)]),
        (1, [(100, 109, 1), (109, 118, 0)]),
    ]:
        scene = one_region([(0, 9), (9, 18)], [between, [1, 0, 0]], [label, 0])
        assert scene.parts() == expected


def test_the_bonus_does_not_outweigh_another_voice() -> None:
    between = [0.7 - OWN_BONUS, 0.7 + OWN_BONUS, 0.0]
    scene = one_region([(0, 9), (9, 18)], [between, [1, 0, 0]], [0, 0])
    assert scene.parts() == [(100, 109, 1), (109, 118, 0)]


def test_a_spurious_speaker_must_be_nearer_by_the_penalty() -> None:
    for nearer, owner in [(SPURIOUS_PENALTY - 0.01, 1), (SPURIOUS_PENALTY + 0.01, 0)]:
        scene = one_region([(0, 9)], [[0.3 + nearer, 0.3, 0.0]])
        assert scene.parts() == [(100, 109, 0)]
        assert scene._replace(spurious=np.array([1.0, 0, 0])).parts() == [(100, 109, owner)]


@given(scenes())
def test_every_speaker_keeps_the_subsegment_that_scores_highest_for_it(scene: Scene) -> None:
    scores = speaker_scores(*scene[2:])
    for speaker in set(scene.labels.tolist()) - {-1}:
        own = np.flatnonzero(scene.labels == speaker)
        without = scene._replace(labels=np.where(scene.labels == speaker, -1, scene.labels))
        gained = scores[own, speaker] - speaker_scores(*without[2:])[own, speaker]
        assert np.isclose(gained, OWN_BONUS + ANCHOR_BONUS, atol=1e-5).sum() == 1
        assert np.isclose(gained, OWN_BONUS, atol=1e-5).sum() == len(own) - 1


def test_identical_speakers_keep_the_subsegments_that_created_them() -> None:
    crops = [(0, 10), (10, 20), (20, 30)]
    scene = one_region(crops, [[1, 0, 0]] * 3, [2, 0, 1])._replace(
        centroids=np.tile(AXES[:1], (3, 1))
    )
    assert scene.parts() == [(100, 110, 2), (110, 120, 0), (120, 130, 1)]


def test_a_voice_unlike_all_speakers_goes_to_the_least_unlike() -> None:
    scene = one_region([(0, 9)], [[-0.8, -0.5, -0.6]])
    assert scene.parts() == [(100, 109, 1)]


def test_without_subsegments_regions_or_speakers_there_are_no_parts() -> None:
    alone = one_region([(0, 9)], [[1, 0, 0]])
    for scene in (
        one_region([], []),
        one_region([], [])._replace(regions=np.zeros((0, 2), np.int64)),
        alone._replace(centroids=AXES[:0], spurious=np.zeros(0)),
    ):
        assert scene.parts() == []
