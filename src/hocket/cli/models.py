"""The commands `hocket backends` and `hocket models`."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from hocket import models
from hocket.backends import BACKENDS, PRECISIONS, Choice, missing, this_processor
from hocket.cli.outcome import UNUSABLE, complain
from hocket.config import GraphConfig, Runtime
from hocket.errors import HocketError
from hocket.models.catalogue import ModelFile
from hocket.models.export import TARGETS, export


@click.command(name="backends")
@click.option("--embedding", default=GraphConfig.embedding, show_default=True)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=GraphConfig.precision,
    show_default=True,
)
def backends_command(embedding: str, precision: str) -> int:
    """Show which runtimes are installed, and what --backend auto selects."""
    chosen: dict[str, Choice] = {}
    impossible: HocketError | None = None
    graphs = {"segmentation_from_peaks": "segmentation of streams"}
    for graph in ("segmentation", *graphs, "embedding"):
        name = graphs.get(graph, graph)
        try:
            chosen[name] = models.choice_of(graph, GraphConfig(embedding, precision))
        except HocketError as error:
            impossible = error  # raised below: what is installed may be the remedy
    for backend in BACKENDS[1:]:
        problem = missing(backend)
        taken = [f"{name} in {c.precision}" for name, c in chosen.items() if c.backend == backend]
        use = f", auto selects it for {', '.join(taken)}" if taken else ""
        click.echo(f"{backend:<12} {problem or f'installed{use}'}")
    extras = [name for name, found in asdict(this_processor()).items() if found]
    click.echo(f"{'processor':<12} {', '.join(['float32', *extras])}")
    if impossible:
        raise impossible
    return 0


@click.group(name="models")
def models_group() -> None:
    """Show, verify, add and export graphs and weights."""


@models_group.command(name="list")
@click.option("--hashes", is_flag=True, help="Show the sha256 of every file too.")
def list_models(hashes: bool) -> int:
    """List graphs and weights: file, model, license, size."""
    catalogue = models.read_catalogue()
    for weights in catalogue.weights.values():
        file = models.find_weights(weights)
        absent = f"not placed; run 'hocket models add FILE --as {weights.name}'"
        state = (file.sha256 if hashes else "") if file else absent
        _show_row(weights.file_name, weights.model, weights.licence, weights.size, state)
    for artefact in catalogue.artefacts.values():
        parts = " + ".join(artefact.weights) or "hocket"
        _show_file(artefact.file, parts, hashes=hashes)
    for file in dict.fromkeys(catalogue.channels.values()):
        _show_file(file, "hocket", hashes=hashes)
    return 0


def _show_file(file: ModelFile, model: str, *, hashes: bool) -> None:
    _show_row(file.path.name, model, "Apache-2.0", file.size, file.sha256 if hashes else "")


def _show_row(file: str, model: str, license_: str, size: int, state: str) -> None:
    row = f"{file:<35} {model:<34} {license_:<12} {size / 1e6:>6.2f} MB {state}"
    click.echo(row.rstrip())


@models_group.command(name="verify")
def verify_models() -> int:
    """Verify the hash of every file, and that the runtime loads every graph."""
    catalogue, failed = models.read_catalogue(), 0
    # networks of one kind share a file
    channels = {file.path.name: name for name, file in catalogue.channels.items()}
    for artefact in catalogue.artefacts.values():
        absent = [n for n in artefact.weights if not models.find_weights(catalogue.weights[n])]
        if absent:
            click.echo(f"{artefact.file.path.name}: {', '.join(absent)} not placed")
            continue
        opening = partial(
            models.open_verified, artefact, Choice("onnxruntime", "float32"), Runtime()
        )
        failed += _failures(artefact.file.path.name, opening)
    for file, name in channels.items():
        failed += _failures(file, partial(models.channel_model, name))
    return UNUSABLE if failed else 0


def _failures(file: str, check: Callable[[], object]) -> int:
    """Print whether a file passes a check; 1 if it does not."""
    try:
        check()
    except HocketError as error:
        complain(str(error))
        return 1
    click.echo(f"{file}: ok")
    return 0


@models_group.command(name="add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="Its name in 'hocket models list'.")
def add_model(file: Path, name: str) -> int:
    """Add a published checkpoint from a local FILE; nothing in it is executed."""
    placed = models.add(file, name)
    click.echo(f"{placed.path}: sha256 {placed.sha256}")
    click.echo(f"threshold {models.read_catalogue().reasons[name]}")
    return 0


@models_group.command(name="export")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True)
@click.argument("folder", type=click.Path(path_type=Path))
def export_models(target: str, folder: Path) -> int:
    """Export every graph to FOLDER, with a README and a worked example."""
    for name in export(target, folder):
        click.echo(f"wrote {folder / name}")
    return 0
