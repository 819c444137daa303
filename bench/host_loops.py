"""What the `post_embedding` graph is worth to a stream: its share of the time, and its loops'."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.graph import Graph, GraphSpec, Tensors

ROUNDS = 5  # in turns; of each the median


@dataclass(eq=False)
class Overheard:
    """A graph, and all that it was given."""

    graph: Graph
    given: list[Tensors] = field(default_factory=list)

    @property
    def spec(self) -> GraphSpec:
        """The graph's own."""
        return self.graph.spec

    @property
    def metadata(self) -> Mapping[str, str]:
        """The graph's own."""
        return self.graph.metadata

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """What the graph says."""
        self.given.append(inputs)
        return self.graph.run(inputs)


def measure_host_loops(graph: Graph, given: Sequence[Tensors], seconds: float) -> dict[str, Any]:
    """The graph and NumPy's loops over slots, speakers and runs, on the same inputs, in turns.

    Args:
        graph: `post_embedding`.
        given: what a stream gave it, window by window.
        seconds: that the stream took, all in all.
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
