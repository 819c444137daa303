"""Saved packages for tests: each graph converted once, and copies to alter."""

import atexit
import contextlib
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from coremltools.proto.Model_pb2 import Model
from hocket_forge import coreml
from hocket_forge.coreml_parity import checks
from hocket_forge.graphs import RECIPES
from hocket_forge.workspace import MADE, PACKAGES, ROOT
from torch import nn

CONTENT = Path("Data/com.apple.CoreML")
MODEL, WEIGHTS = CONTENT / "model.mlmodel", CONTENT / "weights" / "weight.bin"
# on these depends what a package holds, as in the Makefile
SOURCES = ("forge/hocket_forge", "src/hocket", "constraints.txt", "forge/pyproject.toml")
# the other four of `RECIPES` use the same code and take minutes
NAMES = (
    "segmentation",
    "powerset_decode",
    "segmentation_masks",
    "sinc_peaks",
    "segmentation_from_peaks",
    "embedding_inputs",
    "post_embedding",
    "embedding-campplus",
)


@cache
def _folder() -> Path:
    folder = TemporaryDirectory(prefix="packages-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@cache
def is_current(stamp: Path = MADE) -> bool:
    """Whether `make coreml` has made all packages since the last change of a source."""
    roots = [ROOT / source for source in SOURCES]
    files = [path for root in roots for path in (root, *root.rglob("*")) if path.is_file()]
    changes = [path.stat().st_mtime_ns for path in files if path.suffix != ".pyc"]
    return stamp.exists() and stamp.stat().st_mtime_ns > max(changes)


@cache
def built(name: str) -> Path:
    """The package of one of `RECIPES`; it must not be altered."""
    if is_current():
        return PACKAGES / f"{name}.mlpackage"
    return made(name, RECIPES[name].module(), _folder())


def made(name: str, module: nn.Module, folder: Path) -> Path:
    """A package of any module under a graph's name."""
    [(given, package)] = coreml.build(folder, {name: module})
    assert given == name
    return package


def copied(name: str, folder: Path) -> Path:
    """A package to alter."""
    package = folder / f"{name}.mlpackage"
    shutil.copytree(built(name), package)
    return package


def spec(package: Path) -> Model:
    """The protobuf in the file."""
    model = Model()
    model.ParseFromString((package / MODEL).read_bytes())
    return model


@contextlib.contextmanager
def edited(package: Path) -> Iterator[Model]:
    """The protobuf; it is written back after a change."""
    model = spec(package)
    before = Model()
    before.CopyFrom(model)
    yield model
    assert model != before
    (package / MODEL).write_bytes(model.SerializeToString())


def operations(model: Model) -> Any:
    """The operations of its only function."""
    [function] = model.mlProgram.functions.values()
    return function.block_specializations[function.opset].operations


def operation(model: Model, output: str) -> Any:
    """The operation that makes a value."""
    [found] = [each for each in operations(model) if each.outputs[0].name == output]
    return found


def weights(package: Path, layer: str, argument: str) -> np.memmap:
    """Float16 weights of the first layer of a type, mapped from the file for writing."""
    model = spec(package)
    first = next(each for each in operations(model) if each.type == layer)
    constant = operation(model, first.inputs[argument].arguments[0].name)
    shape = tuple(axis.constant.size for axis in constant.outputs[0].type.tensorType.dimensions)
    record = constant.attributes["val"].blobFileValue.offset
    (start,) = np.fromfile(package / WEIGHTS, "<u8", 1, offset=record + 16)
    return np.memmap(package / WEIGHTS, "<f2", "r+", int(start), shape)


def failures(name: str, package: Path) -> list[str]:
    """Names of the checks that a package fails."""
    return [check.name for check in checks(name, package) if not check.passed]
