"""Channel compensation: embeddings without the offset that a telephone or a codec adds.

A channel shifts the embeddings of all voices in about the same way, so distances would mean one
thing in full band and another by telephone. Band levels identify the channel. Its offset is
subtracted, and a low-rank linear map restores part of what the channel removed. Full-band
embeddings do not change (docs/decisions/020-channels.md).
"""

import io
import zlib
from dataclasses import dataclass
from typing import NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import BandLevels, Bands, ChannelWeights, unit_length

# low, high and highest band; lower levels carry no further information, nor do levels above 0 dB
FLOOR_DB = (-40.0, -70.0, -70.0)
# level at which weight begins, and at which it is full
NARROW_DB = (-34.0, -44.0)  # of the high band
MEDIUM_DB = (-45.0, -55.0)  # of the highest band
TELEPHONE_DB = (-8.0, -18.0)  # of the low band, where the high band is missing
USUAL_S = 1.0  # seconds that the usual levels of a recording count for in those of a crop


@dataclass(frozen=True, eq=False)
class ChannelModel:
    """Effect of channels on the unit-length embeddings of one network; all arrays are float32.

    The names of the fields are those of the arrays in the .npz file.

    offsets: (3, dimension), added by medium band, narrow band and telephone.
    centre: (dimension,), mean of full-band voices.
    left, right: (dimension, rank) and (rank, dimension), factors of the map around that mean.
    """

    offsets: NDArray[np.float32]
    centre: NDArray[np.float32]
    left: NDArray[np.float32]
    right: NDArray[np.float32]

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the output of `to_bytes`, without pickle; ValueError if it is anything else."""
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
        """The model as an .npz file; equal models give equal bytes."""
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **vars(self))
        return file.getvalue()


def membership(levels: NDArray[np.floating]) -> ChannelWeights:
    """Weights of full, medium, narrow band and telephone, (crops, 4); a row sums to 1.

    Args:
        levels: (crops, 3), dB, all finite.
    """
    low, high, highest = _clipped(levels).T
    narrow = _ramp(high, NARROW_DB)
    medium = _ramp(highest, MEDIUM_DB) * (1 - narrow)
    telephone = narrow * _ramp(low, TELEPHONE_DB)
    return np.stack([1 - narrow - medium, medium, narrow - telephone, telephone], axis=1)


def usual_levels(levels: BandLevels, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of known levels, weighted by length, (3,) dB; NaN if no levels are known.

    Args:
        levels: (crops, 3), dB; NaN where unknown.
        seconds: (crops,) length of each crop.
    """
    known = np.isfinite(levels).all(axis=1)
    if not known.any():
        return np.full(levels.shape[1], np.nan)
    measured, weights = _clipped(levels[known]), seconds[known]
    order = np.argsort(measured, axis=0, kind="stable")
    reached = np.cumsum(weights[order], axis=0)
    middle = (reached >= reached[-1] / 2).argmax(axis=0)
    medians: NDArray[np.float64] = measured[order[middle, range(3)], range(3)]
    return medians


def pooled(
    levels: BandLevels, seconds: NDArray[np.float64], usual: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Partial pooling: levels of crops, closer to the usual levels the shorter a crop is.

    Args:
        levels: (crops, 3), dB. Unknown levels are replaced by the usual ones.
        seconds: (crops,) length of each crop.
        usual: (3,) dB, of the recording or the window. If they are unknown, a crop keeps its own
            levels; if these are unknown too, the crop counts as full band.

    Returns:
        (crops, 3), dB.
    """
    own, typical = np.broadcast_arrays(_clipped(levels), _clipped(usual))
    own, typical = (
        np.where(np.isfinite(one), one, other) for one, other in ((own, typical), (typical, own))
    )
    length = seconds[:, None]
    mean = (length * own + USUAL_S * typical) / (length + USUAL_S)
    return np.asarray(np.nan_to_num(mean))


def weights_of(bands: Bands) -> ChannelWeights:
    """Channel weights of the subsegments in a recording or a window, (subsegments, 4)."""
    usual = usual_levels(bands.levels, bands.seconds) if bands.usual is None else bands.usual
    return membership(pooled(bands.levels, bands.seconds, usual))[bands.crop]


def compensate(
    vectors: NDArray[np.float32], weights: ChannelWeights, model: ChannelModel
) -> NDArray[np.float32]:
    """Vectors without the effect of their channels, unit length, (subsegments, dimension).

    Args:
        vectors: (subsegments, dimension), unit length. Zero or non-finite rows stay unchanged.
        weights: (subsegments, 4). Rows of full band stay unchanged, to the bit.
        model: of the network that computed the vectors.
    """
    rows = np.flatnonzero(weights[:, 0] < 1)
    rows = rows[np.isfinite(vectors[rows]).all(axis=1) & vectors[rows].any(axis=1)]
    if not len(rows):
        return vectors
    shares = weights[rows].astype(np.float32)
    shifted = vectors[rows] - shares[:, 1:] @ model.offsets
    shifted += (1 - shares[:, :1]) * ((shifted - model.centre) @ model.left @ model.right)
    compensated = vectors.copy()
    compensated[rows] = unit_length(shifted)
    return compensated


class Compensated(NamedTuple):
    """Vectors of subsegments without the effect of their channels.

    vectors: (subsegments, dimension), unit length.
    narrow: (subsegments,) weight of narrow band and telephone, 0..1.
    telephone: (subsegments,) weight of telephone alone, 0..1.
    """

    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]
    telephone: NDArray[np.float64]


def compensate_subsegments(
    vectors: NDArray[np.float32], bands: Bands | None, model: ChannelModel | None
) -> Compensated:
    """Compensate the vectors of subsegments; they stay unchanged if bands or the model are None.

    Args:
        vectors: (subsegments, dimension), unit length.
        bands: of the crops that hold the subsegments; None: not measured.
        model: of the network that computed the vectors; None: the network has none.
    """
    if bands is None or model is None:
        return Compensated(vectors, np.zeros(len(vectors)), np.zeros(len(vectors)))
    weights = weights_of(bands)
    compensated = compensate(vectors, weights, model)
    return Compensated(
        compensated, weights[:, 2:].sum(axis=1), np.asarray(weights[:, 3], np.float64)
    )


def _clipped(levels: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.clip(levels.astype(np.float64), FLOOR_DB, 0)


def _ramp(level: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.float64]:
    """0 up to the first bound, rising linearly to 1 at the second."""
    first, last = bounds
    return np.clip((level - first) / (last - first), 0, 1)
