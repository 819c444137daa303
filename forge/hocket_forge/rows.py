"""Rows of the report: every graph, on every runtime, in every precision."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from hocket.graph import SPECS, Graph
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.common import Array, cut, speech

WINDOWS = tuple(range(0, 320_001, 40_000))  # starts, in samples, of ten-second windows
PIECES = tuple(range(8_000, 440_001, 16_000))  # starts of two-second pieces
PIECE = 32_000


@dataclass(frozen=True)
class Row:
    """A line of the report; None where a figure does not apply or was not measured.

    status: ships, built on request, rejected with the reason, or only measured.
    operations: number of each type.
    macs: multiplications in a window of ten seconds.
    differing: share of frames whose mask or best class differs from PyTorch's.
    """

    name: str
    runtime: str
    precision: str
    status: str
    bytes: int
    operations: Mapping[str, int]
    macs: int
    max_difference: float | None = None
    mean_difference: float | None = None
    differing: float | None = None
    cosine_mean: float | None = None
    cosine_worst: float | None = None
    der: Mapping[str, Any] | None = field(default=None)

    @property
    def key(self) -> str:
        """Identifies the row."""
        return f"{self.name} | {self.runtime} | {self.precision}"

    def as_json(self) -> dict[str, Any]:
        """For the results file."""
        return asdict(self)


def differences(name: str, graph: Graph) -> dict[str, float]:
    """Differences of a graph's outputs from PyTorch's in float32, on real speech.

    Differences are absolute, over all numbers of all outputs; cosines are over slots that speak.
    """
    gaps: list[Array] = []
    differing: list[Array] = []
    cosines: list[Array] = []
    for inputs, expected in _cases(name):
        found = graph.run(inputs)
        for port, array in expected.items():
            gaps.append(_gaps(found[port], array).ravel())
            if port in {"masks", "log_probs"} and array.shape[-1] > 1:
                differing.append(_differing(port, found[port], array).ravel())
            if port == "embeddings":
                cosines.append(cosines_of(found[port], array))
    gap = np.concatenate(gaps)
    measured = {"max_difference": float(gap.max()), "mean_difference": float(gap.mean())}
    if differing:
        measured["differing"] = float(np.concatenate(differing).mean())
    if cosines:
        cosine = np.concatenate(cosines)
        measured |= {"cosine_mean": float(cosine.mean()), "cosine_worst": float(cosine.min())}
    return measured


def _gaps(found: Array, expected: Array) -> Array:
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        gaps: Array = np.where(found == expected, 0, np.abs(found - expected)).astype(np.float32)
    return gaps


def _differing(port: str, found: Array, expected: Array) -> Array:
    if port == "log_probs":
        found, expected = found.argmax(-1, keepdims=True), expected.argmax(-1, keepdims=True)
    other: Array = np.any(found != expected, axis=-1).astype(np.float32)
    return other


def cosines_of(found: Array, expected: Array) -> Array:
    """Cosines of all slots that speak."""
    spoken = np.any(expected != 0, axis=-1)
    a, b = found[spoken].astype(np.float64), expected[spoken].astype(np.float64)
    product = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    cosines: Array = ((a * b).sum(-1) / product).astype(np.float32)
    return cosines


def _cases(name: str) -> Iterator[tuple[dict[str, Array], dict[str, Array]]]:
    """Inputs from real speech, and the module's outputs for them."""
    recipe = RECIPES[name]
    module, spec = recipe.module().eval(), SPECS[recipe.graph]
    for inputs in _INPUTS[recipe.graph]():
        with torch.no_grad():
            out = module(*(torch.from_numpy(inputs[port.name]) for port in spec.inputs))
        arrays = out if isinstance(out, tuple) else (out,)
        yield inputs, {p.name: a.numpy() for p, a in zip(spec.outputs, arrays, strict=True)}


def _stack(starts: Sequence[int], length: int) -> Array:
    audio = speech()
    return np.stack([cut(audio, start, length) for start in starts])[:, None]


def windows() -> Iterator[dict[str, Array]]:
    """Windows of ten seconds of the conversation."""
    for start in WINDOWS:
        yield {"waveform": _stack([start], 160_000)}


def _with_peaks() -> Iterator[dict[str, Array]]:
    from hocket_forge.parity.peaks import with_peaks

    yield from map(with_peaks, windows())


def _embedding() -> Iterator[dict[str, Array]]:
    masks = np.zeros((1, 3, 589), np.float32)
    masks[:, 0], masks[:, 1, 100:300], masks[:, 2, 400:460] = 1, 1, 1
    for start in WINDOWS[::4]:
        yield {"waveform": _stack([start], 160_000), "masks": masks}
    for first in range(0, len(PIECES), 4):
        pieces = _stack(PIECES[first : first + 4], PIECE)
        yield {"waveform": pieces, "masks": np.ones((len(pieces), 1, 1), np.float32)}


def _decode() -> Iterator[dict[str, Array]]:
    module = RECIPES["segmentation"].module()
    for inputs in windows():
        with torch.no_grad():
            yield {"log_probs": module(torch.from_numpy(inputs["waveform"])).numpy()}


def _inputs() -> Iterator[dict[str, Array]]:
    module = RECIPES["segmentation_masks"].module()
    for inputs in windows():
        with torch.no_grad():
            masks = module(torch.from_numpy(inputs["waveform"])).numpy()
        yield {"audio": inputs["waveform"], "masks": masks}


def _post() -> Iterator[dict[str, Array]]:
    from hocket_forge.parity.windows import post_cases

    for embeddings, database, segments in post_cases():
        if np.isfinite(embeddings).all() and embeddings.shape[1] == 192:
            yield {"embeddings": embeddings, "database": database, "segments": segments}


_INPUTS: dict[str, Callable[[], Iterator[dict[str, Array]]]] = {
    "segmentation": windows,
    "segmentation_masks": windows,
    "sinc_peaks": windows,
    "segmentation_from_peaks": _with_peaks,
    "fused": windows,
    "powerset_decode": _decode,
    "embedding_inputs": _inputs,
    "embedding": _embedding,
    "post_embedding": _post,
}
