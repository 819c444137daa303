"""The program of a Core ML package, read from the package's files.

A package is a folder. `Data/com.apple.CoreML/model.mlmodel` is a protobuf with the inputs and
outputs as an application sees them, and with the operations in MIL, Apple's intermediate language.
Large constants are in blob files beside it, `weights/weight.bin`: a header of 64 bytes, then for
every tensor a record of 64 bytes and, at the offset given in the record, its values.

Nothing is taken from the converter's memory: the program is what a device would load.
"""

import importlib
import math
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket_forge.sources import ForgeError

Array = NDArray[Any]
Argument = str | Array  # the name of a value made earlier, or a constant
Shape = tuple[int | None, ...]  # None: an axis known only when the program runs

CONTENT = Path("Data/com.apple.CoreML")
MODEL_PATH = "@model_path/"  # the folder of the protobuf, in a program
STORAGE_VERSION = 2
SENTINEL = 0xDEADBEEF
RECORD = 64  # bytes; length of the file's header and of a tensor's record, and their alignment

# in the protobuf: fields that may have the values of an immediate tensor
_FIELDS = {
    "float16": ("bytes",),
    "float32": ("floats",),
    "int32": ("ints",),
    "int16": ("ints", "bytes"),
    "uint16": ("ints", "bytes"),
    "int8": ("bytes",),
    "uint8": ("bytes",),
    "uint32": ("bytes",),
    "bool": ("bools",),
    "string": ("strings",),
}
# in a blob file: the number of each type
_STORED = {
    "float16": 1,
    "float32": 2,
    "uint8": 3,
    "int8": 4,
    "int16": 6,
    "uint16": 7,
    "int32": 14,
    "uint32": 15,
}


@dataclass(frozen=True)
class TensorType:
    """The declared type of a value; the shape is None if even the rank is unknown."""

    dtype: str
    shape: Shape | None

    def fits(self, shape: Iterable[int]) -> bool:
        """Whether a value of this shape has this type."""
        return self.shape is None or _matches(tuple(shape), self.shape)


@dataclass(frozen=True)
class Value:
    """A result of an operation."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class Feature:
    """An input or an output in the model's description.

    shape: the default or only shape; empty if the description has none.
    enumerated: all allowed shapes, if they are listed.
    ranges: lowest and highest size of every axis, if given; a highest of None is no limit.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    enumerated: tuple[tuple[int, ...], ...] = ()
    ranges: tuple[tuple[int, int | None], ...] = ()

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether the description allows this shape."""
        if self.enumerated:
            return shape in self.enumerated
        if self.ranges:
            return len(shape) == len(self.ranges) and all(
                low <= size and (high is None or size <= high)
                for size, (low, high) in zip(shape, self.ranges, strict=True)
            )
        return shape == self.shape

    def __str__(self) -> str:
        bounds = [f"{low}..{'' if high is None else high}" for low, high in self.ranges]
        ranges = [f"({', '.join(bounds)})"] if bounds else []
        shapes = [str(shape) for shape in self.enumerated] or ranges or [str(self.shape)]
        return f"{self.name}: {self.dtype} {' | '.join(shapes)}"


@dataclass(frozen=True, eq=False)
class Operation:
    """An operation: its arguments by MIL's names, with one or more values each, and its results."""

    type: str
    name: str
    inputs: Mapping[str, tuple[Argument, ...]]
    outputs: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


@dataclass(frozen=True, eq=False)
class Program:
    """A model without branches: inputs, outputs, and operations in order."""

    opset: str
    inputs: tuple[Feature, ...]
    outputs: tuple[Feature, ...]
    operations: tuple[Operation, ...]


def read_program(package: Path) -> Program:
    """Parse a saved `.mlpackage`.

    Raises:
        ForgeError: a file is missing or damaged, or holds something unsupported: another kind of
            model, several functions, branches, loops, states, images, or other types.
    """
    folder = package / CONTENT
    model = _proto("Model").Model()
    try:
        model.ParseFromString(_content(folder / "model.mlmodel"))
    except _decode_error() as error:
        raise ForgeError(f"{package.name}: model.mlmodel is damaged, convert again") from error
    if model.WhichOneof("Type") != "mlProgram":
        raise ForgeError(f"{package.name}: holds no ML program; convert to 'mlprogram'")
    if len(model.mlProgram.functions) != 1 or model.description.state:
        raise ForgeError(f"{package.name}: only a single function without states is read")
    function = next(iter(model.mlProgram.functions.values()))
    if list(function.block_specializations) != [function.opset]:
        raise ForgeError(f"{package.name}: {function.opset} is not its only specialization")
    block = function.block_specializations[function.opset]
    weights = _Weights(folder)
    program = Program(
        opset=function.opset,
        inputs=tuple(_feature(feature) for feature in model.description.input),
        outputs=tuple(_feature(feature) for feature in model.description.output),
        operations=tuple(_operation(operation, weights) for operation in block.operations),
    )
    _check_interface(program, function, block)
    return program


