"""Overlapping windows to one timeline: votes, counts, who is active, who is strongest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.arrays import Activations, FrameCounts, Labels, Masks, UnitLabels, Units, Votes
from hocket.reconstruct import activate, frame_votes, strongest

SEEDS = st.integers(0, 2**32 - 1)
NO_UNIT_LABELS: UnitLabels = np.zeros(0, np.int32)

UnitRow = tuple[int, int, int, int]
"""Window, slot, first and last frame."""


class Scene(NamedTuple):
    """Windows whose masks show one truth, (frames, clusters)."""

    truth: NDArray[np.uint8]
    masks: Masks
    first_frames: NDArray[np.int64]
    labels: Labels


def units_of(rows: Sequence[UnitRow]) -> Units:
    return Units(*np.array(rows, np.int64).reshape(-1, 4).T)


NO_UNITS = units_of([])


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Consistent windows; each has the clusters in slots of its own order."""
    windows, length = draw(st.integers(1, 6)), draw(st.integers(1, 10))
    steps = draw(st.lists(st.integers(1, length), min_size=windows - 1, max_size=windows - 1))
    rng = np.random.default_rng(draw(SEEDS))
    first_frames = np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])
    truth = rng.integers(0, 2, (int(first_frames[-1]) + length, 3), np.uint8)
    labels = np.stack([rng.permutation(3) for _ in range(windows)]).astype(np.int32)
    spans = [truth[first : first + length] for first in first_frames]
    masks = np.stack([span[:, order] for span, order in zip(spans, labels, strict=True)])
    return Scene(truth, masks, first_frames, labels)


def votes_of(scene: Scene) -> tuple[Votes, FrameCounts]:
    masks, first_frames, labels = scene[1:]
    return frame_votes(masks, first_frames, labels, NO_UNITS, NO_UNIT_LABELS, 3)


def speakers_at(frame: int, masks: Masks, first_frames: NDArray[np.int64]) -> list[list[int]]:
    """Slots that speak in a frame of the recording, for every window over it."""
    return [
        np.flatnonzero(mask[frame - first]).tolist()
        for mask, first in zip(masks, first_frames.tolist(), strict=True)
        if 0 <= frame - first < len(mask)
    ]


@given(scenes())
def test_windows_that_agree_give_their_masks_back(scene: Scene) -> None:
    votes, counts = votes_of(scene)
    np.testing.assert_array_equal(votes, scene.truth)
    np.testing.assert_array_equal(counts, scene.truth.sum(axis=1))
    np.testing.assert_array_equal(activate(votes, counts), scene.truth.astype(bool))
    assert votes.dtype == np.float32
    assert counts.dtype == np.int32


@given(scenes(), SEEDS)
def test_a_vote_is_the_share_of_windows_in_which_a_cluster_speaks(scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, 2, scene.masks.shape, np.uint8)
    labels = rng.integers(-1, 3, scene.labels.shape, np.int32)  # slots may share a cluster
    votes, counts = votes_of(scene._replace(masks=masks, labels=labels))
    for frame in range(len(votes)):
        speaking = speakers_at(frame, masks, scene.first_frames)
        over = [
            window
            for window, first in enumerate(scene.first_frames.tolist())
            if 0 <= frame - first < masks.shape[1]
        ]
        heard = [
            set(labels[window, slots].tolist())
            for window, slots in zip(over, speaking, strict=True)
        ]
        shares = [sum(cluster in one for one in heard) / len(over) for cluster in range(3)]
        np.testing.assert_allclose(votes[frame], shares, rtol=1e-6)
        mean = sum(map(len, speaking)) / len(over)
        assert abs(counts[frame] - mean) <= 0.5 + 1e-6


@given(scenes(), st.lists(st.integers(0, 2), min_size=18, max_size=18))
def test_votes_lie_between_none_and_all_windows(scene: Scene, labels: list[int]) -> None:
    """Units may move two slots of a window to one cluster, which is still heard once."""
    same = np.array(labels, np.int32).reshape(6, 3)[: len(scene.masks)]
    votes, _ = votes_of(scene._replace(labels=same))
    assert votes.min(initial=0) >= 0
    assert votes.max(initial=0) <= 1


def test_half_the_windows_are_half_a_vote() -> None:
    masks = np.array([[[1], [1], [0]], [[0], [1], [1]]], np.uint8)
    labels = np.zeros((2, 1), np.int32)
    votes, counts = frame_votes(masks, np.array([0, 1]), labels, NO_UNITS, NO_UNIT_LABELS, 1)
    assert votes.tolist() == [[1.0], [0.5], [0.5], [1.0]]
    assert counts[[0, 3]].tolist() == [1, 1]


def test_people_are_counted_by_the_rounded_mean() -> None:
    people = np.array([0, 1, 1, 2, 3], np.int64)  # in the middle of five windows
    masks = (np.arange(3) < people[:, None]).astype(np.uint8)[:, None].repeat(5, axis=1)
    labels = np.tile(np.arange(3, dtype=np.int32), (5, 1))
    _, counts = frame_votes(masks, np.arange(5), labels, NO_UNITS, NO_UNIT_LABELS, 3)
    # the means are 0, 2/3, 7/5, 7/4, 2 and 3
    assert counts[[0, 2, 4, 5, 6, 8]].tolist() == [0, 1, 1, 2, 2, 3]


