"""Runs to units, each with its embedding.

What the segmentation takes for one run may hold two voices, so units are short and overlap: a
person's embedding comes from a second of speech and may change every half. Nothing is heard twice
because windows overlap. Units of equal length share a call of the graph; lengths are rounded up to
a grid by repeating the unit from its start, which adds no foreign sound.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Runs, UnitEmbeddings, Units, Waveform
from hocket.config import UnitConfig
from hocket.geometry import Geometry
from hocket.graph import Graph, least_lengths

# fills the tiles of every matrix product; twice as much is no faster and takes 500 MB more
BATCH_S = 20.0


def plan_units(runs: Runs, geometry: Geometry, config: UnitConfig) -> Units:
    """Choose what to embed.

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


def unit_seconds(runs: Runs, units: Units, geometry: Geometry) -> NDArray[np.float64]:
    """Speech each unit stands for, (units,): its share of its run, however units overlap."""
    lengths = (runs[:, 1] - runs[:, 0]) * geometry.frame_step / geometry.sample_rate
    shares = np.bincount(units.run, minlength=len(runs))
    return lengths[units.run] / shares[units.run]


def embed(
    waveform: Waveform,
    units: Units,
    graph: Graph,
    geometry: Geometry,
    config: UnitConfig,
    advance: Callable[[int], None],
) -> UnitEmbeddings:
    """Embed units.

    Args:
        waveform: the whole recording.
        units: what to embed.
        graph: `embedding`.
        geometry: frame grid of the units.
        config: lengths.
        advance: called after each call of the graph with the number of units done in it.
    """
    embeddings = np.zeros((len(units.run), int(graph.metadata["dimension"])), np.float32)
    grid = max(1, round(config.grid_s * geometry.sample_rate))
    lengths = -(-(units.last - units.first) * geometry.frame_step // grid) * grid
    lengths = np.maximum(lengths, least_lengths(graph.metadata).get("samples", 1))
    for batch in _batches(lengths, geometry):
        sounds = np.stack([_sound(waveform, units, unit, geometry, lengths) for unit in batch])
        everything = np.ones((len(batch), 1, 1), np.float32)
        out = graph.run({"waveform": sounds[:, None], "masks": everything})["embeddings"]
        embeddings[batch] = out[:, 0]
        advance(len(batch))
    return embeddings


def _batches(lengths: NDArray[np.int64], geometry: Geometry) -> Iterator[list[int]]:
    """Indices of units of one length, about BATCH_S seconds at a time."""
    for length in np.unique(lengths).tolist():
        same = np.flatnonzero(lengths == length).tolist()
        size = max(1, round(BATCH_S * geometry.sample_rate / length))
        for first in range(0, len(same), size):
            yield same[first : first + size]


def _sound(
    waveform: Waveform, units: Units, unit: int, geometry: Geometry, lengths: NDArray[np.int64]
) -> Waveform:
    """A unit's samples, repeated to its length on the grid."""
    start = geometry.frame_start(int(units.first[unit]))
    end = geometry.frame_start(int(units.last[unit]))
    return np.resize(waveform[start:end], lengths[unit])
