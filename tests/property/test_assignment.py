"""Runs to parts: whose voice is heard around every frame."""

from itertools import groupby
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import Centroids, Parts, Regions, ClusterLabels, Subsegments, unit_length
from hocket.clustering import claims, divide_regions
from hocket.clustering.assignment import KEEP, LOYALTY, SPURIOUS_PENALTY
from hocket.config import SubsegmentConfig
from hocket.embedding.subsegments import plan_subsegments
from hocket.geometry import Geometry

GRID = Geometry(100, 200, 4, 10, 48, 3)
CONFIG = SubsegmentConfig(length_s=0.4, hop_s=0.16, min_s=0.12)  # 10, 4 and 3 frames
SEEDS = st.integers(0, 2**32 - 1)
AXES: Centroids = np.eye(3, dtype=np.float32)


class Heard(NamedTuple):
    """What is known of the runs' voices."""

    regions: Regions
    subsegments: Subsegments
    vectors: NDArray[np.float32]
    labels: ClusterLabels
    centroids: Centroids
    uncertain: NDArray[np.float64]

    def parts(self) -> list[tuple[int, int, int]]:
        return rows(divide_regions(self.regions, self.subsegments, claims(*self[2:])))


@st.composite
def heard(draw: st.DrawFn) -> Heard:
    """Runs, touching or not, with the units that would be embedded, and up to four speakers."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 40)), max_size=6))
    regions = np.cumsum(np.array(pairs, np.int64).reshape(-1)).reshape(-1, 2)
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    rng = np.random.default_rng(draw(SEEDS))
    vectors = unit_length(rng.normal(size=(len(subsegments.run), 3)).astype(np.float32))
    clusters = draw(st.integers(0, 4))
    centroids = unit_length(rng.normal(size=(clusters, 3)).astype(np.float32))
    labels = rng.integers(-1, clusters, len(subsegments.run)).astype(np.int32)
    return Heard(regions, subsegments, vectors, labels, centroids, rng.uniform(size=clusters))


def one_run(
    crops: list[tuple[int, int]], vectors: list[list[float]], labels: list[int] | None = None
) -> Heard:
    """A run from frame 100 on, its units from and to frames of it; speakers lie along the axes."""
    firsts, lasts = np.array(crops, np.int64).reshape(-1, 2).T + 100
    regions = np.array([[100, max(lasts.tolist(), default=120)]], np.int64)
    subsegments = Subsegments(np.zeros(len(crops), np.int64), firsts, lasts)
    known = np.array([-1] * len(crops) if labels is None else labels, np.int32)
    return Heard(
        regions, subsegments, np.array(vectors, np.float32).reshape(-1, 3), known, AXES, np.zeros(3)
    )


def rows(parts: Parts) -> list[tuple[int, int, int]]:
    assert all(column.dtype == np.int64 and column.ndim == 1 for column in parts)
    return list(zip(*(column.tolist() for column in parts), strict=True))


def claimed(scene: Heard) -> NDArray[np.float64]:
    """Cosines, less the price of doubt, more for the units a speaker was made of."""
    found = scene.vectors @ scene.centroids.T
    for speaker, doubt in enumerate(scene.uncertain.tolist()):
        found[:, speaker] -= np.float32(SPURIOUS_PENALTY) * np.float32(doubt)
        own = [unit for unit, label in enumerate(scene.labels.tolist()) if label == speaker]
        found[own, speaker] += LOYALTY
        if own:
            found[max(own, key=lambda unit: (found[unit, speaker], -unit)), speaker] += KEEP
    return found.astype(np.float64)


def loudest(scene: Heard, strength: NDArray[np.float64], run: int, frame: int) -> int:
    """The speaker with most claim to the units over a frame, each counting most at its middle."""
    total = np.zeros(len(scene.centroids))
    for unit in np.flatnonzero(scene.subsegments.run == run).tolist():
        first, last = int(scene.subsegments.first[unit]), int(scene.subsegments.last[unit])
        if first <= frame < last:
            half = (last - first) / 2
            total += (1 - 0.9 * abs(frame + 0.5 - first - half) / half) * strength[unit]
    return int(total.argmax())


@given(heard())
def test_a_frame_goes_to_the_speaker_with_most_claim_to_the_units_over_it(scene: Heard) -> None:
    expected, strength = [], claimed(scene)
    for run, (first, last) in enumerate(scene.regions.tolist()):
        if len(scene.centroids) and (scene.subsegments.run == run).any():
            owners = [(frame, loudest(scene, strength, run, frame)) for frame in range(first, last)]
            for owner, group in groupby(owners, key=lambda pair: pair[1]):
                frames = [frame for frame, _ in group]
                expected.append((frames[0], frames[-1] + 1, owner))
    assert scene.parts() == expected


@given(heard())
def test_parts_tile_the_runs_that_have_units_and_no_others(scene: Heard) -> None:
    parts = scene.parts()
    covered = [frame for first, last, _ in parts for frame in range(first, last)]
    with_units = [
        scene.regions[run].tolist() for run in sorted(set(scene.subsegments.run.tolist()))
    ]
    expected = [frame for first, last in with_units for frame in range(first, last)]
    assert covered == (expected if len(scene.centroids) else [])
    assert all(first < last for first, last, _ in parts)


@given(heard())
def test_what_is_given_stays_as_it_was(scene: Heard) -> None:
    arrays = [
        scene.regions,
        *scene.subsegments,
        scene.vectors,
        scene.labels,
        scene.centroids,
        scene.uncertain,
    ]
    before = [array.copy() for array in arrays]
    scene.parts()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("cluster", [0, 1, 2])
def test_a_run_of_one_unit_is_one_part(cluster: int) -> None:
    scene = one_run([(0, 9)], [AXES[cluster].tolist()])
    assert scene.parts() == [(100, 109, cluster)]


@pytest.mark.parametrize(
    ("spans", "middle"),
    [([(0, 10), (10, 20)], 10), ([(0, 12), (8, 20)], 10), ([(0, 9), (1, 10)], 5)],
)
def test_two_far_voices_are_parted_in_the_middle(crops: list[tuple[int, int]], middle: int) -> None:
    scene = one_run(crops, [[1, 0, 0], [0, 1, 0]])
    assert scene.parts() == [
        (100, 100 + middle, 0),
        (100 + middle, 100 + crops[-1][1], 1),
    ]


def test_one_odd_unit_among_others_is_a_part_of_its_own() -> None:
    crops = [(0, 10), (5, 15), (10, 20), (15, 25), (20, 30)]
    scene = one_run(crops, [[1, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0], [1, 0, 0]])
    (_, first, _), (_, last, owner), _ = parts = scene.parts()
    assert [part[2] for part in parts] == [0, 2, 0]
    assert owner == 2
    assert first + last == 2 * 115  # around the odd unit's middle
    assert last - first <= 6


def test_loyalty_decides_between_voices_as_good_as_equal() -> None:
    between = [0.7, 0.7 + LOYALTY / 2, 0.0]
    for label, expected in [
        (-1, [(100, 109, 1), (109, 118, 0)]),
        (0, [(100, 118, 0)]),
        (1, [(100, 109, 1), (109, 118, 0)]),
    ]:
        scene = one_run([(0, 9), (9, 18)], [between, [1, 0, 0]], [label, 0])
        assert scene.parts() == expected


def test_loyalty_does_not_outweigh_another_voice() -> None:
    between = [0.7 - LOYALTY, 0.7 + LOYALTY, 0.0]
    scene = one_run([(0, 9), (9, 18)], [between, [1, 0, 0]], [0, 0])
    assert scene.parts() == [(100, 109, 1), (109, 118, 0)]


def test_who_is_hardly_a_speaker_must_be_nearer_than_the_others() -> None:
    for nearer, owner in [(SPURIOUS_PENALTY - 0.01, 1), (SPURIOUS_PENALTY + 0.01, 0)]:
        scene = one_run([(0, 9)], [[0.3 + nearer, 0.3, 0.0]])
        assert scene.parts() == [(100, 109, 0)]
        assert scene._replace(uncertain=np.array([1.0, 0, 0])).parts() == [(100, 109, owner)]


@given(heard())
def test_every_speaker_keeps_most_of_the_unit_that_is_most_its_own(scene: Heard) -> None:
    strength = claims(*scene[2:])
    for speaker in set(scene.labels.tolist()) - {-1}:
        own = np.flatnonzero(scene.labels == speaker)
        without = scene._replace(labels=np.where(scene.labels == speaker, -1, scene.labels))
        gained = strength[own, speaker] - claims(*without[2:])[own, speaker]
        assert np.isclose(gained, LOYALTY + KEEP, atol=1e-5).sum() == 1
        assert np.isclose(gained, LOYALTY, atol=1e-5).sum() == len(own) - 1


def test_identical_speakers_keep_the_units_they_were_made_of() -> None:
    crops = [(0, 10), (10, 20), (20, 30)]
    scene = one_run(crops, [[1, 0, 0]] * 3, [2, 0, 1])._replace(centroids=np.tile(AXES[:1], (3, 1)))
    assert scene.parts() == [(100, 110, 2), (110, 120, 0), (120, 130, 1)]


def test_a_voice_unlike_all_speakers_still_goes_to_the_least_unlike() -> None:
    scene = one_run([(0, 9)], [[-0.8, -0.5, -0.6]])
    assert scene.parts() == [(100, 109, 1)]


def test_without_units_runs_or_speakers_there_are_no_parts() -> None:
    alone = one_run([(0, 9)], [[1, 0, 0]])
    for scene in (
        one_run([], []),
        one_run([], [])._replace(regions=np.zeros((0, 2), np.int64)),
        alone._replace(centroids=AXES[:0], uncertain=np.zeros(0)),
    ):
        assert scene.parts() == []
