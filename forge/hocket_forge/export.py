"""PyTorch module to ONNX file: names and free axes from the contract, metadata from the recipe."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hocket.graph import SPECS, GraphSpec
from hocket_forge.graphs import Recipe

OPSET = 17  # every ONNX runtime of the last three years has it


def export(name: str, recipe: Recipe) -> ModelProto:
    """Trace a graph; the result follows `hocket.graph.SPECS[name]` and carries its metadata."""
    spec = SPECS[name]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "traced.onnx"
        # The tracing exporter is deprecated, but torch.export cannot keep an LSTM's length free.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            recipe.module().eval(),
            recipe.example,
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[port.name for port in spec.inputs],
            output_names=[port.name for port in spec.outputs],
            dynamic_axes=_free_axes(spec),
        )
        model = onnx.load(path)
    if recipe.half_weights:
        _store_half(model)
    _name_output_axes(model, spec)
    _describe(model, name, recipe)
    onnx.checker.check_model(model, full_check=True)
    return model


def _free_axes(spec: GraphSpec) -> dict[str, dict[int, str]]:
    return {
        port.name: {axis: name for axis, name in enumerate(port.axes) if not name.isdigit()}
        for port in (*spec.inputs, *spec.outputs)
    }


def _name_output_axes(model: ModelProto, spec: GraphSpec) -> None:
    """Write the contract's axes into the outputs, where tracing left names of its own."""
    for output, port in zip(model.graph.output, spec.outputs, strict=True):
        for axis, name in zip(output.type.tensor_type.shape.dim, port.axes, strict=True):
            if name.isdigit():
                axis.dim_value = int(name)
            else:
                axis.dim_param = name


def _store_half(model: ModelProto) -> None:
    """Keep trained matrices as float16 with a cast in front, which runtimes fold once at load.

    Only what the checkpoint holds is an initializer. The filter bank is computed, exported as
    constants and stays exact: near the logarithm's floor a spectrum is a small difference of large
    products.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim < 2 or values.dtype != np.float32:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _describe(model: ModelProto, name: str, recipe: Recipe) -> None:
    facts = {"graph": name, **{key: str(value) for key, value in recipe.geometry.items()}}
    if recipe.source is not None:
        facts |= {
            "model": recipe.source.model,
            "licence": recipe.source.licence,
            "attribution": recipe.source.attribution,
            "source": recipe.source.reference,
            "source_sha256": recipe.source.sha256,
        }
    helper.set_model_props(model, facts)
    model.producer_name, model.producer_version = "hocket-forge", ""
    model.doc_string = ""
