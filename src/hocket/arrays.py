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

Masks: TypeAlias = Annotated[NDArray[np.uint8], "windows frames slots"]
"""1 where a slot speaks (or may be pooled), else 0."""

UnitEmbeddings: TypeAlias = Annotated[NDArray[np.float32], "units dimension"]
"""One voice vector per unit, not normalised; all zero where there is none."""

Embeddings: TypeAlias = Annotated[NDArray[np.float32], "windows slots dimension"]
"""One voice vector per slot; all zero where a slot has none."""

Centroids: TypeAlias = Annotated[NDArray[np.float32], "clusters dimension"]
"""One unit vector per cluster."""

Labels: TypeAlias = Annotated[NDArray[np.int32], "windows slots"]
"""Cluster of every slot, -1 for none."""

UnitLabels: TypeAlias = Annotated[NDArray[np.int32], "units"]
"""Cluster of every unit, -1 for none."""

Votes: TypeAlias = Annotated[NDArray[np.float32], "frames clusters"]
"""Share of the windows over a frame in which the cluster speaks, 0..1."""

Activations: TypeAlias = Annotated[NDArray[np.bool_], "frames clusters"]
"""True where a cluster speaks."""

FrameCounts: TypeAlias = Annotated[NDArray[np.int32], "frames"]
"""Number of people speaking in each frame of the recording."""


class Units(NamedTuple):
    """Stretches of one voice, all columns (units,): frames `first` to `last` of a window's slot."""

    window: NDArray[np.int64]
    slot: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]


def check_array(name: str, array: object, dtype: type[np.generic], axes: tuple[str, ...]) -> None:
    """Raise GraphInputError unless `array` is an ndarray of this dtype and number of axes."""
    expected = f"{np.dtype(dtype).name} array ({', '.join(axes)})"
    if not isinstance(array, np.ndarray):
        raise GraphInputError(f"{name}: found {type(array).__name__}; pass a {expected}")
    if array.dtype != dtype or array.ndim != len(axes):
        raise GraphInputError(f"{name}: found {array.dtype} {array.shape}; pass a {expected}")


def stretches(active: NDArray[np.bool_] | NDArray[np.uint8]) -> NDArray[np.int64]:
    """First and past-the-last index of every stretch of ones in (frames,), as (stretches, 2)."""
    edges = np.diff(active.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)
