"""The tensors of a PyTorch checkpoint as NumPy arrays. Nothing in the file is executed.

    zip of torch.save ───data.pkl──┐
    torch.save before 1.6 ─────────┼→ position of every tensor ──checks──→ arrays
    safetensors ──────────JSON─────┘

A pickle is a program: `pickle.Unpickler` imports the names in it, calls them and sets attributes.
So torch's pickles run here on a stack machine of our own, with `pickletools` as the decoder. The
machine knows only the instructions that build data, creates plain values, and calls three
functions, all in this file. Metadata beside the tensors, such as a task's specifications, becomes
`_INERT`, which stays the same when it is called, filled or given a state. Other names are refused.
"""

import io
import json
import math
import os
import pickletools
import re
import stat
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ModelError

MOST_BYTES = 1 << 31  # of a file, and of all its arrays, as overlapping tensors need no space
MOST_PICKLED = 1 << 22  # bytes; one byte can become a hundred in memory
MOST_ELEMENTS, MOST_AXES = 1 << 40, 32  # of a tensor; multiplying far larger sizes is slow
WRAPPERS = ("state_dict", "model", "model_state_dict")

_AGAIN = "get the file from its publisher again"
_BIG_ENDIAN = "is not little-endian; save it again on a little-endian machine"
_LEGACY = (0x1950A86A20F9469CFC6C, 1001)  # torch's magic number and version
_INERT = object()
_TYPES = (  # torch's storage, torch's type, safetensors' type, NumPy's, which has no bfloat16
    ("Double", "float64", "F64", "<f8"),
    ("Float", "float32", "F32", "<f4"),
    ("Half", "float16", "F16", "<f2"),
    ("BFloat16", "bfloat16", "BF16", "V2"),
    ("Long", "int64", "I64", "<i8"),
    ("Int", "int32", "I32", "<i4"),
    ("Short", "int16", "I16", "<i2"),
    ("Char", "int8", "I8", "i1"),
    ("Byte", "uint8", "U8", "u1"),
    ("Bool", "bool", "BOOL", "?"),
)
# names in the metadata that PyTorch Lightning, pyannote.audio and their settings add
_METADATA = {
    "_codecs": "encode",
    "argparse": "Namespace",
    "builtins": "bool bytearray bytes complex dict float frozenset int list set str tuple"
    " long unicode",  # torch writes int and str by their Python 2 names
    "collections": "Counter defaultdict",
    "numpy": "dtype ndarray",
    "numpy._core.multiarray": "_reconstruct scalar",
    "numpy.core.multiarray": "_reconstruct scalar",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode BooleanNode FloatNode IntegerNode StringNode",
    "pathlib": "PosixPath PurePosixPath PureWindowsPath WindowsPath",
    "pyannote.audio.core.model": "Introspection",
    "pyannote.audio.core.task": "Problem Resolution Specifications",
    "pytorch_lightning.callbacks.model_checkpoint": "ModelCheckpoint",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
    "torch": "Size device",
    "torch.torch_version": "TorchVersion",
    "typing": "Any",
}


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]


class _Tensor(NamedTuple):
    """A tensor's position in its storage; offset and strides are in elements and at least 0."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def result(self) -> np.dtype[Any]:
        """Type of the resulting array."""
        return np.dtype(np.float32) if self.storage.dtype.kind == "V" else self.storage.dtype


_Contents: TypeAlias = tuple[dict[str, _Tensor], Callable[[str], bytes]]


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors of a PyTorch checkpoint or safetensors file by name. Nothing in it is executed.

    Args:
        path: a safetensors file, or a file in which `torch.save` stored a dictionary of tensors or
            one that holds such a dictionary as "state_dict", "model" or "model_state_dict".

    Returns:
        For every tensor, in the file's order, a C-contiguous array that owns its data and has the
        tensor's shape and type, or float32 for bfloat16. Other values are left out.

    Raises:
        ModelError: the file is missing, damaged, too large, not a checkpoint or without tensors, or
            its pickle requests something that is not data.
    """
    try:
        with _open(path) as file:
            return _arrays(*_contents(file))
    except ModelError as error:  # the message lacks only the file's name
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:  # damaged content may raise any error
        reason = _short(str(error)) or type(error).__name__
        raise ModelError(f"{path}: is damaged ({reason}); {_AGAIN}") from error


