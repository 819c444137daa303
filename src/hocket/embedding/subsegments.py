"""Runs to units, each with its embedding.

What the segmentation takes for one run may hold two voices, so units are short and overlap: a
person's embedding comes from a second of speech and may change every half. The network hears a
stretch of a run once, as a span, and pools every unit of it from what it made of that; nothing is
heard twice because units or windows overlap (docs/decisions/012-spans.md).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Runs, Units, Waveform
from hocket.config import UnitConfig
from hocket.geometry import Geometry
from hocket.graph import Tensors


class Span(NamedTuple):
    """A stretch of a run, frames `first` to `last`, and the (first, last) of its units."""

    first: int
    last: int
    units: NDArray[np.int64]  # (units, 2)


def plan_units(runs: Runs, geometry: Geometry, config: UnitConfig) -> Units:
    """Choose what has an embedding.

    A run of up to `length_s` is one unit. A longer one is covered by units of exactly that length,
    spread evenly, at most `hop_s` apart. Runs under `min_s` have none.
    """
    length, hop, least = (
        max(1, geometry.frames_of(value)) for value in (config.length_s, config.hop_s, config.min_s)
    )
    rows: list[tuple[int, int, int]] = []
    for run, (first, last) in enumerate(runs.tolist()):
        if last - first < least:
            continue
        spare = max(0, last - first - length)
        starts = np.linspace(first, first + spare, -(-spare // hop) + 1).round().astype(int)
        rows += [(run, start, min(start + length, last)) for start in starts.tolist()]
    return Units(*np.array(rows, np.int64).reshape(-1, 3).T)


def plan_spans(units: Units, geometry: Geometry, span_s: float, config: UnitConfig) -> list[Span]:
    """Gather the units of each run into as few equal spans of at most `span_s` as hold them."""
    longest = max(1, geometry.frames_of(max(span_s, config.length_s)))
    bounds = np.stack([units.first, units.last], axis=1)
    edges = np.flatnonzero(np.diff(units.run, prepend=-1, append=-1))
    spans: list[Span] = []
    for start, end in pairwise(edges.tolist()):
        spans += _spans_of_run(bounds[start:end], longest)
    return spans


def _spans_of_run(bounds: NDArray[np.int64], longest: int) -> list[Span]:
    for count in range(1, len(bounds) + 1):
        groups = np.array_split(bounds, count)
        if all(group[-1, 1] - group[0, 0] <= longest for group in groups):
            break
    return [Span(int(group[0, 0]), int(group[-1, 1]), group) for group in groups]


def unit_seconds(runs: Runs, units: Units, geometry: Geometry) -> NDArray[np.float64]:
    """Speech each unit stands for, (units,): its share of its run, however units overlap."""
    lengths = (runs[:, 1] - runs[:, 0]) * geometry.frame_step / geometry.sample_rate
    shares = np.bincount(units.run, minlength=len(runs))
    return lengths[units.run] / shares[units.run]


def heard_length(samples: int, least: int, grid: int) -> int:
    """Samples that the graph is given for a span of `samples`: a length that recurs.

    Args:
        samples: length of the span.
        least: samples that the graph needs.
        grid: samples; runtimes keep what they prepare for each length.
    """
    return max(-(-samples // grid) * grid, least)


def span_inputs(sound: Waveform, length: int, span: Span, geometry: Geometry) -> Tensors:
    """What the `embedding` graph is given for a span.

    Args:
        sound: as the recording goes on from the beginning of the span, without a copy: units'
            masks hide what follows it. Where the recording ends, the span alone, which is repeated
            from its start.
        length: samples the graph is given.
        span: its frames and units.
        geometry: frame grid.
    """
    frames = -(-length // geometry.frame_step)
    masks = np.zeros((1, len(span.units), frames), np.float32)
    for mask, (first, last) in zip(masks[0], span.units - span.first, strict=True):
        mask[first:last] = 1
    if len(sound) != length:
        sound = np.resize(sound, length)
        if len(span.units) == 1:  # which the repetition belongs to
            masks[:] = 1
    return {"waveform": sound[None, None], "masks": masks}
