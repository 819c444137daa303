"""The arrays that flow between stages: an alias for each, with its dtype and named axes.

`check_array` checks dtype and number of axes where arrays enter, in the public API and the graphs;
between stages nothing is checked. Axes of one name have the same length within a call.
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
"""Outputs of the segmentation's sinc filters, max-pooled over three steps, and of their negatives.

80 filters, then their negatives. A place is a pooled sinc frame, 30 samples.
"""

LogProbs: TypeAlias = Annotated[NDArray[np.float32], "windows frames 7"]
"""Log-probabilities of the power-set classes."""

SlotActivity: TypeAlias = Annotated[NDArray[np.float16], "windows frames slots"]
"""Probability that each slot (local speaker of a window) speaks."""

Occupancy: TypeAlias = Annotated[NDArray[np.float32], "frames 3"]
"""Probability that no speaker, one speaker and several speakers speak."""

FrameCounts: TypeAlias = Annotated[NDArray[np.int32], "frames"]
"""Number of speakers in each frame of the recording."""

FrameLabels: TypeAlias = Annotated[NDArray[np.int32], "frames"]
"""Group or cluster that constraints assign to each frame, -1 for none."""

Regions: TypeAlias = Annotated[NDArray[np.int64], "regions 2"]
"""First and past-the-last frame of single-speaker regions."""

SubsegmentEmbeddings: TypeAlias = Annotated[NDArray[np.float32], "subsegments dimension"]
"""One embedding per subsegment, not normalized; all zero where there is none."""

Centroids: TypeAlias = Annotated[NDArray[np.float32], "clusters dimension"]
"""One vector of unit length per cluster, or zero where no embedding is usable."""

BandPowers: TypeAlias = Annotated[NDArray[np.float32], "frames 4"]
"""Mean power of a short-time frame in every band of `hocket.embedding.bands`."""

BandLevels: TypeAlias = Annotated[NDArray[np.float32], "crops 3"]
"""Level of the low, the high and the highest band of a crop, dB; NaN where it is unknown."""

ChannelWeights: TypeAlias = Annotated[NDArray[np.float64], "subsegments 4"]
"""Weights of full band, medium band, narrow band and telephone; a row sums to 1."""

ClusterLabels: TypeAlias = Annotated[NDArray[np.int32], "subsegments"]
"""Cluster of every subsegment, -1 for none."""

Votes: TypeAlias = Annotated[NDArray[np.float32], "frames clusters"]
"""Probability that a cluster speaks, averaged over the windows."""

Activations: TypeAlias = Annotated[NDArray[np.bool_], "frames clusters"]
"""True where a cluster speaks."""


class Subsegments(NamedTuple):
    """What is embedded: frames `first` to `last` of a region, all columns (subsegments,)."""

    region: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


class Bands(NamedTuple):
    """Band levels of the crops that subsegments were embedded from.

    crop: (subsegments,) crop of every subsegment; a crop holds one or more.
    levels: (crops, 3), dB.
    seconds: (crops,) length of each crop.
    usual: (3,) dB, levels of all the audio around the crops; None: medians over the crops.
    """

    crop: NDArray[np.int64]
    levels: BandLevels
    seconds: NDArray[np.float64]
    usual: NDArray[np.float32] | None = None


class Parts(NamedTuple):
    """Regions divided among clusters: frames `first` to `last` of one cluster, columns (parts,)."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    cluster: NDArray[np.int64]


def check_array(name: str, array: object, dtype: type[np.generic], axes: tuple[str, ...]) -> None:
    """Check an array's type.

    Args:
        name: of the array, for the message.
        array: what to check.
        dtype: that it must have.
        axes: names of its axes, in order.

    Raises:
        GraphInputError: it is not an ndarray of this dtype and number of axes.
    """
    expected = f"{np.dtype(dtype).name} array ({', '.join(axes)})"
    if not isinstance(array, np.ndarray):
        raise GraphInputError(f"{name}: found {type(array).__name__}; pass a {expected}")
    if array.dtype != dtype or array.ndim != len(axes):
        raise GraphInputError(f"{name}: found {array.dtype} {array.shape}; pass a {expected}")


def segments_of(active: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.int64]:
    """First and past-the-last index of every segment of ones in (frames,), as (segments, 2)."""
    padded: NDArray[np.bool_] = np.zeros(len(active) + 2, np.bool_)
    padded[1:-1] = active
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length 1 along the last axis; zero vectors stay zero."""
    norms: NDArray[np.float32] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
