"""Share of the `post_embedding` graph in the time of a stream, and of the loops it replaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.graph import Graph, GraphSpec, Tensors

ROUNDS = 5  # alternating; results are medians


@dataclass(eq=False)
class RecordingGraph:
    """A graph that keeps all its inputs."""

    graph: Graph
    inputs: list[Tensors] = field(default_factory=list)

    @property
    def spec(self) -> GraphSpec:
        """The spec of the graph."""
        return self.graph.spec

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata of the graph."""
        return self.graph.metadata

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Run the graph and keep the inputs."""
        self.inputs.append(inputs)
        return self.graph.run(inputs)


def measure_host_loops(graph: Graph, given: Sequence[Tensors], seconds: float) -> dict[str, Any]:
    """Time the graph and NumPy loops over slots, speakers and segments, alternating.

    Args:
        graph: `post_embedding`.
        given: its inputs in a stream, window by window.
        seconds: time of the whole stream.
    """
    from hocket.backends.reference import ReferenceGraph

    graphs = {"graph": graph, "loops": ReferenceGraph("post_embedding")}
    rounds = [{name: _time(each, given) for name, each in graphs.items()} for _ in range(ROUNDS)]
    taken = {name: median(times[name] for times in rounds) for name in graphs}
    before = seconds - taken["graph"] + taken["loops"]
    return {
        "windows": len(given),
        "rows_mean": round(float(np.mean([len(each["embeddings"]) for each in given])), 1),
        "known_mean": round(float(np.mean([len(each["database"]) for each in given])), 1),
        "loops_ms": round(1e3 * taken["loops"] / len(given), 3),
        "graph_ms": round(1e3 * taken["graph"] / len(given), 3),
        "share_percent_before": round(100 * taken["loops"] / before, 2),
        "share_percent_after": round(100 * taken["graph"] / seconds, 2),
    }


def _time(graph: Graph, given: Sequence[Tensors]) -> float:
    started = perf_counter()
    for inputs in given:
        graph.run(inputs)
    return perf_counter() - started
