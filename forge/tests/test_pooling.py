"""Masks at another frame rate, and statistics pooled under masks, against loops."""

import numpy as np
import pytest
import torch
from hocket_forge.pooling import (
    SoundNormalization,
    masked_mean,
    masked_statistics,
    one_sound,
    resample_masks,
    separate_sounds,
    subsegment_statistics,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float32]


def statistics(features: Array, masks: Array) -> Array:
    pooled: Array = masked_statistics(torch.from_numpy(features), torch.from_numpy(masks)).numpy()
    return pooled


def statistics_by_loop(features: Array, masks: Array) -> NDArray[np.float64]:
    batch, channels, _ = features.shape
    expected = np.zeros((batch, masks.shape[1], 2 * channels))
    for b, s in np.ndindex(masks.shape[:2]):
        chosen = features[b][:, masks[b, s] == 1].astype(np.float64)
        if chosen.shape[1] > 0:
            expected[b, s, :channels] = chosen.mean(1)
        if chosen.shape[1] > 1:
            expected[b, s, channels:] = np.std(chosen, axis=1, ddof=1)
    return expected


def drawn(seed: int, batch: int, slots: int, frames: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((batch, 6, frames)) * generator.uniform(0.1, 10, (6, 1))
    masks = generator.random((batch, slots, frames)) < generator.uniform(0, 1, (batch, slots, 1))
    return features.astype(np.float32), masks.astype(np.float32)


@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    slots=st.integers(1, 4),
    frames=st.integers(1, 60),
)
def test_mean_and_deviation_equal_numpys(seed: int, batch: int, slots: int, frames: int) -> None:
    features, masks = drawn(seed, batch, slots, frames)
    found, expected = statistics(features, masks), statistics_by_loop(features, masks)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(features).max()


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1_000, 5_000),
    offset=st.sampled_from([0.0, -30.0, 1e3, 1e4]),
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=5),
)
@settings(max_examples=40)
def test_short_masks_in_long_features_far_from_zero_keep_five_digits(
    seed: int, frames: int, offset: float, lengths: list[int]
) -> None:
    """A difference of squares would lose all digits of a variance of 1 next to 1e8."""
    generator = np.random.default_rng(seed)
    scattered = generator.standard_normal((2, 64, frames)) * generator.uniform(0.5, 5, (64, 1))
    features = (scattered + offset * generator.uniform(0.5, 1, (64, 1))).astype(np.float32)
    masks = np.zeros((2, len(lengths) + 1, frames), np.float32)
    for row, slot in np.ndindex(2, len(lengths)):
        start = generator.integers(0, frames - lengths[slot])
        masks[row, slot, start : start + lengths[slot]] = 1
    masks[:, -1] = 1  # and one mask over everything
    found, expected = statistics(features, masks), statistics_by_loop(features, masks)
    for part in (slice(0, 64), slice(64, 128)):
        gaps = np.linalg.norm((found - expected)[..., part], axis=-1)
        assert (gaps < 1e-5 * np.linalg.norm(expected[..., part], axis=-1)).all()


def test_deviation_is_unbiased_to_five_digits() -> None:
    features, _ = drawn(1, 2, 1, 500)
    masks = np.zeros((2, 3, 500), np.float32)
    masks[:, 0] = 1
    masks[:, 1, ::7] = 1
    masks[:, 2, 100:103] = 1  # biased and unbiased differ by a fifth
    found, expected = statistics(features, masks), statistics_by_loop(features, masks)
    np.testing.assert_allclose(found[..., 6:], expected[..., 6:], rtol=1e-5)


@pytest.mark.parametrize("frame", [0, 3, 9])
def test_one_frame_is_its_own_mean_and_has_no_deviation(frame: int) -> None:
    features, _ = drawn(2, 1, 1, 10)
    masks = np.zeros((1, 2, 10), np.float32)
    masks[0, 0, frame] = 1
    masks[0, 1, :] = 1  # another slot, so that the center is not that frame
    pooled = statistics(features, masks)[0, 0]
    np.testing.assert_allclose(pooled[:6], features[0, :, frame], atol=1e-5)
    assert not pooled[6:].any()


def test_an_empty_mask_has_zero_mean_and_zero_deviation() -> None:
    features, masks = drawn(3, 2, 3, 40)
    masks[0, 1] = 0
    masks[1] = 0
    pooled = statistics(features + 5, masks)
    assert not pooled[0, 1].any()
    assert not pooled[1].any()
    assert pooled[0, 0].any()
    assert pooled[0, 2].any()


def test_a_large_offset_costs_no_digits() -> None:
    features, masks = drawn(4, 2, 3, 500)
    far = features + np.float32(1e4)
    expected = statistics_by_loop(far, masks)
    found = statistics(far, masks)
    np.testing.assert_allclose(found[..., 6:], expected[..., 6:], rtol=2e-5)
    np.testing.assert_allclose(found[..., :6], expected[..., :6], rtol=2e-7)


