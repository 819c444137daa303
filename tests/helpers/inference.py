"""A long recording for the rule networks, and a comparison of what inference makes of it."""

import numpy as np

from hocket.config import Config, RegionConfig, SubsegmentConfig, WindowConfig
from hocket.offline.inference import InferenceOutput
from tests.helpers.geometry import RATE
from tests.helpers.rule_networks import sound_of

CONFIG = Config(
    windows=WindowConfig(step_s=0.1),
    regions=RegionConfig(change_s=0.08, longest_s=0.9),
    subsegments=SubsegmentConfig(length_s=0.3, hop_s=0.16, min_s=0.08, grid_s=0.05, crop_s=0.5),
)
"""Settings for the small grids."""

_TURNS = [(1, 130), (2, 170), (0, 60), (4, 40), (1, 300), (0, 30), (3, 90), (2, 45)]
LONG_SOUND = sound_of(_TURNS * 7)[: 60 * RATE]
"""A minute of two speakers who take turns and sometimes overlap."""


def assert_same(one: InferenceOutput, other: InferenceOutput) -> None:
    assert one.samples == other.samples
    pairs = [
        *zip(one.segmentation, other.segmentation, strict=True),
        (one.regions, other.regions),
        *zip(one.subsegments, other.subsegments, strict=True),
        (one.embeddings, other.embeddings),
        *zip(one.bands[:3], other.bands[:3], strict=True),
    ]
    assert one.bands.usual is other.bands.usual is None
    for left, right in pairs:
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
