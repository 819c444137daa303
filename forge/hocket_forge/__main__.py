"""`python -m hocket_forge COMMAND`: build, check, convert and measure the graphs."""

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from onnx import ModelProto

from hocket_forge import parity
from hocket_forge.export import export
from hocket_forge.graphs import RECIPES
from hocket_forge.manifest import read_artefacts, read_variants, write_artefacts
from hocket_forge.parity import Check
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import MADE, PACKAGES


def build() -> None:
    """Export every graph, and write all of them, or none if one fails its checks."""
    models = {name: export(name, recipe) for name, recipe in RECIPES.items()}
    _require_parity(models)
    write_artefacts(models)


def check() -> None:
    """Check the files in the repository against the manifest and their references."""
    _require_parity({**read_artefacts(), **read_variants()})


def coreml() -> None:
    """Convert every graph to Core ML, and check the saved packages against their references."""
    from hocket_forge.coreml_parity import converted

    MADE.unlink(missing_ok=True)
    failed = _failed(partial(converted, folder=PACKAGES), RECIPES)
    if failed:
        raise ForgeError(f"{len(failed)} checks failed: {'; '.join(failed)}")
    MADE.touch()


def measure(data: str, calibration: str) -> None:
    """Measure the figures that are missing from the report's results."""
    from hocket_forge import measure as measuring

    measuring.measure(Path(data), Path(calibration))


def publish(calibration: str) -> None:
    """Write the int8 variants that pass, beside the graphs that ship."""
    from hocket_forge import measure as measuring

    measuring.publish(Path(calibration))


def report() -> None:
    """Write docs/models.md."""
    from hocket_forge import report as page

    page.PAGE.write_text(page.report(), encoding="utf-8")


def report_check() -> None:
    """Fail if docs/models.md is not what `report` would write."""
    from hocket_forge import report as page

    if page.PAGE.read_text(encoding="utf-8") != page.report():
        raise ForgeError("docs/models.md: not current; run 'make models-report' and commit it")


def _require_parity(models: dict[str, ModelProto]) -> None:
    failed = _failed(parity.all_checks, models, models.values())
    if failed:
        raise ForgeError(f"{len(failed)} checks failed, nothing was written: {'; '.join(failed)}")


def _failed(
    check: Callable[..., list[Check]], names: Iterable[str], *models: Iterable[ModelProto]
) -> list[str]:
    """Check graphs in one process per core; PyTorch exports only one graph per process at a time.

    Prints every check; returns the names of those that failed.
    """
    cores, fresh = os.cpu_count(), get_context("spawn")
    with ProcessPoolExecutor(cores, fresh, torch.set_num_threads, (1,)) as pool:
        found = pool.map(check, names, *models)
        return [each for pair in zip(names, found, strict=True) for each in _report(*pair)]


def _report(name: str, results: Iterable[Check]) -> list[str]:
    """Print every check; returns the names of those that failed."""
    failed = []
    for result in results:
        verdict = "ok  " if result.passed else "FAIL"
        print(f"{verdict} {name}: {result.name}: {result.found:.2g} (at most {result.allowed:.2g})")
        if not result.passed:
            failed.append(f"{name}: {result.name}")
    return failed


COMMANDS: dict[str, Callable[..., None]] = {
    "build": build,
    "check": check,
    "coreml": coreml,
    "measure": measure,
    "publish": publish,
    "report": report,
    "report-check": report_check,
}


def main(arguments: list[str]) -> int:
    """Run a command; the exit code is 1 if a source or a graph fails, 2 for wrong usage."""
    command = COMMANDS.get(arguments[0]) if arguments else None
    if command is None or len(inspect.signature(command).parameters) != len(arguments) - 1:
        print(f"usage: python -m hocket_forge {'|'.join(COMMANDS)}", file=sys.stderr)
        print("       measure takes a corpus and recordings, publish recordings", file=sys.stderr)
        return 2
    torch.set_num_threads(
        1
    )  # on a busy machine, two threads that wait for each other are far slower
    try:
        command(*arguments[1:])
    except ForgeError as error:
        print(f"hocket_forge: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
