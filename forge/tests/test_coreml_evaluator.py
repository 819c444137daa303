"""The evaluator's contract: rounding, unpacked weights, and errors for invalid programs."""

import contextlib
import io
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import coremltools
import numpy as np
import pytest
import torch
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types
from coremltools.proto.MIL_pb2 import DataType
from coremltools.proto.Model_pb2 import Model
from hocket_forge.coreml_evaluator import evaluate
from hocket_forge.coreml_operations import OPERATIONS
from hocket_forge.coreml_program import Program, read_program
from hocket_forge.sources import ForgeError
from torch import Tensor, nn

MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")
OPTIONS = {
    "convert_to": "mlprogram",
    "minimum_deployment_target": coremltools.target.iOS17,
    "skip_model_load": True,
}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter's warnings, and the deprecation of tracing
        yield


def save(build: Callable, folder: Path, shape: tuple[int, ...], dtype=types.fp32) -> Path:
    """Save a program without the converter's passes; its input is x."""
    specs = [mb.TensorSpec(shape=shape, dtype=dtype)]
    with quiet():
        coremltools.convert(
            mb.program(input_specs=specs, opset_version=coremltools.target.iOS17)(build),
            pass_pipeline=coremltools.PassPipeline.EMPTY,
            **OPTIONS,
        ).save(str(folder / "one.mlpackage"))
    return folder / "one.mlpackage"


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def run(path: Path, x: np.ndarray) -> np.ndarray:
    [found] = evaluate(read_program(path), {"x": x}).values()
    return found


@contextlib.contextmanager
def edited(path: Path) -> Iterator[dict]:
    """The operations of a saved program by type; they are written back after a change."""
    model = Model()
    model.ParseFromString((path / MODEL).read_bytes())
    function = next(iter(model.mlProgram.functions.values()))
    operations = function.block_specializations[function.opset].operations
    yield {operation.type: operation for operation in operations}
    (path / MODEL).write_bytes(model.SerializeToString())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """x (3, 8) times a weight in the blob file, its maximum with a constant, minus another one."""

    def build(x):
        mb.const(val=np.float16(1), name="half")
        product = mb.linear(x=x, weight=numbers(5, 8), name="product")
        larger = mb.maximum(x=product, y=np.float32(0.25), name="larger")
        return mb.sub(x=larger, y=np.float32(1.5), name="y")

    return save(build, tmp_path, (3, 8))


@pytest.mark.parametrize("start", [0.1, 1.7, 300.5, 60000])
def test_float16_rounds_after_every_operation(start: float, tmp_path: Path) -> None:
    def build(x):
        grown = mb.mul(x=mb.add(x=x, y=np.float16(1 / 3)), y=np.float16(1.1))
        return mb.sub(x=grown, y=np.float16(0.7))

    x = np.array([start], np.float16)
    found = run(save(build, tmp_path, (1,), types.fp16), x)
    single = x.astype(np.float32)
    with np.errstate(over="ignore"):  # 1.1 times 60000 is more than float16 holds
        first = np.float16(single + np.float32(np.float16(1 / 3)))
        second = np.float16(np.float32(first) * np.float32(np.float16(1.1)))
        third = np.float16(np.float32(second) - np.float32(np.float16(0.7)))
    assert found.dtype == np.float16
    assert found.tolist() == third.tolist()
    assert np.isinf(found[0]) == (start == 60000)


def test_rounding_only_at_the_end_would_differ(tmp_path: Path) -> None:
    x = np.linspace(0.1, 40, 500).astype(np.float16)

    def build(kind: type) -> Callable:
        return lambda x: mb.mul(x=mb.add(x=x, y=kind(np.float16(1 / 3))), y=kind(np.float16(1.1)))

    half = run(save(build(np.float16), tmp_path, (500,), types.fp16), x)
    single = run(save(build(np.float32), tmp_path, (500,)), x.astype(np.float32))
    assert (half != single.astype(np.float16)).sum() > 20
    np.testing.assert_allclose(half, single, rtol=2e-3)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_palettes_are_unpacked(bits: int, tmp_path: Path) -> None:
    table = numbers(2**bits).astype(np.float16)
    places = np.random.default_rng(bits).integers(0, 2**bits, 15)
    lowest_first = ((places[:, None] >> np.arange(bits)) & 1).astype(np.uint8)

    def build(x):
        indices = np.packbits(lowest_first, bitorder="little")
        held = mb.constexpr_lut_to_dense(indices=indices, lut=table, shape=np.uint32([3, 5]))
        return mb.add(x=x, y=held)

    found = run(save(build, tmp_path, (3, 5), types.fp16), np.zeros((3, 5), np.float16))
    assert np.array_equal(found, table[places].reshape(3, 5))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_affine_weights_are_unpacked(axis: int | None, tmp_path: Path) -> None:
    data = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    cells = () if axis is None else (data.shape[axis],)
    scale, zero = np.abs(numbers(*cells)).astype(np.float16), np.full(cells, 2, np.int8)

    def build(x):
        held = mb.constexpr_affine_dequantize(
            quantized_data=data, zero_point=zero[()], scale=scale[()], axis=np.int32(axis or 0)
        )
        return mb.add(x=x, y=held)

    column = {None: (), 0: (3, 1), 1: (1, 4)}[axis]
    expected = (data.astype(np.float32) - 2) * scale.astype(np.float32).reshape(column)
    found = run(save(build, tmp_path, (3, 4), types.fp16), np.zeros((3, 4), np.float16))
    assert np.array_equal(found, expected.astype(np.float16))


