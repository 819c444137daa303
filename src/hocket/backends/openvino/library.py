"""OpenVINO's Python library, imported without its telemetry."""

import sys
import threading
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.backends.choice import INSTALL
from hocket.errors import BackendError

DEVICE = "CPU"
_TELEMETRY = "openvino_telemetry"
_PROBE = "given"
_importing = threading.Lock()
_prepared: set[ModuleType] = set()


def capabilities() -> frozenset[str]:
    """Precisions that OpenVINO supports on this processor; BackendError if not installed."""
    core = import_openvino().Core()
    return frozenset(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"))


def import_openvino() -> ModuleType:
    """Import the library while its telemetry package is hidden.

    `import openvino` sends an event and writes an identifier to the home directory, unless a file
    there opts out; no environment variable does. Without the package it uses its own stub.
    """
    with _importing:
        hidden = sys.modules.get(_TELEMETRY)
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # None: not importable
        try:
            import openvino
        except ImportError as error:
            raise BackendError(
                f"OpenVINO cannot be imported ({error}); {INSTALL['openvino']}, "
                "or give backend onnxruntime"
            ) from error
        finally:
            del sys.modules[_TELEMETRY]
            if hidden is not None:
                sys.modules[_TELEMETRY] = hidden
        if openvino not in _prepared:
            _prepare_bindings(openvino)
            _prepared.add(openvino)
    return openvino  # type: ignore[no-any-return]


def _prepare_bindings(openvino: Any) -> None:
    """Call every function that graphs use once, on one thread.

    The bindings initialize a function on its first call and release the interpreter lock meanwhile.
    Two threads that make their first calls at the same time may deadlock: 4 of 20 processes with
    eight threads did.
    """
    operations, core = openvino.opset13, openvino.Core()
    given = operations.parameter([-1, 1], np.float32)
    given.output(0).set_names({_PROBE})
    model = openvino.Model([operations.relu(given)], [given], "once")
    model.output(0).set_names({"positive"})
    compiled = core.compile_model(model, DEVICE, {"INFERENCE_NUM_THREADS": 1})
    first, second = (compiled.create_infer_request() for _ in range(2))
    for _ in range(2):
        numbers: NDArray[np.float32] = np.ones((1, 1), np.float32)
        first.infer({_PROBE: numbers}, share_inputs=True, share_outputs=True)
        second.set_tensor(_PROBE, first.get_output_tensor(0))
        second.infer({}, share_inputs=True, share_outputs=True)["positive"]
