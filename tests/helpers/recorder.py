"""A graph that keeps its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hocket.graph import Graph, GraphSpec, Tensors


@dataclass(eq=False)
class Recorder:
    """Runs a graph.

    graph: computes.
    given: inputs of each call.
    """

    graph: Graph
    given: list[Tensors] = field(default_factory=list)

    @property
    def spec(self) -> GraphSpec:
        return self.graph.spec

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.graph.metadata

    @property
    def shapes(self) -> list[tuple[tuple[int, ...], ...]]:
        """Shapes of all inputs of each call."""
        return [tuple(array.shape for array in inputs.values()) for inputs in self.given]

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.given.append(inputs)
        return self.graph.run(inputs)
