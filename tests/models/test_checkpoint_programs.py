"""Programs in checkpoints are named and never run; invalid pickles are one error."""

import builtins
import copyreg
import os
import pickle
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hocket.models.checkpoint import read_checkpoint
from tests.helpers.torch_files import (
    ATTRIBUTES,
    MAGIC,
    SYSTEM,
    Tensor,
    legacy,
    lightning,
    pickled,
    program,
    ramp,
    read,
    refused,
    saved,
    storage,
    tensor,
    text,
    zipped,
)


def called(function: str, *arguments: bytes) -> bytes:
    module, name = function.rsplit(".", 1)
    return f"c{module}\n{name}\n(".encode() + b"".join(arguments) + b"tR"


def stacked(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


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
    assert marker.exists()  # the trap works


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
        *("hocket.models.checkpoint._rebuild_tensor", "", ".", "torch..FloatStorage", "torch"),
    ],
)
def test_no_other_name_is_accepted(tmp_path: Path, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    refused(tmp_path, zipped(program(f"c{module}\n{attribute}\n".encode())), "which is not data")
    refused(tmp_path, zipped(program(stacked(module, attribute))), "which is not data")


@pytest.mark.parametrize(
    "attribute",
    ["OrderedDict.__class__", "OrderedDict ", " OrderedDict", "ordereddict", "Counter defaultdict"],
)
def test_names_are_compared_exactly(tmp_path: Path, attribute: str) -> None:
    refused(tmp_path, zipped(program(stacked("collections", attribute))), attribute.strip())


DEEP = b")" + b"\x85" * 150_000  # a tuple whose hash overflows C's stack


def beside_tensor(part: bytes) -> bytes:
    """A checkpoint that gives a tensor only if `part`, which makes one value, is accepted."""
    good, found = pickled({"a": tensor(ramp(2))})
    contents = {key: item.content for key, item in found.items()}
    return zipped(good[:-1] + text("b") + part + b"s.", contents)


ORDERED, INERT = b"ccollections\nOrderedDict\n", b"cpathlib\nPosixPath\n"
REBUILD, FLOATS = b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n"
STATE = b"}" + text("__class__") + INERT + b"s"
TAMPERED = {  # values made by programs of known names, used wrongly
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
def test_an_invalid_pickle_is_one_error(tmp_path: Path, name: str) -> None:
    part = TAMPERED[name]
    refused(tmp_path, zipped(program(part)))
    refused(tmp_path, beside_tensor(part))


def test_a_valid_value_is_skipped(tmp_path: Path) -> None:
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
        b"Nr\xff\xff\xff\xff0}",  # a memory of 4 billion entries
        b"Nr\xff\xff\xff\xffj\xff\xff\xff\xff\x85}",
    ],
)
def test_deep_or_wide_values_exhaust_neither_stack_nor_memory(tmp_path: Path, part: bytes) -> None:
    refused(tmp_path, zipped(program(part)))


def test_a_long_frame_announcement_costs_nothing(tmp_path: Path) -> None:
    good, found = pickled({"a": tensor(ramp(2))}, 4)
    frame = b"\x95" + struct.pack("<Q", 1 << 60)
    place = good.index(b"\x95")
    program_ = good[:place] + frame + good[place + 9 :]
    contents = {key: item.content for key, item in found.items()}
    assert list(read(tmp_path, zipped(program_, contents))) == ["a"]


def test_a_legacy_file_with_keys_that_are_no_text_is_refused(tmp_path: Path) -> None:
    whole = legacy({"a": tensor(ramp(2))})
    place = whole.rindex(b"\x80\2]")
    for keys in (b"K\1", b"](K\1e", b"](" + DEEP + b"e", b"N", b"](" + text("no such") + b"e"):
        refused(tmp_path, whole[:place] + program(keys) + bytes(16))


def test_nothing_is_imported_or_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the metadata names, the reader imports none of it."""
    content = saved(lightning())
    (tmp_path / "weights.bin").write_bytes(content)
    read_checkpoint(tmp_path / "weights.bin")  # late imports of NumPy and zipfile are done now
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
