"""Weights that the user places: published checkpoints, checked and laid out for their graph."""

import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from hocket.errors import ModelError
from hocket.files import write_whole
from hocket.models.catalogue import ModelFile, Weights
from hocket.models.checkpoint import read_checkpoint


@dataclass(frozen=True)
class Place:
    """Position of a checkpoint's tensor in the file of weights; the offset is in bytes."""

    name: str
    shape: tuple[int, ...]
    offset: int


def user_folder() -> Path:
    """Folder of placed weights and built packages; the variable `HOCKET_MODELS` overrides it."""
    chosen = os.environ.get("HOCKET_MODELS")
    return Path(chosen) if chosen else platformdirs.user_data_path("hocket") / "models"


def placed_file(weights: Weights) -> ModelFile | None:
    """The user's file of weights, with the hash from when it was added; None if never added.

    Raises:
        ModelError: the file with the hash is damaged.
    """
    hash_file = _hash_file(weights)
    if not hash_file.exists():
        return None
    try:
        sha256 = str(tomllib.loads(hash_file.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{hash_file}: cannot be read ({error}); {_remedy(weights)}") from error
    return ModelFile(_path(weights, sha256), sha256, weights.size, _remedy(weights))


def lay_out(checkpoint: Path, weights: Weights) -> bytes:
    """The content of a file of weights, from the tensors of a checkpoint.

    Raises:
        ModelError: the file is not a checkpoint, holds code, or is of another network.
    """
    assert weights.layout is not None, "only weights with a layout are placed"
    layout = _layout(weights.layout)
    tensors = _named_as_in_graph(read_checkpoint(checkpoint), layout)
    expected = {place.name for place in layout}
    if missing := sorted(expected - set(tensors)):
        raise ModelError(
            f"{checkpoint}: not a checkpoint of {weights.model}: found {len(tensors)} tensors, "
            f"{len(missing)} of the {len(expected)} expected are missing ({missing[0]}, ...); "
            "get the file that its authors publish"
        )
    content = bytearray(weights.size)
    for place in layout:
        raw = _fitting(tensors[place.name], place, weights, checkpoint)
        content[place.offset : place.offset + len(raw)] = raw
    return bytes(content)


def write(content: bytes, weights: Weights) -> ModelFile:
    """Write a file of weights to the user's folder; graphs use it from now on.

    Raises:
        OutputError: the folder cannot be written.
    """
    before = sorted(user_folder().glob(f"{weights.name}-*.weights"))
    digest = hashlib.sha256(content).hexdigest()
    remedy = "name another folder in HOCKET_MODELS"
    path = _path(weights, digest)
    write_whole(path, content, remedy)
    write_whole(_hash_file(weights), f'sha256 = "{digest}"\n', remedy)  # now it is in use
    for old in before:
        if old != path:
            old.unlink(missing_ok=True)
    return ModelFile(path, digest, len(content), _remedy(weights))


def _path(weights: Weights, sha256: str) -> Path:
    return user_folder() / f"{weights.name}-{sha256[:16]}.weights"


def _remedy(weights: Weights) -> str:
    return f"run 'hocket models add FILE --as {weights.name}'"


def _hash_file(weights: Weights) -> Path:
    return user_folder() / f"{weights.name}.toml"


def _layout(file: ModelFile) -> list[Place]:
    return [
        Place(entry["name"], tuple(entry["shape"]), entry["offset"])
        for entry in json.loads(file.read())
    ]


def _named_as_in_graph(
    tensors: Mapping[str, NDArray[Any]], layout: list[Place]
) -> dict[str, NDArray[Any]]:
    """Tensors by name, without a prefix that a training framework may have put before all names."""
    first = layout[0].name
    prefixes = sorted(
        (name.removesuffix(first) for name in tensors if name.endswith(first)), key=len
    )
    candidates = [
        {name.removeprefix(p): tensors[name] for name in tensors if name.startswith(p)}
        for p in prefixes
    ]
    expected = {place.name for place in layout}
    return next((named for named in candidates if expected <= set(named)), dict(tensors))


def _fitting(values: NDArray[Any], place: Place, weights: Weights, checkpoint: Path) -> bytes:
    """A tensor's bytes in float32; ModelError if its shape or type is not as expected."""
    if values.shape != place.shape or values.dtype.kind != "f":
        raise ModelError(
            f"{checkpoint}: {place.name}: found {values.dtype} {values.shape}, "
            f"expected floating point {place.shape}; get a checkpoint of {weights.model}"
        )
    with np.errstate(over="ignore"):  # overflows to infinity
        narrow = values.astype("<f4")
    if not np.isfinite(narrow).all():
        raise ModelError(
            f"{checkpoint}: {place.name}: found NaN or infinite numbers; get the file again"
        )
    return narrow.tobytes()
