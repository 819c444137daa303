"""Slots and parts to one timeline: votes, active speakers, the strongest speaker."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket import reconstruct
from hocket.arrays import Activations, FrameCounts, Parts, SlotActivity, Votes
from hocket.reconstruct import activate, cluster_votes, exclusive_activations

FADE = 2.5  # frames
SEEDS = st.integers(0, 2**32 - 1)

PartRow = tuple[int, int, int]
"""First frame, past-the-last frame, cluster."""


class Scene(NamedTuple):
    """Windows and parts of one recording."""

    activity: SlotActivity
    first_frames: NDArray[np.int64]
    parts: Parts
    clusters: int = 3
    fade: float = FADE
    ramp: int = 0

    def votes(self) -> Votes:
        return cluster_votes(*self)


def parts_of(rows: list[PartRow]) -> Parts:
    return Parts(*np.array(rows, np.int64).reshape(-1, 3).T)


def one_window(rows: list[PartRow], *slots: str, clusters: int = 2) -> Scene:
    """A window of slots as written, one digit a frame."""
    activity = np.array([[float(digit) for digit in slot] for slot in slots]).T[None]
    starts = np.zeros(1, np.int64)
    return Scene(activity.astype(np.float16), starts, parts_of(rows), clusters)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Windows that contradict each other and the parts, with silences and gaps."""
    windows, length = draw(st.integers(0, 4)), draw(st.integers(1, 14))
    steps = draw(st.lists(st.integers(1, length + 2), min_size=windows, max_size=windows))
    first_frames = np.cumsum([0, *steps])[:windows]
    rng = np.random.default_rng(draw(SEEDS))
    shape = windows, length, 3
    activity = rng.random(shape) * (rng.random(shape) < 0.8) * (rng.random((windows, 1, 3)) < 0.8)
    clusters = draw(st.integers(1, 4))
    total = int(first_frames[-1]) + length if windows else 5
    edges = np.cumsum(rng.integers(1, 7, 1 + total // 3)).tolist()
    crops = [crop for crop in pairwise(edges) if rng.random() < 0.8]
    rows = [(first - 3, last - 3, int(rng.integers(clusters))) for first, last in crops]
    fade = draw(st.floats(0.1, 20))
    ramp = draw(st.integers(0, 5))
    return Scene(activity.astype(np.float16), first_frames, parts_of(rows), clusters, fade, ramp)


def counts(scene: Scene, pairs: list[tuple[int, int]]) -> list[float]:
    """Weight of each window at its frame."""
    length = scene.activity.shape[1]
    ends = [min(own + 0.5, length - own - 0.5) for _, own in pairs]
    return [min(1.0, max(0.02, end / scene.ramp)) if scene.ramp else 1.0 for end in ends]


def window_votes(scene: Scene, window: int) -> NDArray[np.float64]:
    """Votes of one window, frame by frame, slot by slot, part by part."""
    slots = scene.activity[window].astype(np.float64)
    first, votes = int(scene.first_frames[window]), np.zeros((len(slots), scene.clusters))
    rows = [
        (max(start - first, 0), min(end - first, len(slots)), cluster)
        for start, end, cluster in zip(*(column.tolist() for column in scene.parts), strict=True)
    ]
    for frame, slot in np.ndindex(slots.shape):
        weight = np.zeros(scene.clusters)
        for start, end, cluster in rows:
            if start < end:
                distance = max(start - frame, frame + 1 - end, 0)
                share = slots[start:end, slot].sum() ** 2 / (end - start)
                weight[cluster] += share * (np.exp(-distance / scene.fade) + 1e-4)
        if weight.sum() > 0:
            votes[frame] += slots[frame, slot] * weight / weight.sum()
    return votes


def over(scene: Scene, frame: int) -> list[tuple[int, int]]:
    """Windows that contain a frame of the recording, and the frame of the window it is."""
    pairs = [(window, frame - first) for window, first in enumerate(scene.first_frames.tolist())]
    return [(window, own) for window, own in pairs if 0 <= own < scene.activity.shape[1]]


@given(scenes())
def test_votes_are_the_weighted_mean_of_the_windows(scene: Scene) -> None:
    votes = scene.votes()
    by_window = [window_votes(scene, window) for window in range(len(scene.activity))]
    assert votes.dtype == np.float32
    assert votes.shape[1] == scene.clusters
    for frame, found in enumerate(votes):
        pairs = over(scene, frame)
        values = [by_window[window][own] for window, own in pairs]
        weights = counts(scene, pairs)
        expected = np.average(values, 0, weights) if values else np.zeros(scene.clusters)
        np.testing.assert_allclose(found, expected, atol=1e-3)


@given(scenes(), st.integers(1, 9))
def test_votes_of_blocks_are_those_of_all_frames(scene: Scene, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconstruct, "BLOCK", block)
        total = reconstruct.frames_of(scene.activity, scene.first_frames)
        blocks = reconstruct.frame_blocks(total)
    assert [frame for part in blocks for frame in range(part.start, part.stop)] == list(
        range(total)
    )
    assert len(blocks) == max(1, -(-total // block))
    parts = [cluster_votes(*scene, part) for part in blocks]
    np.testing.assert_array_equal(np.concatenate(parts), scene.votes())


@given(scenes())
def test_votes_do_not_exceed_the_activity_of_slots(scene: Scene) -> None:
    votes = scene.votes()
    assert votes.min(initial=0) >= 0
    for frame, found in enumerate(votes):
        pairs = over(scene, frame)
        values = [scene.activity[each].astype(np.float64).sum() for each in pairs]
        most = np.average(values, weights=counts(scene, pairs)) if values else 0
        assert found.sum() <= most + 1e-3


@given(scenes(), SEEDS)
def test_the_order_of_slots_and_parts_does_not_matter(scene: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixed = [window[:, rng.permutation(3)] for window in scene.activity]
    order = rng.permutation(len(scene.parts.cluster))
    moved = scene._replace(
        activity=np.array(mixed, np.float16).reshape(scene.activity.shape),
        parts=Parts(*(column[order] for column in scene.parts)),
    )
    np.testing.assert_allclose(moved.votes(), scene.votes(), atol=1e-4)


@given(scenes())
def test_inputs_are_not_changed(scene: Scene) -> None:
    given_arrays = [scene.activity, scene.first_frames, *scene.parts]
    before = [array.copy() for array in given_arrays]
    scene.votes()
    for array, copy in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@given(arrays(np.float16, st.integers(2, 30), elements=st.integers(1, 16)), st.data())
def test_one_slot_with_one_part_votes_for_its_cluster(
    sixteenths: NDArray[np.float16], data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, len(sixteenths) - 1))
    last = data.draw(st.integers(first + 1, len(sixteenths)))
    activity = np.zeros((1, len(sixteenths), 3), np.float16)
    activity[0, :, 1] = sixteenths / 16
    scene = Scene(activity, np.zeros(1, np.int64), parts_of([(first, last, 2)]))
    votes = scene.votes()
    np.testing.assert_allclose(votes[:, 2], activity[0, :, 1], rtol=1e-6)
    assert not votes[:, :2].any()


def test_every_window_has_its_own_order_of_slots() -> None:
    one = one_window([(0, 4, 0), (4, 8, 1)], "11110000", "00001111").activity[0]
    activity, parts = np.stack([one, one[:, ::-1]]), parts_of([(0, 4, 0), (4, 8, 1)])
    votes = Scene(activity, np.zeros(2, np.int64), parts, 2).votes()
    np.testing.assert_allclose(votes, one, atol=1e-6)


def test_overlap_goes_to_the_speakers_around_it() -> None:
    scene = one_window([(0, 4, 0), (8, 12, 1)], "111111110000", "000011111111")
    np.testing.assert_allclose(scene.votes(), scene.activity[0], atol=1e-6)


def test_a_slot_of_two_speakers_votes_for_each_in_turn() -> None:
    votes = one_window([(0, 12, 0), (12, 24, 1)], "1" * 24).votes()
    np.testing.assert_allclose(votes.sum(axis=1), 1, atol=1e-6)
    assert votes.argmax(axis=1).tolist() == [0] * 12 + [1] * 12
    assert votes[:6, 0].min() > 0.9
    assert votes[18:, 1].min() > 0.9


def test_a_slot_votes_for_the_parts_it_is_active_in_and_not_for_near_ones() -> None:
    scene = one_window([(0, 4, 0), (6, 12, 1)], "111111000000", "000000111111")
    votes = scene.votes()
    assert votes[4:6, 0].min() == 1
    assert not votes[4:6, 1].any()


def test_distant_parts_count_if_there_is_no_near_one() -> None:
    frames = round(200 * FADE)  # where exp underflows
    votes = one_window([(0, 3, 1)], "1" * frames).votes()
    np.testing.assert_allclose(votes[:, 1], 1, rtol=1e-6)


def test_the_nearer_part_counts_more() -> None:
    votes = one_window([(0, 3, 0), (9, 12, 1)], "1" * 12).votes()
    assert (np.diff(votes[3:9, 0]) < 0).all()
    assert votes.argmax(axis=1).tolist() == [0] * 6 + [1] * 6


def test_a_part_counts_only_as_far_as_a_window_contains_it() -> None:
    scene = one_window([(-6, 2, 0), (6, 30, 1)], "11111111")
    assert scene.votes().argmax(axis=1).tolist() == [0] * 4 + [1] * 4


def test_half_of_the_windows_give_half_a_vote() -> None:
    activity = np.array([[[1], [1], [0]], [[0], [1], [1]]], np.float16)
    parts = parts_of([(0, 4, 0)])
    votes = Scene(activity, np.array([0, 1]), parts, 1).votes()
    assert votes.tolist() == [[1.0], [0.5], [0.5], [1.0]]


def test_windows_without_a_part_give_no_vote() -> None:
    activity = np.ones((2, 4, 1), np.float16)
    votes = Scene(activity, np.array([0, 2]), parts_of([(0, 2, 0)]), 1).votes()
    np.testing.assert_allclose(votes[:, 0], [1, 1, 0.5, 0.5, 0, 0], rtol=1e-6)


def test_frames_that_no_window_covers_are_silent() -> None:
    activity = np.ones((2, 2, 1), np.float16)
    votes = Scene(activity, np.array([0, 4]), parts_of([(0, 6, 0)]), 1).votes()
    assert votes[:, 0].tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("clusters", [0, 4])
def test_no_windows_give_empty_arrays(clusters: int) -> None:
    activity = np.zeros((0, 5, 3), np.float16)
    votes = Scene(activity, np.zeros(0, np.int64), parts_of([]), clusters).votes()
    assert votes.shape == (0, clusters)
    activations = activate(votes, np.zeros(0, np.int32))
    assert activations.shape == exclusive_activations(votes, activations).shape == (0, clusters)


@pytest.mark.parametrize("clusters", [0, 2])
def test_without_parts_nobody_speaks(clusters: int) -> None:
    votes = one_window([], "111111", clusters=clusters).votes()
    assert votes.shape == (6, clusters)
    activations = activate(votes, np.full(6, 2, np.int32))
    assert not activations.any()
    assert activations.shape == exclusive_activations(votes, activations).shape == (6, clusters)


@st.composite
def ballots(draw: st.DrawFn) -> tuple[Votes, FrameCounts]:
    """Votes with many ties and zeros, and the number of speakers."""
    shape = draw(st.tuples(st.integers(0, 12), st.integers(0, 5)))
    quarters = draw(arrays(np.uint8, shape, elements=st.integers(0, 4)))
    counts = draw(arrays(np.int32, shape[0], elements=st.integers(0, 6)))
    return (quarters / 4).astype(np.float32), counts


@given(ballots())
def test_as_many_are_active_as_counted_if_so_many_have_votes(
    ballot: tuple[Votes, FrameCounts],
) -> None:
    votes, counts = ballot
    activations = activate(votes, counts)
    assert activations.dtype == np.bool_
    assert activations.shape == votes.shape
    for frame, active in enumerate(activations):
        with_votes = sum(vote > 0 for vote in votes[frame].tolist())
        assert active.sum() == min(int(counts[frame]), with_votes)
    assert not activations[votes == 0].any()


@given(ballots())
def test_clusters_with_most_votes_are_active(ballot: tuple[Votes, FrameCounts]) -> None:
    votes, _ = ballot
    for active, frame_votes_ in zip(activate(*ballot), votes, strict=True):
        least_active = min(frame_votes_[active], default=1.0)
        assert least_active >= max(frame_votes_[~active], default=0.0)


@given(ballots())
def test_of_the_active_clusters_the_strongest_is_exclusive(
    ballot: tuple[Votes, FrameCounts],
) -> None:
    votes, counts = ballot
    activations: Activations = activate(votes, counts)
    single = exclusive_activations(votes, activations)
    assert single.dtype == np.bool_
    assert not (single & ~activations).any()
    for frame, active in enumerate(activations):
        assert single[frame].sum() == active.any()
        if active.any():
            assert votes[frame][single[frame]] == votes[frame][active].max()


def test_the_strongest_active_cluster_need_not_have_most_votes() -> None:
    votes = np.array([[0.9, 0.5, 0.4]], np.float32)  # short turns were removed
    single = exclusive_activations(votes, np.array([[False, True, True]]))
    assert single.tolist() == [[False, True, False]]


def test_a_closed_pause_without_votes_is_exclusive_too() -> None:
    votes = np.zeros((1, 2), np.float32)
    assert exclusive_activations(votes, np.array([[False, True]])).tolist() == [[False, True]]
