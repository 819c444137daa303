"""The commands about what runs here: hocket backends and hocket models."""

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
    """Show what can run the graphs here, and what --backend auto takes."""
    chosen: dict[str, Choice] = {}
    impossible: HocketError | None = None
    graphs = {"segmentation_from_peaks": "segmentation of streams"}
    for graph in ("segmentation", *graphs, "embedding"):
        name = graphs.get(graph, graph)
        try:
            chosen[name] = models.choice_of(graph, GraphConfig(embedding, precision))
        except HocketError as error:
            impossible = error  # said below: what is installed may be the remedy
    for backend in BACKENDS[1:]:
        problem = missing(backend)
        taken = [f"{name} in {c.precision}" for name, c in chosen.items() if c.backend == backend]
        use = f", auto takes it for {', '.join(taken)}" if taken else ""
        click.echo(f"{backend:<12} {problem or f'installed{use}'}")
    extras = [name for name, found in asdict(this_processor()).items() if found]
    click.echo(f"{'processor':<12} {', '.join(['float32', *extras])}")
    if impossible:
        raise impossible
    return 0


@click.group(name="models")
def models_group() -> None:
    """The graphs and weights that ship with hocket, and those you place."""


@models_group.command(name="list")
def list_models() -> int:
    """List them: name, licence, size, sha256."""
    catalogue = models.read_catalogue()
    for weights in catalogue.weights.values():
        file = models.find_weights(weights)
        state = file.sha256 if file else f"not placed; hocket models add FILE --as {weights.name}"
        _show_row(weights.file_name, weights.model, weights.licence, weights.size, state)
    for artefact in catalogue.artefacts.values():
        parts = " + ".join(artefact.weights) or "hocket"
        file = artefact.file
        _show_row(file.path.name, parts, "Apache-2.0", file.size, file.sha256)
    for file in dict.fromkeys(catalogue.channels.values()):
        _show_row(file.path.name, "hocket", "Apache-2.0", file.size, file.sha256)
    return 0


def _show_row(file: str, model: str, licence: str, size: int, state: str) -> None:
    click.echo(f"{file:<35} {model:<34} {licence:<12} {size / 1e6:>6.2f} MB {state}")


@models_group.command(name="verify")
def verify_models() -> int:
    """Check every file's hash and that the runtime loads every graph."""
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
    """Say whether a file is what it should be; 1 if it is not."""
    try:
        check()
    except HocketError as error:
        complain(str(error))
        return 1
    click.echo(f"{file}: ok")
    return 0


@models_group.command(name="add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="What it is, as 'hocket models list' names it.")
def add_model(file: Path, name: str) -> int:
    """Place a published checkpoint, from a local FILE; nothing in it is executed."""
    placed = models.add(file, name)
    click.echo(f"{placed.path}: sha256 {placed.sha256}")
    click.echo(f"threshold {models.read_catalogue().reasons[name]}")
    return 0


@models_group.command(name="export")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True)
@click.argument("folder", type=click.Path(path_type=Path))
def export_models(target: str, folder: Path) -> int:
    """Write every graph to FOLDER for your own program, with a README and a worked example."""
    for name in export(target, folder):
        click.echo(f"wrote {folder / name}")
    return 0
