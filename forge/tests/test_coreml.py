"""Converted packages: shapes, types, metadata, and weights."""

import copy
import inspect
import os
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch
from coremltools.proto.FeatureTypes_pb2 import ArrayFeatureType
from hocket_forge import coreml
from hocket_forge.coreml_program import operation_counts, read_program
from hocket_forge.export import metadata
from hocket_forge.fused import Fused
from hocket_forge.graphs import RECIPES
from hocket_forge.weights import placed_layout
from hocket_forge.wespeaker import ResNet34
from hocket_forge.workspace import ROOT
from torch import Tensor, nn

from hocket.graph import SPECS
from hocket.models.catalogue import Artefact, read_catalogue
from hocket.models.export import Exporter

from .packages import MODEL, NAMES, WEIGHTS, built, is_current, made, operations, spec

ONE_INPUT = [
    name
    for name in NAMES
    if len(SPECS[RECIPES[name].graph].inputs) == 1 and name not in coreml.PARTS
]
RANGED = [name for name in NAMES if name not in ONE_INPUT]
FILE = "wespeaker-resnet34.weights"
every = pytest.mark.parametrize("name", NAMES)


def array(feature):
    assert feature.type.WhichOneof("Type") == "multiArrayType"
    return feature.type.multiArrayType


@every
def test_inputs_and_outputs_have_the_contracts_names_and_float32(name: str) -> None:
    description, contract = spec(built(name)).description, SPECS[RECIPES[name].graph]
    assert [f.name for f in description.input] == [port.name for port in contract.inputs]
    assert [f.name for f in description.output] == [port.name for port in contract.outputs]
    for feature in (*description.input, *description.output):
        assert array(feature).dataType == ArrayFeatureType.FLOAT32
        assert not feature.type.isOptional


@pytest.mark.parametrize("name", ONE_INPUT)
def test_the_only_input_lists_every_batch_of_both_lengths(name: str) -> None:
    [feature] = spec(built(name)).description.input
    [port] = SPECS[RECIPES[name].graph].inputs
    found = [tuple(shape.shape) for shape in array(feature).enumeratedShapes.shapes]
    fixed = {"waveform": lambda length: (1, length), "log_probs": lambda length: (length, 7)}
    lengths = {"waveform": (80_000, 160_000), "log_probs": (293, 589)}[port.name]
    wanted = {(b, *fixed[port.name](length)) for b in (1, 4, 16) for length in lengths}
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert tuple(array(feature).shape) == (1, *fixed[port.name](lengths[1]))


@pytest.mark.parametrize("name", RANGED)
def test_inputs_beside_others_and_sounds_of_any_length_have_ranges_and_list_no_shapes(
    name: str,
) -> None:
    features = spec(built(name)).description.input
    for feature, port in zip(features, SPECS[RECIPES[name].graph].inputs, strict=True):
        assert not array(feature).HasField("enumeratedShapes")
        found = [(r.lowerBound, r.upperBound) for r in array(feature).shapeRange.sizeRanges]
        axes = [(int(a), int(a)) if a.isdigit() else coreml.RANGES[a] for a in port.axes]
        assert found == axes
        for length, (least, greatest) in zip(array(feature).shape, axes, strict=True):
            assert least <= length <= greatest


@every
def test_packages_are_for_ios_17(name: str) -> None:
    model = spec(built(name))
    assert model.specificationVersion == coremltools.target.iOS17
    [function] = model.mlProgram.functions.values()
    assert function.opset == "CoreML7"


@every
def test_a_package_carries_geometry_and_sources(name: str) -> None:
    said = spec(built(name)).description.metadata
    recipe = RECIPES[name]
    facts = metadata(recipe)
    assert said.author == "hocket"
    assert said.shortDescription.startswith(f"{recipe.graph}: ")
    assert facts.items() <= dict(said.userDefined).items()
    assert said.userDefined["graph"] == recipe.graph
    for key, value in recipe.geometry.items():
        assert said.userDefined[key] == str(value)
    for weights in recipe.weights:
        assert said.userDefined[f"{weights}.licence"]
        assert said.userDefined[f"{weights}.source"]


@every
def test_precision_is_as_the_recipe_plans(name: str) -> None:
    program = read_program(built(name))
    halves = {o.type for o in program.operations if o.outputs[0].type.dtype == "float16"}
    if RECIPES[name].graph in coreml.FLOAT32_GRAPHS:
        assert not halves
    else:
        assert {"conv", "linear"} & halves
        assert not {"log", "softmax", "sqrt"} & halves


def test_all_in_float32_where_no_halves_are_wanted(tmp_path: Path) -> None:
    name = "segmentation_masks"
    coreml.convert(name, RECIPES[name].module(), half=False).save(str(tmp_path / "one.mlpackage"))
    program = read_program(tmp_path / "one.mlpackage")
    assert operation_counts(program)["lstm"] == 4
    assert not [o for o in program.operations if o.outputs[0].type.dtype == "float16"]


