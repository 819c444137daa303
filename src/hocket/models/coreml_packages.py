"""Core ML packages that the user built, and the file of hashes beside them."""

import hashlib
import tomllib
from pathlib import Path

from hocket.errors import ModelError
from hocket.files import write_whole
from hocket.models.catalogue import Artefact
from hocket.models.user_weights import user_folder

HASHES = "hashes.toml"


def coreml_folder() -> Path:
    """The folder in which the Core ML backend looks for packages."""
    return user_folder() / "coreml"


def package_path(artefact: Artefact) -> Path:
    """The Core ML package of a graph.

    Raises:
        ModelError: it was not built yet, or was altered afterwards.
    """
    folder = coreml_folder()
    path = folder / f"{artefact.name}.mlpackage"
    remedy = f"run 'hocket models export --to coreml {folder}'"
    try:
        expected = str(tomllib.loads((folder / HASHES).read_text(encoding="utf-8"))[path.name])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: no Core ML package was built ({error}); {remedy}") from error
    found = content_hash(path)
    if found != expected:
        raise ModelError(f"{path}: found sha256 {found}, expected {expected}; {remedy}")
    return path


def write_hashes(folder: Path, names: list[str]) -> None:
    """Write the hash of every named file or package in a folder."""
    lines = [f'"{name}" = "{content_hash(folder / name)}"\n' for name in sorted(names)]
    write_whole(folder / HASHES, "".join(lines), "give another folder")


def content_hash(path: Path) -> str:
    """sha256 of a file, or of the names and contents of all files in a folder."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        content = file.read_bytes()
        total.update(f"{file.relative_to(path).as_posix()}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()
