"""The seam between hocket and any runtime: a graph is named arrays in, named arrays out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import check_array
from hocket.errors import GraphInputError

Tensors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Port:
    """One input or output of a graph; an axis is a name, or a fixed length in digits."""

    name: str
    axes: tuple[str, ...]

    def check(self, array: NDArray[np.float32], lengths: dict[str, int]) -> None:
        """Raise GraphInputError unless `array` fits; keep lengths of named axes in `lengths`."""
        check_array(self.name, array, np.float32, self.axes)
        for axis, found in zip(self.axes, array.shape, strict=True):
            expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, found)
            if found != expected:
                raise GraphInputError(
                    f"{self.name}: found shape {array.shape}; axis '{axis}' must be {expected}"
                )


@dataclass(frozen=True)
class GraphSpec:
    """Ports of a graph, in order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def check_inputs(self, inputs: Tensors) -> None:
        """Raise GraphInputError unless `inputs` are exactly the arrays the graph takes."""
        expected = {port.name for port in self.inputs}
        if set(inputs) != expected:
            raise GraphInputError(f"graph inputs: found {sorted(inputs)}, pass {sorted(expected)}")
        lengths: dict[str, int] = {}
        for port in self.inputs:
            port.check(inputs[port.name], lengths)


def _port(name: str, axes: str) -> Port:
    return Port(name, tuple(axes.split()))


SPECS: dict[str, GraphSpec] = {
    "segmentation_masks": GraphSpec(
        inputs=(_port("waveform", "windows 1 samples"),),
        outputs=(_port("masks", "windows frames 3"),),
    ),
    "embedding": GraphSpec(
        inputs=(_port("waveform", "windows 1 samples"), _port("masks", "windows slots frames")),
        outputs=(_port("embeddings", "windows slots dimension"),),
    ),
    "post_embedding": GraphSpec(
        inputs=(
            _port("embeddings", "slots dimension"),
            _port("database", "speakers dimension"),
            _port("segments", "1 frames slots"),
        ),
        outputs=(
            _port("distances", "slots speakers"),
            _port("activity", "slots"),
            _port("valid", "slots"),
            _port("filtered", "1 frames slots"),
        ),
    ),
}
"""The contract of every graph, by name; the forge exports to it and every backend is held to it."""


class Graph(Protocol):
    """A loaded graph."""

    @property
    def spec(self) -> GraphSpec:
        """Names and axes of inputs and outputs."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the forge wrote into the file: geometry, source, sha256."""
        ...

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name.

        Raises:
            GraphInputError: an input is missing, of another dtype or of a shape that does not fit.
            BackendError: the runtime failed.
        """
        ...