def operation_counts(program: Program) -> dict[str, int]:
    """Number of operations of each type, most frequent first, without constants."""
    types = Counter(operation.type for operation in program.operations)
    return {name: count for name, count in types.most_common() if name != "const"}


def _proto(name: str) -> Any:
    # untyped, and slow to import because it imports all of coremltools
    return importlib.import_module(f"coremltools.proto.{name}_pb2")


def _decode_error() -> type[Exception]:
    error: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ForgeError(f"{path.name} cannot be read: {error.strerror}") from error


def _check_interface(program: Program, function: Any, block: Any) -> None:
    """Raise ForgeError unless description and function have the same inputs and outputs."""
    declared = {value.name: _type(value.type, value.name) for value in function.inputs}
    if set(declared) != {feature.name for feature in program.inputs}:
        raise ForgeError(f"the function takes {sorted(declared)}, the description other inputs")
    for feature in program.inputs:
        if declared[feature.name].dtype != feature.dtype:
            raise ForgeError(
                f"input {feature.name} is {feature.dtype} in the description, "
                f"{declared[feature.name].dtype} in the program"
            )
    if sorted(block.outputs) != sorted(feature.name for feature in program.outputs):
        raise ForgeError(f"the function gives {list(block.outputs)}, the description other outputs")


def _feature(feature: Any) -> Feature:
    if feature.type.WhichOneof("Type") != "multiArrayType" or feature.type.isOptional:
        raise ForgeError(f"{feature.name}: only required arrays are read, no images, no options")
    array = feature.type.multiArrayType
    kind = array.ArrayDataType.Name(array.dataType).lower()
    if kind not in _FIELDS:
        raise ForgeError(f"{feature.name}: arrays of {kind} are not read")
    return Feature(
        name=feature.name,
        dtype=kind,
        shape=tuple(array.shape),
        enumerated=tuple(tuple(shape.shape) for shape in array.enumeratedShapes.shapes),
        ranges=tuple(
            (size.lowerBound, None if size.upperBound < 0 else size.upperBound)
            for size in array.shapeRange.sizeRanges
        ),
    )


def _type(declared: Any, name: str) -> TensorType:
    if declared.WhichOneof("type") != "tensorType":
        raise ForgeError(f"{name}: only tensors are read, no lists, dictionaries or states")
    tensor = declared.tensorType
    dtype = _proto("MIL").DataType.Name(tensor.dataType).lower()
    if dtype not in _FIELDS:
        raise ForgeError(f"{name}: values of type {dtype} are not read")
    axes = [(axis.WhichOneof("dimension"), axis) for axis in tensor.dimensions]
    if any(kind == "unknown" and axis.unknown.variadic for kind, axis in axes):
        return TensorType(dtype, None)
    shape = tuple(axis.constant.size if kind == "constant" else None for kind, axis in axes)
    if len(shape) != tensor.rank:
        raise ForgeError(f"{name}: its type says rank {tensor.rank} and names {len(shape)} axes")
    return TensorType(dtype, shape)


def _operation(operation: Any, weights: "_Weights") -> Operation:
    attributes = dict(operation.attributes)
    label = attributes.pop("name", None)
    made = operation.outputs[0].name if operation.outputs else "without a name"
    name = str(_constant(label, weights, operation.type).item()) if label else made
    if operation.blocks:
        raise ForgeError(f"{operation.type} {name} holds blocks; branches and loops are not read")
    inputs = {
        key: tuple(_arguments(argument, weights, f"{name}, argument {key}"))
        for key, argument in operation.inputs.items()
    }
    for key, value in attributes.items():
        inputs[key] = (_constant(value, weights, f"{name}, argument {key}"),)
    outputs = tuple(Value(v.name, _type(v.type, v.name)) for v in operation.outputs)
    return Operation(operation.type, name, inputs, outputs)


