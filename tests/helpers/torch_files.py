"""Files as torch.save writes them, made without torch, and readers that check the result."""

import enum
import io
import json
import pickle
import struct
import sys
import typing
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.errors import ModelError
from hocket.models.checkpoint import read_checkpoint

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


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def program(*parts: bytes, protocol: int = 2) -> bytes:
    return bytes([0x80, protocol]) + b"".join(parts) + b"."
