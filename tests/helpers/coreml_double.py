"""A stand-in for Core ML packages: as strict about shapes, computed by another graph."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.config import SubsegmentConfig
from hocket.graph import SPECS, Graph, Port

BATCHES = (1, 4, 16)
GRID = round(SubsegmentConfig.grid_s * 16_000)
LONGEST = ceil(SubsegmentConfig.length_s / SubsegmentConfig.grid_s) * GRID
LENGTHS = {
    "segmentation": (80_000, 160_000),
    "segmentation_masks": (80_000, 160_000),
    "fused": (80_000, 160_000),
    "embedding": tuple(range(GRID, LONGEST + 1, GRID)),
    "embedding_inputs": (16_000, 160_000),
}
"""Numbers of samples that a package takes, by graph.

The forge leaves `embedding` a range; here it takes only the few lengths of single subsegments.
"""

RANGES = {
    "samples": (400, 960_000),
    "places": (1, 31_991),
    "windows": (1, 16),
    "frames": (1, 4_000),
    "slots": (1, 16),
    "speakers": (1, 10_000),
    "dimension": (1, -1),
}

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Feature:
    """Shapes that a package takes for one input; `enumerated` or `ranges` may be empty."""

    name: str
    enumerated: Shapes = ()
    ranges: tuple[tuple[int, int], ...] = ()
    shape: tuple[int, ...] = ()

    def fits(self, shape: tuple[int, ...]) -> bool:
        if self.enumerated:
            return shape in self.enumerated
        if not self.ranges:
            return shape == self.shape
        return len(shape) == len(self.ranges) and all(
            least <= length and (greatest < 0 or length <= greatest)
            for length, (least, greatest) in zip(shape, self.ranges, strict=True)
        )

    def described(self) -> SimpleNamespace:
        """The same in the form of coremltools' protobuf."""
        sizes = [SimpleNamespace(lowerBound=low, upperBound=high) for low, high in self.ranges]
        array = SimpleNamespace(
            shape=list(self.shape or next(iter(self.enumerated), ())),
            enumeratedShapes=SimpleNamespace(
                shapes=[SimpleNamespace(shape=list(shape)) for shape in self.enumerated]
            ),
            shapeRange=SimpleNamespace(sizeRanges=sizes),
        )
        return SimpleNamespace(name=self.name, type=SimpleNamespace(multiArrayType=array))


@dataclass
class FakeMLModel:
    """`coremltools.models.MLModel`.

    given: shapes of all inputs of each call.
    """

    graph: Graph
    features: tuple[Feature, ...]
    outputs: tuple[str, ...]
    given: list[dict[str, tuple[int, ...]]] = field(default_factory=list)

    def get_spec(self) -> SimpleNamespace:
        description = SimpleNamespace(
            input=[feature.described() for feature in self.features],
            output=[SimpleNamespace(name=name) for name in self.outputs],
            metadata=SimpleNamespace(userDefined=dict(self.graph.metadata)),
        )
        return SimpleNamespace(description=description)

    def predict(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
        self.given.append({name: array.shape for name, array in inputs.items()})
        if set(inputs) != {feature.name for feature in self.features}:
            raise RuntimeError(f"Core ML: odd inputs {sorted(inputs)}")
        for feature in self.features:
            shape = inputs[feature.name].shape
            if 0 in shape or not feature.fits(shape):
                raise RuntimeError(f"Core ML: {feature.name} of shape {shape} is not allowed")
        found = self.graph.run(inputs)
        return {
            name: found[name].astype(float) for name in self.outputs
        }  # any float type is allowed


def fake_package(name: str, graph: Graph, batches: Iterable[int] = BATCHES) -> FakeMLModel:
    """A package of one of `SPECS`, as the forge makes it."""
    spec = SPECS[name]
    lengths = LENGTHS.get(name, ())
    features = tuple(_feature(port, lengths, tuple(batches)) for port in spec.inputs)
    return FakeMLModel(graph, features, tuple(port.name for port in spec.outputs))


def _feature(port: Port, lengths: tuple[int, ...], batches: tuple[int, ...]) -> Feature:
    if "samples" in port.axes and lengths:
        first = batches if "windows" in port.axes else (1,)
        return Feature(port.name, tuple((batch, 1, n) for n in lengths for batch in first))
    fixed = {axis: (int(axis), int(axis)) for axis in port.axes if axis.isdigit()}
    return Feature(port.name, ranges=tuple((fixed | RANGES)[axis] for axis in port.axes))