def test_unlabelled_slots_count_as_people_but_have_no_vote() -> None:
    masks = np.ones((1, 4, 2), np.uint8)
    labels = np.array([[-1, 0]], np.int32)
    votes, counts = frame_votes(masks, np.array([0]), labels, NO_UNITS, NO_UNIT_LABELS, 2)
    assert votes.tolist() == [[1.0, 0.0]] * 4
    assert counts.tolist() == [2] * 4


def test_a_unit_overrules_its_slot_in_its_own_frames_and_window() -> None:
    masks = np.zeros((2, 5, 2), np.uint8)
    masks[:, :, 1] = 1
    units = units_of([(0, 1, 1, 3), (1, 1, 0, 2), (1, 1, 3, 5)])
    votes, _ = frame_votes(
        masks, np.array([0, 5]), np.zeros((2, 2), np.int32), units, np.array([1, 2, -1]), 3
    )
    heard_of = [0, 1, 1, 0, 0, 2, 2, 0, None, None]
    expected = [[float(cluster == one) for cluster in range(3)] for one in heard_of]
    assert votes.tolist() == expected


def test_frames_that_no_window_covers_are_silent() -> None:
    masks = np.ones((2, 2, 1), np.uint8)
    labels = np.zeros((2, 1), np.int32)
    votes, counts = frame_votes(masks, np.array([0, 4]), labels, NO_UNITS, NO_UNIT_LABELS, 1)
    assert counts.tolist() == [1, 1, 0, 0, 1, 1]
    assert votes[:, 0].tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("clusters", [0, 4])
def test_no_windows_give_empty_arrays(clusters: int) -> None:
    masks, labels = np.zeros((0, 5, 3), np.uint8), np.zeros((0, 3), np.int32)
    starts = np.zeros(0, np.int64)
    votes, counts = frame_votes(masks, starts, labels, NO_UNITS, NO_UNIT_LABELS, clusters)
    assert votes.shape == (0, clusters)
    assert counts.shape == (0,)
    activations = activate(votes, counts)
    assert activations.shape == strongest(votes, activations).shape == (0, clusters)


def test_without_clusters_nobody_speaks() -> None:
    masks, labels = np.ones((1, 6, 3), np.uint8), np.full((1, 3), -1, np.int32)
    votes, counts = frame_votes(masks, np.array([0]), labels, NO_UNITS, NO_UNIT_LABELS, 0)
    assert counts.tolist() == [3] * 6
    activations = activate(votes, counts)
    assert activations.shape == strongest(votes, activations).shape == (6, 0)


@st.composite
def ballots(draw: st.DrawFn) -> tuple[Votes, FrameCounts]:
    """Votes with many ties and zeros, and how many may speak."""
    shape = draw(st.tuples(st.integers(0, 12), st.integers(0, 5)))
    quarters = draw(arrays(np.uint8, shape, elements=st.integers(0, 4)))
    counts = draw(arrays(np.int32, shape[0], elements=st.integers(0, 6)))
    return (quarters / 4).astype(np.float32), counts


@given(ballots())
def test_as_many_speak_as_counted_if_so_many_have_votes(ballot: tuple[Votes, FrameCounts]) -> None:
    votes, counts = ballot
    activations = activate(votes, counts)
    assert activations.dtype == np.bool_
    assert activations.shape == votes.shape
    for frame, active in enumerate(activations):
        with_votes = sum(vote > 0 for vote in votes[frame].tolist())
        assert active.sum() == min(int(counts[frame]), with_votes)
    assert not activations[votes == 0].any()


@given(ballots())
def test_those_with_most_votes_speak(ballot: tuple[Votes, FrameCounts]) -> None:
    votes, _ = ballot
    for active, frame_votes_ in zip(activate(*ballot), votes, strict=True):
        least_active = min(frame_votes_[active], default=1.0)
        assert least_active >= max(frame_votes_[~active], default=0.0)


@given(ballots())
def test_the_strongest_of_those_who_speak_speaks_alone(ballot: tuple[Votes, FrameCounts]) -> None:
    votes, counts = ballot
    activations: Activations = activate(votes, counts)
    single = strongest(votes, activations)
    assert single.dtype == np.bool_
    assert not (single & ~activations).any()
    for frame, active in enumerate(activations):
        assert single[frame].sum() == active.any()
        if active.any():
            assert votes[frame][single[frame]] == votes[frame][active].max()


def test_the_strongest_need_not_have_most_votes_of_all() -> None:
    votes = np.array([[0.9, 0.5, 0.4]], np.float32)  # tidying may have silenced the first
    assert strongest(votes, np.array([[False, True, True]])).tolist() == [[False, True, False]]


def test_a_closed_pause_without_votes_is_spoken_alone() -> None:
    votes = np.zeros((1, 2), np.float32)
    assert strongest(votes, np.array([[False, True]])).tolist() == [[False, True]]
