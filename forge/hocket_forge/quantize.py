"""Smaller and faster variants of trained graphs, made after training.

Every function leaves its argument alone and returns a graph with the same inputs, outputs and
metadata. Weights are those the checkpoint holds: initializers. What the forge computes, the filter
bank above all, is exported as constants and is never touched.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, load_model, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

Array = NDArray[np.float32]
Inputs = Mapping[str, Array]

LARGE = 50_000  # values; smaller matrices are worth less than the rounding they would bring
STRIDE = 8  # calibration inputs whose activations are held at once
_WEIGHT_INPUTS = {"Conv": (1,), "LSTM": (1, 2), "MatMul": (1,)}
# The first layer hears a mean-free spectrum and the last one statistics, the gates hear means and
# the time delay one plane per mel row: one scale for all of their channels is too coarse.
_EMBEDDING_FLOAT = ("/fbank/", "/head/conv1/", "/xvector/tdnn/", "/dense/")
_GATES = ("cam_layer/linear1", "cam_layer/linear2")


def half_weights(model: ModelProto) -> ModelProto:
    """Weights as float16 with a cast in front, which runtimes fold once at load."""
    result = float_weights(model)
    for name in _weights(result):
        _store(result, name, *_half(result, name))
    return _described(result, model)


def int8_weights(model: ModelProto) -> ModelProto:
    """Large weights as int8 with a scale per output channel, the others as float16.

    Cast and Mul rather than DequantizeLinear: runtimes fold them once at load, and no kernel loses
    a constant weight.
    """
    result = _balance(float_weights(model), {})
    for name, axis in _weights(result).items():
        large = numpy_helper.to_array(_initializer(result, name)).size >= LARGE
        _store(result, name, *(_int8(result, name, axis) if large else _half(result, name)))
    return _described(result, model)


def int8_segmentation(model: ModelProto) -> ModelProto:
    """LSTMs with int8 weights per output channel and activations quantized as they come.

    Linear layers and convolutions stay: they are little work and cost more frames than the LSTMs.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "dynamic.onnx"
        quantize_dynamic(
            float_weights(model),
            path,
            op_types_to_quantize=["LSTM"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        return half_weights(_described(load_model(path), model))


def int8_embedding(model: ModelProto, calibration: Sequence[Inputs]) -> ModelProto:
    """Convolutions in int8, weights per output channel, activations by calibration.

    Args:
        model: CAM++.
        calibration: inputs of the graph, all of one shape.
    """
    plain = float_weights(model)
    balanced = _balance(plain, _peaks(plain, calibration))
    names = [node.name for node in balanced.graph.node if node.op_type == "Conv"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "static.onnx"
        quantize_static(
            _copy(balanced),  # which moves the weights of what it is given to a file
            path,
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=[name for name in names if _is_int8(name)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Entropy,
            extra_options={"CalibStridedMinMax": STRIDE},
        )
        result = half_weights(_described(load_model(path), model))
    return _without_offset(result, plain, calibration)


def float_weights(model: ModelProto) -> ModelProto:
    """The graph with float32 weights in place of stored float16 and its casts."""
    result = _copy(model)
    stored = {tensor.name: tensor for tensor in result.graph.initializer}
    nodes = []
    for node in result.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            tensor = stored[node.input[0]]
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    _set_nodes(result, nodes)
    return result


def _is_int8(name: str) -> bool:
    return not name.startswith(_EMBEDDING_FLOAT) and not any(part in name for part in _GATES)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Calibration inputs as ONNX Runtime asks for them."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._inputs, self._left = inputs, iter(inputs)

    def get_next(self) -> Inputs | None:
        return next(self._left, None)

    def __len__(self) -> int:
        return len(self._inputs)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._inputs[start_index:end_index])


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _set_nodes(model: ModelProto, nodes: Sequence[NodeProto]) -> None:
    kept = list(nodes)  # some may be the model's own
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _described(model: ModelProto, source: ModelProto) -> ModelProto:
    """`model` with the description of `source` and none of a tool's."""
    del model.metadata_props[:]
    model.metadata_props.extend(source.metadata_props)
    model.producer_name, model.producer_version = source.producer_name, source.producer_version
    del model.graph.value_info[:]
    return model


def _initializer(model: ModelProto, name: str) -> TensorProto:
    found: TensorProto = next(t for t in model.graph.initializer if t.name == name)
    return found


def _weights(model: ModelProto) -> dict[str, int]:
    """Float32 weights of layers and, for each, how many leading axes its rows span; 0: columns."""
    floats = {t.name for t in model.graph.initializer if t.data_type == TensorProto.FLOAT}
    axes = {"Conv": 1, "LSTM": 2, "MatMul": 0}
    return {
        node.input[index]: axes[node.op_type]
        for node in model.graph.node
        for index in _WEIGHT_INPUTS.get(node.op_type, ())
        if node.input[index] in floats
    }


def _half(model: ModelProto, name: str) -> tuple[list[TensorProto], list[NodeProto]]:
    values = numpy_helper.to_array(_initializer(model, name)).astype(np.float16)
    cast = helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)
    return [numpy_helper.from_array(values, f"{name}.half")], [cast]


def _int8(model: ModelProto, name: str, rows: int) -> tuple[list[TensorProto], list[NodeProto]]:
    values = numpy_helper.to_array(_initializer(model, name))
    within = tuple(range(rows, values.ndim)) if rows else (0,)
    scale = np.abs(values).max(within, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    whole = np.rint(values / scale).astype(np.int8)
    tensors = [
        numpy_helper.from_array(whole, f"{name}.int8"),
        numpy_helper.from_array(scale, f"{name}.scale"),
    ]
    cast = helper.make_node("Cast", [f"{name}.int8"], [f"{name}.cast"], to=TensorProto.FLOAT)
    return tensors, [cast, helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name])]


def _store(
    model: ModelProto, name: str, tensors: list[TensorProto], nodes: list[NodeProto]
) -> None:
    """Replace an initializer by stored tensors and the nodes that restore it."""
    model.graph.initializer.remove(_initializer(model, name))
    model.graph.initializer.extend(tensors)
    _set_nodes(model, [*nodes, *model.graph.node])


def _run(
    model: ModelProto, outputs: Sequence[str], calibration: Sequence[Inputs]
) -> Iterator[list[Array]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for inputs in calibration:
        yield session.run(list(outputs), dict(inputs))


def _peaks(model: ModelProto, calibration: Sequence[Inputs]) -> dict[str, Array]:
    """Largest value of every channel of every tensor that `_balance` may scale, by name."""
    names = [relu.output[0] for _, relu, _ in _scalable(model)]
    probe = _copy(model)
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    peaks: dict[str, Array] = {}
    for arrays in _run(probe, names, calibration):
        for name, array in zip(names, arrays, strict=True):
            peak = array.max(axis=(0, *range(2, array.ndim)))
            peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks


def _scalable(model: ModelProto) -> Iterator[tuple[NodeProto, NodeProto, list[NodeProto]]]:
    """Every rectifier between a layer and nothing but convolutions, with both."""
    makers = {output: node for node in model.graph.node for output in node.output}
    users: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    for relu in model.graph.node:
        if relu.op_type != "Relu" or any(part in relu.input[0] for part in _GATES):
            continue
        maker, after = makers[relu.input[0]], users[relu.output[0]]
        is_layer = maker.op_type in ("Conv", "BatchNormalization")
        if is_layer and all(node.op_type == "Conv" for node in after):
            yield maker, relu, after


def _balance(model: ModelProto, peaks: Mapping[str, Array]) -> ModelProto:
    """Move scale between the channels of a rectifier's input and the weights after it.

    The function computed stays the same, since relu(x / s) * s = relu(x). With no peaks only the
    weights are levelled; with them, activations and weights share what is uneven.
    """
    result = _copy(model)

    def scale(name: str, by: NDArray[np.float64], axis: int) -> None:
        tensor = _initializer(result, name)
        values = numpy_helper.to_array(tensor)
        shape = [-1 if index == axis else 1 for index in range(values.ndim)]
        scaled = (values * by.reshape(shape)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(scaled, name))

    for maker, relu, after in _scalable(result):
        weights = [numpy_helper.to_array(_initializer(result, n.input[1])) for n in after]
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
    """Largest share of any output's largest weight that each input channel has."""
    size = np.abs(weight.astype(np.float64)).reshape(*weight.shape[:2], -1).max(2)
    reach: NDArray[np.float64] = (size / np.maximum(size.max(1, keepdims=True), 1e-12)).max(0)
    return reach


def _without_offset(
    model: ModelProto, exact: ModelProto, calibration: Sequence[Inputs]
) -> ModelProto:
    """Correct the last layer's bias by what rounding adds to the mean embedding."""
    means = [
        np.mean([out[0].mean(axis=(0, 1)) for out in _run(each, ["embeddings"], calibration)], 0)
        for each in (exact, model)
    ]
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    tensor = _initializer(model, last.input[2])
    corrected = (numpy_helper.to_array(tensor) + means[0] - means[1]).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(corrected, tensor.name))
    return model
