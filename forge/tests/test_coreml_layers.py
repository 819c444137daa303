"""Convolutions, pools, norms, recurrence and resizing, in saved programs.

Most references are loops or closed formulas. The evaluator uses PyTorch's functions, so these tests
check the meaning of MIL's arguments.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types
from hocket_forge import coreml_layers
from hocket_forge.coreml_evaluator import evaluate
from hocket_forge.coreml_operations import OPERATIONS
from hocket_forge.coreml_program import operation_counts, read_program
from torch.nn import functional

TARGET = coremltools.target.iOS17
TYPES = {np.float32: types.fp32, np.float16: types.fp16}
TOLERANCES = {np.float32: (1e-5, 1e-5), np.float16: (1e-3, 1e-5)}


@dataclass(frozen=True)
class Case:
    """An operation with its arguments; expected takes x and the arguments as float64 arrays."""

    type: str
    shape: tuple[int, ...]
    expected: Callable
    arguments: dict = field(default_factory=dict)


def save(case: Case, path: Path) -> None:
    """The operation once for each type."""

    @mb.program(
        input_specs=[mb.TensorSpec(shape=case.shape, dtype=kind) for kind in TYPES.values()],
        opset_version=TARGET,
    )
    def program(single, half):
        runs = [
            getattr(mb, case.type)(x=x, **stored(case, dtype))
            for x, dtype in zip((single, half), TYPES, strict=True)
        ]
        return tuple(
            made for run in runs for made in (run if isinstance(run, tuple | list) else [run])
        )

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter warns about versions
        coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=TARGET,
            pass_pipeline=coremltools.PassPipeline.EMPTY,
            skip_model_load=True,
        ).save(str(path))


def stored(case: Case, dtype: type) -> dict:
    """The arguments as in the program: floats in its type."""
    return {
        name: value.astype(dtype)
        if isinstance(value, np.ndarray) and value.dtype == np.float64
        else value
        for name, value in case.arguments.items()
    }


def rounded(case: Case, dtype: type) -> dict:
    """The same as float64, for the reference."""
    return {
        name: value.astype(np.float64)
        if isinstance(value, np.ndarray) and value.dtype == dtype
        else value
        for name, value in stored(case, dtype).items()
    }


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def conv(shape: tuple[int, ...], weight: tuple[int, ...], pads: list, **arguments) -> Case:
    """A case in which the arguments should mean `pads`: cells before and after each axis."""

    def expected(x, weight, bias, strides=1, dilations=1, groups=1, **_):
        function = (functional.conv1d, functional.conv2d, functional.conv3d)[len(shape) - 3]
        given = map(torch.from_numpy, (np.pad(x, [(0, 0), (0, 0), *pads]), weight, bias))
        return function(*given, strides, 0, dilations, groups).numpy()

    arguments = {"weight": numbers(*weight), "bias": numbers(weight[0]), **arguments}
    return Case("conv", shape, expected, arguments)


def pooled(x, pads, beyond, reduce, **given):
    """A loop over the windows; NaN marks padding, infinity the cells after it."""
    x = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=np.nan)
    x = np.pad(x, [(0, 0), (0, 0), *((0, more) for more in beyond)], constant_values=np.inf)
    kernel, strides = given["kernel_sizes"], given["strides"]
    sizes = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, strides, strict=True)]
    result = np.zeros((*x.shape[:2], *sizes))
    for item in np.ndindex(*result.shape):
        cells = (slice(p * s, p * s + k) for p, s, k in zip(item[2:], strides, kernel, strict=True))
        window = x[(*item[:2], *cells)]
        result[item] = reduce(window[np.isfinite(window)], np.isnan(window).sum())
    return result


def pool(name: str, shape: tuple[int, ...], pads: list, beyond: list, **arguments) -> Case:
    def mean(values, padding):
        excluded = arguments.get("exclude_padding_from_average", False)
        return values.sum() / (len(values) + (0 if excluded else padding))

    reduce = mean if name == "avg_pool" else lambda values, _: values.max()
    return Case(name, shape, lambda x, **given: pooled(x, pads, beyond, reduce, **given), arguments)


def normed(x, over, shape, epsilon=1e-5, gamma=1.0, beta=0.0, **_):
    centered = x - x.mean(over, keepdims=True)
    length = np.sqrt((centered**2).mean(over, keepdims=True) + epsilon)
    return centered / length * np.reshape(gamma, shape) + np.reshape(beta, shape)


def batch_normed(x, mean, variance, gamma=1.0, beta=0.0, epsilon=1e-5):
    shape = (-1, *[1] * (x.ndim - 2))
    scale = (np.reshape(gamma, shape)) / np.sqrt(variance.reshape(shape) + epsilon)
    return (x - mean.reshape(shape)) * scale + np.reshape(beta, shape)


def resized(points: Callable) -> Callable:
    """Bilinear interpolation at the points that MIL's documentation lists."""

    def expected(x, **_):
        rows, columns = points(x.shape[2]), points(x.shape[3])
        wide = np.stack([[np.interp(columns, range(x.shape[3]), r) for r in c] for c in x[0]])
        tall = [[np.interp(rows, range(x.shape[2]), r) for r in c.T] for c in wide]
        return np.stack(tall).transpose(0, 2, 1)[None]

    return expected


