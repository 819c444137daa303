"""Shared by the parity checks: a check as a value, recordings, and measures of difference."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
import soundfile
from numpy.typing import NDArray
from onnx import ModelProto

from hocket_forge.workspace import CONVERSATION, GOLDEN

Array = NDArray[np.float32]

EXACT = 0.0
TORCH = 1e-4  # an exported graph against its module, both in float32


@dataclass(frozen=True)
class Check:
    """A comparison: its name, the largest difference found, and the largest allowed."""

    name: str
    found: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the difference is small enough; NaN is not."""
        return self.found <= self.allowed


def golden(name: str) -> dict[str, Array]:
    """Arrays recorded from a reference implementation."""
    with np.load(GOLDEN / f"{name}.npz") as recorded:
        return dict(recorded)


def run(model: ModelProto, *inputs: Array) -> list[Array]:
    """Outputs of a graph on ONNX Runtime."""
    return runner(model)(*inputs)


def runner(model: ModelProto) -> Callable[..., list[Array]]:
    """The graph as a function of its inputs, for many calls."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [port.name for port in session.get_inputs()]

    def call(*inputs: Array) -> list[Array]:
        out: list[Array] = session.run(None, dict(zip(names, inputs, strict=True)))
        return out

    return call


def speech() -> Array:
    """The bundled conversation, (480000,)."""
    samples, _ = soundfile.read(CONVERSATION, dtype="float32")
    recording: Array = samples
    return recording


def cut(audio: Array, start: int, length: int) -> Array:
    """Samples from `start`, zero padded to `length`."""
    piece = audio[start : start + length]
    return np.pad(piece, (0, length - len(piece)))


def worst(found: Array, expected: Array) -> float:
    """Largest difference: 0 for equal infinities, infinite for NaN and different shapes."""
    if found.shape != expected.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        gaps = np.where(found == expected, 0.0, np.abs(found - expected))
    return float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))


def relative(found: Array, expected: Array) -> float:
    """Largest length of a row's difference, relative to the row's length."""
    if found.shape != expected.shape:
        return np.inf
    gaps = np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)
    return float(np.nan_to_num(gaps, nan=np.inf).max())


def cosine_gap(found: Array, expected: Array) -> float:
    """Largest 1 - cosine over rows, in float64."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return float(1 - cosine.min())
