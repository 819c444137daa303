"""Graphs on OpenVINO's CPU plugin.

A graph is compiled once, with one single-threaded stream for every concurrent call. Each call takes
a request that no other call uses. Contiguous inputs are not copied; outputs are copied once,
because a request overwrites them when it is reused.
"""

import io
import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.backends.choice import Processor
from hocket.backends.openvino import compile_cache
from hocket.backends.openvino.front import FRONT, cut
from hocket.backends.openvino.library import DEVICE, capabilities, import_openvino
from hocket.backends.openvino.onnx_file import read_metadata, with_weights
from hocket.config import Runtime
from hocket.errors import BackendError, ModelError
from hocket.graph import SPECS, Tensors, least_lengths

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoGraph:
    """A graph compiled by OpenVINO, whole or in two parts of different precision."""

    def __init__(self, name: str, metadata: Mapping[str, str], parts: list[Any]) -> None:
        self.spec = SPECS[name]
        self.metadata = metadata
        self._least = least_lengths(metadata)
        self._parts = parts
        self._inputs = [
            [name for name in (port.get_any_name() for port in part.inputs) if name != FRONT]
            for part in parts
        ]
        self._idle: deque[list[Any]] = deque()  # appending and popping are thread-safe

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; see `hocket.graph.Graph.run`."""
        self.spec.check_inputs(inputs, self._least)
        try:
            requests = self._idle.pop()
        except IndexError:
            requests = [part.create_infer_request() for part in self._parts]
        try:
            found = self._infer(requests, inputs)
        except Exception as error:  # OpenVINO raises RuntimeError or its own errors
            names = [port.name for port in self.spec.outputs]
            raise BackendError(f"OpenVINO failed on {names}: {error}") from error
        self._idle.append(requests)  # a request that failed is not reused
        return found

    def _infer(self, requests: list[Any], inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        for request, names in zip(requests, self._inputs, strict=True):
            given = {name: inputs[name] for name in names}
            found = request.infer(given, share_inputs=True, share_outputs=True)
            if request is not requests[-1]:
                requests[-1].set_tensor(FRONT, request.get_output_tensor(0))
        return {port.name: np.array(found[port.name]) for port in self.spec.outputs}


def open_openvino(
    name: str,
    content: bytes,
    weights: Mapping[str, bytes],
    precision: str,
    runtime: Runtime,
    processor: Processor,
) -> OpenVinoGraph:
    """Load a graph.

    Args:
        name: its name in `hocket.graph.SPECS`.
        content: content of its ONNX file.
        weights: content of the files that hold its tensors, by the name in the ONNX file.
        precision: float32, or bfloat16 behind a float32 front.
        runtime: how many calls may run at once.
        processor: the processor to compile for.

    Raises:
        BackendError: OpenVINO is not installed, or this processor lacks the precision.
        ModelError: the content is not that graph.
    """
    openvino = import_openvino()
    if precision == "bfloat16" and "BF16" not in capabilities():  # it would use float32 silently
        raise BackendError(
            "precision bfloat16: OpenVINO does not compute in it on this processor; give float32"
        )
    plan = [("front", "float32"), ("rest", "bfloat16")]
    if precision == "float32":
        plan = [("whole", "float32")]
    source = compile_cache.key_of(content, *weights.values())
    compiler = _Compiler(openvino.Core(), runtime.workers, source, processor)
    try:
        metadata = read_metadata(content)
        parts = [compiler.fetch(*part) for part in plan]
        if None in parts:
            whole = compiler.core.read_model(with_weights(content, weights))
            _check_ports(name, [whole])
            halves = processor.matrix
            models = [whole] if len(plan) == 1 else cut(name, whole, openvino, halves=halves)
            parts = [
                compiler.compile(*part, model) for part, model in zip(plan, models, strict=True)
            ]
        _check_ports(name, parts)
    except ModelError as error:
        raise ModelError(f"graph '{name}': {error}") from error
    except Exception as error:  # OpenVINO's errors share no base class
        raise ModelError(f"graph '{name}': OpenVINO cannot load it: {error}") from error
    return OpenVinoGraph(name, metadata, parts)


class _Compiler:
    """Compiles the parts of one graph, or reads them from the cache.

    Args:
        core: an `openvino.Core`.
        workers: calls that may run at once.
        source: key of the graph's content.
        processor: the processor to compile for.
    """

    def __init__(self, core: Any, workers: int, source: str, processor: Processor) -> None:
        self.core = core
        self._workers, self._source = workers, source
        device = [str(core.get_property(DEVICE, "FULL_DEVICE_NAME")), *sorted(capabilities())]
        device.append(f"matrix {processor.matrix}")
        self._machine = json.dumps([str(core.get_versions(DEVICE)[DEVICE].build_number), *device])

    def fetch(self, part: str, precision: str) -> Any | None:
        """A part from the cache; None if there is no usable one."""
        key = self._key(part, precision)
        compiled = compile_cache.fetch(key)
        if compiled is None:
            return None
        try:
            return self.core.import_model(compiled, DEVICE, self._settings(precision))
        except RuntimeError:  # OpenVINO could not parse it
            compile_cache.reject(key)
            return None

    def compile(self, part: str, precision: str, model: Any) -> Any:
        """Compile a part, and store it in the cache."""
        compiled = self.core.compile_model(model, DEVICE, self._settings(precision))
        exported = io.BytesIO()
        compiled.export_model(exported)
        compile_cache.store(self._key(part, precision), exported.getvalue())
        return compiled

    def _key(self, part: str, precision: str) -> str:
        # a stored graph does not depend on the number of streams: they are made when it is loaded
        return compile_cache.key_of(self._source, part, precision, self._machine)

    def _settings(self, precision: str) -> dict[str, Any]:
        """One single-threaded stream per worker, not bound to a core."""
        return {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": self._workers,
            "INFERENCE_NUM_THREADS": self._workers,
            "ENABLE_CPU_PINNING": False,
            "ENABLE_HYPER_THREADING": True,  # otherwise it starts fewer threads
        }


def _check_ports(name: str, parts: Sequence[Any]) -> None:
    """Raise ModelError unless the parts together have the graph's inputs and outputs."""
    ports = [port for part in parts for port in (*part.inputs, *part.outputs)]
    found = sorted({port.get_any_name() for port in ports} - {FRONT})
    expected = sorted(port.name for port in (*SPECS[name].inputs, *SPECS[name].outputs))
    if found != expected:
        raise ModelError(f"found inputs and outputs {found}, expected {expected}")
