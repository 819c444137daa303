"""Exact counts of NumPy's allocations for the data of arrays, in all threads.

NumPy allocates through a table of functions (`PyDataMem_Handler`, NEP 49). A custom handler is in a
context variable, so it applies only to the thread that installs it. Therefore the functions of the
default handler, which all threads share, are replaced in its table for a while. They call the
functions they replace, so arrays from before and after the count are freed as usual.

Not counted: memory of the runtimes (weights, arenas), of Python objects, and of libraries that do
not use NumPy.
"""

import ctypes
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

from bench.errors import BenchError

VERSION = 1  # of the layout of the table, `PyDataMem_Handler.version`
DEFAULT_HANDLER = 306  # index of PyDataMem_DefaultHandler in NumPy's API, __multiarray_api.h
LOCATED = 65_536  # bytes; smaller allocations are counted but not attributed to a function

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_SIGNATURES = {
    "malloc": (_POINTER, _POINTER, _SIZE),
    "calloc": (_POINTER, _POINTER, _SIZE, _SIZE),
    "realloc": (_POINTER, _POINTER, _POINTER, _SIZE),
}


class _Handler(ctypes.Structure):
    """`PyDataMem_Handler` of numpy/ndarraytypes.h."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p),
        ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


@dataclass
class Requested:
    """Bytes that one function requested: in all, and the largest request."""

    allocated: int = 0
    largest: int = 0


@dataclass
class Allocations:
    """Allocations; `requested` lists the functions that requested 64 kB or more at once."""

    count: int = 0
    allocated: int = 0
    requested: dict[str, Requested] = field(default_factory=dict)

    def add(self, size: int) -> None:
        """Count an allocation, in the thread that makes it."""
        self.count += 1
        self.allocated += size
        if size >= LOCATED:
            function = _function_of(sys._getframe(1))  # noqa: SLF001 - no other way to the caller
            requested = self.requested.setdefault(function, Requested())
            requested.allocated += size
            requested.largest = max(requested.largest, size)


@contextmanager
def counted(add: Callable[[int], None]) -> Iterator[None]:
    """Call `add` with the size of every allocation inside the block, under the GIL.

    Raises:
        BenchError: NumPy's table has another layout.
    """
    handler = _default_handler()
    before = {name: getattr(handler, name) for name in _SIGNATURES}
    # called with the GIL held; NumPy's own functions release it themselves
    theirs: dict[str, Any] = {
        name: ctypes.PYFUNCTYPE(*types)(before[name]) for name, types in _SIGNATURES.items()
    }

    def malloc(context: int | None, size: int) -> int | None:
        add(size)
        return theirs["malloc"](context, size)  # type: ignore[no-any-return]

    def calloc(context: int | None, number: int, size: int) -> int | None:
        add(number * size)
        return theirs["calloc"](context, number, size)  # type: ignore[no-any-return]

    def realloc(context: int | None, old: int | None, size: int) -> int | None:
        add(size)
        return theirs["realloc"](context, old, size)  # type: ignore[no-any-return]

    # kept in a variable, since the table holds no reference to them
    ours = {
        each.__name__: ctypes.CFUNCTYPE(*_SIGNATURES[each.__name__])(each)
        for each in (malloc, calloc, realloc)
    }
    for name, function in ours.items():
        setattr(handler, name, ctypes.cast(function, _POINTER).value)
    try:
        yield
    finally:
        for name, address in before.items():
            setattr(handler, name, address)


def _default_handler() -> _Handler:
    module: Any = import_module("numpy._core._multiarray_umath")
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype = ctypes.c_void_p
    pointer_of.argtypes = (ctypes.py_object, ctypes.c_char_p)
    functions = pointer_of(module._ARRAY_API, None)  # noqa: SLF001 - the C functions
    table = ctypes.cast(functions, ctypes.POINTER(ctypes.POINTER(ctypes.py_object)))
    capsule = table[DEFAULT_HANDLER][0]
    handler = _Handler.from_address(pointer_of(capsule, b"mem_handler"))
    if handler.version != VERSION:
        raise BenchError(
            f"NumPy's memory handler has version {handler.version}; "
            f"allocations can be counted for version {VERSION}"
        )
    return handler


def _function_of(frame: FrameType | None) -> str:
    """`module.function` of the innermost code of hocket, or else of the innermost code."""
    library = str(Path(sysconfig.get_paths()["purelib"]))
    innermost = "unknown"
    while frame is not None:
        code, module = frame.f_code, frame.f_globals.get("__name__", "?")
        name = f"{module}.{code.co_qualname}"
        if module.partition(".")[0] == "hocket":
            return name
        if (
            innermost == "unknown"
            and module != __name__
            and not code.co_filename.startswith(library)
        ):
            innermost = name
        frame = frame.f_back
    return innermost