def bilinear(mode: str, size: int, target: int, points: list[float]) -> Case:
    arguments = {"target_size_height": target, "target_size_width": target, "sampling_mode": mode}
    return Case("resize_bilinear", (1, 2, size, size), resized(lambda _: points), arguments)


def recurrence(x, weight_ih, weight_hh, bias, hidden, memory, backwards, activation, half):
    sigmoid, state = (lambda value: 1 / (1 + np.exp(-value))), np.float16 if half else np.float64
    steps = np.zeros((len(x), *hidden.shape))
    for step in reversed(range(len(x))) if backwards else range(len(x)):
        rows = x[step] @ weight_ih.T + hidden @ weight_hh.T + bias
        enter, forget, leave, cell = np.split(rows, 4, axis=-1)
        memory = sigmoid(forget) * memory + sigmoid(enter) * np.tanh(cell)
        memory = memory.astype(state).astype(np.float64)
        hidden = (sigmoid(leave) * activation(memory)).astype(state).astype(np.float64)
        steps[step] = hidden
    return steps, hidden, memory


def recurrent(direction: str, sequence: bool, activation: str = "tanh") -> Case:
    both, size = direction == "bidirectional", 5
    arguments = {
        "initial_h": numbers(3, size * (1 + both)),
        "initial_c": numbers(4, size * (1 + both))[:3],
        "weight_ih": numbers(4 * size, 2),
        "weight_hh": numbers(4 * size, size) / 2,
        "bias": numbers(4 * size),
        "direction": direction,
        "output_sequence": sequence,
        "activation": activation,
    }
    if both:
        arguments["weight_ih_back"] = numbers(4 * size, 2)[::-1].copy()
        arguments["weight_hh_back"] = numbers(4 * size, size)[::-1].copy() / 2
        arguments["bias_back"] = numbers(4 * size)[::-1].copy()

    def expected(x, half=False, **given):
        function = {"tanh": np.tanh, "relu": lambda v: np.maximum(v, 0), "linear": lambda v: v}
        runs = [
            recurrence(
                x,
                *(given[f"{name}{way}"] for name in ("weight_ih", "weight_hh", "bias")),
                *(given[n][:, place * size :][:, :size] for n in ("initial_h", "initial_c")),
                bool(way) or direction == "reverse",
                function[activation],
                half,
            )
            for place, way in enumerate(("", "_back") if both else ("",))
        ]
        steps, hidden, memory = (np.concatenate(parts, -1) for parts in zip(*runs, strict=True))
        return (steps if sequence else hidden[None]), hidden, memory

    return Case("lstm", (7, 3, 2), expected, arguments)


