"""Export of graphs for other programs: files, hashes, and a README that explains them."""

import inspect
from collections.abc import Mapping
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from string import Template
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hocket.backends import open_onnx
from hocket.errors import BackendError, ConfigError
from hocket.files import write_whole
from hocket.graph import SPECS, Port
from hocket.models.catalogue import Artefact, Catalogue, read_catalogue
from hocket.models.coreml_packages import HASHES, write_hashes
from hocket.models.examples import EXAMPLES, voice
from hocket.models.loading import weights_content
from hocket.models.user_weights import placed_file

TARGETS = ("onnx", "coreml")
REMEDY = "give another folder"

VALUES: Mapping[str, str] = {
    "waveform": "mono samples at 16 kHz, -1 to 1",
    "waveforms": "mono samples at 16 kHz, -1 to 1",
    "audio": "mono samples at 16 kHz, -1 to 1",
    "peaks": "any; for each filter, the maximum of every three outputs, then of their negatives",
    "log_probs": "natural logarithms of probabilities, at most 0",
    "masks": "0 or 1",
    "clean_masks": "0 or 1",
    "segments": "0 or 1",
    "filtered": "0 or 1",
    "embeddings": "any; compare by cosine",
    "database": "any; compare by cosine",
    "distances": "0 to 2, infinite where either side has no direction",
    "activity": "0 to the number of frames",
    "valid": "0 or 1",
}
"""The range of values of each input and output."""


class Exporter(Protocol):
    """Writes graphs for a runtime that hocket itself does not support.

    Packages register an exporter under the entry-point group `hocket.exporters`.
    """

    def __call__(
        self, artefacts: list[Artefact], weights: Mapping[str, Mapping[str, bytes]], folder: Path
    ) -> list[str]:
        """Write the graphs; returns the names of the files or packages written."""
        ...


def export(target: str, folder: Path) -> list[str]:
    """Write every graph whose weights are available, hashes, and a README with examples.

    Returns:
        Names of the files written.

    Raises:
        ConfigError: the target is unknown.
        BackendError: the exporter for the target is not installed.
        ModelError: a file to export is missing or altered.
        OutputError: the folder cannot be written.
    """
    if target not in TARGETS:
        raise ConfigError(f"cannot export to '{target}'; give one of {', '.join(TARGETS)}")
    catalogue = read_catalogue()
    artefacts = [a for a in catalogue.artefacts.values() if _complete(a, catalogue)]
    if target != "onnx":  # exporters convert the original networks, not quantized variants
        artefacts = [a for a in artefacts if a.precision in {None, "float32"}]
    weights = {artefact.name: weights_content(artefact) for artefact in artefacts}
    write = _write_onnx if target == "onnx" else _exporter(target)
    write_whole(folder / "README.md", readme(target, artefacts, catalogue), REMEDY)
    names = [*write(artefacts, weights, folder), "README.md"]
    write_hashes(folder, names)
    return [*names, HASHES]


def _complete(artefact: Artefact, catalogue: Catalogue) -> bool:
    needed = [catalogue.weights[name] for name in artefact.weights]
    return all(weights.file or placed_file(weights) for weights in needed)


def _write_onnx(
    artefacts: list[Artefact], weights: Mapping[str, Mapping[str, bytes]], folder: Path
) -> list[str]:
    files = {artefact.file.path.name: artefact.file.read() for artefact in artefacts}
    for needed in weights.values():
        files |= needed
    for name, content in files.items():
        write_whole(folder / name, content, REMEDY)
    return list(files)


def _exporter(target: str) -> Exporter:
    found = list(entry_points(group="hocket.exporters", name=target))
    if not found:
        raise BackendError(
            f"graphs for {target} are made from PyTorch modules by a separate package; "
            "run 'pip install hocket-forge' (in hocket's repository: pip install ./forge)"
        )
    exporter: Exporter = found[0].load()
    return exporter


def readme(target: str, artefacts: list[Artefact], catalogue: Catalogue) -> str:
    """The page beside exported graphs, in Markdown."""
    page = Template((resources.files("hocket.models") / "data" / f"readme-{target}.md").read_text())
    used = sorted({name for artefact in artefacts for name in artefact.weights})
    rows = [catalogue.weights[name] for name in used]
    makers = dict.fromkeys([voice, *(EXAMPLES[artefact.graph] for artefact in artefacts)])
    sources = "\n\n".join(map(inspect.getsource, makers))
    return page.substitute(
        graphs="\n".join(_section(artefact, target) for artefact in artefacts),
        examples=sources,
        licences="\n".join(f"| {w.model} | {w.licence} | {w.attribution} |" for w in rows),
    )


def _section(artefact: Artefact, target: str) -> str:
    spec, make = SPECS[artefact.graph], EXAMPLES[artefact.graph]
    graph = open_onnx(artefact.graph, artefact.file.read(), weights_content(artefact))
    geometry = ", ".join(f"{key} {value}" for key, value in artefact.geometry.items())
    lines = [
        f"## {artefact.name}.{'onnx' if target == 'onnx' else 'mlpackage'}\n",
        f"Metadata: {geometry}.\n" if geometry else "",
        "| | name | shape (float32) | values |\n|---|---|---|---|",
        *(_row("in", port) for port in spec.inputs),
        *(_row("out", port) for port in spec.outputs),
        f"\nWith `{make.__name__}()`:\n",
        "| output | shape | mean | middle row, first numbers |\n|---|---|---|---|",
        *(
            f"| {name} | {a.shape} | {np.mean(a, where=np.isfinite(a)):.3g} | {middle_row(a)} |"
            for name, a in graph.run(make()).items()
        ),
        "",
    ]
    return "\n".join(lines)


def _row(direction: str, port: Port) -> str:
    return f"| {direction} | {port.name} | ({', '.join(port.axes)}) | {VALUES[port.name]} |"


def middle_row(array: NDArray[np.float32]) -> str:
    """The first numbers of the middle row along the last axis, to three digits."""
    rows = array.reshape(-1, array.shape[-1])
    return ", ".join(f"{number:.3g}" for number in rows[len(rows) // 2, :4])
