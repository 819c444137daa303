"""Regions to subsegments, each of which gets an embedding, and to the crops that hold them.

A region may still contain two voices, so subsegments are short and overlap: an embedding covers
about a second of speech, and the speaker may change every half second. The network processes a crop
of a region once and pools each subsegment of it, so that overlap costs almost nothing
(docs/decisions/012-spans.md).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Regions, Subsegments
from hocket.config import ResolvedSubsegments, SubsegmentConfig
from hocket.geometry import Geometry


class Crop(NamedTuple):
    """Part of a region that the network processes as one sound.

    first, last: first and past-the-last frame.
    subsegments: (subsegments, 2), first and past-the-last frame of each.
    """

    first: int
    last: int
    subsegments: NDArray[np.int64]


def plan_subsegments(regions: Regions, geometry: Geometry, config: SubsegmentConfig) -> Subsegments:
    """Choose the subsegments of regions.

    A region of up to `length_s` is one subsegment. A longer one is covered by subsegments of that
    length, evenly spaced, at most `hop_s` apart. A region shorter than `min_s` has none.

    Args:
        regions: (regions, 2).
        geometry: frame grid.
        config: lengths.
    """
    length, hop, least = (
        max(1, geometry.frames_of(value)) for value in (config.length_s, config.hop_s, config.min_s)
    )
    rows: list[tuple[int, int, int]] = []
    for region, (first, last) in enumerate(regions.tolist()):
        if last - first < least:
            continue
        spare = max(0, last - first - length)
        starts = np.linspace(first, first + spare, -(-spare // hop) + 1).round().astype(int)
        rows += [(region, start, min(start + length, last)) for start in starts.tolist()]
    return Subsegments(*np.array(rows, np.int64).reshape(-1, 3).T)


def plan_crops(
    subsegments: Subsegments, geometry: Geometry, config: ResolvedSubsegments
) -> list[Crop]:
    """Divide the subsegments of each region into as few crops of at most `crop_s` as possible.

    Args:
        subsegments: from `plan_subsegments`.
        geometry: frame grid.
        config: lengths.
    """
    longest = max(1, geometry.frames_of(max(config.crop_s, config.length_s)))
    bounds = np.stack([subsegments.first, subsegments.last], axis=1)
    edges = np.flatnonzero(np.diff(subsegments.region, prepend=-1, append=-1))
    crops: list[Crop] = []
    for start, end in pairwise(edges.tolist()):
        crops += _crops_of_region(bounds[start:end], longest)
    return crops


def _crops_of_region(bounds: NDArray[np.int64], longest: int) -> list[Crop]:
    for count in range(1, len(bounds) + 1):
        groups = np.array_split(bounds, count)
        if all(group[-1, 1] - group[0, 0] <= longest for group in groups):
            break
    return [Crop(int(group[0, 0]), int(group[-1, 1]), group) for group in groups]


def subsegment_seconds(
    regions: Regions, subsegments: Subsegments, geometry: Geometry
) -> NDArray[np.float64]:
    """Seconds of speech that each subsegment stands for, (subsegments,).

    Each is an equal share of its region, however much subsegments overlap.

    Args:
        regions: (regions, 2).
        subsegments: of these regions.
        geometry: frame grid.
    """
    lengths = (regions[:, 1] - regions[:, 0]) * geometry.frame_step / geometry.sample_rate
    shares = np.bincount(subsegments.region, minlength=len(regions))
    return lengths[subsegments.region] / shares[subsegments.region]
