"""Embeddings freed of what a channel adds to them.

A telephone or a codec adds about the same to the embedding of every voice, so a distance would mean
one thing in full band and another by telephone. The levels of bands tell which channel it is; what
it adds is taken away, and a small linear map brings back some of what it took. Where all bands are
there, nothing changes (docs/decisions/020-channels.md).
"""

import io
import zlib
from dataclasses import dataclass
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import BandLevels, Bands, ChannelWeights, unit_length

FLOOR_DB = (-40.0, -70.0, -70.0)  # levels below say no more; nor do levels above 0
NARROW_DB = (-34.0, -44.0)  # of the high band: begins to be narrow, is narrow
MEDIUM_DB = (-45.0, -55.0)  # of the highest band
TELEPHONE_DB = (-8.0, -18.0)  # of the low band, where the high one is missing
USUAL_S = 1.0  # of sound that the usual levels of a recording count for in a crop's


@dataclass(frozen=True, eq=False)
class ChannelModel:
    """What channels add to the unit vectors of one embedding network; all float32.

    offsets: (3, dimension), what medium band, narrow band and telephone add.
    centre: (dimension,), mean of full-band voices.
    left, right: (dimension, rank) and (rank, dimension), a correction around the centre.
    """

    offsets: NDArray[np.float32]
    centre: NDArray[np.float32]
    left: NDArray[np.float32]
    right: NDArray[np.float32]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what `to_bytes` wrote; ValueError if it is anything else. There is no code in it."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = cls(*(file[name] for name in cls.__dataclass_fields__))
        except (OSError, EOFError, KeyError, BadZipFile, zlib.error) as error:
            raise ValueError(str(error)) from error
        arrays = list(vars(found).values())
        shapes = [array.shape for array in arrays]
        dimension, rank = found.left.shape
        expected = [(3, dimension), (dimension,), (dimension, rank), (rank, dimension)]
        if shapes != expected or any(array.dtype != np.float32 for array in arrays):
            raise ValueError(f"found arrays of shapes {shapes}")
        return found

    def to_bytes(self) -> bytes:
        """The model as an .npz file; equal models are equal bytes."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **vars(self))
        return file.getvalue()


def membership(levels: NDArray[np.floating]) -> ChannelWeights:
    """How far crops are full, medium, narrow and telephone band, (crops, 4), by known levels."""
    low, high, highest = _clipped(levels).T
    narrow = _ramp(high, NARROW_DB)
    medium = _ramp(highest, MEDIUM_DB) * (1 - narrow)
    telephone = narrow * _ramp(low, TELEPHONE_DB)
    return np.stack([1 - narrow - medium, medium, narrow - telephone, telephone], axis=1)


def usual_levels(levels: BandLevels, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians over the crops of known levels by their length, (3,) dB; NaN where there are none."""
    known = np.isfinite(levels).all(axis=1)
    if not known.any():
        return np.full(levels.shape[1], np.nan)
    some, weights = _clipped(levels[known]), seconds[known]
    order = np.argsort(some, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0)
    middle = (reached >= reached[-1] / 2).argmax(axis=0)
    found: NDArray[np.float64] = some[order[middle, range(3)], range(3)]
    return found


def pooled(
    levels: BandLevels, seconds: NDArray[np.float64], usual: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Levels of crops, drawn to what is usual around them the more, the shorter they are.

    Args:
        levels: (crops, 3), dB. Unknown ones become the usual ones.
        seconds: (crops,), of sound.
        usual: (3,), dB, of the recording or the window. If unknown, a crop's own ones stay; if
            these are unknown as well, all bands are taken to be there.

    Returns:
        (crops, 3), dB.
    """
    own, around = np.broadcast_arrays(_clipped(levels), _clipped(usual))
    own, around = (
        np.where(np.isfinite(one), one, other) for one, other in ((own, around), (around, own))
    )
    length = seconds[:, None]
    found = (length * own + USUAL_S * around) / (length + USUAL_S)
    return np.asarray(np.nan_to_num(found))


def weights_of(bands: Bands) -> ChannelWeights:
    """How far units are of each band, (units, 4)."""
    usual = usual_levels(bands.levels, bands.seconds) if bands.usual is None else bands.usual
    return membership(pooled(bands.levels, bands.seconds, usual))[bands.crop]


def free(
    vectors: NDArray[np.float32], weights: ChannelWeights, model: ChannelModel
) -> NDArray[np.float32]:
    """Vectors without what their channels add, of unit length.

    Args:
        vectors: (units, dimension), unit length. Rows that are zero or not finite stay as they are.
        weights: (units, 4). Rows of full band stay as they are, to the bit.
        model: of the network that made the vectors.
    """
    rows = np.flatnonzero(weights[:, 0] < 1)
    rows = rows[np.isfinite(vectors[rows]).all(axis=1) & vectors[rows].any(axis=1)]
    if not len(rows):
        return vectors
    shares = weights[rows].astype(np.float32)
    bare = vectors[rows] - shares[:, 1:] @ model.offsets
    bare += (1 - shares[:, :1]) * ((bare - model.centre) @ model.left @ model.right)
    freed = vectors.copy()
    freed[rows] = unit_length(bare)
    return freed


class Compensated(NamedTuple):
    """Vectors of units without what their channels add.

    vectors: (units, dimension), unit length.
    narrow: (units,), how far a unit came through a narrow band or a telephone, 0..1.
    telephone: (units,), how far through a telephone, 0..1.
    """

    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]
    telephone: NDArray[np.float64]


def compensate_subsegments(
    vectors: NDArray[np.float32], bands: Bands | None, model: ChannelModel | None
) -> Compensated:
    """Vectors of units, freed; as they are where bands or the model are unknown."""
    if bands is None or model is None:
        return Compensated(vectors, np.zeros(len(vectors)), np.zeros(len(vectors)))
    weights = weights_of(bands)
    freed = free(vectors, weights, model)
    return Compensated(freed, weights[:, 2:].sum(axis=1), np.asarray(weights[:, 3], np.float64))


def _clipped(levels: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.clip(levels.astype(np.float64), FLOOR_DB, 0)


def _ramp(level: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """From 0 at the first bound, and before it, to 1 at the second."""
    first, last = bounds
    return np.clip((level - first) / (last - first), 0, 1)
