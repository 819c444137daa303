"""Slabs: every unit is in one, whole and apart from other sounds, and is heard as if alone."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Regions, Waveform
from hocket.config import Config, RegionConfig, SubsegmentConfig, WindowConfig
from hocket.embedding.packing import Packing, PackedCrop, PackLayout, fill_pack
from hocket.embedding.subsegments import Crop, plan_crops, plan_subsegments
from hocket.geometry import Geometry
from hocket.graph import Tensors
from hocket.offline.inference import Ears, Heard, hear
from hocket.timing import Stopwatch
from tests.ears import dawdling, ears_of, sound_of, stream_in

RATE = 100
GEOMETRY = Geometry(RATE, 40, 4, 10, 8, 3)
UNITS = SubsegmentConfig(length_s=0.3, hop_s=0.16, min_s=0.08, pack_s=0.9, gap_s=0.02)
SETTINGS = Config(
    windows=WindowConfig(step_s=0.1),
    regions=RegionConfig(change_s=0.08, longest_s=0.9),
    subsegments=UNITS,
)


def grid_of(
    sound_step: int = 10, mask_step: int = 1, subsegments: SubsegmentConfig = UNITS
) -> PackLayout:
    facts = {"sound_step": str(sound_step), "mask_step": str(mask_step)}
    grid = PackLayout.of(facts, GEOMETRY, subsegments)
    assert grid is not None
    return grid


@st.composite
def run_arrays(draw: st.DrawFn) -> Regions:
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 60)), max_size=12))
    return np.cumsum(np.array(pairs, np.int64).reshape(-1)).reshape(-1, 2)


def spans_of(regions: Regions, crop_s: float) -> list[Crop]:
    return plan_crops(plan_subsegments(regions, GEOMETRY, UNITS), GEOMETRY, crop_s, UNITS)


def slabs_of(grid: PackLayout, crops: list[Crop]) -> list[list[PackedCrop]]:
    packing, slabs = Packing(grid), list[list[PackedCrop]]()
    for crop in crops:
        for placed in packing.lay(crop):
            if placed.start == 0:
                slabs.append([])
            slabs[-1].append(placed)
    return slabs


class Packed(NamedTuple):
    """Spans, and the slabs they were laid into."""

    grid: PackLayout
    crops: list[Crop]
    slabs: list[list[PackedCrop]]


@st.composite
def packed_spans(draw: st.DrawFn) -> Packed:
    """On every grid of sounds and masks."""
    grid = grid_of(draw(st.integers(1, 25)), draw(st.integers(1, 3)))
    crops = spans_of(draw(run_arrays()), draw(st.sampled_from([0.3, 0.7, 2.0])))
    return Packed(grid, crops, slabs_of(grid, crops))


@given(packed_spans())
def test_slabs_hold_every_unit_once_and_in_order(packed: Packed) -> None:
    laid = [
        unit
        for pack in packed.slabs
        for placed in pack
        for unit in placed.crop.subsegments.tolist()
    ]
    assert laid == [unit for crop in packed.crops for unit in crop.subsegments.tolist()]
    for pack in packed.slabs:
        for crop, _ in pack:
            assert (crop.first, crop.last) == (crop.subsegments[0, 0], crop.subsegments[-1, 1])


@given(packed_spans())
def test_sounds_lie_apart_on_the_grid_and_within_the_slab(packed: Packed) -> None:
    grid = packed.grid
    assert grid.length % grid.sound_step == 0
    assert 90 <= grid.length < 90 + grid.sound_step
    for pack in packed.slabs:
        ends = [place.start + grid.samples_of(place.crop) for place in pack]
        assert all(place.start % grid.mask_step == 0 for place in pack)
        assert pack[0].start == 0
        for end, place in zip(ends, pack[1:], strict=False):
            assert place.start - end >= grid.gap
        assert ends[-1] <= grid.length


@given(packed_spans())
def test_a_slab_is_left_only_when_the_next_unit_does_not_fit(packed: Packed) -> None:
    grid = packed.grid
    for pack, following in pairwise(packed.slabs):
        end = pack[-1].start + grid.samples_of(pack[-1].crop) + grid.gap
        start = -(-end // grid.mask_step) * grid.mask_step
        first, last = following[0].crop.subsegments[0].tolist()
        assert start + (last - first) * GEOMETRY.frame_step > grid.length


@given(packed_spans())
def test_masks_of_different_sounds_have_a_frame_between_them(packed: Packed) -> None:
    for pack in packed.slabs:
        masks = packed.grid.masks(pack)
        sounds = np.repeat(np.arange(len(pack)), [len(place.crop.subsegments) for place in pack])
        assert not masks[len(sounds) :].any()
        masks = masks[: len(sounds)]
        covered = [masks[sounds == sound].max(axis=0) for sound in range(len(pack))]
        for left, right in pairwise(covered):
            assert np.flatnonzero(right)[0] - np.flatnonzero(left)[-1] >= 2
        for mask in masks:
            (frames,) = np.nonzero(mask)
            assert len(frames) == frames[-1] - frames[0] + 1


def test_masks_show_where_units_lie() -> None:
    grid = grid_of(10, 2)
    crop = Crop(5, 15, np.array([[5, 12], [8, 15]]))
    masks = grid.masks([PackedCrop(crop, 20)])
    assert masks.shape == (9, 45)
    assert not masks[2:].any()
    # frames are 4 samples: 20 to 48 and 32 to 60, two samples to a frame of the mask
    assert np.flatnonzero(masks[0]).tolist() == list(range(10, 24))
    assert np.flatnonzero(masks[1]).tolist() == list(range(16, 30))


def test_a_slab_has_sounds_and_silence_between_them() -> None:
    row = np.full(12, 7, np.float32)
    one, two = np.ones(3, np.float32), np.full(2, 2, np.float32)
    crop = Crop(0, 1, np.array([[0, 1]]))
    copied = fill_pack(row, [PackedCrop(crop, 0), PackedCrop(crop, 6)], [[one], [two, two]])
    assert row.tolist() == [1, 1, 1, 0, 0, 0, 2, 2, 2, 2, 0, 0]
    assert copied == 4 * 7


def test_a_slab_is_never_shorter_than_a_unit() -> None:
    subsegments = SubsegmentConfig(length_s=3.0, hop_s=1.0, pack_s=0.5)
    assert grid_of(7, 1, subsegments).length >= 300


def test_a_network_that_takes_all_it_is_given_for_one_sound_has_no_slabs() -> None:
    assert PackLayout.of({"dimension": "4"}, GEOMETRY, UNITS) is None


# --- in the engine


def ears(threads: int, seed: int | None = None, pack_s: float = 0.9) -> Ears:
    before = {} if seed is None else {"before": dawdling(seed)}
    config = replace(SETTINGS, subsegments=replace(UNITS, pack_s=pack_s))
    return ears_of(GEOMETRY, config=config, threads=threads, crop_s=0.7, sound_step=10, **before)


def alone(sound: Waveform, heard: Heard) -> np.ndarray:
    """Embeddings of units each of which is given by itself."""
    rows = [np.zeros((0, 4), np.float32)]
    for first, last in zip(
        heard.subsegments.first.tolist(), heard.subsegments.last.tolist(), strict=True
    ):
        unit = sound[GEOMETRY.frame_start(first) : GEOMETRY.frame_start(last)]
        masks = np.ones((1, 1, len(unit)), np.float32)
        inputs = {"waveform": unit[None, None], "masks": masks}
        rows.append(ears(1).embedding.run(inputs)["embeddings"][0])
    return np.concatenate(rows)


PARTS_OF_SOUND = st.lists(
    st.tuples(st.sampled_from([0, 1, 1, 2, 2, 3, 4, 6]), st.integers(1, 60)), max_size=14
)


@pytest.mark.parametrize("pack_s", [0.1, 0.9])
@given(PARTS_OF_SOUND, st.sampled_from([1, 9, 50, 1000]), st.integers(1, 3), st.integers(0, 99))
def test_units_are_heard_as_if_alone_whoever_hears_them(
    pack_s: float, parts: list[tuple[int, int]], block: int, threads: int, seed: int
) -> None:
    sound = np.concatenate([sound_of(parts, seed), sound_of([(0, 60)])])
    expected = hear(stream_in(sound, []), ears(1, pack_s=pack_s), Stopwatch())
    blocks = [block] * (len(sound) // block)
    found = hear(stream_in(sound, blocks), ears(threads, seed, pack_s), Stopwatch())
    np.testing.assert_allclose(expected.embeddings, alone(sound, expected), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    np.testing.assert_array_equal(found.subsegments.first, expected.subsegments.first)


@pytest.mark.parametrize("threads", [1, 3])
def test_all_slabs_have_one_length(threads: int) -> None:
    sound = sound_of([(1, 130), (2, 70), (0, 60), (4, 40), (1, 300), (0, 30), (3, 90)] * 3)
    mine, watch = ears(threads), Stopwatch()
    found = hear(stream_in(sound, [33] * 50), mine, watch)
    assert len(mine.embedding.lengths) > 10
    assert set(mine.embedding.lengths) == {90}
    assert found.embeddings.any(axis=1).all()
    seconds = (found.subsegments.last - found.subsegments.first).sum() * GEOMETRY.frame_step
    assert 0 < watch.copied["embedding"] <= 4 * seconds


@pytest.mark.parametrize("pack_s", [0.9, 30.0])
def test_nothing_of_a_slab_is_left_of_speech_before_anybody_was_alone(pack_s: float) -> None:
    sound = sound_of([(4, 400), (0, 50), (6, 300), (1, 70), (0, 40), (4, 100)])
    mine, given_sounds = ears(2, 5, pack_s), list[Waveform]()
    run = mine.embedding.run

    def spy(inputs: Tensors) -> dict[str, np.ndarray]:
        given_sounds.append(inputs["waveform"][0, 0].copy())
        return run(inputs)

    mine.embedding.run = spy  # type: ignore[method-assign]
    found = hear(stream_in(sound, [10] * 96), mine, Stopwatch())
    assert len(found.embeddings) == len(found.subsegments.run) > 0
    assert (found.regions * GEOMETRY.frame_step > 700).all()
    np.testing.assert_allclose(found.embeddings, alone(sound, found), rtol=1e-5, atol=1e-6)
    assert all(each[0] for each in given_sounds)  # a slab begins with a sound
