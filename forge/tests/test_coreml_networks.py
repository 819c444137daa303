"""Traced networks, converted, saved and evaluated, against PyTorch."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch
from coremltools.optimize.coreml import (
    OpLinearQuantizerConfig,
    OptimizationConfig,
    linear_quantize_weights,
)
from hocket_forge.coreml_evaluator import evaluate
from hocket_forge.coreml_program import operation_counts, read_program
from torch import Tensor, nn
from torch.nn import functional

SINGLE, HALF = coremltools.precision.FLOAT32, coremltools.precision.FLOAT16
# relative to the largest value: float16 has 11 bits, and these networks have few operations
TOLERANCES = {SINGLE: 2e-6, HALF: 4e-3}


class Steps(nn.Module):
    """A function and the layers that it uses, so that tracing sees their weights."""

    def __init__(self, function: Callable[..., Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function, self.layers = function, nn.ModuleList(layers)

    def forward(self, *given: Tensor) -> Tensor:
        return self.function(*given, *self.layers)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter's warnings, and the deprecation of tracing
        yield


def options(precision) -> dict:
    return {
        "convert_to": "mlprogram",
        "minimum_deployment_target": coremltools.target.iOS17,
        "compute_precision": precision,
        "skip_model_load": True,
    }


def convert(module: nn.Module, example: Tensor, precision, shape=None):
    """A traced network of one input x and one output y, both float32."""
    kind = coremltools.TensorType(name="x", shape=shape or example.shape, dtype=np.float32)
    made = coremltools.TensorType(name="y", dtype=np.float32)
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(module.eval(), example, check_trace=False)
        return coremltools.convert(traced, inputs=[kind], outputs=[made], **options(precision))


def package(module: nn.Module, example: Tensor, precision, folder: Path, shape=None) -> Path:
    convert(module, example, precision, shape).save(str(folder / "net.mlpackage"))
    return folder / "net.mlpackage"


def run(path: Path, x: Tensor) -> np.ndarray:
    return evaluate(read_program(path), {"x": x.numpy()})["y"]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = make().eval()
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
        return module


def near(found: np.ndarray, expected: Tensor, tolerance: float) -> bool:
    reference = expected.detach().numpy()
    assert found.shape == reference.shape
    return bool(np.abs(found - reference).max() <= tolerance * np.abs(reference).max())


FAMILIES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(4, 8, 5, stride=2, padding=2, groups=2), nn.Conv1d(8, 3, 3, dilation=3)
        ),
        (2, 4, 40),
        {"conv"},
    ),
    "conv2d": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 2, 3, dilation=(1, 2), bias=False),
        ),
        (1, 2, 12, 15),
        {"conv", "relu"},
    ),
    "pools": (
        lambda: Steps(
            lambda x: (
                functional.max_pool2d(x, 3, 2, 1)
                + functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            )
        ),
        (2, 3, 9, 11),
        {"max_pool", "avg_pool", "add"},
    ),
    "norms": (
        lambda: nn.Sequential(
            nn.BatchNorm1d(6), nn.InstanceNorm1d(6, affine=True), nn.LeakyReLU(), nn.LayerNorm(20)
        ),
        (3, 6, 20),
        {"batch_norm", "instance_norm", "leaky_relu", "layer_norm"},
    ),
    "attention": (
        lambda: Steps(
            lambda x, q, k: torch.softmax(q(x) @ k(x).transpose(1, 2) / 8**0.5, -1) @ x,
            nn.Linear(8, 8),
            nn.Linear(8, 8),
        ),
        (2, 12, 8),
        {"linear", "matmul", "softmax"},
    ),
    "gather": (
        lambda: Steps(lambda x: x[:, torch.tensor([3, 0, 0])] * x[:, -1:]),
        (2, 5, 4),
        {"gather", "mul", "slice_by_index"},
    ),
    "argmax": (
        lambda: Steps(lambda x: x.round().argmax(1).float() + x[:, 0]),
        (40, 9),
        {"reduce_argmax", "cast", "round"},
    ),
    "arithmetic": (
        lambda: Steps(
            lambda x: torch.where(x > 0, x.abs().clamp_min(0.1).log() + 3, x.exp()).sqrt()
        ),
        (3, 7),
        {"select", "greater", "log", "exp", "sqrt"},
    ),
    "shapes": (
        lambda: Steps(
            lambda x: functional.pad(torch.stack(x.split([1, 2], 1)[1:], 1).flatten(1, 2), (1, 2))
        ),
        (2, 3, 4),
        {"split", "pad"},
    ),
    "resizing": (
        lambda: Steps(
            lambda x: (
                functional.interpolate(x, scale_factor=2.0)
                + functional.interpolate(x, size=(8, 10), mode="bilinear", align_corners=False)
            )
        ),
        (1, 2, 4, 5),
        {"upsample_nearest_neighbor", "upsample_bilinear"},
    ),
    "statistics": (
        lambda: Steps(lambda x: torch.cat([x.mean(2), x.var(2).sqrt(), x.amax(2)], 1)),
        (2, 4, 30),
        {"reduce_mean", "reduce_max", "concat"},
    ),
    "single frame": (lambda: nn.Sequential(nn.Conv1d(3, 4, 1), nn.Sigmoid()), (1, 3, 1), {"conv"}),
}


@pytest.mark.parametrize("precision", TOLERANCES, ids=["float32", "float16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_traced_networks_agree_with_pytorch(family: str, precision, tmp_path: Path) -> None:
    make, shape, operations = FAMILIES[family]
    module, x = seeded(make), drawn(*shape)
    path = package(module, x, precision, tmp_path)
    assert operations <= set(operation_counts(read_program(path)))
    if precision is HALF:
        x = x.half().float()
    assert near(run(path, x), module(x), TOLERANCES[precision])


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


@pytest.mark.parametrize("precision", TOLERANCES, ids=["float32", "float16"])
def test_a_deep_lstm_agrees_on_every_length(precision, tmp_path: Path) -> None:
    module = seeded(Recurrent)
    frames = coremltools.RangeDim(1, 60, default=20)
    path = package(module, drawn(3, 20, 6), precision, tmp_path, (3, frames, 6))
    assert operation_counts(read_program(path))["lstm"] == 2
    for length in (1, 2, 37, 60):
        x = drawn(3, length, 6)
        assert near(run(path, x), module(x), TOLERANCES[precision])


def test_eight_bit_weights_are_unpacked(tmp_path: Path) -> None:
    module, x = seeded(lambda: nn.Linear(64, 48)), drawn(5, 64)
    settings = OptimizationConfig(OpLinearQuantizerConfig(weight_threshold=1))
    with quiet():
        model = linear_quantize_weights(convert(module, x, SINGLE), settings)
        model.save(str(tmp_path / "net.mlpackage"))
    program = read_program(tmp_path / "net.mlpackage")
    assert operation_counts(program) == {"constexpr_affine_dequantize": 1, "linear": 1}
    found = evaluate(program, {"x": x.numpy()})["y"]
    scale = module.weight.abs().amax(1, keepdim=True) / 127
    rounded = (module.weight / scale).round() * scale
    assert near(found, x @ rounded.T + module.bias, 1e-5)
    assert not near(found, module(x), 1e-5)
