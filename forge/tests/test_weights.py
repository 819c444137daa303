"""Files of weights: graphs share them, plain runtimes find them, and users can place them."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hocket_forge import manifest
from hocket_forge.export import LARGE
from hocket_forge.fused import Fused, SegmentationMasks
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.peaks import peaks_of
from hocket_forge.pyannet import PyanNet
from hocket_forge.sources import ForgeError
from hocket_forge.weights import ALIGNMENT, Pool, empty_pools, placed_layout, take_out
from hocket_forge.wespeaker import ResNet34, load_resnet34
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

Array = NDArray[np.float32]
Exported = Callable[[str], ModelProto]

SMALL_FILE = 1_200_000  # bytes; the largest holds a filter bank of 0.9 MB
PLACED = ("embedding-wespeaker-resnet34", "fused-wespeaker-resnet34")
COMPLETE = [name for name in RECIPES if name not in PLACED]
every_graph = pytest.mark.parametrize("name", list(RECIPES))


@given(tensors=st.lists(st.one_of(st.binary(min_size=1, max_size=200), st.just(b"again"))))
def test_a_pool_holds_every_tensor_once_at_an_aligned_offset(tensors: list[bytes]) -> None:
    pool = Pool("any")
    offsets = [pool.add(raw) for raw in tensors]
    for raw, offset in zip(tensors, offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert pool.content[offset : offset + len(raw)] == raw
        assert offset == offsets[tensors.index(raw)]
    assert len(set(offsets)) == len(set(tensors))
    ends = sorted((offset, offset + len(raw)) for raw, offset in pool.offsets.items())
    gaps = [start - end for (_, end), (start, _) in pairwise(ends)]
    assert all(0 <= gap < ALIGNMENT for gap in gaps)
    assert len(pool.content) == (ends[-1][1] if ends else 0)


@pytest.fixture(scope="module")
def folder(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with every graph, from which the forge reads."""
    path = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "MODELS", path)
        patch.setattr(manifest, "MANIFEST", path / "manifest.toml")
        manifest.write_artefacts({name: exported(name) for name in RECIPES})
        yield path


def lean(folder: Path, name: str) -> ModelProto:
    """A graph as in its file, without external tensors."""
    model: ModelProto = onnx.load(folder / f"{name}.onnx", load_external_data=False)
    return model


def pointers(model: ModelProto) -> dict[str, tuple[str, int, int]]:
    """File, offset and length of every external tensor."""
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            place = {entry.key: entry.value for entry in tensor.external_data}
            offset, length = int(place["offset"]), int(place["length"])
            found[tensor.name] = (place["location"], offset, length)
    return found


def test_graphs_that_are_written_are_read_back_tensor_by_tensor(
    folder: Path, exported: Exported
) -> None:
    assert set(manifest.read_manifest()["graphs"]) == set(RECIPES)
    read = manifest.read_artefacts()
    assert list(read) == list(RECIPES)
    for name, model in read.items():
        assert model.SerializeToString() == exported(name).SerializeToString(), name
        assert not pointers(model)
    assert not (folder / "wespeaker-resnet34.weights").exists()  # the user places it


@every_graph
def test_a_graphs_own_file_is_small_and_its_weights_are_external(
    folder: Path, exported: Exported, name: str
) -> None:
    size = (folder / f"{name}.onnx").stat().st_size
    assert size < SMALL_FILE
    elsewhere = pointers(lean(folder, name)).values()
    assert {p[0] for p in elsewhere} == {f"{weights}.weights" for weights in RECIPES[name].weights}
    own = [length for file, _, length in elsewhere if not file.startswith("wespeaker")]
    assert min(own, default=LARGE) >= LARGE
    inside = {
        tensor.name: tuple(tensor.dims)
        for tensor in lean(folder, name).graph.initializer
        if len(tensor.raw_data) >= LARGE
    }
    filter_bank = [(512, 1, 400), (80, 256, 1)] if name in PLACED else []
    assert list(inside.values()) == filter_bank
    if RECIPES[name].weights:
        least = 80_000 if name == "sinc_peaks" else 5_000_000
        assert exported(name).ByteSize() - size > least


