"""Checkpoints for `hocket models add`, written without torch."""

import io
import json
import math
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket import models

Tensors = Mapping[str, NDArray[Any]]

STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "f8": "DoubleStorage", "i8": "LongStorage"}
OPENING, CLOSING = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK, pickle.SETITEMS


@cache
def recipe_weights() -> dict[str, NDArray[np.float32]]:
    """Tensors of WeSpeaker's ResNet34 by the rule of `hocket_forge.wespeaker.recipe_weights`.

    In sorted order of names: variances U(0.5, 1.5), running means N(0, 0.1); weights of norms
    U(0.2, 0.5), their biases N(0, 0.1); all else N(0, sqrt(2 / fan_in)).
    """
    generator = np.random.default_rng(34)
    entries = json.loads((models.FOLDER / "wespeaker-resnet34.layout.json").read_bytes())
    shapes = {entry["name"]: tuple(entry["shape"]) for entry in entries}
    return {name: _draw(name, shapes[name], generator) for name in sorted(shapes)}


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float32]:
    if name.endswith("running_var"):
        values = generator.uniform(0.5, 1.5, shape)
    elif name.endswith("running_mean"):
        values = generator.normal(0, 0.1, shape)
    elif not re.search(r"bn|shortcut\.1", name):
        values = generator.normal(0, np.sqrt(2 / math.prod(shape[1:])), shape)
    elif name.endswith("weight"):
        values = generator.uniform(0.2, 0.5, shape)
    else:
        values = generator.normal(0, 0.1, shape)
    return values.astype(np.float32)


def checkpoint(tensors: Tensors, wrapper: str = "", more: bytes = b"") -> bytes:
    """A dictionary of tensors as `torch.save` writes it.

    Args:
        tensors: by name.
        wrapper: the key of another dictionary that holds this one, if any.
        more: instructions that push more keys and values on the pickle machine's stack.
    """
    entries = [
        _text(name) + _tensor(str(key), array) for key, (name, array) in enumerate(tensors.items())
    ]
    program = OPENING + b"".join(entries) + more + CLOSING
    if wrapper:
        program = OPENING + _text(wrapper) + program[2:] + CLOSING
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model/data.pkl", program + pickle.STOP)
        for key, array in enumerate(tensors.values()):
            archive.writestr(f"model/data/{key}", array.tobytes())
    return buffer.getvalue()


def _tensor(key: str, array: NDArray[Any]) -> bytes:
    """Instructions that make a tensor of the storage `key`."""
    storage = [_text("storage"), name("torch", STORAGES[array.dtype.str[1:]]), _text(key)]
    storage += [_text("cpu"), _number(array.size)]
    strides = [step // array.itemsize for step in array.strides]
    arguments = [_tuple(storage) + pickle.BINPERSID, _number(0)]
    arguments += [_tuple(map(_number, array.shape)), _tuple(map(_number, strides))]
    arguments += [pickle.NEWFALSE, call("collections", "OrderedDict")]
    return call("torch._utils", "_rebuild_tensor_v2", *arguments)


def call(module: str, function: str, *arguments: bytes) -> bytes:
    """Instructions that call a function."""
    return name(module, function) + _tuple(arguments) + pickle.REDUCE


def name(module: str, attribute: str) -> bytes:
    """Instructions that import a name."""
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


def _tuple(items: Any) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE


def _text(text: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(text.encode())) + text.encode()


def _number(number: int) -> bytes:
    return pickle.BININT + struct.pack("<i", number)


def malicious(command: str) -> bytes:
    """Instructions that push a key and the result of a system command."""
    return _text("harmless") + call("os", "system", _text(command))
