"""Balancing of uneven channels before rounding, without changing what a graph computes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
Inputs = Mapping[str, Array]

# CAM++'s gates take one mean per segment, where balancing gains nothing
GATES = ("cam_layer/linear1", "cam_layer/linear2")


def copy_of(model: ModelProto) -> ModelProto:
    """An independent copy of a graph."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def initializer(model: ModelProto, name: str) -> TensorProto:
    """The stored tensor of that name."""
    found: TensorProto = next(t for t in model.graph.initializer if t.name == name)
    return found


def run_over(
    model: ModelProto, outputs: Sequence[str], calibration: Sequence[Inputs]
) -> Iterator[list[Array]]:
    """A graph's outputs for every calibration input."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for inputs in calibration:
        yield session.run(list(outputs), dict(inputs))


def peaks_of(model: ModelProto, calibration: Sequence[Inputs]) -> dict[str, Array]:
    """Largest value of every channel of every tensor that `balance` may scale, by name."""
    names = [relu.output[0] for _, relu, _ in _scalable(model)]
    probe = copy_of(model)
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    peaks: dict[str, Array] = {}
    for arrays in run_over(probe, names, calibration):
        for name, array in zip(names, arrays, strict=True):
            peak = array.max(axis=(0, *range(2, array.ndim)))
            peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks


def _scalable(model: ModelProto) -> Iterator[tuple[NodeProto, NodeProto, list[NodeProto]]]:
    """Every rectifier after a layer and before convolutions only, with that layer and those."""
    makers = {output: node for node in model.graph.node for output in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for relu in model.graph.node:
        if relu.op_type != "Relu" or any(part in relu.input[0] for part in GATES):
            continue
        maker, after = makers[relu.input[0]], users[relu.output[0]]
        is_layer = maker.op_type in ("Conv", "BatchNormalization")
        if is_layer and all(node.op_type == "Conv" for node in after):
            yield maker, relu, after


def balance(model: ModelProto, peaks: Mapping[str, Array]) -> ModelProto:
    """Move scale between the channels of a rectifier's input and the weights after it.

    The computed function stays the same, since relu(x / s) * s = relu(x). Without peaks, only the
    weights are evened out; with peaks, activations and weights share the unevenness.
    """
    result = copy_of(model)

    def scale(name: str, by: NDArray[np.float64], axis: int) -> None:
        tensor = initializer(result, name)
        values = numpy_helper.to_array(tensor)
        shape = [-1 if index == axis else 1 for index in range(values.ndim)]
        scaled = (values * by.reshape(shape)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(scaled, name))

    for maker, relu, after in _scalable(result):
        weights = [numpy_helper.to_array(initializer(result, n.input[1])) for n in after]
        reach = np.maximum(np.max([_reach(weight) for weight in weights], axis=0), 1e-5)
        by = 1 / reach
        if (peak := peaks.get(relu.output[0])) is not None:
            by = np.sqrt(np.maximum(peak / max(peak.max(), 1e-12), 1e-5) / reach)
        by /= np.exp(np.log(by).mean())
        for name in maker.input[1:3]:
            scale(name, 1 / by, 0)
        for node in after:
            scale(node.input[1], by, 1)
    return result


def _reach(weight: Array) -> NDArray[np.float64]:
    """Largest weight of each input channel, as a share of its output's largest weight."""
    size = np.abs(weight.astype(np.float64)).reshape(*weight.shape[:2], -1).max(2)
    reach: NDArray[np.float64] = (size / np.maximum(size.max(1, keepdims=True), 1e-12)).max(0)
    return reach