def test_one_changed_weight_changes_the_result(package: Path) -> None:
    x = numbers(3, 8)
    before = run(package, x)
    assert np.array_equal(run(package, x), before)
    content = bytearray((package / WEIGHTS).read_bytes())
    assert content[128:132] == numbers(5, 8)[0, :1].tobytes()
    content[130:132] = b"\x80\x40"  # the upper half of the first float32, which is now about 4
    (package / WEIGHTS).write_bytes(content)
    after = run(package, x)
    assert (after != before)[:, 0].any()
    assert (after == before)[:, 1:].all()


@pytest.mark.parametrize(("old", "new"), [("maximum", "minimum"), ("sub", "add")])
def test_another_operation_changes_the_result(old: str, new: str, package: Path) -> None:
    before = run(package, numbers(3, 8))
    with edited(package) as operations:
        operations[old].type = new
    assert np.abs(run(package, numbers(3, 8)) - before).max() > 0.1


def _unknown_type(operations) -> None:
    operations["sub"].type = "sum_up"


def _unknown_argument(operations) -> None:
    operations["sub"].inputs["z"].CopyFrom(operations["sub"].inputs["x"])


def _missing_argument(operations) -> None:
    del operations["sub"].inputs["y"]


def _two_values(operations) -> None:
    operations["sub"].inputs["x"].arguments.add().name = "x"


def _two_types(operations) -> None:
    operations["sub"].inputs["y"].arguments[0].name = "half"


def _other_dtype(operations) -> None:
    operations["sub"].outputs[0].type.tensorType.dataType = DataType.FLOAT16


def _other_shape(operations) -> None:
    operations["sub"].outputs[0].type.tensorType.dimensions[1].constant.size = 4


def _more_results(operations) -> None:
    operations["sub"].outputs.add().CopyFrom(operations["sub"].outputs[0])
    operations["sub"].outputs[1].name = "more"


def _made_twice(operations) -> None:
    operations["sub"].outputs[0].name = "larger"


def _used_before(operations) -> None:
    operations["maximum"].inputs["x"].arguments[0].name = "y"


def _never_made(operations) -> None:
    operations["sub"].outputs[0].name = "z"


def _mixed_shapes(operations) -> None:
    operations["sub"].inputs["y"].arguments[0].name = "x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_type, "sum_up y: operations of type sum_up are not implemented"),
        (_unknown_argument, r"sub y: arguments \['z'\] are not implemented"),
        (_missing_argument, r"sub y: arguments \['y'\] are missing"),
        (_two_values, "sub y: argument x is 2 values"),
        (_two_types, r"sub y: x and y are \['float16', 'float32'\]"),
        (_other_dtype, "sub y: gives float32 .3, 5., declared is float16"),
        (_other_shape, r"sub y: gives float32 .3, 5., declared is float32 \(3, 4\)"),
        (_more_results, "sub y: 1 results, 2 declared"),
        (_made_twice, "sub y: larger is made a second time"),
        (_used_before, "maximum larger: y is not made before"),
        (_never_made, "output y is never made"),
        (_mixed_shapes, "sub y: The size of tensor"),
    ],
)
def test_nothing_in_a_program_is_ignored(
    change: Callable[[dict], None], message: str, package: Path
) -> None:
    assert run(package, numbers(3, 8)).shape == (3, 5)
    with edited(package) as operations:
        change(operations)
    with pytest.raises(ForgeError, match=message):
        run(package, numbers(3, 8))