class Normed(nn.Module):
    """In place of a decoder: a layer, and a norm without scale."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(7, 3, 1, bias=False)
        self.norm = nn.BatchNorm1d(3, affine=False)
        self.norm.running_mean.copy_(torch.arange(3) + 1)

    def forward(self, scores: Tensor) -> Tensor:
        return self.norm(self.layer(scores.transpose(1, 2))).transpose(1, 2)


def held(module: nn.Module) -> dict[str, bytes]:
    tensors = {**module.state_dict(), **dict(module.named_buffers())}
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_conversion_leaves_a_norm_without_scale_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = Normed()  # in training mode, the default
    before = held(module)
    coreml.convert("powerset_decode", module)
    assert held(module) == before
    assert module.training
    # without the copy it is changed
    monkeypatch.setattr(coreml, "deepcopy", lambda given: given)
    coreml.convert("powerset_decode", module)
    assert held(module) != before


def test_conversion_leaves_a_trained_network_alone() -> None:
    module = copy.deepcopy(RECIPES["segmentation_masks"].module())
    before = held(module)
    coreml.convert("segmentation_masks", module)
    assert held(module) == before


def files(folder: Path) -> dict[str, int]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


@pytest.mark.parametrize("name", ["segmentation_masks", "post_embedding"])
def test_a_second_build_is_of_the_same_size(name: str, tmp_path: Path) -> None:
    again = made(name, RECIPES[name].module(), tmp_path)
    assert files(again) == files(built(name))
    if (again / WEIGHTS).exists():
        assert (again / WEIGHTS).read_bytes() == (built(name) / WEIGHTS).read_bytes()
    assert [o.type for o in operations(spec(again))] == [
        o.type for o in operations(spec(built(name)))
    ]


def test_a_build_replaces_earlier_packages(tmp_path: Path) -> None:
    stale = tmp_path / "powerset_decode.mlpackage" / "Data" / "stale"
    stale.parent.mkdir(parents=True)
    stale.write_text("older")
    package = made("powerset_decode", RECIPES["powerset_decode"].module(), tmp_path)
    assert package == tmp_path / "powerset_decode.mlpackage"
    assert not stale.exists()
    assert (package / MODEL).exists()


def test_packages_from_before_the_last_change_are_not_current(tmp_path: Path) -> None:
    assert not is_current(tmp_path / "missing")
    for name, time, current in (("older", 0, False), ("newer", 2**40, True)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time, time))
        assert is_current(tmp_path / name) is current


def artefacts(*names: str) -> list[Artefact]:
    return [read_catalogue().artefacts[name] for name in names]


def test_export_writes_the_packages_it_names_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    names = ("post_embedding", "powerset_decode")
    written = coreml.export(artefacts(*names), {name: {} for name in names}, folder)
    assert written == ["post_embedding.mlpackage", "powerset_decode.mlpackage"]
    assert sorted(path.name for path in folder.iterdir()) == written
    for name in names:
        description = spec(folder / f"{name}.mlpackage").description
        assert description.metadata.userDefined["graph"] == name


@pytest.fixture(scope="module")
def placed() -> tuple[bytes, dict[str, np.ndarray]]:
    """A file of weights, and its tensors, all different from those drawn by a rule."""
    generator = np.random.default_rng(8)
    layout = placed_layout()
    tensors = {p.name: generator.random(p.shape, np.float32) + 0.5 for p in layout}
    content = bytearray()
    for place in layout:
        content.extend(b"\xff" * (place.offset - len(content)))
        content.extend(tensors[place.name].tobytes())
    return bytes(content), tensors


def resnet34_in(module: nn.Module) -> ResNet34:
    network = module.embedding if isinstance(module, Fused) else module
    assert isinstance(network, ResNet34)
    return network


@pytest.mark.parametrize("graph", ["embedding", "fused"])
def test_placed_weights_replace_those_drawn_by_a_rule(
    graph: str, placed: tuple[bytes, dict[str, np.ndarray]]
) -> None:
    content, tensors = placed
    module = coreml._with_placed(f"{graph}-wespeaker-resnet34", content)
    assert isinstance(module, Fused) == (graph == "fused")
    assert not module.training
    state = resnet34_in(module).state_dict()
    trained = {key for key in state if not key.endswith("num_batches_tracked")}
    assert trained == set(tensors)
    for key, expected in tensors.items():
        assert np.array_equal(state[key].numpy(), expected), key
        state[key].add_(0)  # writable: it is not the file's memory


def test_export_converts_with_placed_weights_only_where_they_are(
    placed: tuple[bytes, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content, tensors = placed
    names = ("powerset_decode", "embedding-wespeaker-resnet34", "fused-wespeaker-resnet34")
    seen: dict[str, nn.Module] = {}

    def build(folder: Path, modules: Mapping[str, nn.Module]):
        seen.update(modules)
        return ((name, folder / f"{name}.mlpackage") for name in modules)

    monkeypatch.setattr(coreml, "build", build)
    weights = {names[0]: {}, names[1]: {FILE: content}, names[2]: {"segmentation.weights": b""}}
    written = coreml.export(artefacts(*names), weights, tmp_path)
    assert written == [f"{name}.mlpackage" for name in names]
    given, drawn = (resnet34_in(seen[name]).seg_1.weight.detach().numpy() for name in names[1:])
    assert np.array_equal(given, tensors["seg_1.weight"])
    assert not np.array_equal(drawn, tensors["seg_1.weight"])


def test_the_runtime_finds_the_exporter_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "forge" / "pyproject.toml").read_text())["project"]
    declared = project["entry-points"]["hocket.exporters"]
    assert list(declared) == ["coreml"]
    found = EntryPoint("coreml", declared["coreml"], "hocket.exporters").load()
    assert found is coreml.export
    wanted = list(inspect.signature(Exporter.__call__).parameters)[1:]
    assert list(inspect.signature(found).parameters) == wanted
