"""Every subsegment has the band levels of its crop, however a recording arrives."""

import numpy as np
import pytest

from hocket.embedding.bands import band_levels
from tests.helpers.geometry import SHIPPED
from tests.helpers.inference import assert_same
from tests.helpers.rule_networks import delays, rule_inference, sound_of, stream_in

TURNS = [(1, 30_000), (2, 50_000), (0, 9_000), (1, 8_000), (2, 170_000), (0, 500), (1, 12_000)]


@pytest.mark.parametrize("gate_samples", [None, 6_400], ids=["single crops", "packs"])
def test_levels_are_those_of_the_crops_however_a_recording_arrives(
    gate_samples: int | None,
) -> None:
    """A crop is a region, or the part of it in one call; the sample rate has all bands."""
    sound = sound_of(TURNS)
    expected = rule_inference(gate_samples=gate_samples).infer(stream_in(sound, []))
    crop, levels, seconds, _ = expected.bands
    assert (np.diff(crop, prepend=0) >= 0).all()
    assert crop.max() + 1 == len(levels) == len(seconds) >= 5
    assert np.isfinite(levels).all()
    assert len(np.unique(levels[:, 2])) == len(levels)
    for index in range(len(levels)):
        own = crop == index
        first, last = expected.subsegments.first[own].min(), expected.subsegments.last[own].max()
        start, end = SHIPPED.frame_start(int(first)), SHIPPED.frame_start(int(last))
        assert seconds[index] == (end - start) / 16_000
        np.testing.assert_array_equal(levels[index], band_levels(sound[start:end], 16_000))
    for threads, block in ((1, 4_000), (3, 33_333)):
        rules = rule_inference(threads=threads, gate_samples=gate_samples, before=delays(threads))
        assert_same(rules.infer(stream_in(sound, [block] * (len(sound) // block))), expected)
