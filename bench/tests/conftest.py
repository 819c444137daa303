"""Fixtures of the benchmark's tests. Those of hocket's own tests keep the user's folders apart."""

from pathlib import Path

import pytest

from bench.tests.helpers import FAKE_HOCKET
from tests.conftest import _graphs_opened_once, _no_user_folder, user_folder

__all__ = ["_graphs_opened_once", "_no_user_folder", "user_folder"]


@pytest.fixture
def fake_hocket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stand-in for hocket, for processes that are started."""
    package = tmp_path / "engine/hocket"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE_HOCKET)
    (package / "config.py").write_text("from hocket import Runtime as Runtime")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "engine"))
    return package
