"""The manifest: what ships, where it comes from, its hash, and the thresholds calibrated for it."""

import hashlib
import tomllib
from typing import Any

import tomli_w
from onnx import ModelProto

from hocket_forge.graphs import RECIPES
from hocket_forge.workspace import MANIFEST, MODELS

_HEADER = "# Written by 'python -m hocket_forge build'; calibration tables are kept from before.\n"


def read_manifest() -> dict[str, Any]:
    """The manifest as it stands; empty before the first build."""
    if not MANIFEST.exists():
        return {"graphs": {}}
    return tomllib.loads(MANIFEST.read_text())


def write_artefacts(models: dict[str, ModelProto]) -> None:
    """Write every graph's file and the manifest that describes them."""
    before = read_manifest()["graphs"]
    entries = {}
    for name, model in models.items():
        content = model.SerializeToString()
        (MODELS / f"{name}.onnx").write_bytes(content)
        entries[name] = _entry(name, content)
        if calibration := before.get(name, {}).get("calibration"):
            entries[name]["calibration"] = calibration
    MANIFEST.write_text(_HEADER + "\n" + tomli_w.dumps({"graphs": entries}))


def _entry(name: str, content: bytes) -> dict[str, Any]:
    recipe = RECIPES[name]
    entry: dict[str, Any] = {
        "file": f"{name}.onnx",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "model": recipe.source.model if recipe.source else "hocket",
        "licence": recipe.source.licence if recipe.source else "Apache-2.0",
    }
    if recipe.source:
        entry["source"] = recipe.source.reference
        entry["source_sha256"] = recipe.source.sha256
    if recipe.geometry:
        entry["geometry"] = recipe.geometry
    return entry
