"""Reading of saved packages: all kinds of constants, and damaged or invalid files."""

import contextlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import coremltools
import numpy as np
import pytest
from coremltools.converters.mil import Builder as mb  # noqa: N813
from coremltools.converters.mil.mil import types
from coremltools.proto.FeatureTypes_pb2 import ArrayFeatureType
from coremltools.proto.MIL_pb2 import DataType
from coremltools.proto.Model_pb2 import Model
from hocket_forge.coreml_program import (
    SENTINEL,
    Feature,
    Program,
    TensorType,
    operation_counts,
    read_program,
)
from hocket_forge.sources import ForgeError

TARGET = coremltools.target.iOS17
CONTENT = Path("Data/com.apple.CoreML")
MODEL, WEIGHTS = CONTENT / "model.mlmodel", CONTENT / "weights" / "weight.bin"
# ten or more floats or bytes are stored in the blob file
KINDS = ("float16", "float32", "int32", "int16", "uint16", "int8", "uint8", "bool")
LARGE = np.arange(-6, 18).reshape(2, 3, 4)
SMALL = np.array([[1, 0, 3]])


def save(build: Callable, path: Path, shape: tuple = (2, 3)) -> None:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the converter warns about versions
        coremltools.convert(
            mb.program(
                input_specs=[mb.TensorSpec(shape=shape, dtype=types.fp32)], opset_version=TARGET
            )(build),
            convert_to="mlprogram",
            minimum_deployment_target=TARGET,
            pass_pipeline=coremltools.PassPipeline.EMPTY,
            skip_model_load=True,
        ).save(str(path))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A product with a weight in the blob file, and a sum with a constant in the protobuf."""

    def build(x):
        product = mb.linear(x=x, weight=np.arange(12, dtype=np.float32).reshape(4, 3), name="made")
        return mb.add(x=product, y=np.float32(0.5), name="given")

    save(build, tmp_path / "small.mlpackage")
    return tmp_path / "small.mlpackage"


@contextlib.contextmanager
def edited(package: Path) -> Iterator[Model]:
    """The protobuf; it is written back after a change."""
    model = Model()
    model.ParseFromString((package / MODEL).read_bytes())
    yield model
    (package / MODEL).write_bytes(model.SerializeToString())


def operations(model: Model):
    return (
        next(iter(model.mlProgram.functions.values())).block_specializations["CoreML7"].operations
    )


def overwrite(package: Path, offset: int, content: bytes) -> None:
    stored = bytearray((package / WEIGHTS).read_bytes())
    assert stored[offset : offset + len(content)] != content
    stored[offset : offset + len(content)] = content
    (package / WEIGHTS).write_bytes(stored)


def constant(program: Program, name: str) -> np.ndarray:
    [value] = [
        operation.inputs["val"][0]
        for operation in program.operations
        if operation.type == "const" and operation.outputs[0].name == name
    ]
    assert isinstance(value, np.ndarray)
    return value


def test_a_program_has_its_interface_and_its_operations_in_order(package: Path) -> None:
    program = read_program(package)
    assert program.opset == "CoreML7"
    assert [str(feature) for feature in program.inputs] == ["x: float32 (2, 3)"]
    assert [str(feature) for feature in program.outputs] == ["given: float32 (2, 4)"]
    assert operation_counts(program) == {"linear": 1, "add": 1}
    made, given = (o for o in program.operations if o.type != "const")
    assert [str(made), str(given)] == ["linear made", "add given"]
    assert made.inputs["x"] == ("x",)
    assert given.inputs["x"] == ("made",)
    assert made.outputs[0].type == TensorType("float32", (2, 4))
    [weight] = made.inputs["weight"]
    assert isinstance(weight, str)
    assert np.array_equal(constant(program, weight), np.arange(12.0).reshape(4, 3))
    assert not constant(program, weight).flags.writeable


@pytest.mark.parametrize("values", [LARGE, SMALL, np.array(3)], ids=["large", "small", "scalar"])
@pytest.mark.parametrize("kind", KINDS)
def test_constants_of_every_type_are_read(kind: str, values: np.ndarray, tmp_path: Path) -> None:
    stored = values.astype(kind)

    def build(x):
        mb.const(val=stored if stored.ndim else stored[()], name="held")
        return mb.identity(x=x)

    save(build, tmp_path / "one.mlpackage")
    found = constant(read_program(tmp_path / "one.mlpackage"), "held")
    assert found.dtype == stored.dtype
    assert found.shape == stored.shape
    assert np.array_equal(found, stored)
    in_blob = values is LARGE and kind in {"float16", "float32", "int8", "uint8"}
    assert (tmp_path / "one.mlpackage" / WEIGHTS).exists() == in_blob


def test_strings_are_read(tmp_path: Path) -> None:
    save(lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"), tmp_path / "one.mlpackage")
    program = read_program(tmp_path / "one.mlpackage")
    [name] = next(o for o in program.operations if o.type == "gelu").inputs["mode"]
    assert constant(program, str(name)).item() == "TANH_APPROXIMATION"


def test_compressed_weights_are_arguments_of_their_operation(tmp_path: Path) -> None:
    def build(x):
        stored = mb.constexpr_affine_dequantize(
            quantized_data=LARGE.astype(np.int8),
            zero_point=np.int8(-3),
            scale=np.float32(0.5),
            axis=np.int32(1),
        )
        return mb.add(x=x, y=stored)

    save(build, tmp_path / "one.mlpackage", LARGE.shape)
    program = read_program(tmp_path / "one.mlpackage")
    [weight] = [o for o in program.operations if o.type.startswith("constexpr")]
    found = {name: group[0] for name, group in weight.inputs.items()}
    assert np.array_equal(found["quantized_data"], LARGE.astype(np.int8))
    assert (found["zero_point"], found["scale"], found["axis"]) == (-3, 0.5, 1)


def test_an_argument_of_several_values_keeps_their_order(tmp_path: Path) -> None:
    save(
        lambda x: mb.concat(values=(x, mb.abs(x=x, name="a"), x), axis=0), tmp_path / "o.mlpackage"
    )
    program = read_program(tmp_path / "o.mlpackage")
    assert program.operations[-1].inputs["values"] == ("x", "a", "x")


@pytest.mark.parametrize(
    ("offset", "content", "message"),
    [
        (4, struct.pack("<I", 1), "version 2"),
        (64, b"\0\0\0\0", "0xdeadbeef"),
        (68, struct.pack("<I", 1), "stored as type 1, which is not float32"),
        (72, struct.pack("<Q", 44), "44 bytes, where float32 .4, 3. takes 48"),
        (80, struct.pack("<Q", 192), "truncated"),
        (80, struct.pack("<Q", 120), "truncated"),
        (80, struct.pack("<Q", 2**63), "truncated"),
    ],
)
def test_a_damaged_record_is_refused(
    offset: int, content: bytes, message: str, package: Path
) -> None:
    assert struct.unpack_from("<I", (package / WEIGHTS).read_bytes(), 64) == (SENTINEL,)
    overwrite(package, offset, content)
    with pytest.raises(ForgeError, match=message):
        read_program(package)


@pytest.mark.parametrize("size", [0, 63, 64, 100, 128, 175])
def test_a_truncated_blob_file_is_refused(size: int, package: Path) -> None:
    content = (package / WEIGHTS).read_bytes()
    assert len(content) >= 176
    (package / WEIGHTS).write_bytes(content[:size])
    with pytest.raises(ForgeError, match=r"truncated|version 2"):
        read_program(package)


@pytest.mark.parametrize("path", [MODEL, WEIGHTS])
def test_a_missing_file_is_named(path: Path, package: Path) -> None:
    (package / path).unlink()
    with pytest.raises(ForgeError, match=f"{path.name} cannot be read"):
        read_program(package)


@pytest.mark.parametrize("name", ["/etc/hostname", "@model_path/../../weight.bin", "weight.bin"])
def test_a_blob_file_outside_the_package_is_not_opened(name: str, package: Path) -> None:
    with edited(package) as model:
        [place] = [
            o.attributes["val"].blobFileValue
            for o in operations(model)
            if o.attributes["val"].HasField("blobFileValue")
        ]
        place.fileName = name
    with pytest.raises(ForgeError, match="not a file of the package"):
        read_program(package)


def test_a_damaged_protobuf_is_refused(package: Path) -> None:
    content = (package / MODEL).read_bytes()
    (package / MODEL).write_bytes(content[: len(content) // 2])
    with pytest.raises(ForgeError, match="damaged"):
        read_program(package)


def _no_program(model: Model) -> None:
    model.neuralNetwork.SetInParent()


def _second_function(model: Model) -> None:
    model.mlProgram.functions["other"].CopyFrom(next(iter(model.mlProgram.functions.values())))


def _state(model: Model) -> None:
    model.description.state.add().name = "memory"


def _other_opset(model: Model) -> None:
    next(iter(model.mlProgram.functions.values())).opset = "CoreML8"


def _image(model: Model) -> None:
    model.description.input[0].type.imageType.width = 3


def _optional(model: Model) -> None:
    model.description.input[0].type.isOptional = True


def _double_input(model: Model) -> None:
    model.description.input[0].type.multiArrayType.dataType = ArrayFeatureType.DOUBLE


def _half_input(model: Model) -> None:
    model.description.input[0].type.multiArrayType.dataType = ArrayFeatureType.FLOAT16


def _other_input(model: Model) -> None:
    model.description.input[0].name = "y"


def _other_output(model: Model) -> None:
    model.description.output[0].name = "made"


def _branch(model: Model) -> None:
    operations(model)[-1].blocks.add()


def _double_value(model: Model) -> None:
    operations(model)[-1].outputs[0].type.tensorType.dataType = DataType.FLOAT64


def _list_value(model: Model) -> None:
    operations(model)[-1].outputs[0].type.listType.SetInParent()


def _rank(model: Model) -> None:
    operations(model)[-1].outputs[0].type.tensorType.rank = 3


def _scalar(model: Model):
    """The constant in the protobuf."""
    return next(
        o.attributes["val"]
        for o in operations(model)
        if o.type == "const"
        and o.attributes["val"].immediateValue.tensor.HasField("floats")
        and o.attributes["val"].type.tensorType.rank == 0
    )


def _too_many(model: Model) -> None:
    _scalar(model).immediateValue.tensor.floats.values.append(1.0)


def _stored_as_integers(model: Model) -> None:
    _scalar(model).immediateValue.tensor.ints.values.append(1)


def _open_shape(model: Model) -> None:
    declared = _scalar(model).type.tensorType
    declared.rank = 1
    declared.dimensions.add().unknown.variadic = False


def _no_tensor(model: Model) -> None:
    _scalar(model).immediateValue.list.SetInParent()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_no_program, "no ML program"),
        (_second_function, "single function"),
        (_state, "without states"),
        (_other_opset, "CoreML8 is not its only"),
        (_image, "no images"),
        (_optional, "no options"),
        (_double_input, "double"),
        (_half_input, "float16 in the description, float32 in the program"),
        (_other_input, "other inputs"),
        (_other_output, "other outputs"),
        (_branch, "add given holds blocks"),
        (_double_value, "given: values of type float64"),
        (_list_value, "only tensors"),
        (_rank, "rank 3"),
        (_too_many, "2 values"),
        (_stored_as_integers, "stored as ints"),
        (_open_shape, "leaves its shape open"),
        (_no_tensor, "no tensor"),
    ],
)
def test_unsupported_content_is_refused(
    change: Callable[[Model], None], message: str, package: Path
) -> None:
    with edited(package) as model:
        change(model)
    with pytest.raises(ForgeError, match=message):
        read_program(package)


def test_values_outside_their_type_are_refused(tmp_path: Path) -> None:
    def build(x):
        mb.const(val=np.array([1, 2], np.int16), name="held")
        return mb.identity(x=x)

    save(build, tmp_path / "one.mlpackage")
    with edited(tmp_path / "one.mlpackage") as model:
        [held] = [o for o in operations(model) if o.outputs[0].name == "held"]
        held.attributes["val"].immediateValue.tensor.ints.values[0] = 70_000
    with pytest.raises(ForgeError, match="no int16"):
        read_program(tmp_path / "one.mlpackage")


def test_a_type_leaves_axes_open_or_everything() -> None:
    assert TensorType("int32", (2, None)).fits((2, 9))
    assert not TensorType("int32", (2, None)).fits((3, 9))
    assert not TensorType("int32", (2, None)).fits((2,))
    assert TensorType("int32", None).fits((1, 2, 3))


def test_features_allow_one_shape_or_a_list_or_ranges() -> None:
    fixed = Feature("x", "float32", (1, 3))
    listed = Feature("x", "float32", (1, 3), enumerated=((1, 3), (8, 3)))
    ranged = Feature("x", "float32", (1, 3), ranges=((1, 8), (3, None)))
    assert [f.fits((1, 3)) for f in (fixed, listed, ranged)] == [True, True, True]
    assert [f.fits((8, 3)) for f in (fixed, listed, ranged)] == [False, True, True]
    assert [f.fits((8, 900)) for f in (fixed, listed, ranged)] == [False, False, True]
    assert [f.fits((9, 3)) for f in (fixed, listed, ranged)] == [False, False, False]
    assert [f.fits((1, 2)) for f in (fixed, listed, ranged)] == [False, False, False]
    assert [f.fits((1, 3, 1)) for f in (fixed, listed, ranged)] == [False, False, False]
    assert str(listed) == "x: float32 (1, 3) | (8, 3)"
    assert str(ranged) == "x: float32 (1..8, 3..)"
