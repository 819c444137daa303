"""What every backend guarantees, for every graph."""

from collections import deque
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket import models
from hocket.config import GraphConfig, Runtime
from hocket.errors import BackendError
from hocket.graph import MAY_BE_EMPTY, SPECS, Port, least_lengths
from tests.helpers.graphs import INSTALLED, WITH_WAVEFORM, Case, cases, refusal, samples


@cases()
def test_outputs_have_the_names_types_and_shapes_of_the_specification(case: Case) -> None:
    inputs, spec = case.inputs, SPECS[case.name]
    lengths = {"dimension": int(case.graph.metadata.get("dimension", 192))}
    found = case.graph.run(inputs)
    assert list(found) == [port.name for port in spec.outputs]
    arrays = inputs | found
    for port in (*spec.inputs, *spec.outputs):
        array = arrays[port.name]
        assert (type(array), array.dtype) == (np.ndarray, np.float32), port.name
        assert array.ndim == len(port.axes), port.name
        for axis, length in zip(port.axes, array.shape, strict=True):
            expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, length)
            assert length == expected, (port.name, axis)
    assert all(lengths.values())
    assert all(array.any() for array in found.values())


@cases()
def test_inputs_are_not_changed_and_outputs_are_the_callers(case: Case) -> None:
    inputs = case.inputs
    before = {name: array.copy() for name, array in inputs.items()}
    for array in inputs.values():
        array.flags.writeable = False
    found = case.graph.run(inputs)
    for name, array in inputs.items():
        assert array.tobytes() == before[name].tobytes()
        assert not any(np.shares_memory(array, output) for output in found.values())


@cases()
def test_the_same_inputs_give_the_same_bytes(case: Case) -> None:
    first, second = case.graph.run(case.inputs), case.graph.run(case.inputs)
    views = {name: array.repeat(2, axis=-1)[..., ::2] for name, array in case.inputs.items()}
    third = case.graph.run(dict(reversed(views.items())))
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes() == third[name].tobytes()


@cases()
def test_missing_and_unknown_inputs_are_listed_beside_the_right_ones(case: Case) -> None:
    right = sorted(case.inputs)
    extra = case.inputs | {"extra": np.zeros(1, np.float32)}
    for arrays in ({}, extra, dict(list(extra.items())[1:])):
        message = refusal(case.graph, arrays)
        assert message == f"graph inputs: found {sorted(arrays)}, pass {right}"


WRONG: dict[str, Callable[[NDArray[np.float32]], Any]] = {
    "float64": lambda array: array.astype(np.float64),
    "float16": lambda array: array.astype(np.float16),
    "int64": lambda array: array.astype(np.int64),
    "bool": lambda array: array.astype(bool),
    "one axis more": lambda array: array[None],
    "one axis less": lambda array: array[0],
    "list": lambda array: array.tolist(),
}


@cases()
def test_another_type_or_rank_is_refused(case: Case) -> None:
    for port, change in product(case.graph.spec.inputs, WRONG.values()):
        given = change(case.inputs[port.name])
        message = refusal(case.graph, case.inputs | {port.name: given})
        found = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else "list"
        expected = f"float32 array ({', '.join(port.axes)})"
        assert message == f"{port.name}: found {found}; pass a {expected}"


def resized(array: NDArray[np.float32], axis: int, length: int) -> NDArray[np.float32]:
    return np.resize(array, (*array.shape[:axis], length, *array.shape[axis + 1 :]))


@cases()
def test_an_axis_of_fixed_length_keeps_it(case: Case) -> None:
    tried = 0
    for port in case.graph.spec.inputs:
        for index, axis in enumerate(port.axes):
            for length in (0, int(axis) + 1) if axis.isdigit() else ():
                given = resized(case.inputs[port.name], index, length)
                message = refusal(case.graph, case.inputs | {port.name: given})
                assert message == f"{port.name}: found shape {given.shape}; {must(axis, axis)}"
                tried += 1
    assert tried


@cases()
def test_no_axis_is_empty_except_that_of_known_speakers(case: Case) -> None:
    least, ports = least_lengths(case.graph.metadata), case.graph.spec.inputs
    for axis in {axis for port in ports for axis in port.axes if not axis.isdigit()} - MAY_BE_EMPTY:
        arrays = {port.name: emptied(case.inputs[port.name], port, axis) for port in ports}
        first = next(port.name for port in ports if axis in port.axes)
        message = refusal(case.graph, arrays)
        expected = must(axis, f"{least.get(axis, 1)} or more")
        assert message == f"{first}: found shape {arrays[first].shape}; {expected}"


