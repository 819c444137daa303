"""What ships: the graphs' files, checked against the manifest before anything reads them."""

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hocket.backends import open_graph
from hocket.config import Runtime
from hocket.errors import ModelError
from hocket.graph import Graph

FOLDER = Path(__file__).parent
_RESTORE = "run 'pip install --force-reinstall hocket'"


@dataclass(frozen=True)
class Artefact:
    """One graph's file as the manifest describes it."""

    graph: str
    file: str
    sha256: str
    size: int
    model: str
    licence: str
    geometry: dict[str, int]
    calibration: dict[str, float]

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return FOLDER / self.file

    def read(self) -> bytes:
        """The file's content.

        Raises:
            ModelError: the file is missing, or not byte for byte what the manifest says.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"{self.path}: {error.strerror or error}; {_RESTORE}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{self.path}: found sha256 {found}, the manifest says {self.sha256}; {_RESTORE}"
            )
        return content


def shipped() -> dict[str, Artefact]:
    """Every artefact of the manifest by graph.

    Raises:
        ModelError: the manifest is missing or damaged.
    """
    path = FOLDER / "manifest.toml"
    try:
        graphs = tomllib.loads(path.read_text(encoding="utf-8"))["graphs"]
        return {name: _artefact(name, entry) for name, entry in graphs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: no usable manifest ({error}); {_RESTORE}") from error


def load(graph: str, runtime: Runtime) -> Graph:
    """Open one of the shipped graphs.

    Raises:
        ModelError: its file is missing, altered, or not that graph.
        BackendError: the runtime is not installed.
    """
    return open_graph(graph, shipped()[graph].read(), runtime)


def _artefact(name: str, entry: dict[str, Any]) -> Artefact:
    thresholds = entry.get("calibration", {})
    return Artefact(
        graph=name,
        file=entry["file"],
        sha256=entry["sha256"],
        size=entry["bytes"],
        model=entry["model"],
        licence=entry["licence"],
        geometry=entry.get("geometry", {}),
        calibration={key: value for key, value in thresholds.items() if key != "reason"},
    )
