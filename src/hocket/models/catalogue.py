"""The manifest as values: all graphs and weights, their files, hashes and calibration."""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hocket.clustering.division import TwoSpeakers
from hocket.confidence.count import CountModel
from hocket.confidence.turns import TurnModel
from hocket.errors import ConfigError, ModelError

FOLDER = Path(__file__).parent / "data"
RESTORE = "run 'pip install --force-reinstall hocket'"


@dataclass(frozen=True)
class ModelFile:
    """A file and its expected hash.

    remedy: the command that restores it.
    """

    path: Path
    sha256: str
    size: int
    remedy: str = RESTORE

    def read(self) -> bytes:
        """The verified content of the file.

        Raises:
            ModelError: the file is missing or altered.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{self.path}: {error.strerror or error}; expected sha256 {self.sha256}; "
                f"{self.remedy}"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{self.path}: found sha256 {found}, expected {self.sha256}; {self.remedy}"
            )
        return content


@dataclass(frozen=True)
class Weights:
    """Trained tensors, shared by several graphs.

    file: the shipped file; None if the user places the weights.
    layout: for weights that the user places, the file that lists each tensor's position.
    """

    name: str
    file_name: str
    size: int
    model: str
    licence: str
    attribution: str
    file: ModelFile | None
    layout: ModelFile | None


@dataclass(frozen=True)
class Artefact:
    """A graph: its file and the weights that it needs.

    embedding: the embedding model in it, if any.
    precision: precision of its trained layers; None if it has none.
    """

    name: str
    graph: str
    file: ModelFile
    weights: tuple[str, ...]
    geometry: dict[str, int]
    embedding: str | None
    precision: str | None


@dataclass(frozen=True)
class Catalogue:
    """Content of the manifest.

    calibrations: thresholds and weights of each embedding model.
    reasons: the source of these numbers, by embedding model.
    channels: files of `ChannelModel`, by embedding model; not all have one.
    """

    weights: dict[str, Weights]
    artefacts: dict[str, Artefact]
    calibrations: dict[str, dict[str, float]]
    reasons: dict[str, str]
    channels: dict[str, ModelFile]

    def artefact(self, graph: str, embedding: str, precision: str) -> Artefact:
        """The file of a graph, with this embedding model and precision where that matters.

        Raises:
            ConfigError: there is no such embedding model, or it has no file in this precision.
            ModelError: the manifest does not list the graph.
        """
        self.check_embedding(embedding)
        found = [
            artefact
            for artefact in self.artefacts.values()
            if artefact.graph == graph and artefact.embedding in {None, embedding}
        ]
        if not found:
            made = [a.embedding for a in self.artefacts.values() if a.graph == graph]
            if made:
                known = ", ".join(dict.fromkeys(map(str, made)))
                raise ConfigError(f"embedding is '{embedding}'; there is a '{graph}' with {known}")
            raise ModelError(f"{FOLDER / 'manifest.toml'}: lists no graph '{graph}'; {RESTORE}")
        for artefact in found:
            if artefact.precision in {None, precision}:
                return artefact
        known = ", ".join(str(artefact.precision) for artefact in found)
        raise ConfigError(
            f"precision is '{precision}'; of '{graph}' with {embedding} there is {known}"
        )

    def precisions(self, graph: str, embedding: str) -> frozenset[str]:
        """Precisions in which a graph has files; empty if it has no trained layers."""
        return frozenset(
            artefact.precision
            for artefact in self.artefacts.values()
            if artefact.graph == graph
            and artefact.embedding in {None, embedding}
            and artefact.precision is not None
        )

    def check_embedding(self, embedding: str) -> None:
        """Raise ConfigError if there is no embedding model of that name."""
        if embedding not in self.calibrations:
            known = ", ".join(self.calibrations)
            raise ConfigError(f"embedding is '{embedding}'; give one of {known}")


def read_catalogue() -> Catalogue:
    """Read the manifest.

    Raises:
        ModelError: the manifest is missing or damaged.
    """
    path = FOLDER / "manifest.toml"
    try:
        return _catalogue(path.read_text(encoding="utf-8"), FOLDER)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: no usable manifest ({error}); {RESTORE}") from error


@lru_cache(maxsize=2)  # parsing takes 17 ms, and opening a graph needs the result
def _catalogue(text: str, folder: Path) -> Catalogue:
    """Content of a manifest whose files lie in a folder."""
    manifest = tomllib.loads(text)
    embeddings = manifest["embeddings"]
    channels = {name: _file(entry, folder) for name, entry in manifest["channels"].items()}
    weights = manifest["weights"]
    return Catalogue(
        weights={name: _weights(name, entry, folder) for name, entry in weights.items()},
        artefacts={
            name: _artefact(name, entry, folder) for name, entry in manifest["graphs"].items()
        },
        calibrations={name: _calibration(entry) for name, entry in embeddings.items()},
        reasons={name: str(entry["reason"]) for name, entry in embeddings.items()},
        channels={
            name: channels[entry["channels"]]
            for name, entry in embeddings.items()
            if "channels" in entry
        },
    )


def _prefixed(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{prefix}_{name}" for name in names)


_CALIBRATED = (
    *("threshold", "duplicate_at_1s", "duplicate_growth", "duplicate_most", "crop_s"),
    *_prefixed("two", TwoSpeakers._fields),
    *_prefixed("stream_two", TwoSpeakers._fields),
    *_prefixed("turn", TurnModel._fields),
    *_prefixed("count", CountModel._fields),
    *_prefixed("stream", ("match", "create", "update", "merge", "name", "crowd")),
    *("name_distance", "suggest_distance", "verify_distance"),
    *_prefixed("stream_turn", ("bias", "margin", "speech", "learnt", "alone")),
    *_prefixed("match", ("bias", "distance", "margin")),
)
"""Names of the numbers that the manifest has for every embedding model."""


def _calibration(entry: dict[str, Any]) -> dict[str, float]:
    return {name: float(entry[name]) for name in _CALIBRATED}


def _file(entry: dict[str, Any], folder: Path) -> ModelFile:
    return ModelFile(folder / entry["file"], entry["sha256"], int(entry["bytes"]))


def _weights(name: str, entry: dict[str, Any], folder: Path) -> Weights:
    shipped, layout = None, None
    if entry["placed"]:
        path = folder / entry["layout"]
        layout = ModelFile(path, entry["layout_sha256"], int(entry["layout_bytes"]))
    else:
        shipped = _file(entry, folder)
    return Weights(
        name=name,
        file_name=entry["file"],
        size=int(entry["bytes"]),
        model=entry["model"],
        licence=entry["licence"],
        attribution=entry["attribution"],
        file=shipped,
        layout=layout,
    )


def _artefact(name: str, entry: dict[str, Any], folder: Path) -> Artefact:
    return Artefact(
        name=name,
        graph=entry["graph"],
        file=_file(entry, folder),
        weights=tuple(entry["weights"]),
        geometry=dict(entry.get("geometry", {})),
        embedding=entry.get("embedding"),
        precision=entry.get("precision"),
    )
