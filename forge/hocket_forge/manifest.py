"""The manifest: all shipped files with their sources and hashes, and the calibration."""

import hashlib
import json
import tomllib
from dataclasses import asdict, replace
from typing import Any

import onnx
import tomli_w
from onnx import ModelProto

from hocket_forge.graphs import RECIPES, Recipe
from hocket_forge.sources import WEIGHTS, ForgeError
from hocket_forge.weights import Pool, empty_pools, placed_layout, take_out
from hocket_forge.workspace import MANIFEST, MODELS

VARIANTS = ("-int8",)  # suffixes of names
_HEADER = "# Written by 'python -m hocket_forge build', which keeps the calibration.\n"


def read_manifest() -> dict[str, Any]:
    """The current manifest; empty before the first build."""
    if not MANIFEST.exists():
        return {"graphs": {}, "weights": {}, "channels": {}, "embeddings": {}}
    return tomllib.loads(MANIFEST.read_text())


def write_artefacts(models: dict[str, ModelProto]) -> None:
    """Write the structure of every graph, the files of weights, and the manifest.

    Published variants are kept: `publish` makes them, with the help of recordings.
    """
    before = read_manifest()
    pools = empty_pools()
    contents = {
        name: take_out(model, RECIPES[name], pools).SerializeToString()
        for name, model in models.items()
    }
    for name, content in contents.items():
        (MODELS / f"{name}.onnx").write_bytes(content)
    graphs = {
        name: _graph_entry(name, RECIPES[name], content) for name, content in contents.items()
    }
    entries = {name: _weights_entry(pool) for name, pool in pools.items()}
    _write(
        weights={**entries, **_variants(before["weights"])},
        graphs={**graphs, **_variants(before["graphs"])},
        channels=before["channels"],
        embeddings=before["embeddings"],
    )


def write_variant(name: str, precision: str, model: ModelProto, measured: dict[str, float]) -> None:
    """Write a graph in another precision beside those that ship, with its row of the report."""
    manifest, recipe = read_manifest(), RECIPES[name]
    (base,) = recipe.weights
    pool = _shared_pool(manifest, f"{base}-{precision}", but=f"{name}-{precision}")
    renamed = replace(recipe, weights=(pool.name,))
    content = take_out(model, renamed, {pool.name: pool}).SerializeToString()
    (MODELS / f"{name}-{precision}.onnx").write_bytes(content)
    entry = {**_graph_entry(f"{name}-{precision}", recipe, content), "weights": [pool.name]}
    manifest["weights"][pool.name] = _weights_entry(pool)
    manifest["graphs"][f"{name}-{precision}"] = {
        **entry,
        "precision": precision,
        "measured": measured,
    }
    _write(**manifest)


def _shared_pool(manifest: dict[str, Any], name: str, but: str) -> Pool:
    """The tensors of all variants except `but` in a file of weights; their files refer to it."""
    pool = Pool(name)
    sharing = [
        entry
        for key, entry in _variants(manifest["graphs"]).items()
        if name in entry["weights"] and key != but
    ]
    if sharing:
        weights = manifest["weights"][name]
        pool.content = bytearray(_read(weights["file"], weights["sha256"]))
    for entry in sharing:
        for tensor in onnx.load_from_string(
            _read(entry["file"], entry["sha256"])
        ).graph.initializer:
            place = {each.key: each.value for each in tensor.external_data}
            if place:
                start, length = int(place["offset"]), int(place["length"])
                pool.offsets[bytes(pool.content[start : start + length])] = start
    return pool


def _write(**manifest: dict[str, Any]) -> None:
    MANIFEST.write_text(_HEADER + "\n" + tomli_w.dumps(manifest))


def _variants(entries: dict[str, Any]) -> dict[str, Any]:
    """Entries of variants, which cannot be made from checkpoints alone."""
    return {name: entry for name, entry in entries.items() if name.endswith(VARIANTS)}


def read_variants() -> dict[str, ModelProto]:
    """The published variants with their weights; ForgeError if a file does not match its hash."""
    manifest = read_manifest()
    pools = {
        entry["file"]: _read(entry["file"], entry["sha256"])
        for entry in _variants(manifest["weights"]).values()
    }
    return {
        name: put_back(_read(entry["file"], entry["sha256"]), pools)
        for name, entry in _variants(manifest["graphs"]).items()
    }


def read_artefacts() -> dict[str, ModelProto]:
    """The graphs in the repository with their weights.

    Graphs whose weights the user places get weights drawn by a rule, as in the parity checks.

    Raises:
        ForgeError: a file does not match its hash in the manifest.
    """
    manifest = read_manifest()
    made = set(manifest["graphs"]) - set(_variants(manifest["graphs"]))
    if made != set(RECIPES):
        found = sorted(made)
        raise ForgeError(f"manifest: found {found}, the forge makes {sorted(RECIPES)}")
    pools = {
        entry["file"]: _weights_content(name, entry) for name, entry in manifest["weights"].items()
    }
    return {
        name: put_back(_read(entry["file"], entry["sha256"]), pools)
        for name, entry in manifest["graphs"].items()
        if name in RECIPES
    }


def put_back(content: bytes, weights: dict[str, bytes]) -> ModelProto:
    """A graph with its large tensors inside, from its content and the content of weight files."""
    model = onnx.load_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            place = {entry.key: entry.value for entry in tensor.external_data}
            start, length = int(place["offset"]), int(place["length"])
            tensor.raw_data = weights[place["location"]][start : start + length]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model


def _weights_content(name: str, entry: dict[str, Any]) -> bytes:
    if not entry["placed"]:
        return _read(entry["file"], entry["sha256"])
    _read(entry["layout"], entry["layout_sha256"])
    return bytes(empty_pools()[name].content)


def _read(file: str, sha256: str) -> bytes:
    try:
        content = (MODELS / file).read_bytes()
    except OSError as error:
        raise ForgeError(f"{file}: cannot be read ({error.strerror})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ForgeError(f"{file}: found sha256 {found}, manifest says {sha256}")
    return content


def _graph_entry(name: str, recipe: Recipe, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "graph": recipe.graph,
        "file": f"{name}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "weights": list(recipe.weights),
    }
    if recipe.weights and not recipe.exact:
        entry["precision"] = "float32"
    if recipe.embedding:
        entry["embedding"] = recipe.embedding
    if recipe.geometry:
        entry["geometry"] = recipe.geometry
    return entry


def _weights_entry(pool: Pool) -> dict[str, Any]:
    origin = WEIGHTS[next(name for name in WEIGHTS if pool.name.startswith(name))]
    placed = not pool.grows
    entry: dict[str, Any] = {
        "file": pool.file,
        "placed": placed,
        "bytes": len(pool.content),
        "model": origin.model,
        "licence": origin.licence,
        "attribution": origin.attribution,
    }
    if placed:
        layout = [asdict(place) for place in placed_layout()]
        content = (json.dumps(layout, separators=(",", ":")) + "\n").encode()
        entry["layout"] = f"{pool.name}.layout.json"
        entry["layout_bytes"] = len(content)
        entry["layout_sha256"] = hashlib.sha256(content).hexdigest()
        (MODELS / entry["layout"]).write_bytes(content)
        return entry
    (MODELS / pool.file).write_bytes(pool.content)
    entry["sha256"] = hashlib.sha256(pool.content).hexdigest()
    entry["source"], entry["source_sha256"] = origin.reference, origin.sha256
    return entry
