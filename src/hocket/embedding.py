"""Waveform and masks to units: stretches of one voice, each with its embedding.

A slot may mix people where a window holds more of them than slots, so every run of a slot, in
which nobody else speaks, is embedded on its own. CAM++ gates its layers by the mean of all it hears
and is given nothing but that run. Pieces of equal length share a call of the graph; lengths are
rounded up to a grid by repeating the piece from its start, which adds no foreign sound.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Masks, UnitEmbeddings, Units, Waveform, stretches
from hocket.config import UnitConfig
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.masks import clean_masks

# fills the tiles of every matrix product; twice as much is no faster and takes 500 MB more
BATCH_S = 20.0


def plan_units(masks: Masks, geometry: Geometry, config: UnitConfig) -> Units:
    """Choose what to embed.

    Every run of at least `min_run_s`, cut into equal pieces of at most `max_piece_s`; for a slot
    that has no such run, all its frames.
    """
    shortest = geometry.frames_of(config.min_run_s)
    rows: list[tuple[int, int, int, int]] = []
    clean = clean_masks(masks)
    for window, slot in np.argwhere(masks.any(axis=1)).tolist():
        runs = stretches(clean[window, :, slot])
        long_runs = runs[runs[:, 1] - runs[:, 0] >= shortest].tolist()
        for first, last in long_runs:
            rows += [(window, slot, a, b) for a, b in _pieces(first, last, geometry, config)]
        if not long_runs:
            rows.append((window, slot, 0, masks.shape[1]))
    return Units(*np.array(rows, np.int64).reshape(-1, 4).T)


def _pieces(first: int, last: int, geometry: Geometry, config: UnitConfig) -> list[tuple[int, int]]:
    number = -(-(last - first) // max(1, geometry.frames_of(config.max_piece_s)))
    edges = np.linspace(first, last, number + 1).round().astype(int).tolist()
    return list(pairwise(edges))


def embed(
    waveform: Waveform,
    first_frames: NDArray[np.int64],
    masks: Masks,
    units: Units,
    graph: Graph,
    geometry: Geometry,
    config: UnitConfig,
    advance: Callable[[int], None],
) -> UnitEmbeddings:
    """Embed units.

    Args:
        waveform: the whole recording.
        first_frames: (windows,) first frame of every window.
        masks: (windows, frames, slots) frames to embed each slot from.
        units: what to embed.
        graph: `embedding`.
        geometry: frame grid of the masks.
        config: lengths.
        advance: called after each call of the graph with the number of units done in it.

    Returns:
        (units, dimension), zero for units with less speech than `min_voice_s`.
    """
    embeddings = np.zeros((len(units.window), int(graph.metadata["dimension"])), np.float32)
    frames = unit_frames(masks, units)
    grid = max(1, round(config.grid_s * geometry.sample_rate))
    lengths = -(-frames * geometry.frame_step // grid) * grid
    lengths = np.minimum(
        lengths, -(-round(config.max_piece_s * geometry.sample_rate) // grid) * grid
    )
    too_short = frames < geometry.frames_of(config.min_voice_s)
    if too_short.any():
        advance(int(too_short.sum()))
    for batch in _batches(np.where(too_short, 0, lengths), geometry):
        pieces = [
            _join(waveform, geometry, first_frames[window] + first, masks[window, first:last, slot])
            for window, slot, first, last in zip(*(column[batch] for column in units), strict=True)
        ]
        sounds = np.stack([np.resize(piece, lengths[batch[0]]) for piece in pieces])
        everything = np.ones((len(batch), 1, 1), np.float32)
        out = graph.run({"waveform": sounds[:, None], "masks": everything})["embeddings"]
        embeddings[batch] = out[:, 0]
        advance(len(batch))
    return embeddings


def unit_frames(masks: Masks, units: Units) -> NDArray[np.int64]:
    """Number of frames under the mask in every unit, (units,)."""
    before = np.zeros((len(masks), masks.shape[1] + 1, masks.shape[2]), np.int32)
    np.cumsum(masks, axis=1, out=before[:, 1:])
    window, slot, first, last = units
    return (before[window, last, slot] - before[window, first, slot]).astype(np.int64)


def _batches(lengths: NDArray[np.int64], geometry: Geometry) -> Iterator[NDArray[np.int64]]:
    """Indices of units of one length, about BATCH_S seconds at a time; none of length 0."""
    for length in np.unique(lengths[lengths > 0]).tolist():
        same = np.flatnonzero(lengths == length)
        size = max(1, round(BATCH_S * geometry.sample_rate / length))
        for first in range(0, len(same), size):
            yield same[first : first + size]


def _join(
    waveform: Waveform, geometry: Geometry, first_frame: int, mask: NDArray[np.uint8]
) -> Waveform:
    """Samples of the frames under a mask whose first frame is `first_frame`, joined."""
    edges = [
        (geometry.frame_start(first_frame + a), geometry.frame_start(first_frame + b))
        for a, b in stretches(mask).tolist()
    ]
    return np.concatenate([waveform[start:end] for start, end in edges])
