"""Graphs that wrap another one, and one of them that keeps its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hocket.graph import Graph, GraphSpec, Tensors

Outputs = dict[str, NDArray[np.float32]]


@dataclass(eq=False)
class Wrapper:
    """A graph with the interface of the graph that it runs."""

    graph: Graph

    @property
    def spec(self) -> GraphSpec:
        return self.graph.spec

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.graph.metadata

    def run(self, inputs: Tensors) -> Outputs:
        return self.graph.run(inputs)


@dataclass(eq=False)
class Recorder(Wrapper):
    """A graph that keeps the inputs of each call in `given`."""

    given: list[Tensors] = field(default_factory=list)

    @property
    def shapes(self) -> list[tuple[tuple[int, ...], ...]]:
        """Shapes of all inputs of each call."""
        return [tuple(array.shape for array in inputs.values()) for inputs in self.given]

    def run(self, inputs: Tensors) -> Outputs:
        self.given.append(inputs)
        return super().run(inputs)
