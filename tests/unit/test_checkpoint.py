"""Checkpoints give their tensors; a program in one is named and never run; nothing else escapes."""

import builtins
import copyreg
import enum
import io
import json
import os
import pickle
import struct
import sys
import tempfile
import typing
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket import checkpoint
from hocket.checkpoint import read_checkpoint
from hocket.errors import ModelError

TRACTABLE = settings(max_examples=150, deadline=None, derandomize=True, database=None)
CODES = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
KINDS = {np.dtype(code): kind for kind, code in CODES.items()}
MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 4}}
KEYS = count()


# --- a writer of what torch.save writes


def imitation(module: str, name: str, base: type = object) -> type:
    """A class that pickles as one of a package which is not installed here."""
    return type(name, (base,), {"__module__": module, "__qualname__": name})


TORCH = {
    name: imitation("torch", name)
    for name in (*(f"{kind}Storage" for kind in (*CODES, "BFloat16")), "float32", "Size", "device")
}
REBUILD_TENSOR = imitation("torch._utils", "_rebuild_tensor_v2")
REBUILD_PARAMETER = imitation("torch._utils", "_rebuild_parameter")
UNTYPED_STORAGE = imitation("torch.storage", "UntypedStorage")
TORCH_VERSION = imitation("torch.torch_version", "TorchVersion", str)
SPECIFICATIONS = imitation("pyannote.audio.core.task", "Specifications")
INTROSPECTION = imitation("pyannote.audio.core.model", "Introspection")
LIST_CONFIG = imitation("omegaconf.listconfig", "ListConfig")
ATTRIBUTES = imitation("pytorch_lightning.utilities.parsing", "AttributeDict", dict)
MODEL_CHECKPOINT = imitation("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
UNKNOWN = imitation("pyannote.audio.core.task", "Unknown")
PROBLEM = enum.Enum("Problem", "ONE TWO", module="pyannote.audio.core.task")  # type: ignore[misc]
IMITATIONS = (
    *(*TORCH.values(), REBUILD_TENSOR, REBUILD_PARAMETER, UNTYPED_STORAGE, TORCH_VERSION, PROBLEM),
    *(SPECIFICATIONS, INTROSPECTION, LIST_CONFIG, ATTRIBUTES, MODEL_CHECKPOINT, UNKNOWN),
)


@contextmanager
def importable() -> Iterator[None]:
    """Lets the pickler find the imitations, which it insists on."""
    with patch.dict(sys.modules):
        for found in IMITATIONS:
            parts = found.__module__.split(".")
            for depth in range(1, len(parts) + 1):
                name = ".".join(parts[:depth])
                if not isinstance(sys.modules.get(name), Package):
                    sys.modules[name] = Package(name)
            setattr(sys.modules[found.__module__], found.__name__, found)
        yield


class Package(ModuleType):
    """A package of imitations."""


@dataclass(frozen=True)
class Storage:
    content: bytes
    kind: type
    key: str
    elements: int


@dataclass(frozen=True)
class Tensor:
    """Pickles as a tensor does."""

    storage: Any
    offset: Any
    size: Any
    stride: Any
    more: tuple[Any, ...] = (False, OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return REBUILD_TENSOR, (self.storage, self.offset, self.size, self.stride, *self.more)


@dataclass(frozen=True)
class Parameter:
    tensor: Tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return REBUILD_PARAMETER, (self.tensor, True, OrderedDict())


def storage(array: NDArray[Any], kind: str = "") -> Storage:
    named = TORCH[f"{kind or KINDS[array.dtype]}Storage"]
    return Storage(array.tobytes(), named, str(next(KEYS)), array.size)


def tensor(array: NDArray[Any], kind: str = "") -> Tensor:
    steps = tuple(step // array.itemsize for step in np.empty(array.shape, array.dtype).strides)
    return Tensor(storage(array, kind), 0, array.shape, steps)


def pickled(value: Any, protocol: int = 2, more: tuple[Any, ...] = ()) -> tuple[bytes, Any]:
    """The pickle, and the storages it refers to."""
    found: dict[str, Storage] = {}

    class Writer(pickle.Pickler):
        def persistent_id(self, item: Any) -> Any:
            if not isinstance(item, Storage):
                return None
            found[item.key] = item
            return ("storage", item.kind, item.key, "cpu", item.elements, *more)

    buffer = io.BytesIO()
    with importable():
        Writer(buffer, protocol).dump(value)
    return buffer.getvalue(), found


def zipped(program: bytes, contents: Mapping[str, bytes] | None = None, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", options.get("compression", zipfile.ZIP_STORED)) as archive:
        archive.writestr("weights/data.pkl", program)
        if order := options.get("order", "little"):
            archive.writestr("weights/byteorder", order)
        for key, content in (contents or {}).items():
            archive.writestr(f"weights/data/{key}", content)
        archive.writestr("weights/version", "3\n")
    return buffer.getvalue()


def saved(value: Any, protocol: int = 2, **options: Any) -> bytes:
    program, found = pickled(value, protocol)
    return zipped(program, {key: item.content for key, item in found.items()}, **options)


def legacy(value: Any, protocol: int = 2, system: Any = SYSTEM) -> bytes:
    program, found = pickled(value, protocol, more=(None,))
    parts = [pickle.dumps(item, 2) for item in (MAGIC, 1001, system)]
    parts += [program, pickle.dumps(sorted(found), 2)]
    parts += [struct.pack("<q", found[key].elements) + found[key].content for key in sorted(found)]
    return b"".join(parts)


def safetensors(header: Any, content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def read(folder: Path, content: bytes) -> dict[str, NDArray[Any]]:
    path = folder / "weights.bin"
    path.write_bytes(content)
    arrays = read_checkpoint(path)
    for array in arrays.values():
        assert type(array) is np.ndarray
        flags = array.flags
        assert flags.c_contiguous
        assert flags.owndata
        assert flags.writeable
    return arrays


def refused(folder: Path, content: bytes, *expected: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(folder, content)
    name, message = str(caught.value).split(": ", 1)
    assert name == str(folder / "weights.bin")
    assert "; " in message
    assert "\n" not in message
    assert len(message) < 600
    for text in expected:
        assert text in message


def ramp(*shape: int, code: str = "f4") -> NDArray[Any]:
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(code)


# --- what is read


@pytest.mark.parametrize("write", [saved, legacy])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("code", CODES.values())
def test_every_type(
    tmp_path: Path, code: str, protocol: int, write: Callable[[Any, int], bytes]
) -> None:
    values = {
        "b.weight": ramp(2, 3, code=code),
        "a": ramp(code=code),
        "none": ramp(0, 3, code=code),
    }
    found = read(tmp_path, write({name: tensor(array) for name, array in values.items()}, protocol))
    assert list(found) == list(values)
    for name, array in values.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (0, 2)])
def test_bfloat16_becomes_float32(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.resize(np.array([0, -0.0, 1, -2.5, np.inf, 3e38], np.float32), shape)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    expected = (halves.astype(np.uint32) << 16).view(np.float32)
    entry = {"dtype": "BF16", "shape": shape, "data_offsets": [0, halves.nbytes]}
    for content in (
        saved({"a": tensor(halves, "BFloat16")}),
        legacy({"a": tensor(halves, "BFloat16")}),
        safetensors({"a": entry}, halves.tobytes()),
    ):
        found = read(tmp_path, content)["a"]
        assert found.dtype == np.float32
        assert found.shape == shape
        np.testing.assert_array_equal(found, expected)


def test_any_byte_is_a_bool(tmp_path: Path) -> None:
    whole = storage(np.array([0, 1, 2, 255], np.uint8), "Bool")
    found = read(tmp_path, saved({"a": Tensor(whole, 0, (4,), (1,))}))["a"]
    assert found.view(np.uint8).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("write", [saved, legacy])
def test_views_of_one_storage(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    values = ramp(24)
    shared = storage(values)
    found = read(
        tmp_path,
        write(
            {
                "whole": Tensor(shared, 0, (24,), (1,)),
                "transposed": Tensor(shared, 0, (6, 4), (1, 6)),
                "other": tensor(ramp(2)),
                "last": Tensor(shared, 23, (), ()),
                "columns": Tensor(shared, 2, (4, 2), (6, 3)),
                "repeated": Tensor(shared, 5, (3, 2), (0, 1)),
            }
        ),
    )
    assert list(found) == ["whole", "transposed", "other", "last", "columns", "repeated"]
    np.testing.assert_array_equal(found["transposed"], values.reshape(4, 6).T)
    np.testing.assert_array_equal(found["columns"], values.reshape(4, 6)[:, 2::3])
    assert found["repeated"].tolist() == [[5, 6]] * 3
    assert found["last"] == 23
    found["whole"][:] = 0
    assert found["transposed"].any(), "arrays must not share memory"


def test_each_storage_is_read_once(tmp_path: Path) -> None:
    shared = [storage(ramp(4)) for _ in range(3)]
    views = {f"{place}": Tensor(shared[place % 3], 0, (4,), (1,)) for place in range(12)}
    with patch.object(
        zipfile.ZipFile, "read", autospec=True, side_effect=zipfile.ZipFile.read
    ) as asked:
        assert len(read(tmp_path, saved(views))) == 12
    assert asked.call_count == 2 + 3  # the byte order and the pickle come first


def test_a_parameter_is_a_tensor_and_a_storage_is_none(tmp_path: Path) -> None:
    untyped = Storage(b"\1\2", UNTYPED_STORAGE, "bytes", 2)
    content = saved(
        {
            "a": Parameter(tensor(ramp(3))),
            "storage": storage(ramp(2)),
            "b": Tensor(untyped, 1, (1,), (1,)),
        }
    )
    found = read(tmp_path, content)
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == [2]


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
def test_wrapped_tensors_come_first(tmp_path: Path, wrapper: str) -> None:
    inner: Any = {
        "a": tensor(ramp(3)),
        "epoch": 4,
        "nested": {"b": tensor(ramp(1))},
        5: tensor(ramp(1)),
    }
    assert list(read(tmp_path, saved({"other": tensor(ramp(2)), wrapper: inner}))) == ["a"]
    # a wrapper's name may as well be a tensor's, or have nothing in it
    for value in (tensor(ramp(2)), {}, {"a": 1}, [tensor(ramp(1))], None):
        content = saved({wrapper: value, "other": tensor(ramp(2))})
        assert "other" in read(tmp_path, content)


def test_a_module_leaves_an_attribute_on_its_state_dict(tmp_path: Path) -> None:
    state: Any = OrderedDict(a=tensor(ramp(3)))
    state._metadata = OrderedDict({"": {"version": 1}})
    assert list(read(tmp_path, saved(state))) == ["a"]


def lightning() -> dict[Any, Any]:
    """What a checkpoint of PyTorch Lightning and pyannote.audio may hold."""
    specifications, introspection, configured = SPECIFICATIONS(), INTROSPECTION(), LIST_CONFIG()
    vars(specifications).update(problem=PROBLEM.TWO, classes=["a", "b"], duration=10.0)
    vars(introspection).update(frames=589)
    vars(configured).update(_content=[1], _metadata={"object_type": typing.Any, "ref": list})
    numbers: Any = defaultdict(list, {"loss": [np.float64(1.5)], "order": [np.arange(3)]})
    return {
        "epoch": 3,
        "callbacks": {MODEL_CHECKPOINT: {"best": tensor(ramp()), "at": PurePosixPath("/a")}},
        "optimizer_states": [{"state": {0: {"step": 1, "average": tensor(ramp(2))}}}],
        "pyannote.audio": {
            "versions": {"torch": TORCH_VERSION("1.13.1"), "pyannote.audio": "2.1.1"},
            "specifications": specifications,
            "introspection": introspection,
        },
        "hyper_parameters": ATTRIBUTES(
            path=Namespace(a=1),
            kinds={int, str},
            frozen=frozenset("ab"),
            raw=b"\xff",
            array=numbers,
        ),
        "settings": [configured, Counter("aa"), 2j, bytearray(b"a"), TORCH["float32"], 10**30],
        (1, "a tuple"): None,
        "state_dict": OrderedDict(a=tensor(ramp(2, 3))),
    }


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("write", [saved, legacy])
def test_known_metadata_is_passed_over(
    tmp_path: Path, write: Callable[[Any, int], bytes], protocol: int
) -> None:
    found = read(tmp_path, write(lightning(), protocol))
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], ramp(2, 3))


def test_unknown_metadata_is_named(tmp_path: Path) -> None:
    content = saved({"a": tensor(ramp(1)), "b": UNKNOWN()})
    wanted = "pyannote.audio.core.task.Unknown, which is not data; get the file"
    refused(tmp_path, content, f"refused: the pickle asks for {wanted}")


def test_safetensors(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [4, 28]},
        "a": {"dtype": "I16", "shape": [2], "data_offsets": [0, 4]},
        "one": {"dtype": "F64", "shape": [], "data_offsets": [28, 36]},
        "none": {"dtype": "BOOL", "shape": [0, 2], "data_offsets": [36, 36]},
    }
    values = [ramp(2, code="i2"), ramp(2, 3), np.float64(7)]
    found = read(tmp_path, safetensors(header, b"".join(value.tobytes() for value in values)))
    assert list(found) == ["b", "a", "one", "none"]
    np.testing.assert_array_equal(found["b"], ramp(2, 3))
    assert found["a"].tolist() == [0, 1]
    assert found["one"] == 7
    assert found["one"].shape == ()
    assert found["none"].shape == (0, 2)


# --- programs


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def called(function: str, *arguments: bytes) -> bytes:
    module, name = function.rsplit(".", 1)
    return f"c{module}\n{name}\n(".encode() + b"".join(arguments) + b"tR"


def stacked(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def program(*parts: bytes, protocol: int = 2) -> bytes:
    return bytes([0x80, protocol]) + b"".join(parts) + b"."


def mkdir(marker: Path) -> bytes:
    return text(f'mkdir "{marker}"')


EXTENSION = 0xF1
NATIVE = os.system.__module__  # posix or nt
TRAPS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "os.system": ("os.system", lambda marker: program(called("os.system", mkdir(marker)))),
    "native": (
        f"{NATIVE}.system",
        lambda marker: program(called(f"{NATIVE}.system", mkdir(marker))),
    ),
    "stack global": (
        "os.system",
        lambda marker: program(stacked("os", "system"), mkdir(marker), b"\x85R", protocol=4),
    ),
    "dotted name of a known module": (
        "argparse._os.system",
        lambda marker: program(
            stacked("argparse", "_os.system"), mkdir(marker), b"\x85R", protocol=4
        ),
    ),
    "instance": ("INST os system", lambda marker: program(b"(", mkdir(marker), b"ios\nsystem\n")),
    "object": ("os.system", lambda marker: program(b"(cos\nsystem\n", mkdir(marker), b"o")),
    "object without a global": (
        "EXT1",
        lambda marker: program(b"(\x82", bytes([EXTENSION]), mkdir(marker), b"o"),
    ),
    "extension": (
        "EXT1",
        lambda marker: program(b"\x82", bytes([EXTENSION]), mkdir(marker), b"\x85R"),
    ),
    "eval": (
        "builtins.eval",
        lambda marker: program(
            called("builtins.eval", text(f"__import__('os').mkdir({str(marker)!r})"))
        ),
    ),
    "exec in Python 2's words": (
        "builtins.exec",
        lambda marker: program(
            called("__builtin__.exec", text(f"__import__('os').mkdir({str(marker)!r})"))
        ),
    ),
    "getattr": (
        "builtins.getattr",
        lambda marker: program(
            called("builtins.getattr", called("builtins.__import__", text("os")), text("mkdir")),
            text(str(marker)),
            b"\x85R",
        ),
    ),
    "subprocess": (
        "subprocess.check_call",
        lambda marker: program(
            called("subprocess.check_call", b"](", text("mkdir"), text(str(marker)), b"e")
        ),
    ),
    "new object that calls": (
        "builtins.map",
        lambda marker: program(
            b"cbuiltins\nbytes\n(cbuiltins\nmap\n(cos\nsystem\n(", mkdir(marker), b"lt\x81t\x81"
        ),
    ),
    "state": (
        "os.system",
        lambda marker: program(
            called("argparse.Namespace"),
            *(b"}", text("__setstate__"), b"cos\nsystem\nsb", mkdir(marker), b"b"),
        ),
    ),
}


@pytest.fixture
def extension() -> Iterator[None]:
    copyreg.add_extension("os", "system", EXTENSION)
    yield
    copyreg.remove_extension("os", "system", EXTENSION)


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize("name", TRAPS)
def test_a_program_is_named_and_not_run(tmp_path: Path, name: str) -> None:
    wanted, build = TRAPS[name]
    marker = tmp_path / "marker"
    trap = build(marker)
    values: tuple[Any, ...] = (MAGIC, 1001, SYSTEM, {}, [])
    parts = [pickle.dumps(value, 2) for value in values]
    for content in (
        trap,
        zipped(trap),
        *(b"".join((*parts[:place], trap, *parts[place + 1 :])) for place in range(1, 5)),
    ):
        refused(tmp_path, content, "refused: the pickle", wanted, "which is not data; get the file")
        assert not marker.exists()
    pickle.loads(trap)
    assert marker.exists()  # the trap works, had anybody stepped into it


@dataclass(frozen=True)
class Trap:
    marker: Path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize(
    "hide",
    [
        lambda trap: {"a": tensor(ramp(2)), "b": trap},
        lambda trap: {"state_dict": {"a": tensor(ramp(2))}, "hyper_parameters": [{"deep": trap}]},
        lambda trap: {"a": Tensor(storage(ramp(2)), 0, (2,), (1,), (False, trap))},
        lambda trap: {"a": Tensor(trap, 0, (2,), (1,))},
        lambda trap: ATTRIBUTES(a=trap),
    ],
)
def test_a_program_beside_good_tensors_is_not_run(
    tmp_path: Path, hide: Callable[[Trap], Any]
) -> None:
    marker = tmp_path / "marker"
    refused(tmp_path, saved(hide(Trap(marker))), ".mkdir, which is not data")
    assert not marker.exists()
    pickle.loads(pickle.dumps(Trap(marker)))
    assert marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        *("torch.hub.load", "torch.load", "torch._utils._rebuild_tensor", "torch.FloatTensor"),
        *("builtins.type", "builtins.open", "builtins.object", "builtins.compile"),
        *("collections.namedtuple", "collections.OrderedDict.fromkeys", "copy_reg._reconstructor"),
        *("omegaconf.omegaconf.OmegaConf", "pickle.loads", "numpy.load", "numpy.fromfile"),
        *("hocket.checkpoint._rebuild_tensor", "", ".", "torch..FloatStorage", "torch"),
    ],
)
def test_no_other_name_is_known(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    refused(tmp_path, zipped(program(f"c{module}\n{attribute}\n".encode())), "which is not data")
    refused(tmp_path, zipped(program(stacked(module, attribute))), "which is not data")


@pytest.mark.parametrize(
    "attribute",
    ["OrderedDict.__class__", "OrderedDict ", " OrderedDict", "ordereddict", "Counter defaultdict"],
)
def test_names_are_compared_exactly(tmp_path: Path, attribute: str) -> None:
    refused(tmp_path, zipped(program(stacked("collections", attribute))), attribute.strip())


DEEP = b")" + b"\x85" * 300_000  # a tuple whose hash overflows C's stack


def beside_tensor(part: bytes) -> bytes:
    """A checkpoint that gives a tensor if only `part`, which makes one value, is let pass."""
    good, found = pickled({"a": tensor(ramp(2))})
    contents = {key: item.content for key, item in found.items()}
    return zipped(good[:-1] + text("b") + part + b"s.", contents)


ORDERED, INERT = b"ccollections\nOrderedDict\n", b"cpathlib\nPosixPath\n"
REBUILD, FLOATS = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n"
STATE = b"}" + text("__class__") + INERT + b"s"
TAMPERED = {  # values made by programs of known names, put to odd uses
    "state of a function": REBUILD + STATE + b"b",
    "slots of a function": REBUILD + b"N" + STATE + b"\x86b",
    "state of a type": FLOATS + STATE + b"b",
    "state of a tuple": b")" + STATE + b"b",
    "state of nothing": b"}b",
    "call of a type": FLOATS + b")R",
    "call of a text": text("a") + b")R",
    "call of a dictionary": b"})R",
    "call without a tuple": REBUILD + b"]R",
    "call with another dictionary": ORDERED + b"(}tR",
    "call with too little": REBUILD + b")R",
    "new object of a text": text("a") + b")\x81",
    "arguments by name": INERT + b")}\x92",
    "item of a tuple": b")K\1K\2s",
    "items without a value": b"}(K\1u",
    "items of a list": b"](K\1K\2u",
    "append to a dictionary": b"}K\1a",
    "append to a function": REBUILD + b"K\1a",
    "reference to a text": text("storage") + b"Q",
    "reference to nothing": b")Q",
    "reference to a module": b"(" + text("module") + INERT + b"NNtQ",
    "reference to a module's storage": (
        b"(" + text("module") + FLOATS + text("0") + text("cpu") + b"K\1tQ"
    ),
    "reference to a part of a storage": (
        b"(" + text("storage") + FLOATS + text("0") + text("cpu") + b"K\1)\x85tQ"
    ),
    "reference with a long key": (
        b"(" + text("storage") + FLOATS + text("0" * 100) + text("cpu") + b"K\1tQ"
    ),
    "reference with more": b"(" + text("storage") + FLOATS + text("0") + b"NNNNtQ",
    "reference with less": b"(" + text("storage") + FLOATS + text("0") + b"NtQ",
    "call with too much": b"ctorch._utils\n_rebuild_parameter\n(" + b"N" * 8 + b"tR",
    "reference to storage 1": b"(" + text("storage") + FLOATS + b"K\1" + text("cpu") + b"K\1tQ",
    "reference of no type": b"(" + text("storage") + INERT + text("0") + text("") + b"K\1tQ",
    "reference by text": b"Pstorage\n",
    "names that are none": b"NN\x93",
    "a name whose hash is too deep": DEEP + text("a") + b"\x93",
    "a storage whose key is too deep": (
        b"(" + text("storage") + FLOATS + DEEP + text("cpu") + b"K\1tQ"
    ),
    "a memory that is empty": b"h\xff",
    "a mark that is missing": b"t",
    "values that are missing": b"K\1\x87",
    "values below a mark": b"K\1K\2(\x86\x86t",
    "nothing at all": b"",
    "an unknown instruction": b"\xff",
    "an ancient number": b"I1\n",
    "an ancient text": b"S'\\q'\n",
    "a buffer": b"\x97",
    "a bytearray that is not there": b"\x96" + struct.pack("<Q", 1 << 60),
    "bytes that are not there": b"\x8e" + struct.pack("<Q", 1 << 62),
    "text that is not there": b"\x8d" + struct.pack("<Q", 1 << 62),
    "a number that is not there": b"\x8b" + struct.pack("<I", (1 << 31) - 1),
    "a number of negative length": b"\x8b" + struct.pack("<i", -5),
    "text that is no text": b"X\2\0\0\0\xff\xff",
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_pickle_that_makes_no_sense_is_one_error(tmp_path: Path, name: str) -> None:
    part = TAMPERED[name]
    refused(tmp_path, zipped(program(part)))
    refused(tmp_path, beside_tensor(part))


def test_a_value_that_makes_sense_is_let_pass(tmp_path: Path) -> None:
    for part in (b"N", b"cpathlib\nPosixPath\n)R", b"ctorch\nFloatStorage\n", b"](K\1e"):
        assert list(read(tmp_path, beside_tensor(part))) == ["a"]


def test_nothing_stays_changed_after_a_tampered_file(tmp_path: Path) -> None:
    for part in TAMPERED.values():
        if DEEP not in part:  # slow, and tried above
            refused(tmp_path, zipped(program(part)))
    assert list(read(tmp_path, saved({"a": tensor(ramp(2))}))) == ["a"]


@pytest.mark.parametrize(
    "part",
    [
        b"}" + DEEP + b"Ns",
        b"}(" + DEEP + b"Nu",
        b"](" + b"]" * 100_000 + b"e",
        b"]" * 100_000 + b"a" * 99_999,
        b"}" * 100_000 + b"b" * 99_999,
        b"(" * 100_000 + b"t" * 100_000,
        b"Nr\xff\xff\xff\xff0}",  # a memory of 4 billion places
        b"Nr\xff\xff\xff\xffj\xff\xff\xff\xff\x85}",
    ],
)
def test_deep_or_wide_values_cost_neither_stack_nor_memory(tmp_path: Path, part: bytes) -> None:
    refused(tmp_path, zipped(program(part)))


def test_a_long_frame_announcement_costs_nothing(tmp_path: Path) -> None:
    good, found = pickled({"a": tensor(ramp(2))}, 4)
    frame = b"\x95" + struct.pack("<Q", 1 << 60)
    place = good.index(b"\x95")
    program_ = good[:place] + frame + good[place + 9 :]
    contents = {key: item.content for key, item in found.items()}
    assert list(read(tmp_path, zipped(program_, contents))) == ["a"]


def test_a_legacy_file_with_keys_that_are_no_text(tmp_path: Path) -> None:
    whole = legacy({"a": tensor(ramp(2))})
    place = whole.rindex(b"\x80\2]")
    for keys in (b"K\1", b"](K\1e", b"](" + DEEP + b"e", b"N", b"](" + text("no such") + b"e"):
        refused(tmp_path, whole[:place] + program(keys) + bytes(16))


# --- tensors out of bounds

HUGE = 1 << 70


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (4, (1,), (1,)),
        (4, (), ()),
        (1, (2, 2), (2, 1)),
        (0, (2,), (4,)),
        (0, (2,), (1 << 40,)),
        (-1, (1,), (1,)),
        (3, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (2, 2), (1,)),
        (0, (1,), ()),
        (0, (HUGE,), (1,)),
        (0, (1,), (HUGE,)),
        (HUGE, (1,), (1,)),
        (0, (1 << 40, 1 << 40), (0, 0)),
        (0, (0, 1 << 40, 1 << 40), (0, 0, 0)),
        (0, (1,) * 33, (1,) * 33),
        (0, (1 << 40,) * 9_000, (0,) * 9_000),
        (0, [4], [1]),
        (0, (True,), (1,)),
        (0, (1.0,), (1,)),
        (0, ("1",), (1,)),
        (None, (1,), (1,)),
        (0, 4, 1),
    ],
)
def test_no_tensor_reaches_outside_its_storage(
    tmp_path: Path, offset: Any, size: Any, stride: Any
) -> None:
    value = {"a": Tensor(storage(ramp(4)), offset, size, stride)}
    refused(tmp_path, saved(value))
    refused(tmp_path, legacy(value))


def test_a_negated_tensor_is_not_mistaken_for_the_opposite(tmp_path: Path) -> None:
    def flagged(flags: dict[str, bool]) -> bytes:
        more: Any = (False, {}, flags)
        return saved({"a": Tensor(storage(ramp(4)), 0, (4,), (1,), more)})

    refused(tmp_path, flagged({"neg": True}))
    read(tmp_path, flagged({}))


def test_a_tensor_of_no_storage(tmp_path: Path) -> None:
    for odd in ("text", None, tensor(ramp(1)), PurePosixPath("a")):
        refused(tmp_path, saved({"a": Tensor(odd, 0, (1,), (1,))}))


def test_a_storage_that_is_missing_or_short(tmp_path: Path) -> None:
    written, found = pickled({"a": tensor(ramp(4))})
    (key,) = found
    refused(tmp_path, zipped(written), f"data/{key}")
    refused(tmp_path, zipped(written, {key: bytes(15)}), "reaches outside its storage")


def test_many_names_of_one_tensor_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "MOST_BYTES", 100_000)
    shared = storage(ramp(5_000))
    views = {f"{place}": Tensor(shared, 0, (5_000,), (1,)) for place in range(5)}
    read(tmp_path, saved(views))
    refused(tmp_path, saved(views | {"5": Tensor(shared, 0, (1,), (1,))}), "more than 100000 bytes")
    refused(tmp_path, saved({"a": tensor(ramp(30_000))}), "give a file of at most 100000")