def test_files_of_weights_hold_two_networks_and_no_tensor_twice(
    folder: Path, exported: Exported
) -> None:
    """CAM++ is stored in float16 with an exact filter bank, the segmentation network in float32."""
    alone = {"segmentation": "segmentation_masks", "campplus": "embedding-campplus"}
    for weights, name in alone.items():
        size = (folder / f"{weights}.weights").stat().st_size
        assert 0.95 * exported(name).ByteSize() < size < exported(name).ByteSize()
    places: dict[str, dict[bytes, tuple[str, int, int]]] = {}
    for name in RECIPES:
        stored = {tensor.name: tensor.raw_data for tensor in exported(name).graph.initializer}
        for tensor_name, place in pointers(lean(folder, name)).items():
            seen = places.setdefault(place[0], {})
            assert seen.setdefault(stored[tensor_name], place) == place, tensor_name


def waveform(speech: Array) -> Array:
    return np.stack([speech[112_000:144_000], speech[200_000:232_000]])[:, None]


def inputs(name: str, speech: Array) -> list[Array]:
    graph = RECIPES[name].graph
    generator = np.random.default_rng(8)
    masks = (generator.random((2, 117, 3)) < 0.5).astype(np.float32)
    vectors = generator.standard_normal((3, 192)).astype(np.float32)
    return {
        "powerset_decode": [generator.standard_normal((2, 60, 7)).astype(np.float32)],
        "segmentation_from_peaks": [waveform(speech), peaks_of(waveform(speech))],
        "embedding_inputs": [speech[None, None, :4_000], masks[:1]],
        "post_embedding": [vectors, vectors[::-1].copy(), masks[:1]],
        "embedding": [waveform(speech), masks.transpose(0, 2, 1).copy()],
    }.get(graph, [waveform(speech)])


def run(session: onnxruntime.InferenceSession, arrays: list[Array]) -> list[Array]:
    names = [port.name for port in session.get_inputs()]
    found: list[Array] = session.run(None, dict(zip(names, arrays, strict=True)))
    return found


@pytest.mark.parametrize("name", COMPLETE)
def test_a_plain_runtime_opens_a_written_file_by_its_path_alone(
    folder: Path, exported: Exported, speech: Array, name: str
) -> None:
    arrays = inputs(name, speech)
    found = run(onnxruntime.InferenceSession(folder / f"{name}.onnx"), arrays)
    whole = onnxruntime.InferenceSession(exported(name).SerializeToString())
    for array, expected in zip(found, run(whole, arrays), strict=True):
        assert np.array_equal(array, expected)


def test_tensors_of_a_joined_graph_are_those_of_its_parts(folder: Path) -> None:
    for embedding in ("campplus", "wespeaker-resnet34"):
        joined = pointers(lean(folder, f"fused-{embedding}"))
        parts = {
            "segmentation/": pointers(lean(folder, "segmentation_masks")),
            "embedding/": pointers(lean(folder, f"embedding-{embedding}")),
        }
        expected = {
            prefix + name: place for prefix, part in parts.items() for name, place in part.items()
        }
        assert joined == expected


def test_a_tensor_of_a_joined_graph_that_none_of_its_parts_holds_is_refused(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, pools = RECIPES["fused-campplus"], empty_pools()
    with pytest.raises(ForgeError, match=r"fused: a tensor of .* bytes is in none of its parts"):
        take_out(exported("fused-campplus"), recipe, pools)
    graphs = {name: exported(name) for name in COMPLETE}
    tensor = next(t for t in graphs["fused-campplus"].graph.initializer if len(t.dims) == 3)
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0, 0] += 1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    monkeypatch.setattr(manifest, "MODELS", tmp_path)
    monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.toml")
    with pytest.raises(ForgeError, match=f"a tensor of {values.nbytes} bytes is in none"):
        manifest.write_artefacts(graphs)
    assert not list(tmp_path.iterdir())


def test_a_graph_without_weights_keeps_its_tensors_whatever_their_size() -> None:
    large = numpy_helper.from_array(np.zeros(10_000, np.float32), "large")
    model = ModelProto()
    model.graph.initializer.append(large)
    assert take_out(model, RECIPES["post_embedding"], {}) == model