def _open(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):  # opening a pipe would wait for its writer
            return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelError(f"cannot be opened ({reason}); check path and permissions") from error
    raise ModelError("is a directory or a device; give the checkpoint file itself")


def _contents(file: BinaryIO) -> _Contents:
    """Tensors by name, and a function that reads a storage by its key, for any known format."""
    size = os.fstat(file.fileno()).st_size
    if size > MOST_BYTES:
        raise ModelError(f"has {size} bytes; give a file of at most {MOST_BYTES}")
    beginning = file.read(16)
    file.seek(0)
    if not beginning:
        raise ModelError(f"is empty; {_AGAIN}")
    if beginning.startswith(b"PK\3\4"):
        return _zip_contents(file, size)
    if beginning.startswith(b"\x80"):
        return _legacy_contents(file, size)
    if beginning[4:9] == b"\0\0\0\0{":
        return _safetensors_contents(file, size)
    remedy = "download the file itself, not its page or its Git LFS pointer"
    raise ModelError(f"is not a checkpoint (begins with {beginning!r}); {remedy}")


def _zip_contents(file: BinaryIO, size: int) -> _Contents:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ModelError(f"is a truncated or damaged zip file; {_AGAIN}") from error
    entries = archive.infolist()
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise ModelError("is a TorchScript program; give the checkpoint it was made from")
    pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ModelError(f"is a zip of {len(pickles)} files */data.pkl; give one of torch.save's")
    # torch does not compress, so a zip that unpacks to more than its size is not a checkpoint
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > size:
        raise ModelError(f"refused: its zip entries are compressed or overlap; {_AGAIN}")
    if pickles[0].file_size > MOST_PICKLED:
        raise ModelError(f"refused: its data.pkl has more than {MOST_PICKLED} bytes; {_AGAIN}")
    folder = pickles[0].filename.removesuffix("data.pkl")
    order = f"{folder}byteorder"  # since torch 2.1
    if order in archive.namelist() and archive.read(order) != b"little":
        raise ModelError(_BIG_ENDIAN)
    root = _Machine().run(io.BytesIO(archive.read(pickles[0])))
    return _named(root), lambda key: archive.read(f"{folder}data/{key}")


def _legacy_contents(file: BinaryIO, size: int) -> _Contents:
    """Format: five pickles; then for each storage, the number of elements in 8 bytes, and these."""
    stream = io.BytesIO(file.read(MOST_PICKLED))
    for expected in _LEGACY:
        if _Machine().run(stream) != expected:
            raise ModelError("is a pickle that torch.save did not write; give one that it did")
    if _Machine().run(stream)["little_endian"] is not True:
        raise ModelError(_BIG_ENDIAN)
    machine = _Machine()
    root, keys = machine.run(stream), _Machine().run(stream)
    ranges: dict[str, tuple[int, int]] = {}
    position = stream.tell()
    for key in keys:
        _demand(type(key) is str, "a storage without a name")
        file.seek(position)
        length = int.from_bytes(file.read(8), "little") * machine.storages[key].dtype.itemsize
        ranges[key] = (position + 8, length)
        position += 8 + length
        if position > size:
            raise ModelError(f"is truncated in storage {_short(key)}; {_AGAIN}")
    return _named(root), lambda key: _read_range(file, *ranges[key])


def _safetensors_contents(file: BinaryIO, size: int) -> _Contents:
    """Format: the header's length in 8 bytes, the header, and the tensors."""
    start = 8 + int.from_bytes(file.read(8), "little")
    if start > min(size, MOST_PICKLED):
        raise ModelError(f"is truncated, or its header is too long ({start} bytes); {_AGAIN}")
    header = json.loads(file.read(start - 8))
    header.pop("__metadata__", None)
    types = {code: np.dtype(numpy_code) for _, _, code, numpy_code in _TYPES}
    tensors: dict[str, _Tensor] = {}
    ranges: dict[str, tuple[int, int]] = {}
    for name, entry in header.items():
        if (code := entry["dtype"]) not in types:
            raise ModelError(f"tensor {_short(name)} is of type {_short(code)}; give float32")
        shape, (begin, end) = _whole(tuple(entry["shape"])), _whole(tuple(entry["data_offsets"]))
        stride = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
        tensors[name] = _Tensor(_Storage(name, types[code]), 0, shape, stride)
        ranges[name] = (start + begin, end - begin)
        if start + end > size or end - begin != math.prod(shape) * types[code].itemsize:
            raise ModelError(f"tensor {_short(name)} does not fit its offsets; {_AGAIN}")
    return tensors, lambda key: _read_range(file, *ranges[key])


