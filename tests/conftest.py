"""Fixtures of all tests. The user's own folders are never read or written."""

import gc
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, settings

from hocket import models
from hocket.audio import decoding
from hocket.models import catalogue, loading
from tests.helpers.checkpoints import checkpoint, recipe_weights
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared_graphs import MEMO, opened_once, read_once

settings.register_profile(  # no deadlines, and the same examples on every run
    "hocket",
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("hocket")

USERS = count()  # making a folder for each test took a tenth of the time of quick ones


@pytest.fixture(autouse=True, scope="session")
def _no_user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Empty folders for fixtures of wider scope, which run before `user_folder`."""
    folder = tmp_path_factory.mktemp("nobody")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOCKET_MODELS", str(folder / "models"))
        patch.setenv("HOCKET_CACHE", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        patch.delenv("XDG_CACHE_HOME", raising=False)  # a fake engine would write there
        yield folder


@pytest.fixture(autouse=True)
def user_folder(_no_user_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for weights that a user adds; it does not exist yet."""
    folder = _no_user_folder / str(next(USERS)) / "models"
    monkeypatch.setenv("HOCKET_MODELS", str(folder))
    return folder


@pytest.fixture(autouse=True, scope="session")
def _graphs_opened_once() -> Iterator[None]:
    """Open graphs of the same bytes once: opening took half the time of tests that diarize."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open_onnx", "open_openvino"):
            patch.setattr(loading, name, opened_once(getattr(loading, name)))
        patch.setattr(catalogue.ModelFile, "read", read_once(catalogue.ModelFile.read))
        yield


@pytest.fixture(autouse=True)
def _outputs_remembered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal inputs are computed once, except where graphs or their repeatability are tested."""
    of_graphs = request.path.parent.name in {"backends", "models"}
    computes = of_graphs or request.path.name == "test_times.py"
    computes |= request.node.get_closest_marker("computes") is not None
    monkeypatch.setattr(MEMO, "used", not computes)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first twelve seconds of the example conversation."""
    samples, rate = soundfile.read(CONVERSATION, dtype="float32", frames=12 * 16_000)
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, rate)
    return path


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped models, used in their place, that a test may damage."""
    folder = tmp_path / "shipped"
    shutil.copytree(models.FOLDER, folder)
    monkeypatch.setattr(catalogue, "FOLDER", folder)
    return folder


@pytest.fixture(scope="session")
def resnet34_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the shape of WeSpeaker's ResNet34, with weights drawn by rule."""
    path = tmp_path_factory.mktemp("published") / "avg_model.pt"
    path.write_bytes(checkpoint(recipe_weights()))
    return path


@pytest.fixture(scope="session")
def resnet34_folder(resnet34_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder to which that checkpoint was added."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("placed")
        patch.setenv("HOCKET_MODELS", str(folder))
        models.add(resnet34_checkpoint, "wespeaker-resnet34")
        return folder


@pytest.fixture
def resnet34(resnet34_folder: Path, user_folder: Path) -> Path:
    """The weights file in the user's folder, to which that checkpoint was added."""
    shutil.copytree(resnet34_folder, user_folder)
    return next(user_folder.glob("wespeaker-resnet34-*.weights"))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything that decoding opens: files, and libsndfile's sound files."""
    opened: list[Any] = []
    for name in ("open_source", "open_sound"):
        usual = getattr(decoding, name)

        def keep(*given: Any, usual: Any = usual) -> Any:
            opened.append(usual(*given))
            return opened[-1]

        monkeypatch.setattr(decoding, name, keep)
    return opened


def pytest_collection_finish() -> None:
    """Spare the collector what lives until the end: modules, tests and their parameters."""
    gc.collect()
    gc.freeze()