@pytest.mark.parametrize(
    "file", ["segmentation.weights", "wespeaker-resnet34.layout.json", "fused-campplus.onnx"]
)
def test_a_damaged_file_is_refused_with_both_hashes(folder: Path, file: str) -> None:
    path = folder / file
    content = path.read_bytes()
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    try:
        with pytest.raises(ForgeError, match=f"{file}: found sha256 .*, manifest says"):
            manifest.read_artefacts()
    finally:
        path.write_bytes(content)


def test_the_layout_of_placed_weights_covers_its_file_in_order(
    folder: Path, resnet34: ResNet34
) -> None:
    entry = manifest.read_manifest()["weights"]["wespeaker-resnet34"]
    layout = json.loads((folder / entry["layout"]).read_text())
    assert [(p.name, list(p.shape), p.offset) for p in placed_layout()] == [
        (place["name"], place["shape"], place["offset"]) for place in layout
    ]
    end = 0
    for place in layout:
        assert place["offset"] % ALIGNMENT == 0
        assert 0 <= place["offset"] - end < ALIGNMENT
        end = place["offset"] + 4 * int(np.prod(place["shape"]))
    assert end == entry["bytes"]
    shapes = {name: list(tensor.shape) for name, tensor in resnet34.state_dict().items()}
    expected = {k: v for k, v in shapes.items() if not k.endswith("num_batches_tracked")}
    assert {place["name"]: place["shape"] for place in layout} == expected


@pytest.mark.parametrize("name", PLACED)
def test_every_placed_tensor_is_taken_from_the_users_file(folder: Path, name: str) -> None:
    """A tensor in the graph's own file would keep the values drawn for the parity checks."""
    prefix = "embedding/" if name.startswith("fused") else ""
    found = pointers(lean(folder, name))
    placed = {key: p for key, p in found.items() if p[0] == "wespeaker-resnet34.weights"}
    assert placed == {
        prefix + place.name: (
            "wespeaker-resnet34.weights",
            place.offset,
            4 * int(np.prod(place.shape)),
        )
        for place in placed_layout()
    }


def other_weights(resnet34: ResNet34) -> dict[str, torch.Tensor]:
    """Tensors of the same network, all different from those in the graphs."""
    generator = torch.Generator().manual_seed(9)
    return {
        name: tensor * (0.6 + 0.8 * torch.rand(tensor.shape, generator=generator))
        for name, tensor in resnet34.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def embeddings(name: str, network: ResNet34, segmentation: PyanNet, arrays: list[Array]) -> Array:
    """The output of a graph's module with that network."""
    tensors = [torch.from_numpy(array) for array in arrays]
    with torch.no_grad():
        if name.startswith("fused"):
            fused = Fused(SegmentationMasks(segmentation), network).eval()
            joined: Array = fused(*tensors)[1].numpy()
            return joined
        found: Array = network(*tensors).numpy()
    return found


@pytest.mark.parametrize("name", PLACED)
def test_a_graph_computes_with_the_weights_that_the_user_places(
    folder: Path, resnet34: ResNet34, segmentation: PyanNet, speech: Array, name: str
) -> None:
    state = other_weights(resnet34)
    entry = manifest.read_manifest()["weights"]["wespeaker-resnet34"]
    content = bytearray(entry["bytes"])
    for place in json.loads((folder / entry["layout"]).read_text()):
        raw = state[place["name"]].numpy().tobytes()
        content[place["offset"] : place["offset"] + len(raw)] = raw
    placed, arrays = folder / entry["file"], inputs(name, speech)
    placed.write_bytes(content)
    try:
        found = run(onnxruntime.InferenceSession(folder / f"{name}.onnx"), arrays)[-1]
    finally:
        placed.unlink()
    expected = embeddings(name, load_resnet34(state), segmentation, arrays)
    drawn = embeddings(name, resnet34, segmentation, arrays)
    assert found.shape == expected.shape == (2, 3, 256)
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    assert np.linalg.norm(found - drawn) > 0.1 * np.linalg.norm(drawn)
