"""Graphs on ONNX Runtime: on the processor, or on a GPU by its CUDA and TensorRT providers.

One session serves all callers at once and computes each call on the caller's own thread. A call
reads contiguous inputs where they lie, and its outputs are the runtime's own memory, given away:
nothing is copied but inputs that are not contiguous.
"""

import contextlib
import io
import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.backends.choice import INSTALL
from hocket.errors import BackendError, ModelError
from hocket.graph import SPECS, GraphSpec, Tensors, least_lengths

# Both spellings occur in ONNX Runtime's own threads; either must be set before the library loads.
_TELEMETRY_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")

# float32 means float32: TF32 keeps 10 bits of a product's factors. Lengths vary, so no exhaustive
# search for the quickest algorithm of every shape.
_CUDA = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}

PROVIDERS: Mapping[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "onnxruntime": (("CPUExecutionProvider", {}),),
    "cuda": (("CUDAExecutionProvider", _CUDA), ("CPUExecutionProvider", {})),
    "tensorrt": (
        ("TensorrtExecutionProvider", {}),
        ("CUDAExecutionProvider", _CUDA),
        ("CPUExecutionProvider", {}),
    ),
}
"""ONNX Runtime's providers by backend: the first must load, the others take what it leaves."""


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
    name: str, content: bytes, weights: Mapping[str, bytes], backend: str = "onnxruntime"
) -> OnnxRuntimeGraph:
    """Load a graph.

    Args:
        name: its name in `hocket.graph.SPECS`.
        content: bytes of its ONNX file.
        weights: bytes of the files it keeps its tensors in, by the name it knows them by.
        backend: a key of `PROVIDERS`.

    Raises:
        BackendError: ONNX Runtime is not installed, or not for this GPU.
        ModelError: the bytes are not that graph.
    """
    onnxruntime = _import_runtime()
    _require_provider(onnxruntime, backend)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3 if backend == "onnxruntime" else 4  # errors come as exceptions
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        options.add_external_initializers_from_files_in_memory(
            list(weights), list(weights.values()), [len(raw) for raw in weights.values()]
        )
    try:
        session = onnxruntime.InferenceSession(
            content, sess_options=options, providers=list(PROVIDERS[backend]), enable_fallback=0
        )
    except Exception as error:  # as above
        if backend == "onnxruntime":
            raise ModelError(f"graph '{name}': ONNX Runtime cannot load it: {error}") from error
        raise _unusable(backend, str(error)) from error
    if PROVIDERS[backend][0][0] not in session.get_providers():  # left out without an exception
        raise _unusable(backend, f"only {', '.join(session.get_providers())} could be loaded")
    spec = SPECS[name]
    found = [port.name for port in (*session.get_inputs(), *session.get_outputs())]
    expected = [port.name for port in (*spec.inputs, *spec.outputs)]
    if found != expected:
        raise ModelError(f"graph '{name}': found inputs and outputs {found}, expected {expected}")
    return OnnxRuntimeGraph(spec, session)


def missing_provider(backend: str) -> str | None:
    """What the installed ONNX Runtime lacks for a backend of `PROVIDERS`; None if nothing.

    Raises:
        BackendError: ONNX Runtime is not installed.
    """
    provider, available = PROVIDERS[backend][0][0], _import_runtime().get_available_providers()
    if provider in available:
        return None
    return f"this ONNX Runtime has {', '.join(available)}, not {provider}"


def _require_provider(onnxruntime: ModuleType, backend: str) -> None:
    """Raise BackendError unless ONNX Runtime was built for a backend; find what a GPU needs."""
    if missing := missing_provider(backend):
        raise BackendError(f"backend '{backend}': {missing}; {INSTALL[backend]}")
    if backend != "onnxruntime" and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls()  # CUDA's libraries from pip, if the system has none


def _unusable(backend: str, problem: str) -> BackendError:
    return BackendError(
        f"backend '{backend}': {problem}; install the NVIDIA driver and the CUDA libraries that "
        "this onnxruntime-gpu asks for, or give backend onnxruntime"
    )


def _import_runtime() -> ModuleType:
    for switch in _TELEMETRY_SWITCHES:
        os.environ[switch] = "1"
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"ONNX Runtime cannot be imported ({error}); {INSTALL['onnxruntime']}"
        ) from error
    onnxruntime.disable_telemetry_events()
    return onnxruntime  # type: ignore[no-any-return]
