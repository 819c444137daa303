"""Slots of windows as tracks, and the links they make between halves of a division."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Subsegments
from hocket.clustering.tracks import LEAST_FRAMES, LEAST_SPOKEN, links_of, tracks_of

SEEDS = st.integers(0, 2**32 - 1)
LENGTH, SLOTS = 60, 3


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray, Subsegments]:
    """Windows of 60 frames every 25, and subsegments in order of time."""
    rng = np.random.default_rng(seed)
    starts = 25 * np.arange(rng.integers(1, 6))
    activity = rng.random((len(starts), LENGTH, SLOTS)).astype(np.float16)
    activity *= rng.random((len(starts), LENGTH, 1)) < 0.7
    first = np.sort(rng.integers(0, starts[-1] + LENGTH - 10, rng.integers(0, 12)))
    last = np.minimum(first + rng.integers(3, 40, len(first)), starts[-1] + LENGTH)
    return activity, starts, Subsegments(np.arange(len(first)), first, last)


@given(SEEDS)
def test_a_voice_has_the_slots_of_every_window_that_holds_most_of_it(seed: int) -> None:
    activity, starts, subsegments = drawn(seed)
    tracks = tracks_of(activity, starts, subsegments)
    assert tracks.share.shape == (*tracks.window.shape, SLOTS)
    for row, (first, last) in enumerate(zip(subsegments.first, subsegments.last, strict=True)):
        expected = {}
        for window, start in enumerate(starts):
            inside = activity[window, max(0, first - start) : max(0, last - start)].astype(float)
            spoken = inside.sum(axis=0)
            enough = len(inside) >= max(LEAST_FRAMES, (last - first) / 2)
            if enough and spoken.sum() >= LEAST_SPOKEN * len(inside):
                expected[window] = spoken / spoken.sum()
        found = tracks.window[row]
        assert found[found >= 0].tolist() == list(expected)
        for share, one in zip(tracks.share[row], expected.values(), strict=False):
            np.testing.assert_allclose(share, one, atol=2e-3)


@given(SEEDS)
def test_halves_are_linked_by_all_pairs_of_other_regions_in_a_window(seed: int) -> None:
    activity, starts, subsegments = drawn(seed)
    tracks, rng = tracks_of(activity, starts, subsegments), np.random.default_rng(seed)
    halves, regions = (
        rng.integers(0, 2, len(subsegments.first)),
        rng.integers(0, 4, len(subsegments.first)),
    )
    means, weights = [], []
    for window in range(len(starts)):
        here = [(row, place) for row, place in np.argwhere(tracks.window == window)]
        pairs = [
            float(tracks.share[a] @ tracks.share[b])
            for a in here
            for b in here
            if halves[a[0]] < halves[b[0]] and regions[a[0]] != regions[b[0]]
        ]
        if pairs:
            means.append(np.mean(pairs))
            weights.append(np.sqrt(len(pairs)))
    same, amount = links_of(tracks, regions, halves)
    assert amount == pytest.approx(sum(weights))
    assert same == pytest.approx(
        np.average(means, weights=weights) if means else np.nan, nan_ok=True
    )
