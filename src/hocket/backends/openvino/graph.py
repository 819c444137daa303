"""Graphs on OpenVINO's processor plugin.

A graph is compiled once, with as many streams of one thread each as calls may run at once; every
call takes a request that no other call has. Contiguous inputs are read where they lie; outputs are
copied once, because a request writes over them when it is used again.
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
        self._idle: deque[list[Any]] = deque()  # whose ends may be used by all threads at once

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; see `hocket.graph.Graph.run`."""
        self.spec.check_inputs(inputs, self._least)
        try:
            requests = self._idle.pop()
        except IndexError:
            requests = [part.create_infer_request() for part in self._parts]
        try:
            found = self._infer(requests, inputs)
        except Exception as error:  # OpenVINO raises RuntimeError and its own, as it likes
            names = [port.name for port in self.spec.outputs]
            raise BackendError(f"OpenVINO failed on {names}: {error}") from error
        self._idle.append(requests)  # what failed is not used again
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
        content: bytes of its ONNX file.
        weights: bytes of the files it keeps its tensors in, by the name it knows them by.
        precision: float32, or bfloat16 behind a float32 front.
        runtime: how many calls may run at once.
        processor: what it is compiled for.

    Raises:
        BackendError: OpenVINO is not installed, or this processor lacks the precision.
        ModelError: the bytes are not that graph.
    """
    openvino = import_openvino()
    if precision == "bfloat16" and "BF16" not in capabilities():  # it would take float32, silently
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
    except Exception as error:  # as above
        raise ModelError(f"graph '{name}': OpenVINO cannot load it: {error}") from error
    return OpenVinoGraph(name, metadata, parts)


class _Compiler:
    """Compiles the parts of one graph, or takes them from the cache.

    Args:
        core: OpenVINO's own.
        workers: calls that may run at once.
        source: key of the bytes that the graph is made of.
        processor: what is compiled for.
    """

    def __init__(self, core: Any, workers: int, source: str, processor: Processor) -> None:
        self.core = core
        self._workers, self._source = workers, source
        device = [str(core.get_property(DEVICE, "FULL_DEVICE_NAME")), *sorted(capabilities())]
        device.append(f"matrix {processor.matrix}")
        self._machine = json.dumps([str(core.get_versions(DEVICE)[DEVICE].build_number), *device])

    def fetch(self, part: str, precision: str) -> Any | None:
        """A part compiled by an earlier run; None if there is none that can be used."""
        key = self._key(part, precision)
        compiled = compile_cache.fetch(key)
        if compiled is None:
            return None
        try:
            return self.core.import_model(compiled, DEVICE, self._settings(precision))
        except RuntimeError:  # whatever a parser says to bytes that it does not like
            compile_cache.reject(key)
            return None

    def compile(self, part: str, precision: str, model: Any) -> Any:
        """A part compiled now, and kept for later runs."""
        compiled = self.core.compile_model(model, DEVICE, self._settings(precision))
        exported = io.BytesIO()
        compiled.export_model(exported)
        compile_cache.store(self._key(part, precision), exported.getvalue())
        return compiled

    def _key(self, part: str, precision: str) -> str:
        # what is kept does not depend on the number of streams: they are made when it is loaded
        return compile_cache.key_of(self._source, part, precision, self._machine)

    def _settings(self, precision: str) -> dict[str, Any]:
        """One stream of one thread for every worker, none of them bound to a core."""
        return {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": self._workers,
            "INFERENCE_NUM_THREADS": self._workers,
            "ENABLE_CPU_PINNING": False,
            "ENABLE_HYPER_THREADING": True,  # else there are fewer threads than were asked for
        }


def _check_ports(name: str, parts: Sequence[Any]) -> None:
    """Raise ModelError unless all parts together have a graph's inputs and outputs."""
    ports = [port for part in parts for port in (*part.inputs, *part.outputs)]
    found = sorted({port.get_any_name() for port in ports} - {FRONT})
    expected = sorted(port.name for port in (*SPECS[name].inputs, *SPECS[name].outputs))
    if found != expected:
        raise ModelError(f"found inputs and outputs {found}, expected {expected}")
