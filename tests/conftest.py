"""Every test has a user's folder of its own, empty; the real one is never read or written."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hocket import models
from hocket.audio import decoding
from hocket.models import catalogue, loading
from tests.checkpoints import checkpoint, recipe_weights
from tests.opening import opened_once


@pytest.fixture(autouse=True, scope="session")
def _nobodys_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what fixtures of wider scope do before the first test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOCKET_MODELS", str(tmp_path_factory.mktemp("nobody") / "models"))
        patch.setenv("HOCKET_CACHE", str(tmp_path_factory.mktemp("compiled")))
        patch.delenv("XDG_CACHE_HOME", raising=False)  # a fake engine would leave its marks there
        yield


@pytest.fixture(autouse=True)
def user_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where placed weights go; not made yet."""
    folder = tmp_path_factory.mktemp("user") / "models"
    monkeypatch.setenv("HOCKET_MODELS", str(folder))
    return folder


@pytest.fixture(autouse=True, scope="session")
def _graphs_opened_once() -> Iterator[None]:
    """Graphs of the same bytes are one: opening took half the time of the tests that diarize."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open_onnx", "open_openvino"):
            patch.setattr(loading, name, opened_once(getattr(loading, name)))
        yield


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped models, in use instead of them, to be damaged."""
    folder = tmp_path / "shipped"
    shutil.copytree(models.FOLDER, folder)
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def resnet34_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of WeSpeaker's shape, its numbers drawn by rule."""
    path = tmp_path_factory.mktemp("published") / "avg_model.pt"
    path.write_bytes(checkpoint(recipe_weights()))
    return path


@pytest.fixture(scope="session")
def _resnet34_placed(resnet34_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("placed")
        patch.setenv("HOCKET_MODELS", str(folder))
        models.add(resnet34_checkpoint, "wespeaker-resnet34")
        return folder


@pytest.fixture
def resnet34(_resnet34_placed: Path, user_folder: Path) -> Path:
    """The user's folder, with that checkpoint placed in it: its file of weights."""
    shutil.copytree(_resnet34_placed, user_folder)
    return next(user_folder.glob("wespeaker-resnet34-*.weights"))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that decoding opens: files, and libsndfile's sound files."""
    opened: list[Any] = []
    for name in ("_open", "_open_sndfile"):
        usual = getattr(decoding, name)

        def keep(*given: Any, usual: Any = usual) -> Any:
            opened.append(usual(*given))
            return opened[-1]

        monkeypatch.setattr(decoding, name, keep)
    return opened
