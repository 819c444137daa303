"""Graphs on ONNX Runtime."""

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.config import Runtime
from hocket.errors import BackendError, ModelError
from hocket.graph import SPECS, GraphSpec, Tensors, least_lengths

# Both spellings occur in ONNX Runtime's own threads; either must be set before the library loads.
_TELEMETRY_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")


class OnnxRuntimeGraph:
    """A graph loaded into an ONNX Runtime session."""

    def __init__(self, spec: GraphSpec, session: Any) -> None:
        self.spec = spec
        self._session = session
        self.metadata: Mapping[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self._least = least_lengths(self.metadata)

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; see `hocket.graph.Graph.run`."""
        self.spec.check_inputs(inputs, self._least)
        names = [port.name for port in self.spec.outputs]
        try:
            arrays = self._session.run(names, dict(inputs))
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise BackendError(f"ONNX Runtime failed on {names}: {error}") from error
        return dict(zip(names, arrays, strict=True))


def open_onnx(
    name: str, content: bytes, weights: Mapping[str, bytes], runtime: Runtime
) -> OnnxRuntimeGraph:
    """Load a graph.

    Args:
        name: its name in `hocket.graph.SPECS`.
        content: bytes of its ONNX file.
        weights: bytes of the files it keeps its tensors in, by the name it knows them by.
        runtime: how it is run.

    Raises:
        BackendError: ONNX Runtime is not installed.
        ModelError: the bytes are not that graph.
    """
    onnxruntime = _import_runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: they come back as exceptions
    options.intra_op_num_threads = 1  # workers call side by side, each on its own thread
    if weights:
        options.add_external_initializers_from_files_in_memory(
            list(weights), list(weights.values()), [len(raw) for raw in weights.values()]
        )
    try:
        session = onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # as above
        raise ModelError(f"graph '{name}': ONNX Runtime cannot load it: {error}") from error
    spec = SPECS[name]
    found = [port.name for port in (*session.get_inputs(), *session.get_outputs())]
    expected = [port.name for port in (*spec.inputs, *spec.outputs)]
    if found != expected:
        raise ModelError(f"graph '{name}': found inputs and outputs {found}, expected {expected}")
    return OnnxRuntimeGraph(spec, session)


def _import_runtime() -> ModuleType:
    for switch in _TELEMETRY_SWITCHES:
        os.environ[switch] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"ONNX Runtime cannot be imported ({error}); run 'pip install onnxruntime'"
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime  # type: ignore[no-any-return]