def test_repeated_elements_are_bounded(tmp_path: Path) -> None:
    content = saved({"a": Tensor(storage(ramp(1)), 0, (1 << 30,), (0,))})
    refused(tmp_path, content, "more than 2147483648 bytes")


# --- files


@pytest.mark.parametrize("name", ["no such.bin", "a\0b.bin", "x" * 5000])
def test_missing(name: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be opened \(.*\); check path and permissions"):
        read_checkpoint(Path(name))


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.bin").write_bytes(b"a")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"a\.bin: cannot be opened \(Permission denied\)"):
        read_checkpoint(tmp_path / "a.bin")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a directory or a device; give the checkpoint file"):
        read_checkpoint(tmp_path)


@pytest.mark.linux
def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is a directory or a device"):
        read_checkpoint(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; get the file"),
        (b"hello world, this is text", "is not a checkpoint (begins with b'hello wor"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not its page or its Git LFS pointer"),
        (b"<!DOCTYPE html>\n\0", "download the file itself"),
        (b"x", "begins with b'x'"),
        (bytes(500), "is not a checkpoint"),
        (b"PK\3\4", "truncated or damaged zip"),
        (b"\x80", "is damaged"),
        (pickle.dumps([1, 2], 2), "is a pickle that torch.save did not write"),
        (pickle.dumps(MAGIC, 2) + pickle.dumps(1000, 2), "torch.save did not write"),
        (pickle.dumps(MAGIC, 2), "is damaged (pickle exhausted"),
        (legacy({}, system={"little_endian": False}), "is not little-endian"),
        (legacy({}, system=[]), "is damaged"),
        (legacy({}), "holds no tensors by name; give a file with a state_dict"),
        (saved({}, order="big"), "is not little-endian; save it again"),
        (saved({}), "holds no tensors by name"),
        (saved([1]), "holds no tensors by name"),
        (saved({"a": 1, "b": [2], "state_dict": {"c": {"d": 1}}}), "holds no tensors by name"),
        (saved(PurePosixPath("a")), "holds no tensors by name"),
        (safetensors({}), "holds no tensors by name"),
    ],
)
def test_what_is_no_checkpoint_is_told_apart(tmp_path: Path, content: bytes, expected: str) -> None:
    refused(tmp_path, content, expected)


def test_before_torch_2_no_byte_order_was_written(tmp_path: Path) -> None:
    assert list(read(tmp_path, saved({"a": tensor(ramp(2))}, order=None))) == ["a"]


@pytest.mark.parametrize("write", [saved, legacy])
def test_a_truncated_file(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    whole = write({"a": tensor(ramp(50)), "b": tensor(ramp(50))})
    for length in range(5, len(whole), 7):
        refused(tmp_path, whole[:length])
    refused(tmp_path, whole[:-30], "is truncated in storage" if write is legacy else "truncated or")


def archive_of(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_other_zip_files(tmp_path: Path) -> None:
    good, _ = pickled({})
    refused(tmp_path, archive_of(("a.txt", b"a")), "is a zip of 0 files */data.pkl")
    refused(tmp_path, archive_of(("a/data.pkl", good), ("b/data.pkl", good)), "is a zip of 2 files")
    script = archive_of(("a/data.pkl", good), ("a/constants.pkl", b""), ("a/code/b.py", b""))
    refused(tmp_path, script, "is a TorchScript program; give the checkpoint it was made from")


def test_a_damaged_storage_is_noticed(tmp_path: Path) -> None:
    content = bytearray(saved({"a": tensor(ramp(50))}))
    content[content.index(ramp(50).tobytes()) + 20] ^= 1
    refused(tmp_path, bytes(content), "is damaged (Bad CRC-32 for file 'weights/data/")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = saved({"a": tensor(np.zeros(1 << 20, np.uint8))}, compression=zipfile.ZIP_DEFLATED)
    assert len(packed) < 1 << 12
    refused(tmp_path, packed, "zip entries are compressed")
    good, found = pickled({"a": tensor(np.zeros(4096, np.uint8))})
    noise = {key: np.random.default_rng(7).bytes(4096) for key in found}
    packed = zipped(good, noise, compression=zipfile.ZIP_DEFLATED)
    assert len(packed) > 4096 + len(good) + 8
    refused(tmp_path, packed, "zip entries are compressed")
    monkeypatch.setattr(checkpoint, "MOST_PICKLED", 500)
    refused(tmp_path, saved({"a": "text" * 200}), "data.pkl has more than 500 bytes")
    refused(tmp_path, legacy({"a": "text" * 200}), "is damaged (")
    refused(tmp_path, safetensors({"a": "text" * 200}), "its header is too long")


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """Many entries of the directory may point to the same bytes."""
    content = saved({"a": tensor(ramp(1 << 12))})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start, entries = archive.start_dir, len(archive.infolist())
    records = content[start : content.rindex(b"PK\5\6")]
    copies = 50
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, *[copies * entries] * 2, copies * len(records), start, 0
    )
    many = (
        content[:start] + records.replace(b"data.pkl", b"data.pk_") * (copies - 1) + records + end
    )
    refused(tmp_path, many, "zip")


def test_an_entry_that_claims_more_than_the_file(tmp_path: Path) -> None:
    content = bytearray(saved({"a": tensor(ramp(4))}))
    place = content.rindex(b"PK\1\2", 0, content.rindex(b"weights/data/"))
    struct.pack_into("<2L", content, place + 20, 1 << 30, 1 << 30)
    refused(tmp_path, bytes(content), "zip")


@pytest.mark.parametrize(
    "key",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [0], "data_offsets": [12, 12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1] * 40, "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [0, HUGE], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0]},
        {"dtype": "F32", "shape": [2]},
        {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
        {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]},
        {"dtype": 3, "shape": [2], "data_offsets": [0, 8]},
        [1],
        "text",
        None,
    ],
)
def test_a_safetensors_entry_out_of_bounds(tmp_path: Path, key: Any) -> None:
    refused(tmp_path, safetensors({"a": key}, bytes(8)))
    good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    refused(tmp_path, safetensors({"good": good, "a": key}, bytes(8)))
    assert list(read(tmp_path, safetensors({"good": good}, bytes(8)))) == ["good"]


@pytest.mark.parametrize(
    "header", [b"{", b"{}}", b"{" + b'"a":[' * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"{\xff}"]
)
def test_a_safetensors_header_that_is_none(tmp_path: Path, header: bytes) -> None:
    refused(tmp_path, struct.pack("<Q", len(header)) + header, "is damaged")
    refused(tmp_path, struct.pack("<Q", len(header) + 1) + header, "is truncated")


def test_any_failure_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved({"a": tensor(ramp(2))})
    for failure, reason in (
        (OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError(), "MemoryError"),
        (RecursionError("too deep"), "too deep"),
        (ValueError("x" * 5000 + "\n"), "xxx..."),
    ):
        monkeypatch.setattr(checkpoint, "_named", Mock(side_effect=failure))
        refused(tmp_path, content, "is damaged (", reason)


# --- whatever the bytes are


def outcome(content: bytes) -> dict[str, NDArray[Any]] | None:
    """The tensors, or None for a ModelError; anything else is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(Path(folder), content)
        except ModelError:
            return None


GOOD = {
    "zip": saved(lightning()),
    "legacy": legacy(lightning()),
    "safetensors": safetensors(
        {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, ramp(4).tobytes()
    ),
}
PROGRAM, STORAGES = pickled(lightning())
CONTENTS = {key: item.content for key, item in STORAGES.items()}
FRAGMENTS = [
    *(b"(", b")", b"}", b"]", b"N", b"K\1", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b", b"\x81"),
    *(b"s", b"u", b"a", b"e", b"Q", b"\x93", b"q\0", b"q\1", b"h\0", b"h\1", b"\x90", b"\x8f"),
    *(text("a"), text("storage"), text("0"), text("state_dict"), b"ctorch\nFloatStorage\n"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"),
    *(b"ctorch._utils\n_rebuild_parameter\n", b"cpathlib\nPosixPath\n"),
]


def damage(content: bytes, flips: list[tuple[int, int]], kept: float) -> bytes:
    damaged = bytearray(content)
    for place, value in flips:
        damaged[place % len(damaged)] = value
    return bytes(damaged[: round(kept * len(damaged))])


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=5)
KEPT = st.just(1.0) | st.floats(0, 1)


@pytest.mark.parametrize("name", GOOD)
@TRACTABLE
@given(flips=FLIPS, kept=KEPT)
def test_a_damaged_file_gives_tensors_or_one_error(
    name: str, flips: list[tuple[int, int]], kept: float
) -> None:
    outcome(damage(GOOD[name], flips, kept))


@TRACTABLE
@given(flips=FLIPS, kept=KEPT)
def test_a_damaged_pickle_with_a_good_checksum(flips: list[tuple[int, int]], kept: float) -> None:
    outcome(zipped(damage(PROGRAM, flips, kept), CONTENTS))


@TRACTABLE
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=40))
def test_any_program(parts: list[bytes]) -> None:
    outcome(zipped(program(*parts), {"0": bytes(16)}))


@TRACTABLE
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"PK\3\4", b"\x80\2", b"\x80"]))
def test_any_bytes(content: bytes, start: bytes) -> None:
    outcome(start + content)


def test_the_properties_above_see_tensors_too() -> None:
    for content in (*GOOD.values(), zipped(PROGRAM, CONTENTS)):
        assert list(outcome(content) or ()) == ["a"]


def test_nothing_is_imported_or_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the metadata names, the reader asks Python for none of it."""
    content = saved(lightning())
    (tmp_path / "weights.bin").write_bytes(content)
    read_checkpoint(tmp_path / "weights.bin")  # what NumPy and zipfile import late is there now
    asked: list[str] = []
    genuine = builtins.__import__

    def watched(name: str, *arguments: Any, **options: Any) -> Any:
        asked.append(name)
        return genuine(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", watched)
    before = set(sys.modules)
    read_checkpoint(tmp_path / "weights.bin")
    assert not {name.split(".")[0] for name in asked} & {"torch", "pyannote", "omegaconf"}
    assert set(sys.modules) == before
