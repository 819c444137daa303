"""Every graph on every backend that runs it, with valid inputs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import models
from hocket.backends import REFERENCES, ReferenceGraph, installed_backends
from hocket.backends.coreml import CoreMLGraph
from hocket.config import GraphConfig, Runtime
from hocket.errors import GraphInputError
from hocket.graph import SPECS, Graph
from tests.helpers.coreml_double import fake_package
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared_graphs import own_graph

Arrays = dict[str, Any]
INSTALLED = tuple(sorted(installed_backends()))
"""Runtimes of this environment: ONNX Runtime, and OpenVINO if installed."""
ALL = (*INSTALLED, "numpy", "coreml")


WITH_WAVEFORM = tuple(
    name for name, spec in SPECS.items() if any(port.name == "waveform" for port in spec.inputs)
)
"""Graphs with a waveform input."""


@dataclass(frozen=True)
class Case:
    """One graph on one backend."""

    backend: str
    name: str

    @property
    def graph(self) -> Graph:
        return opened(self.backend, self.name)

    @property
    def inputs(self) -> Arrays:
        return {name: array.copy() for name, array in samples(self.name).items()}

    def __str__(self) -> str:
        return f"{self.backend}-{self.name}"


@cache
def opened(backend: str, name: str) -> Graph:
    if backend == "numpy" or (backend == "coreml" and name in REFERENCES):
        inner: Graph = ReferenceGraph(name)
    else:
        chosen = GraphConfig(
            "campplus", "float32", backend if backend in INSTALLED else "onnxruntime"
        )
        inner = own_graph(models.load(name, chosen, Runtime(threads=2)))
    return CoreMLGraph(name, fake_package(name, inner)) if backend == "coreml" else inner


@cache
def samples(name: str) -> Arrays:
    """Inputs that every backend takes: speech or random numbers."""
    audio, _ = soundfile.read(CONVERSATION, dtype="float32")
    windows = np.stack([audio[112_000:192_000], audio[200_000:280_000]])[:, None]
    generator = np.random.default_rng(1)
    masks = (generator.random((2, 59, 3)) < 0.4).astype(np.float32)
    numbers = generator.standard_normal((8, 192)).astype(np.float32)
    return {
        "segmentation": {"waveform": windows},
        "sinc_peaks": {"waveform": windows[..., :16_000]},
        "segmentation_from_peaks": {"waveform": windows, "peaks": sinc_features_of(windows)},
        "powerset_decode": {"log_probs": numbers[:2, :189].reshape(2, 27, 7)},
        "segmentation_masks": {"waveform": windows},
        "embedding_inputs": {"audio": windows[:1, :, :16_000], "masks": masks[:1]},
        "embedding": {"waveform": windows[..., :16_000], "masks": np.moveaxis(masks, 1, 2)},
        "post_embedding": {
            "embeddings": numbers[:3],
            "database": numbers[3:],
            "segments": np.repeat(masks[:1], 20, axis=1),
        },
        "fused": {"waveform": windows},
    }[name]


def sinc_features_of(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Output of `sinc_peaks`."""
    return opened("onnxruntime", "sinc_peaks").run({"waveform": windows})["peaks"]


def cases(*names: str, backends: tuple[str, ...] = ALL) -> Any:
    """Parametrize a test over graphs, by default all, on all backends that run them."""
    found = [
        Case(backend, name)
        for name in names or SPECS
        for backend in backends
        if backend != "numpy" or name in REFERENCES
    ]
    return pytest.mark.parametrize("case", found, ids=str)


def refusal(graph: Graph, arrays: Arrays) -> str:
    with pytest.raises(GraphInputError) as caught:
        graph.run(arrays)
    message = str(caught.value)
    assert "\n" not in message
    return message