def _read_range(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _named(root: Any) -> dict[str, _Tensor]:
    """Tensors of a wrapped dictionary if there are any, otherwise of the outer dictionary."""
    outer = root if type(root) is dict else {}
    for values in (*map(outer.get, WRAPPERS), outer):
        items = values.items() if type(values) is dict else ()
        if tensors := {name: value for name, value in items if type(value) is _Tensor}:
            return tensors
    return {}


def _arrays(tensors: dict[str, _Tensor], read: Callable[[str], bytes]) -> dict[str, NDArray[Any]]:
    if not tensors:
        raise ModelError("holds no tensors by name; give a file with a state_dict")
    sizes = (math.prod(tensor.size) * tensor.result.itemsize for tensor in tensors.values())
    if sum(sizes) > MOST_BYTES:
        raise ModelError(f"refused: its tensors take more than {MOST_BYTES} bytes; {_AGAIN}")
    read = lru_cache(maxsize=1)(read)  # sorted by storage, so each is read once
    arrays = {
        name: _array(name, tensor, read(tensor.storage.key))
        for name, tensor in sorted(tensors.items(), key=lambda item: item[1].storage.key)
    }
    return {name: arrays[name] for name in tensors}


def _array(name: str, tensor: _Tensor, content: bytes) -> NDArray[Any]:
    """A copy of a tensor from the bytes of its storage."""
    dtype, array = tensor.storage.dtype, np.empty(tensor.size, tensor.result)
    if not array.size:
        return array
    reach = sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride, strict=True))
    if (tensor.offset + reach + 1) * dtype.itemsize > len(content):
        raise ModelError(f"tensor {_short(name)} reaches outside its storage; {_AGAIN}")
    offset = tensor.offset * dtype.itemsize
    strides = tuple(step * dtype.itemsize for step in tensor.stride)
    view: NDArray[Any] = np.ndarray(tensor.size, dtype, content, offset, strides)
    if dtype.kind == "V":  # bfloat16 is the upper half of float32
        np.left_shift(view.view("<u2"), 16, out=array.view(np.uint32), dtype=np.uint32)
    elif dtype.kind == "b":  # NumPy accepts any byte as a bool, and then computes wrong results
        np.not_equal(view.view(np.uint8), 0, out=array)
    else:
        array[...] = view
    return array