def emptied(array: NDArray[np.float32], port: Port, axis: str) -> NDArray[np.float32]:
    return resized(array, port.axes.index(axis), 0) if axis in port.axes else array


def must(axis: str, expected: str) -> str:
    return f"axis '{axis}' must be {expected}"


@cases("embedding", "post_embedding")
def test_inputs_that_do_not_match_are_refused(case: Case) -> None:
    first, *others = case.graph.spec.inputs
    known = dict(zip(first.axes, case.inputs[first.name].shape, strict=True))
    tried = 0
    for port in others:
        for index, axis in enumerate(port.axes):
            if axis not in known or axis.isdigit():
                continue
            given = resized(case.inputs[port.name], index, known[axis] + 64)
            message = refusal(case.graph, case.inputs | {port.name: given})
            expected = must(axis, str(known[axis]))
            assert message == f"{port.name}: found shape {given.shape}; {expected}"
            tried += 1
    assert tried == {"embedding": 1, "post_embedding": 2}[case.name]


ODD = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf}


@cases()
def test_nan_and_infinite_inputs_are_refused_where_they_mean_nothing(case: Case) -> None:
    for port, odd in product(case.graph.spec.inputs, ODD):
        arrays = case.inputs
        arrays[port.name].flat[[0, -1]] = ODD[odd]
        if port.content == "anything" or (port.content == "no NaN" and odd != "NaN"):
            assert case.graph.run(arrays).keys() == {p.name for p in case.graph.spec.outputs}
            continue
        numbers = "2 NaN and 0 infinite" if odd == "NaN" else "0 NaN and 2 infinite"
        expected = "finite numbers" if port.content == "finite" else "no NaN"
        message = refusal(case.graph, arrays)
        assert message == f"{port.name}: found {numbers} numbers; pass {expected}"


@cases(*WITH_WAVEFORM)
def test_sound_shorter_than_the_least_is_refused(case: Case) -> None:
    least = int(case.graph.metadata["least_samples"])
    assert least == {"embedding": 400, "sinc_peaks": 271}.get(case.name, 1_261)
    short = case.inputs["waveform"][..., : least - 1]
    message = refusal(case.graph, case.inputs | {"waveform": short})
    assert message.startswith(f"waveform: found shape {short.shape}; ")
    assert message.endswith(must("samples", f"{least} or more"))


@cases("segmentation", "segmentation_masks", "embedding", "fused", backends=("onnxruntime",))
def test_any_longer_sound_is_accepted(case: Case) -> None:
    for more in (0, 1, 269, 270, 16_001, 158_999):
        length = int(case.graph.metadata["least_samples"]) + more
        waveform = np.resize(case.inputs["waveform"], (1, 1, length))
        masks = {"masks": np.ones((1, 2, 7), np.float32)} if case.name == "embedding" else {}
        found = case.graph.run({"waveform": waveform, **masks})
        assert all(array.size and np.isfinite(array).all() for array in found.values())
        if case.name != "embedding":
            field, step = (int(case.graph.metadata[n]) for n in ("receptive_field", "frame_step"))
            assert next(iter(found.values())).shape[1] == (length - field) // step + 1


@cases(backends=(*INSTALLED, "coreml"))
def test_an_error_of_the_runtime_is_one_line(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("node 7 failed:\n  out of memory")

    inner = {"onnxruntime": "_session", "coreml": "_model", "openvino": "_idle"}[case.backend]
    broken = type("Failing", (), {"run": fail, "predict": fail, "infer": fail})()
    replacement = deque([[broken]]) if case.backend == "openvino" else broken
    monkeypatch.setattr(case.graph, inner, replacement)
    with pytest.raises(BackendError, match=r"failed on \[.*: node 7 failed:\\n  out of memory$"):
        case.graph.run(case.inputs)


def test_threads_do_not_change_results() -> None:
    inputs = samples("segmentation")
    one, two = (models.load("segmentation", GraphConfig(), Runtime(threads=n)) for n in (1, 2))
    assert one.run(inputs)["log_probs"] == pytest.approx(two.run(inputs)["log_probs"], abs=1e-4)