def halves(x, **_):
    return x[..., np.arange(7) * 5 // 7, :][..., np.arange(3) * 4 // 3]


CHANNELS = {"gamma": numbers(3), "beta": numbers(4)[:3], "epsilon": np.array(0.25)}
WINDOW = {"kernel_sizes": [3, 2], "strides": [2, 2]}
CASES = [
    conv((2, 4, 11), (6, 4, 3), [(0, 0)], pad_type="valid"),
    conv((2, 4, 11), (6, 2, 3), [(2, 1)], pad_type="custom", pad=[2, 1], groups=2, dilations=[2]),
    conv((1, 4, 12), (4, 1, 4), [(0, 1)], pad_type="same", strides=[3], groups=4),
    conv((1, 2, 10), (3, 2, 4), [(1, 2)], pad_type="same"),
    conv((1, 2, 10), (3, 2, 4), [(2, 1)], pad_type="same_lower"),
    conv(
        (2, 2, 9, 8),
        (4, 2, 3, 2),
        [(1, 1), (0, 2)],
        pad_type="custom",
        pad=[1, 1, 0, 2],
        strides=[2, 1],
        dilations=[1, 3],
    ),
    conv((1, 1, 4, 5, 4), (2, 1, 2, 3, 2), [(0, 0)] * 3, pad_type="valid", strides=[1, 2, 1]),
    pool("max_pool", (2, 3, 11), [(0, 0)], [0], kernel_sizes=[3], strides=[3], pad_type="valid"),
    pool(
        "max_pool",
        (1, 2, 7, 9),
        [(1, 0), (0, 1)],
        [0, 0],
        pad_type="custom",
        pad=[1, 0, 0, 1],
        **WINDOW,
    ),
    pool(
        "max_pool",
        (1, 2, 7, 6),
        [(1, 1), (0, 1)],
        [0, 0],
        pad_type="same",
        kernel_sizes=[3, 2],
        strides=[2, 1],
    ),
    pool(
        "max_pool",
        (1, 2, 8, 7),
        [(0, 0), (0, 0)],
        [1, 1],
        pad_type="valid",
        ceil_mode=True,
        **WINDOW,
    ),
    *(
        pool(
            "avg_pool",
            (1, 2, 8, 7),
            [(1, 1), (1, 1)],
            [1, 0],
            pad_type="custom",
            pad=[1] * 4,
            ceil_mode=True,
            exclude_padding_from_average=excluded,
            **WINDOW,
        )
        for excluded in (False, True)
    ),
    pool("avg_pool", (2, 3, 11), [(0, 0)], [0], kernel_sizes=[4], strides=[2], pad_type="valid"),
    Case(
        "batch_norm", (2, 3, 5), batch_normed, {"mean": numbers(3), "variance": numbers(5)[:3] ** 2}
    ),
    Case(
        "batch_norm",
        (2, 3, 4, 5),
        batch_normed,
        {"mean": numbers(3), "variance": numbers(5)[:3] ** 2, **CHANNELS},
    ),
    Case(
        "instance_norm",
        (2, 3, 6),
        lambda x, **g: normed(x, (2,), (3, 1) if g else (), **g),
        CHANNELS,
    ),
    Case("instance_norm", (2, 3, 4, 5), lambda x: normed(x, (2, 3), ())),
    Case("instance_norm", (2, 3, 1), np.zeros_like),
    Case("layer_norm", (2, 3, 4), lambda x, **_: normed(x, (0, 1, 2), ()), {"axes": [0, 1, 2]}),
    Case(
        "layer_norm",
        (2, 3, 4),
        lambda x, **g: normed(x, (1, 2), (3, 4), **g),
        {"axes": [-1, 1], "gamma": numbers(3, 4), "beta": numbers(3, 4) / 2},
    ),
    Case(
        "l2_norm", (2, 3, 4, 5), lambda x: x / np.sqrt((x**2).sum((1, 2, 3), keepdims=True) + 1e-6)
    ),
    Case(
        "linear",
        (2, 5, 3),
        lambda x, weight, bias: x @ weight.T + bias,
        {"weight": numbers(4, 3), "bias": numbers(4)},
    ),
    Case(
        "matmul",
        (2, 3, 4),
        lambda x, y, **_: x.transpose(0, 2, 1) @ y.T,
        {"y": numbers(5, 3), "transpose_x": True, "transpose_y": True},
    ),
    Case("matmul", (2, 1, 3, 4), lambda x, y: x @ y, {"y": numbers(3, 4, 2)}),
    *(recurrent(d, s) for d in ("forward", "reverse", "bidirectional") for s in (False, True)),
    recurrent("bidirectional", sequence=True, activation="relu"),
    Case(
        "upsample_nearest_neighbor",
        (1, 2, 3, 4),
        lambda x, **_: x.repeat(2, 2).repeat(3, 3),
        {"scale_factor_height": 2, "scale_factor_width": 3},
    ),
    Case(
        "resize_nearest_neighbor",
        (1, 2, 5, 4),
        halves,
        {"target_size_height": 7, "target_size_width": 3},
    ),
    bilinear("UNALIGN_CORNERS", 2, 5, [0, 0.1, 0.5, 0.9, 1]),
    bilinear("STRICT_ALIGN_CORNERS", 2, 5, [0, 0.25, 0.5, 0.75, 1]),
    bilinear("DEFAULT", 2, 5, [0, 0.4, 0.8, 1, 1]),
    bilinear("OFFSET_CORNERS", 2, 5, [0.1, 0.3, 0.5, 0.7, 0.9]),
    bilinear("STRICT_ALIGN_CORNERS", 4, 1, [0]),
    bilinear("ALIGN_CORNERS", 4, 1, [1.5]),
    Case(
        "upsample_bilinear",
        (1, 2, 3, 3),
        resized(lambda n: np.linspace(0, n - 1, 2 * n)),
        {"scale_factor_height": 2, "scale_factor_width": 2},
    ),
    Case(
        "upsample_bilinear",
        (1, 2, 3, 3),
        resized(lambda n: (np.arange(2 * n) + 0.5) / 2 - 0.5),
        {"scale_factor_height": 2, "scale_factor_width": 2, "align_corners": False},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_layers_have_mils_semantics(case: Case, tmp_path: Path) -> None:
    save(case, tmp_path / "one.mlpackage")
    read = read_program(tmp_path / "one.mlpackage")
    assert operation_counts(read) == {case.type: 2}
    x = numbers(*case.shape)
    found = evaluate(read, {"single": x.astype(np.float32), "half": x.astype(np.float16)})
    results = iter(found[feature.name] for feature in read.outputs)
    for dtype in TYPES:
        given = rounded(case, dtype)
        if case.type == "lstm":
            given["half"] = dtype is np.float16
        expected = case.expected(x.astype(dtype).astype(np.float64), **given)
        for reference in expected if isinstance(expected, tuple) else (expected,):
            result = next(results)
            assert result.dtype == dtype
            assert result.shape == reference.shape
            np.testing.assert_allclose(result, reference.astype(dtype), *TOLERANCES[dtype])
    assert next(results, None) is None


def test_every_layer_has_a_case() -> None:
    module = coreml_layers.__name__
    assert {case.type for case in CASES} == {
        name for name, known in OPERATIONS.items() if known.run.__module__ == module
    }
