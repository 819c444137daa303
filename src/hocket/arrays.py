"""The arrays that flow between stages: a dtype and a name for every axis.

An alias says what an array is; `check_array` holds it to that at the two doors, the public API and
the graphs. Inside, stages trust each other. Axes of one name have one length within a call.
"""

from typing import Annotated, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.errors import GraphInputError

Waveform: TypeAlias = Annotated[NDArray[np.float32], "samples"]
"""Mono audio at the graphs' sample rate, finite, nominally -1..1."""

Windows: TypeAlias = Annotated[NDArray[np.float32], "windows samples"]
"""Overlapping windows of a waveform."""

SincFeatures: TypeAlias = Annotated[NDArray[np.float32], "windows 160 places"]
"""Highest outputs of the segmentation's sinc filters over three steps, then of their negatives."""

LogProbs: TypeAlias = Annotated[NDArray[np.float32], "windows frames 7"]
"""Logarithms of the probabilities of the power-set classes."""

SlotActivity: TypeAlias = Annotated[NDArray[np.float16], "windows frames slots"]
"""Probability that a slot speaks."""

Occupancy: TypeAlias = Annotated[NDArray[np.float32], "frames 3"]
"""Probability that nobody, one person and several people speak."""

FrameCounts: TypeAlias = Annotated[NDArray[np.int32], "frames"]
"""Number of people speaking in each frame of the recording."""

Regions: TypeAlias = Annotated[NDArray[np.int64], "runs 2"]
"""First and past-the-last frame of stretches in which one person speaks alone."""

SubsegmentEmbeddings: TypeAlias = Annotated[NDArray[np.float32], "units dimension"]
"""One voice vector per unit, not normalised; all zero where there is none."""

Centroids: TypeAlias = Annotated[NDArray[np.float32], "clusters dimension"]
"""One unit vector per cluster, or zero where no embedding was usable."""

BandPowers: TypeAlias = Annotated[NDArray[np.float32], "frames 4"]
"""Mean power of a short-time frame in every band of `hocket.embedding.bands`."""

BandLevels: TypeAlias = Annotated[NDArray[np.float32], "crops 3"]
"""Level of the low, the high and the highest band of a crop, dB; NaN where nothing is known."""

ChannelWeights: TypeAlias = Annotated[NDArray[np.float64], "units 4"]
"""How far a sound is full, medium, narrow and telephone band; a row sums to 1."""

ClusterLabels: TypeAlias = Annotated[NDArray[np.int32], "units"]
"""Cluster of every unit, -1 for none."""

Votes: TypeAlias = Annotated[NDArray[np.float32], "frames clusters"]
"""Probability that the cluster speaks, the mean over the windows."""

Activations: TypeAlias = Annotated[NDArray[np.bool_], "frames clusters"]
"""True where a cluster speaks."""


class Subsegments(NamedTuple):
    """What is embedded, all columns (units,): frames `first` to `last` of a run."""

    region: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Bands(NamedTuple):
    """Which bands the crops have that units were embedded from; a crop holds one unit or several.

    crop: (units,) crop of every unit.
    levels: (crops, 3), dB.
    seconds: (crops,) length of their sound.
    usual: (3,), levels of all the sound around the crops; None: medians over the crops.
    """

    crop: NDArray[np.int64]
    levels: BandLevels
    seconds: NDArray[np.float64]
    usual: NDArray[np.float32] | None = None


class Parts(NamedTuple):
    """Runs divided among clusters, all columns (parts,): frames `first` to `last` are one's."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    cluster: NDArray[np.int64]


def check_array(name: str, array: object, dtype: type[np.generic], axes: tuple[str, ...]) -> None:
    """Raise GraphInputError unless `array` is an ndarray of this dtype and number of axes."""
    expected = f"{np.dtype(dtype).name} array ({', '.join(axes)})"
    if not isinstance(array, np.ndarray):
        raise GraphInputError(f"{name}: found {type(array).__name__}; pass a {expected}")
    if array.dtype != dtype or array.ndim != len(axes):
        raise GraphInputError(f"{name}: found {array.dtype} {array.shape}; pass a {expected}")


def segments_of(active: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.int64]:
    """First and past-the-last index of every stretch of ones in (frames,), as (stretches, 2)."""
    padded: NDArray[np.bool_] = np.zeros(len(active) + 2, np.bool_)
    padded[1:-1] = active
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length one along the last axis; zero stays zero."""
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
