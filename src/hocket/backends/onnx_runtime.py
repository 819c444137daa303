"""Graphs on ONNX Runtime: on the processor, or on a GPU with its CUDA and TensorRT providers.

One session serves all callers and runs each call on the caller's thread. Inputs are copied only if
they are not contiguous. Outputs are not copied: the runtime hands over their memory.
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

# Both spellings occur in ONNX Runtime's issues; they must be set before the library is loaded.
_TELEMETRY_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")

# TF32 is off: it keeps only 10 bits of the factors of a product. There is no exhaustive search for
# the fastest algorithm, because it would be repeated for every input length.
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
"""ONNX Runtime's providers by backend. The first must load; the others run what it leaves."""


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
        content: content of its ONNX file.
        weights: content of the files that hold its tensors, by the name in the ONNX file.
        backend: a key of `PROVIDERS`.

    Raises:
        BackendError: ONNX Runtime is not installed, or does not support this GPU.
        ModelError: the content is not that graph.
    """
    onnxruntime = _import_runtime()
    _require_provider(onnxruntime, backend)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3 if backend == "onnxruntime" else 4  # errors are raised anyway
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
    if PROVIDERS[backend][0][0] not in session.get_providers():  # it failed without an error
        raise _unusable(backend, f"only {', '.join(session.get_providers())} could be loaded")
    spec = SPECS[name]
    found = [port.name for port in (*session.get_inputs(), *session.get_outputs())]
    expected = [port.name for port in (*spec.inputs, *spec.outputs)]
    if found != expected:
        raise ModelError(f"graph '{name}': found inputs and outputs {found}, expected {expected}")
    return OnnxRuntimeGraph(spec, session)


def missing_provider(backend: str) -> str | None:
    """Why the installed ONNX Runtime cannot run a backend of `PROVIDERS`; None if it can.

    Raises:
        BackendError: ONNX Runtime is not installed.
    """
    provider, available = PROVIDERS[backend][0][0], _import_runtime().get_available_providers()
    if provider in available:
        return None
    return f"this ONNX Runtime has {', '.join(available)}, not {provider}"


def _require_provider(onnxruntime: ModuleType, backend: str) -> None:
    """Raise BackendError unless ONNX Runtime was built for a backend; load a GPU's libraries."""
    if missing := missing_provider(backend):
        raise BackendError(f"backend '{backend}': {missing}; {INSTALL[backend]}")
    if backend != "onnxruntime" and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints missing libraries
            onnxruntime.preload_dlls()  # CUDA libraries installed by pip, if the system has none


def _unusable(backend: str, problem: str) -> BackendError:
    return BackendError(
        f"backend '{backend}': {problem}; install the NVIDIA driver and the CUDA libraries that "
        "this onnxruntime-gpu needs, or give backend onnxruntime"
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
