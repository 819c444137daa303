"""Smaller and faster variants of trained graphs, by post-training quantization.

No function changes its argument; each returns a graph with the same inputs, outputs and metadata.
Only the checkpoint's weights are rounded. The filter bank, which the forge computes, is never
changed: rounding it costs more than all other rounding together.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, load_model, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from hocket_forge.balance import GATES, Inputs, balance, copy_of, initializer, peaks_of, run_over

LARGE = 50_000  # values; rounding a smaller matrix costs more than it saves
STRIDE = 8  # calibration inputs whose activations are in memory at once
_WEIGHT_INPUTS = {"Conv": (1,), "LSTM": (1, 2), "MatMul": (1,)}
# The first layer takes a mean-normalized spectrum, the last one statistics, the gates means, and
# the time-delay layer a plane per mel row: one scale for all channels of these is too coarse.
_EMBEDDING_FLOAT = ("/fbank/", "/head/conv1/", "/xvector/tdnn/", "/dense/")


def half_weights(model: ModelProto) -> ModelProto:
    """Weights as float16 with a cast, which runtimes fold once at load."""
    result = float_weights(model)
    for name in _weights(result):
        _store(result, name, *_half(result, name))
    return _described(result, model)


def int8_weights(model: ModelProto) -> ModelProto:
    """Large weights as int8 with a scale per output channel, the others as float16.

    Cast and Mul replace DequantizeLinear, which supports one axis where the rows of an LSTM have
    two. Runtimes fold both once at load.
    """
    result = balance(float_weights(model), {})
    for name, axis in _weights(result).items():
        large = numpy_helper.to_array(initializer(result, name)).size >= LARGE
        _store(result, name, *(_int8(result, name, axis) if large else _half(result, name)))
    return _described(result, model)


def int8_segmentation(model: ModelProto) -> ModelProto:
    """LSTMs with int8 weights per output channel and dynamically quantized activations.

    Linear layers and convolutions stay in float: they are little work, and rounding them changes
    more frames than rounding the LSTMs.
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
    balanced = balance(plain, peaks_of(plain, calibration))
    names = [node.name for node in balanced.graph.node if node.op_type == "Conv"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "static.onnx"
        quantize_static(
            copy_of(balanced),  # a copy: it moves the weights of its argument to a file
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
    result = copy_of(model)
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
    return not name.startswith(_EMBEDDING_FLOAT) and not any(part in name for part in GATES)


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """Calibration inputs in ONNX Runtime's interface."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._inputs, self._left = inputs, iter(inputs)

    def get_next(self) -> Inputs | None:
        return next(self._left, None)

    def __len__(self) -> int:
        return len(self._inputs)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._inputs[start_index:end_index])


def _set_nodes(model: ModelProto, nodes: Sequence[NodeProto]) -> None:
    kept = list(nodes)  # some may belong to the model
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _described(model: ModelProto, source: ModelProto) -> ModelProto:
    """`model` with the metadata of `source` instead of a tool's."""
    del model.metadata_props[:]
    model.metadata_props.extend(source.metadata_props)
    model.producer_name, model.producer_version = source.producer_name, source.producer_version
    del model.graph.value_info[:]
    return model


def _weights(model: ModelProto) -> dict[str, int]:
    """Float32 weights of layers, and the number of leading axes of each one's rows; 0: columns."""
    floats = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and not tensor.name.startswith("/fbank/")
    }
    axes = {"Conv": 1, "LSTM": 2, "MatMul": 0}
    return {
        node.input[index]: axes[node.op_type]
        for node in model.graph.node
        for index in _WEIGHT_INPUTS.get(node.op_type, ())
        if node.input[index] in floats
    }


def _half(model: ModelProto, name: str) -> tuple[list[TensorProto], list[NodeProto]]:
    values = numpy_helper.to_array(initializer(model, name)).astype(np.float16)
    cast = helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT)
    return [numpy_helper.from_array(values, f"{name}.half")], [cast]


def _int8(model: ModelProto, name: str, rows: int) -> tuple[list[TensorProto], list[NodeProto]]:
    values = numpy_helper.to_array(initializer(model, name))
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
    model.graph.initializer.remove(initializer(model, name))
    model.graph.initializer.extend(tensors)
    _set_nodes(model, [*nodes, *model.graph.node])


def _without_offset(
    model: ModelProto, exact: ModelProto, calibration: Sequence[Inputs]
) -> ModelProto:
    """Correct the last layer's bias by what rounding adds to the mean embedding."""
    means = [
        np.mean(
            [out[0].mean(axis=(0, 1)) for out in run_over(each, ["embeddings"], calibration)], 0
        )
        for each in (exact, model)
    ]
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    tensor = initializer(model, last.input[2])
    corrected = (numpy_helper.to_array(tensor) + means[0] - means[1]).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(corrected, tensor.name))
    return model
