"""`python -m hocket_forge build` makes the shipped graphs; `check` holds them to references."""

import hashlib
import sys

import onnx
from onnx import ModelProto

from hocket_forge import parity
from hocket_forge.export import export
from hocket_forge.graphs import RECIPES
from hocket_forge.manifest import read_manifest, write_artefacts
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import MODELS


def build() -> None:
    """Export every graph and write all of them, or none if one fails its checks."""
    models = {name: export(name, recipe) for name, recipe in RECIPES.items()}
    _require_parity(models)
    write_artefacts(models)


def check() -> None:
    """Hold the files that stand in the repository to the manifest and to their references."""
    models = {}
    for name, entry in read_manifest()["graphs"].items():
        content = (MODELS / entry["file"]).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != entry["sha256"]:
            raise ForgeError(
                f"{entry['file']}: found sha256 {found}, manifest says {entry['sha256']}"
            )
        models[name] = onnx.load_from_string(content)
    if set(models) != set(RECIPES):
        raise ForgeError(f"manifest: found {sorted(models)}, the forge makes {sorted(RECIPES)}")
    _require_parity(models)


def _require_parity(models: dict[str, ModelProto]) -> None:
    failed = []
    for name, model in models.items():
        for result in parity.checks(name, model):
            verdict = "ok  " if result.passed else "FAIL"
            bound = f"{result.found:.2g} (at most {result.allowed:.2g})"
            print(f"{verdict} {name}: {result.name}: {bound}")
            if not result.passed:
                failed.append(f"{name}: {result.name}")
    if failed:
        raise ForgeError(f"{len(failed)} checks failed, nothing was written: {'; '.join(failed)}")


def main(arguments: list[str]) -> int:
    """Run one command; exit code 1 if a source or an artefact fails, 2 for wrong usage."""
    commands = {"build": build, "check": check}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m hocket_forge build|check", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except ForgeError as error:
        print(f"hocket_forge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
