"""Graphs on Core ML, on macOS only."""

import platform
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.errors import BackendError, GraphInputError, ModelError
from hocket.graph import MAY_BE_EMPTY, SPECS, Port, Tensors, least_lengths


@dataclass(frozen=True)
class Shapes:
    """Shapes that a package accepts for one input.

    enumerated: the only allowed shapes; if empty, every axis must lie in its range.
    ranges: least and greatest length of every axis; a greatest length of -1 is no limit.
    """

    enumerated: tuple[tuple[int, ...], ...]
    ranges: tuple[tuple[int, int], ...]


class CoreMLGraph:
    """A package loaded by coremltools.

    Core ML accepts no empty axis and only a few batch sizes. Batches are padded to the next size or
    split, and an empty database gets one row. The outputs are cut back accordingly.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.spec = SPECS[name]
        self._model = model
        self._lock = threading.Lock()  # Apple: only one thread at a time may use a model
        description = model.get_spec().description
        self.metadata: Mapping[str, str] = dict(description.metadata.userDefined)
        self._least = least_lengths(self.metadata)
        self._shapes = {feature.name: _shapes(feature) for feature in description.input}
        found = sorted(feature.name for feature in (*description.input, *description.output))
        expected = sorted(port.name for port in (*self.spec.inputs, *self.spec.outputs))
        if found != expected:
            raise ModelError(
                f"graph '{name}': found inputs and outputs {found}, expected {expected}"
            )

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        """Outputs by name; see `hocket.graph.Graph.run`.

        Raises:
            GraphInputError: also for a length that the package does not support.
        """
        self.spec.check_inputs(inputs, self._least)
        parts = [self._predict(part) for part in self._batches(inputs)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _batches(self, inputs: Tensors) -> Iterator[dict[str, NDArray[np.float32]]]:
        """The inputs in batches of at most the package's largest size."""
        port = self.spec.inputs[0]
        if port.axes[0] != "windows":
            yield dict(inputs)
            return
        windows, greatest = len(inputs[port.name]), self._shapes[port.name].ranges[0][1]
        largest = greatest if greatest > 0 else windows
        for first in range(0, windows, largest):
            yield {name: array[first : first + largest] for name, array in inputs.items()}

    def _predict(self, inputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        lengths = {
            axis: length
            for port in self.spec.inputs
            for axis, length in zip(port.axes, inputs[port.name].shape, strict=True)
        }
        padded = self._padded_lengths(lengths)
        given = {port.name: _pad(inputs[port.name], port, padded) for port in self.spec.inputs}
        try:
            with self._lock:
                found = self._model.predict(given)
        except Exception as error:  # coremltools passes on any error of the system
            raise BackendError(f"Core ML failed on {sorted(given)}: {error}") from error
        return {
            port.name: _cut(np.asarray(found[port.name], np.float32), port, lengths)
            for port in self.spec.outputs
        }

    def _padded_lengths(self, lengths: Mapping[str, int]) -> dict[str, int]:
        """Padded length of every axis; GraphInputError if the package does not support it."""
        padded = {
            axis: 1 if axis in MAY_BE_EMPTY and length == 0 else length
            for axis, length in lengths.items()
        }
        for port in self.spec.inputs:
            shapes = self._shapes[port.name]
            shape = tuple(padded[axis] for axis in port.axes)
            if shapes.enumerated:
                fitting = [s for s in shapes.enumerated if s[1:] == shape[1:] and s[0] >= shape[0]]
                if not fitting:
                    raise GraphInputError(
                        f"{port.name}: found shape {shape}; this package takes "
                        f"{', '.join(map(str, shapes.enumerated))}"
                    )
                padded[port.axes[0]] = min(s[0] for s in fitting)
        for port in self.spec.inputs:
            shape = tuple(padded[axis] for axis in port.axes)
            for length, (least, greatest) in zip(
                shape, self._shapes[port.name].ranges, strict=True
            ):
                if length < least or (length > greatest >= 0):
                    raise GraphInputError(
                        f"{port.name}: found shape {shape}; this package takes axes in "
                        f"{self._shapes[port.name].ranges}"
                    )
        return padded


def require_system() -> None:
    """Raise BackendError if this system has no Core ML."""
    system = platform.system()
    if system != "Darwin":
        raise BackendError(
            f"Core ML runs on macOS only, this is {system}; use the backend onnxruntime"
        )


def open_package(name: str, path: Path) -> CoreMLGraph:
    """Load a graph from its package.

    Raises:
        BackendError: this system has no Core ML, or coremltools is not installed.
        ModelError: the package is not that graph.
    """
    require_system()
    try:
        import coremltools
    except ImportError as error:
        raise BackendError(
            f"coremltools cannot be imported ({error}); run 'pip install coremltools'"
        ) from error
    try:
        model = coremltools.models.MLModel(str(path))
    except Exception as error:  # coremltools passes on any error of the system
        raise ModelError(f"{path}: Core ML cannot load it: {error}") from error
    return CoreMLGraph(name, model)


def _shapes(feature: Any) -> Shapes:
    array = feature.type.multiArrayType
    enumerated = tuple(tuple(shape.shape) for shape in array.enumeratedShapes.shapes)
    if enumerated:
        ranges = tuple((min(axis), max(axis)) for axis in zip(*enumerated, strict=True))
    elif array.shapeRange.sizeRanges:
        ranges = tuple((r.lowerBound, r.upperBound) for r in array.shapeRange.sizeRanges)
    else:
        ranges = tuple((length, length) for length in array.shape)
    return Shapes(enumerated, ranges)


def _pad(array: NDArray[np.float32], port: Port, lengths: Mapping[str, int]) -> NDArray[np.float32]:
    widths = [
        (0, lengths[axis] - found) for axis, found in zip(port.axes, array.shape, strict=True)
    ]
    return np.pad(array, widths)


def _cut(array: NDArray[np.float32], port: Port, lengths: Mapping[str, int]) -> NDArray[np.float32]:
    return array[tuple(slice(lengths.get(axis)) for axis in port.axes)]