def _arguments(argument: Any, weights: "_Weights", name: str) -> Iterator[Argument]:
    for binding in argument.arguments:
        if binding.WhichOneof("binding") == "name":
            yield binding.name
        else:
            yield _constant(binding.value, weights, name)


def _constant(value: Any, weights: "_Weights", name: str) -> Array:
    declared = _type(value.type, name)
    if declared.shape is None or None in declared.shape:
        raise ForgeError(f"{name}: a constant whose type leaves its shape open")
    shape = tuple(size for size in declared.shape if size is not None)
    if value.WhichOneof("value") == "blobFileValue":
        blob = value.blobFileValue
        return weights.tensor(blob.fileName, blob.offset, declared.dtype, shape)
    if value.immediateValue.WhichOneof("value") != "tensor":
        raise ForgeError(f"{name}: a constant that is no tensor")
    flat = _immediate(value.immediateValue.tensor, declared.dtype, name)
    if flat.size != math.prod(shape):
        raise ForgeError(f"{name}: {flat.size} values, where the shape is {shape}")
    return _frozen(flat.reshape(shape))


def _immediate(tensor: Any, dtype: str, name: str) -> Array:
    stored = tensor.WhichOneof("value")
    if stored not in _FIELDS[dtype]:
        raise ForgeError(f"{name}: {dtype} values stored as {stored}")
    values = getattr(tensor, stored).values
    if dtype == "string":
        return np.array(list(values), np.str_)
    try:
        if stored == "bytes":
            return np.frombuffer(values, _little(dtype))
        return np.array(list(values), _little(dtype))
    except (ValueError, OverflowError) as error:
        raise ForgeError(f"{name}: values that are no {dtype}: {error}") from error


@dataclass
class _Weights:
    """The blob files beside a protobuf; each is read once, when something refers to it."""

    folder: Path
    files: dict[str, bytes] = field(default_factory=dict)

    def tensor(self, file: str, offset: int, dtype: str, shape: tuple[int, ...]) -> Array:
        """The tensor whose record is at an offset in bytes.

        Raises:
            ForgeError: the file or the record does not match the program.
        """
        content = self._file(file)
        name = f"{file.removeprefix(MODEL_PATH)}, tensor at {offset}"
        if offset % RECORD or offset < RECORD or offset + RECORD > len(content):
            raise ForgeError(f"{name}: no record can lie there; is the file truncated?")
        sentinel, stored, size, start = struct.unpack_from("<IIQQ", content, offset)
        if sentinel != SENTINEL:
            raise ForgeError(f"{name}: its record does not begin with {SENTINEL:#x}; damaged?")
        if stored != _STORED.get(dtype):
            raise ForgeError(f"{name}: stored as type {stored}, which is not {dtype}")
        expected = math.prod(shape) * _little(dtype).itemsize
        if size != expected:
            raise ForgeError(f"{name}: {size} bytes, where {dtype} {shape} takes {expected}")
        if start % RECORD or start < RECORD or start + size > len(content):
            raise ForgeError(f"{name}: its values end outside the file; is it truncated?")
        return _frozen(np.frombuffer(content, _little(dtype), math.prod(shape), start), shape)

    def _file(self, name: str) -> bytes:
        if name not in self.files:
            inside = Path(name.removeprefix(MODEL_PATH))
            if not name.startswith(MODEL_PATH) or inside.is_absolute() or ".." in inside.parts:
                raise ForgeError(f"{name}: not a file of the package")
            content = _content(self.folder / inside)
            if len(content) < RECORD or struct.unpack_from("<I", content, 4) != (STORAGE_VERSION,):
                raise ForgeError(f"{inside}: no blob file of version {STORAGE_VERSION}")
            self.files[name] = content
        return self.files[name]


def _little(dtype: str) -> np.dtype[Any]:
    return np.dtype(dtype).newbyteorder("<")


def _frozen(values: Array, shape: tuple[int, ...] | None = None) -> Array:
    shaped = values if shape is None else values.reshape(shape)
    shaped.flags.writeable = False
    return shaped


def _matches(shape: tuple[int, ...], declared: Shape) -> bool:
    return len(shape) == len(declared) and all(
        size is None or size == found for found, size in zip(shape, declared, strict=True)
    )
