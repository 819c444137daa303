"""Packing: every subsegment is in one pack, whole and apart from other crops."""

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hocket.arrays import Regions
from hocket.config import ResolvedSubsegments, SubsegmentConfig
from hocket.embedding.packing import PackedCrop, Packing, PackLayout
from hocket.embedding.subsegments import Crop, plan_crops, plan_subsegments
from hocket.geometry import EmbeddingInfo
from tests.helpers.geometry import SMALL

CONFIG = ResolvedSubsegments(
    length_s=0.3, hop_s=0.16, min_s=0.08, pack_s=0.9, gap_s=0.02, crop_s=0.7
)


def layout_of(
    gate_samples: int = 10, mask_samples: int = 1, config: SubsegmentConfig = CONFIG
) -> PackLayout:
    layout = PackLayout.of(EmbeddingInfo(4, 1, gate_samples, mask_samples), SMALL, config)
    assert layout is not None
    return layout


@st.composite
def region_arrays(draw: st.DrawFn) -> Regions:
    pairs = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 60)), max_size=12))
    return np.cumsum(np.array(pairs, np.int64).reshape(-1)).reshape(-1, 2)


def crops_of(regions: Regions, crop_s: float) -> list[Crop]:
    config = replace(CONFIG, crop_s=crop_s)
    return plan_crops(plan_subsegments(regions, SMALL, config), SMALL, config)


def packs_of(layout: PackLayout, crops: list[Crop]) -> list[list[PackedCrop]]:
    packing, packs = Packing(layout), list[list[PackedCrop]]()
    for crop in crops:
        for packed in packing.add(crop):
            if packed.start == 0:
                packs.append([])
            packs[-1].append(packed)
    return packs


class Packed(NamedTuple):
    """Crops, and the packs that hold them."""

    layout: PackLayout
    crops: list[Crop]
    packs: list[list[PackedCrop]]


@st.composite
def packed_crops(draw: st.DrawFn) -> Packed:
    """Crops in layouts with all kinds of gates and masks."""
    layout = layout_of(draw(st.integers(1, 25)), draw(st.integers(1, 3)))
    crops = crops_of(draw(region_arrays()), draw(st.sampled_from([0.3, 0.7, 2.0])))
    return Packed(layout, crops, packs_of(layout, crops))


@given(packed_crops())
def test_packs_hold_every_subsegment_once_and_in_order(packed: Packed) -> None:
    found = [
        bounds for pack in packed.packs for crop, _ in pack for bounds in crop.subsegments.tolist()
    ]
    assert found == [bounds for crop in packed.crops for bounds in crop.subsegments.tolist()]
    for pack in packed.packs:
        for crop, _ in pack:
            assert (crop.first, crop.last) == (crop.subsegments[0, 0], crop.subsegments[-1, 1])


@given(packed_crops())
def test_crops_lie_apart_on_the_grid_and_within_the_pack(packed: Packed) -> None:
    layout = packed.layout
    assert layout.length % layout.gate_samples == 0
    assert 90 <= layout.length < 90 + layout.gate_samples
    for pack in packed.packs:
        ends = [each.start + layout.samples_of(each.crop) for each in pack]
        assert all(each.start % layout.mask_samples == 0 for each in pack)
        assert pack[0].start == 0
        for end, following in zip(ends, pack[1:], strict=False):
            assert following.start - end >= layout.gap
        assert ends[-1] <= layout.length


@given(packed_crops())
def test_a_new_pack_begins_only_if_the_next_subsegment_does_not_fit(packed: Packed) -> None:
    layout = packed.layout
    for pack, following in pairwise(packed.packs):
        end = pack[-1].start + layout.samples_of(pack[-1].crop) + layout.gap
        start = -(-end // layout.mask_samples) * layout.mask_samples
        first, last = following[0].crop.subsegments[0].tolist()
        assert start + (last - first) * SMALL.frame_step > layout.length


@given(packed_crops())
def test_masks_of_different_crops_have_a_frame_between_them(packed: Packed) -> None:
    for pack in packed.packs:
        masks = packed.layout.masks(pack)
        crops = np.repeat(np.arange(len(pack)), [len(each.crop.subsegments) for each in pack])
        assert not masks[len(crops) :].any()
        masks = masks[: len(crops)]
        covered = [masks[crops == crop].max(axis=0) for crop in range(len(pack))]
        for left, right in pairwise(covered):
            assert np.flatnonzero(right)[0] - np.flatnonzero(left)[-1] >= 2
        for mask in masks:
            (frames,) = np.nonzero(mask)
            assert len(frames) == frames[-1] - frames[0] + 1


def test_masks_cover_the_subsegments() -> None:
    layout = layout_of(10, 2)
    crop = Crop(5, 15, np.array([[5, 12], [8, 15]]))
    masks = layout.masks([PackedCrop(crop, 20)])
    assert masks.shape == (9, 45)
    assert not masks[2:].any()
    # frames are 4 samples: 20 to 48 and 32 to 60, two samples to a frame of the mask
    assert np.flatnonzero(masks[0]).tolist() == list(range(10, 24))
    assert np.flatnonzero(masks[1]).tolist() == list(range(16, 30))


def test_a_pack_is_never_shorter_than_a_subsegment() -> None:
    config = SubsegmentConfig(length_s=3.0, hop_s=1.0, pack_s=0.5)
    assert layout_of(7, 1, config).length >= 300


def test_a_network_that_takes_one_sound_per_call_has_no_layout() -> None:
    assert PackLayout.of(EmbeddingInfo(4, 1), SMALL, CONFIG) is None