def test_other_sets_of_operations_and_other_outputs_are_refused(package: Path) -> None:
    program, given = read_program(package), {"x": numbers(3, 8)}
    with pytest.raises(ForgeError, match="opset CoreML8"):
        evaluate(replace(program, opset="CoreML8"), given)
    for change in ({"dtype": "float16"}, {"shape": (3, 4)}):
        altered: Program = replace(program, outputs=(replace(program.outputs[0], **change),))
        with pytest.raises(ForgeError, match="output y"):
            evaluate(altered, given)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x: mb.cast(x=mb.cast(x=x, dtype="int8"), dtype="int32"), "cast .*outside int8"),
        (lambda x: mb.mul(x=x, y=np.int32(2**30)), "mul .*outside int32"),
        (lambda x: mb.gather(x=np.arange(4), indices=x, axis=0), "gather .*undefined"),
        (lambda x: mb.gather(x=np.arange(4), indices=mb.sub(x=1, y=x)), "gather .*undefined"),
        (lambda x: mb.real_div(x=x, y=np.int32(2)), r"real_div .*int32.*must be one of"),
        (lambda x: mb.floor_div(x=x, y=mb.sub(x=x, y=x)), "floor_div .*ZeroDivision"),
    ],
)
def test_what_mil_does_not_define_is_an_error(
    build: Callable, message: str, tmp_path: Path
) -> None:
    path = save(build, tmp_path, (2,), types.int32)
    with pytest.raises(ForgeError, match=message):
        run(path, np.array([3, 300], np.int32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"peephole": numbers(15)}, r"lstm .*arguments \['peephole'\] are not implemented"),
        ({"clip": np.float32(1)}, r"lstm .*arguments \['clip'\] are not implemented"),
        ({"recurrent_activation": "hard_sigmoid"}, "lstm .*hard_sigmoid"),
    ],
)
def test_an_lstm_beyond_what_mil_states_is_refused(
    arguments: dict, message: str, tmp_path: Path
) -> None:
    def build(x):
        weights = {"weight_ih": numbers(20, 2), "weight_hh": numbers(20, 5)}
        states = {"initial_h": numbers(3, 5), "initial_c": numbers(3, 5)}
        return mb.lstm(x=x, **weights, **states, **arguments)

    path = save(build, tmp_path, (4, 3, 2))
    with pytest.raises(ForgeError, match=message):
        evaluate(read_program(path), {"x": numbers(4, 3, 2)})


def flexible(shape, folder: Path) -> Program:
    class Sum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum(-1) * 2

    given = coremltools.TensorType(name="x", shape=shape, dtype=np.float32)
    with quiet():
        traced = torch.jit.trace(Sum(), torch.zeros(1, 4), check_trace=False)
        model = coremltools.convert(traced, inputs=[given], **OPTIONS)
        model.save(str(folder / "flexible.mlpackage"))
    return read_program(folder / "flexible.mlpackage")


@pytest.mark.parametrize(
    ("shape", "allowed", "refused"),
    [
        ((2, 3), [(2, 3)], [(1, 3), (2, 3, 1), (6,)]),
        (coremltools.EnumeratedShapes([(1, 4), (8, 9)]), [(1, 4), (8, 9)], [(1, 9), (8, 4)]),
        ((coremltools.RangeDim(1, 3), 4), [(1, 4), (3, 4)], [(0, 4), (4, 4), (2, 5)]),
    ],
    ids=["fixed", "enumerated", "ranges"],
)
def test_shapes_must_be_those_of_the_description(
    shape, allowed: list, refused: list, tmp_path: Path
) -> None:
    program = flexible(shape, tmp_path)
    for size in allowed:
        [found] = evaluate(program, {"x": np.ones(size, np.float32)}).values()
        assert found.tolist() == [2 * size[1]] * size[0]
    for size in refused:
        with pytest.raises(ForgeError, match="does not fit input x: float32"):
            evaluate(program, {"x": np.ones(size, np.float32)})


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.bool_])
def test_inputs_of_another_type_are_refused(dtype: type, package: Path) -> None:
    with pytest.raises(ForgeError, match="does not fit input x: float32"):
        run(package, numbers(3, 8).astype(dtype))


@pytest.mark.parametrize("names", [[], ["y"], ["x", "y"]])
def test_inputs_are_the_named_ones(names: list[str], package: Path) -> None:
    with pytest.raises(ForgeError, match=r"the model takes \['x'\]"):
        evaluate(read_program(package), dict.fromkeys(names, numbers(3, 8)))


def test_inputs_are_neither_written_nor_returned(tmp_path: Path) -> None:
    x = numbers(2, 3)
    x.flags.writeable = False
    found = run(save(lambda x: mb.identity(x=x), tmp_path, (2, 3)), x)
    assert np.array_equal(found, x)
    assert not np.shares_memory(found, x)


def test_values_are_dropped_after_their_last_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, most = [], []

    def watched(x: Tensor) -> Tensor:
        most.append(sum(made() is not None for made in alive))
        result = torch.relu(x)
        alive.append(weakref.ref(result))
        return result

    def build(x):
        for _ in range(10):
            x = mb.relu(x=x)
        return x

    path = save(build, tmp_path, (2, 3))
    monkeypatch.setitem(OPERATIONS, "relu", replace(OPERATIONS["relu"], run=watched))
    assert np.array_equal(run(path, numbers(2, 3)), np.maximum(numbers(2, 3), 0))
    assert most == [0] + [1] * 9