def test_frames_outside_a_mask_do_not_count() -> None:
    features, masks = drawn(5, 1, 2, 50)
    masks[..., 20:30] = 0
    before = statistics(features, masks)
    features[..., 20:30] = 1e6
    assert np.array_equal(statistics(features, masks), before)


def test_masked_mean_equals_numpys_and_is_zero_under_an_empty_mask() -> None:
    features, masks = drawn(6, 3, 1, 30)
    masks[0], masks[1] = 0, 1
    found = masked_mean(torch.from_numpy(features), torch.from_numpy(masks)).numpy()
    expected = statistics_by_loop(features, masks)[:, 0, :6, None]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert not found[0].any()


@given(
    old=st.integers(1, 700),
    new=st.integers(1, 1100),
    batch=st.integers(1, 2),
    slots=st.integers(1, 3),
)
def test_resampling_takes_the_frame_under_each_new_frame(
    old: int, new: int, batch: int, slots: int
) -> None:
    # numbered frames instead of ones and zeros show which one was taken
    frames = np.arange(batch * slots * old, dtype=np.float32).reshape(batch, slots, old)
    found = resample_masks(torch.from_numpy(frames), new).numpy()
    expected = np.empty((batch, slots, new), np.float32)
    for index in range(new):
        expected[..., index] = frames[..., index * old // new]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("new", [1, 2, 499, 998])
def test_one_frame_of_mask_covers_every_new_frame(new: int) -> None:
    masks = torch.tensor([[[1.0], [0.0]]])
    found = resample_masks(masks, new)
    assert found.shape == (1, 2, new)
    assert bool((found[0, 0] == 1).all())
    assert not bool(found[0, 1].any())


@pytest.mark.parametrize("frames", [1, 59, 589])
def test_resampling_to_the_same_rate_changes_nothing(frames: int) -> None:
    masks = (torch.rand(2, 3, frames, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    assert torch.equal(resample_masks(masks, frames), masks)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_subsegments_have_the_statistics_of_their_masks(offset: float) -> None:
    generator = torch.Generator().manual_seed(5)
    features = torch.randn(2, 16, 200, generator=generator) + offset
    masks = torch.zeros(2, 5, 200)
    for row, index in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2)):
        masks[row, index, 40 * index : 40 * index + 60] = 1
    masks[0, 2, 7] = 1  # a single frame has no deviation; the others are empty
    found = subsegment_statistics(features, masks)
    torch.testing.assert_close(found, masked_statistics(features, masks), rtol=1e-4, atol=1e-4)
    assert found[0, 2, 16:].tolist() == [0] * 16
    assert not found[0, 3:].any()


@st.composite
def sounds_in_parts(draw: st.DrawFn) -> tuple[Array, list[tuple[int, int]]]:
    """Masks that overlap or touch within sounds, in any order, and the sounds' bounds."""
    bounds, rows, end = [], [], draw(st.integers(0, 3))
    for length in draw(st.lists(st.integers(1, 9), min_size=1, max_size=5)):
        cut = draw(st.integers(0, length - 1))
        parts = [(0, length)] if draw(st.booleans()) else [(0, cut + 1), (cut, length)]
        rows += [(end + first, end + last) for first, last in parts]
        bounds.append((end, end + length))
        end += length + draw(st.integers(1, 4))
    masks = np.zeros((len(rows), end), np.float32)
    for mask, (first, last) in zip(masks, draw(st.permutations(rows)), strict=True):
        mask[first:last] = 1
    return masks, bounds


@given(st.lists(sounds_in_parts(), min_size=1, max_size=3), st.integers(0, 99))
def test_sounds_are_the_contiguous_frames_under_masks(
    drawn_sounds: list[tuple[Array, list[tuple[int, int]]]], seed: int
) -> None:
    frames = max(masks.shape[1] for masks, _ in drawn_sounds)
    rows = max(len(masks) for masks, _ in drawn_sounds)
    batch = np.zeros((len(drawn_sounds), rows, frames), np.float32)
    for row, (masks, _) in zip(batch, drawn_sounds, strict=True):
        row[: len(masks), : masks.shape[1]] = masks
    features = np.random.default_rng(seed).standard_normal((len(batch), 4, frames)) + 5
    sounds = separate_sounds(torch.from_numpy(batch))
    normalized = SoundNormalization()(torch.from_numpy(features.astype(np.float32)), sounds).numpy()
    for row, (found, (_, bounds)) in enumerate(zip(sounds.numpy(), drawn_sounds, strict=True)):
        assert not found[len(bounds) :].any()
        assert np.array_equal(found.sum(0, keepdims=True), one_sound(torch.from_numpy(batch))[row])
        for sound, (first, last) in zip(found, bounds, strict=False):
            assert np.flatnonzero(sound).tolist() == list(range(first, last))
            mine = features[row, :, first:last]
            expected = mine - mine.mean(1, keepdims=True)
            np.testing.assert_allclose(normalized[row, :, first:last], expected, atol=1e-5)
        assert not normalized[row][:, found.sum(0) == 0].any()
