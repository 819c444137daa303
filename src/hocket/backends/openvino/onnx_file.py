"""Insertion of external tensors into an ONNX file, for runtimes that would read them from disk.

ONNX keeps large tensors in separate files and refers to them by path. hocket verifies hashes of
bytes in memory, and a file may have changed when a runtime opens its path. So the verified bytes
replace the references. Only protobuf's framing is parsed: field numbers and lengths.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from hocket.errors import ModelError

# field numbers of onnx.proto3, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
_MODEL_GRAPH, _MODEL_METADATA, _GRAPH_INITIALIZER = 7, 14, 5
_TENSOR_RAW_DATA, _TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 9, 13, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_DAMAGE = (IndexError, ValueError, KeyError)
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """A field of a message: its number, its beginning, and the bounds of its value."""

    number: int
    begin: int
    first: int
    last: int


def with_weights(content: bytes, weights: Mapping[str, bytes]) -> bytes:
    """The ONNX file with its external tensors inside.

    Args:
        content: an ONNX file whose initializers may lie in other files.
        weights: content of those files, by the name in the ONNX file.

    Raises:
        ModelError: the file is damaged, or refers to a file that is not given.
    """
    try:
        pieces = _replaced(memoryview(content), _MODEL_GRAPH, lambda graph: _graph(graph, weights))
    except _DAMAGE as error:
        raise _damaged(error) from error
    return b"".join(pieces)


def read_metadata(content: bytes) -> dict[str, str]:
    """Metadata of an ONNX file; ModelError if the file is damaged."""
    view = memoryview(content)
    try:
        entries = (view[f.first : f.last] for f in _fields(view) if f.number == _MODEL_METADATA)
        return dict(map(_entry, entries))
    except _DAMAGE as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> ModelError:
    return ModelError(
        f"ONNX file: cannot be read ({type(error).__name__}: {error}); "
        "run 'pip install --force-reinstall hocket'"
    )


def _entry(message: memoryview) -> tuple[str, str]:
    """Key and value of a StringStringEntryProto."""
    found = {f.number: message[f.first : f.last].tobytes().decode() for f in _fields(message)}
    return found[_ENTRY_KEY], found.get(_ENTRY_VALUE, "")


def _graph(graph: memoryview, weights: Mapping[str, bytes]) -> list[bytes | memoryview]:
    return _replaced(graph, _GRAPH_INITIALIZER, lambda tensor: _tensor(tensor, weights))


def _tensor(tensor: memoryview, weights: Mapping[str, bytes]) -> list[bytes | memoryview]:
    """A TensorProto with its values in `raw_data`."""
    kept: list[bytes | memoryview] = []
    location: dict[str, str] = {}
    for field in _fields(tensor):
        if field.number == _TENSOR_EXTERNAL_DATA:
            key, value = _entry(tensor[field.first : field.last])
            location[key] = value
        elif field.number != _TENSOR_DATA_LOCATION:
            kept.append(tensor[field.begin : field.last])
    if not location:
        return [tensor]
    first, length = int(location.get("offset", 0)), int(location["length"])
    values = memoryview(weights[location["location"]])[first : first + length]
    if len(values) != length:
        raise ValueError(f"{location['location']} ends before byte {first + length}")
    return [*kept, _head(_TENSOR_RAW_DATA, length), values]


def _replaced(
    message: memoryview,
    number: int,
    change: Callable[[memoryview], list[bytes | memoryview]],
) -> list[bytes | memoryview]:
    """A message in pieces, with every field of this number replaced."""
    pieces: list[bytes | memoryview] = []
    for field in _fields(message):
        if field.number == number:
            value = change(message[field.first : field.last])
            pieces += [_head(number, sum(map(len, value))), *value]
        else:
            pieces.append(message[field.begin : field.last])
    return pieces


def _fields(message: memoryview) -> Iterator[_Field]:
    position = 0
    while position < len(message):
        begin = position
        tag, position = _read_varint(message, position)
        kind, length = tag & 7, 0
        if kind == _VARINT:
            _, last = _read_varint(message, position)
        else:
            if kind == _LENGTH:
                length, position = _read_varint(message, position)
            elif kind in {_FIXED64, _FIXED32}:
                length = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError(f"found wire type {kind}")
            last = position + length
        if last > len(message):
            raise ValueError("found a field that ends after its message")
        yield _Field(tag >> 3, begin, position, last)
        position = last


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        shift, position = shift + 7, position + 1
        if byte < 0x80:
            return value, position


def _head(number: int, length: int) -> bytes:
    """Tag and length of a field."""
    written = bytearray()
    for value in (number << 3 | _LENGTH, length):
        rest = value
        while rest >= 0x80:
            written.append(rest & 0x7F | 0x80)
            rest >>= 7
        written.append(rest)
    return bytes(written)
