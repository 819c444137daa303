"""PyTorch modules to ONNX: names and free axes from the contract, metadata from the recipe."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from hocket.graph import SPECS, GraphSpec, Port
from hocket_forge.fused import CleanMasks, fuse
from hocket_forge.graphs import RECIPES, Recipe
from hocket_forge.sources import WEIGHTS

OPSET = 17  # every ONNX runtime of the last three years has it
LARGE = 1024  # bytes; smaller tensors stay inside the graph's own file


def export(name: str, recipe: Recipe) -> ModelProto:
    """Trace a graph; the result follows its `hocket.graph.SPECS` entry and has its metadata."""
    if recipe.graph == "fused":
        model = _export_fused(recipe)
    else:
        model = _trace(recipe.module().eval(), recipe.example, SPECS[recipe.graph], recipe.placed)
    if recipe.half_weights:
        _store_half(model)
    _constants_to_initializers(model)
    _name_output_axes(model, SPECS[recipe.graph])
    _describe(model, name, recipe)
    onnx.checker.check_model(model, full_check=True)
    return model


def _export_fused(recipe: Recipe) -> ModelProto:
    """Join the parts; their trained tensors stay byte for byte the same."""
    embedding = f"embedding-{recipe.weights[-1]}"
    frames = RECIPES["powerset_decode"].example[0].shape[1]
    cleaning = GraphSpec(
        inputs=SPECS["segmentation_masks"].outputs,
        outputs=(Port("clean_masks", ("windows", "3", "frames")),),
    )
    example = (torch.zeros(2, frames, 3),)
    return fuse(
        export("segmentation_masks", RECIPES["segmentation_masks"]),
        _trace(CleanMasks(), example, cleaning, placed=False),
        export(embedding, RECIPES[embedding]),
    )


def _trace(
    module: nn.Module, example: tuple[Tensor, ...], spec: GraphSpec, placed: bool
) -> ModelProto:
    mode = torch.onnx.TrainingMode.PRESERVE if placed else torch.onnx.TrainingMode.EVAL
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "traced.onnx"
        # the tracing exporter is deprecated, but torch.export cannot keep an LSTM's length free
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=[port.name for port in spec.inputs],
            output_names=[port.name for port in spec.outputs],
            dynamic_axes=_free_axes(spec),
            # folding would merge norms into convolutions, so weights would match no checkpoint
            training=mode,
            do_constant_folding=not placed,
        )
        return onnx.load(path)


def _constants_to_initializers(model: ModelProto) -> None:
    """Turn large constants into initializers, so that a file of weights can hold them."""
    kept = []
    for node in model.graph.node:
        value = next((a.t for a in node.attribute if node.op_type == "Constant"), None)
        if value is None or len(value.raw_data) < LARGE:
            kept.append(node)
            continue
        value.name = node.output[0]
        model.graph.initializer.append(value)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _free_axes(spec: GraphSpec) -> dict[str, dict[int, str]]:
    return {
        port.name: {axis: name for axis, name in enumerate(port.axes) if not name.isdigit()}
        for port in (*spec.inputs, *spec.outputs)
    }


def _name_output_axes(model: ModelProto, spec: GraphSpec) -> None:
    """Name the axes of outputs as in the contract; tracing gives them other names."""
    for output, port in zip(model.graph.output, spec.outputs, strict=True):
        for axis, name in zip(output.type.tensor_type.shape.dim, port.axes, strict=True):
            if name.isdigit():
                axis.dim_value = int(name)
            else:
                axis.dim_param = name


def _store_half(model: ModelProto) -> None:
    """Store trained matrices as float16 with a cast, which runtimes fold once at load.

    Only tensors of the checkpoint are initializers here. The filter bank is computed and exported
    as constants, so it stays exact: near the floor of the logarithm, a spectrum is a small
    difference of large products.
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


def metadata(recipe: Recipe) -> dict[str, str]:
    """Metadata of every file made from a recipe."""
    facts = {"graph": recipe.graph, **{key: str(value) for key, value in recipe.geometry.items()}}
    for weights in recipe.weights:
        origin = WEIGHTS[weights]
        facts |= {
            f"{weights}.model": origin.model,
            f"{weights}.licence": origin.licence,
            f"{weights}.attribution": origin.attribution,
            f"{weights}.source": origin.reference,
        }
        if origin.sha256:
            facts[f"{weights}.source_sha256"] = origin.sha256
    return facts


def _describe(model: ModelProto, name: str, recipe: Recipe) -> None:
    helper.set_model_props(model, metadata(recipe))
    model.graph.name = name
    model.producer_name, model.producer_version = "hocket-forge", ""
    model.doc_string = ""
