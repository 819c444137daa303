"""The shipped files: complete, unaltered, and refused when they are not."""

import shutil
from pathlib import Path

import pytest

from hocket import models
from hocket.config import Runtime
from hocket.errors import ModelError


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    shutil.copytree(models.FOLDER, folder)
    monkeypatch.setattr(models, "FOLDER", folder)
    return folder


def test_the_manifest_names_every_graph_with_licence_and_size() -> None:
    shipped = models.shipped()
    assert set(shipped) == {"segmentation_masks", "embedding", "post_embedding"}
    for artefact in shipped.values():
        assert artefact.path.stat().st_size == artefact.size
        assert artefact.licence in {"MIT", "Apache-2.0"}
    assert sum(artefact.size for artefact in shipped.values()) < 25e6


def test_thresholds_are_in_the_manifest_with_their_reason() -> None:
    text = (models.FOLDER / "manifest.toml").read_text()
    assert models.shipped()["embedding"].calibration["threshold"] > 0
    assert "reason = " in text


def test_an_altered_file_is_refused_with_both_hashes(copied: Path) -> None:
    path = copied / "embedding.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        models.load("embedding", Runtime())
    message = str(caught.value)
    assert str(path) in message
    assert models.shipped()["embedding"].sha256 in message
    assert "pip install" in message


def test_a_missing_file_is_named_with_what_to_do(copied: Path) -> None:
    (copied / "segmentation_masks.onnx").unlink()
    with pytest.raises(ModelError, match=r"segmentation_masks\.onnx: No such file.*pip install"):
        models.load("segmentation_masks", Runtime())


@pytest.mark.parametrize("content", ["", "graphs = 3", "[graphs.embedding]\nfile = 'x'", "\x00"])
def test_a_damaged_manifest_is_one_clear_error(copied: Path, content: str) -> None:
    (copied / "manifest.toml").write_text(content)
    with pytest.raises(ModelError, match="no usable manifest"):
        models.shipped()


def test_a_foreign_graph_under_the_right_name_is_refused(copied: Path) -> None:
    manifest = copied / "manifest.toml"
    text = manifest.read_text()
    wrong = text.replace('file = "post_embedding.onnx"', 'file = "segmentation_masks.onnx"')
    hashes = {name: artefact.sha256 for name, artefact in models.shipped().items()}
    wrong = wrong.replace(hashes["post_embedding"], hashes["segmentation_masks"])
    manifest.write_text(wrong)
    with pytest.raises(ModelError, match="found inputs and outputs"):
        models.load("post_embedding", Runtime())