class _Machine:
    """Runs one pickle. Dictionaries keep only keys of text: hashing a deep tuple would crash."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []  # heights of the stack
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, _Storage] = {}

    def run(self, stream: io.BytesIO) -> Any:
        """The value of a pickle; the stream is left at the end of the pickle."""
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name.removeprefix("LONG_")  # the longer BINGET and BINPUT
            if _LITERALS.fullmatch(name):
                self.stack.append(argument)
            elif name in _FIXED:
                self.stack.append(_FIXED[name])
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif name not in {"PROTO", "FRAME", "STOP"}:
                found = name if type(argument) is not str else f"{name} {_short(argument)}"
                raise ModelError(f"refused: the pickle holds {found}, which is not data; {_AGAIN}")
        return self.stack.pop()

    def taken(self, count: int | None = None) -> list[Any]:
        """Pop values from the stack, by default all since the last mark."""
        start = self.marks.pop() if count is None else len(self.stack) - count
        _demand(start >= max([0, *self.marks[-1:]]), "values missing")
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def fill(self, kind: type, values: list[Any]) -> None:
        target = self.stack[-1]
        _demand(target is _INERT or type(target) is kind, "an item put into a plain value")
        if type(target) is list:
            target += values
        elif type(target) is dict:
            items = zip(values[::2], values[1::2], strict=True)
            target |= {key: value for key, value in items if type(key) is str}

    def call(self, function: Any, arguments: Any) -> None:
        if function is _INERT:
            return self.stack.append(_INERT)
        known = isinstance(function, FunctionType)  # one of this module: no other is ever pushed
        _demand(known and type(arguments) is tuple and len(arguments) < 8, "an odd call")
        return self.stack.append(function(*arguments))

    def find(self, module: Any, name: Any) -> None:
        _demand(type(module) is str and type(name) is str, "a name that is not text")
        module = "builtins" if module == "__builtin__" else module  # its name in Python 2
        if (module, name) not in _GLOBALS:
            wanted = _short(f"{module}.{name}")
            raise ModelError(f"refused: the pickle asks for {wanted}, which is not data; {_AGAIN}")
        self.stack.append(_GLOBALS[module, name])

    def refer(self, identity: Any) -> None:
        known = type(identity) is tuple and 4 < len(identity) < 7 and identity[0] == "storage"
        _demand(known and not any(identity[5:]), "a reference to no storage")
        dtype, key = identity[1:3]
        known = isinstance(dtype, np.dtype) and type(key) is str and len(key) < 100
        _demand(known, "a storage of unknown kind")
        self.stack.append(self.storages.setdefault(key, _Storage(key, dtype)))


def _demand(condition: bool, found: str) -> None:
    if not condition:
        raise ValueError(f"found {found}")


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> _Tensor:
    known = type(storage) is _Storage and len(_whole(size)) == len(_whole(stride))
    # the last arguments may say that values are negated, for example; the others serve training
    _demand(known and not any(rest[2:]), "an invalid tensor")
    return _Tensor(storage, _whole((offset,))[0], size, stride)


def _whole(numbers: Any) -> tuple[int, ...]:
    """`numbers`, if they are a tuple of numbers of elements."""
    _demand(type(numbers) is tuple and len(numbers) <= MOST_AXES, "an invalid size")
    valid = all(type(number) is int and 0 <= number <= MOST_ELEMENTS for number in numbers)
    _demand(valid, "an invalid size")
    return tuple(numbers)


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


_GLOBALS: dict[tuple[str, str], Any] = {
    **{(module, name): _INERT for module, names in _METADATA.items() for name in names.split()},
    ("collections", "OrderedDict"): lambda: {},  # noqa: PIE807 - `call` accepts only functions of this module
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch.storage", "UntypedStorage"): np.dtype(np.uint8),
    **{("torch", f"{storage}Storage"): np.dtype(code) for storage, _, _, code in _TYPES},
    **{("torch", name): np.dtype(code) for _, name, _, code in _TYPES},
}
_LITERALS = re.compile(r"(SHORT_)?BIN(BYTES|UNICODE)8?|BYTEARRAY8|BININT[12]?|BINFLOAT|LONG[14]")
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "EMPTY_SET": _INERT}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.taken())),
    "TUPLE1": lambda machine, _: machine.stack.append(tuple(machine.taken(1))),
    "TUPLE2": lambda machine, _: machine.stack.append(tuple(machine.taken(2))),
    "TUPLE3": lambda machine, _: machine.stack.append(tuple(machine.taken(3))),
    "FROZENSET": lambda machine, _: machine.stack.append(machine.taken()),
    "APPEND": lambda machine, _: machine.fill(list, machine.taken(1)),
    "APPENDS": lambda machine, _: machine.fill(list, machine.taken()),
    "ADDITEMS": lambda machine, _: machine.fill(list, machine.taken()),
    "SETITEM": lambda machine, _: machine.fill(dict, machine.taken(2)),
    "SETITEMS": lambda machine, _: machine.fill(dict, machine.taken()),
    "BINPUT": lambda machine, place: machine.memo.update({place: machine.stack[-1]}),
    "MEMOIZE": lambda machine, _: machine.memo.update({len(machine.memo): machine.stack[-1]}),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "GLOBAL": lambda machine, names: machine.find(*names.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.find(*machine.taken(2)),
    "REDUCE": lambda machine, _: machine.call(*machine.taken(2)),
    "NEWOBJ": lambda machine, _: machine.call(*machine.taken(2)),
    "BUILD": lambda machine, _: machine.fill(dict, machine.taken(1)[1:]),  # drops the state
    "BINPERSID": lambda machine, _: machine.refer(*machine.taken(1)),
}
