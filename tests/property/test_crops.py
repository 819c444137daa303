"""Every unit has the band levels of its crop, however a recording comes in."""

import numpy as np
import pytest

from hocket.embedding.bands import band_levels
from hocket.offline.inference import hear
from hocket.timing import Stopwatch
from tests.ears import SHIPPED, dawdling, ears_of, sound_of, stream_in
from tests.property.test_inference import assert_same

TALK = [(1, 30_000), (2, 50_000), (0, 9_000), (1, 8_000), (2, 170_000), (0, 500), (1, 12_000)]


@pytest.mark.parametrize("sound_step", [None, 6_400], ids=["one sound", "several sounds"])
def test_levels_are_those_of_the_crops_however_a_recording_comes_in(
    sound_step: int | None,
) -> None:
    """At a rate that has the bands; a crop is a run, or what of it lies in one call."""
    sound = sound_of(TALK)
    expected = hear(stream_in(sound, []), ears_of(sound_step=sound_step), Stopwatch())
    crop, levels, seconds, _ = expected.bands
    assert (np.diff(crop, prepend=0) >= 0).all()
    assert crop.max() + 1 == len(levels) == len(seconds) >= 5
    assert np.isfinite(levels).all()
    assert len(np.unique(levels[:, 2])) == len(levels)
    for index in range(len(levels)):
        subsegments = crop == index
        frames = (
            expected.subsegments.first[subsegments].min(),
            expected.subsegments.last[subsegments].max(),
        )
        start, end = (SHIPPED.frame_start(int(frame)) for frame in frames)
        assert seconds[index] == (end - start) / 16_000
        np.testing.assert_array_equal(levels[index], band_levels(sound[start:end], 16_000))
    for threads, block in ((1, 4_000), (2, 33_333), (3, 100_000)):
        ears = ears_of(threads=threads, sound_step=sound_step, before=dawdling(threads))
        blocks = [block] * (len(sound) // block)
        assert_same(hear(stream_in(sound, blocks), ears, Stopwatch()), expected)
