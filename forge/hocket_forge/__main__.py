"""`python -m hocket_forge build|check|coreml`: make what ships, check it, convert it."""

import sys
from collections.abc import Iterable

from onnx import ModelProto

from hocket_forge import parity
from hocket_forge.export import export
from hocket_forge.graphs import RECIPES
from hocket_forge.manifest import read_artefacts, write_artefacts
from hocket_forge.parity import Check
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import PACKAGES


def build() -> None:
    """Export every graph and write all of them, or none if one fails its checks."""
    models = {name: export(name, recipe) for name, recipe in RECIPES.items()}
    _require_parity(models)
    write_artefacts(models)


def check() -> None:
    """Hold the files that stand in the repository to the manifest and to their references."""
    _require_parity(read_artefacts())


def coreml() -> None:
    """Convert every graph to Core ML and hold the saved packages to their references."""
    from hocket_forge import coreml as converter
    from hocket_forge import coreml_parity

    failed = []
    modules = {name: recipe.module() for name, recipe in RECIPES.items()}
    for name, package in converter.build(PACKAGES, modules):
        failed += _report(name, coreml_parity.checks(name, package))
    if failed:
        raise ForgeError(f"{len(failed)} checks failed: {'; '.join(failed)}")


def _require_parity(models: dict[str, ModelProto]) -> None:
    failed = []
    for name, model in models.items():
        failed += _report(name, parity.checks(name, model))
    if failed:
        raise ForgeError(f"{len(failed)} checks failed, nothing was written: {'; '.join(failed)}")


def _report(name: str, results: Iterable[Check]) -> list[str]:
    """Print every check; returns those that failed."""
    failed = []
    for result in results:
        verdict = "ok  " if result.passed else "FAIL"
        print(f"{verdict} {name}: {result.name}: {result.found:.2g} (at most {result.allowed:.2g})")
        if not result.passed:
            failed.append(f"{name}: {result.name}")
    return failed


def main(arguments: list[str]) -> int:
    """Run one command; exit code 1 if a source or an artefact fails, 2 for wrong usage."""
    commands = {"build": build, "check": check, "coreml": coreml}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m hocket_forge build|check|coreml", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except ForgeError as error:
        print(f"hocket_forge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
