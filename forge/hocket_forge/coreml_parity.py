"""Checks of saved Core ML packages, computed on any system by the evaluator.

A package runs as in the Core ML backend, including padding, with the evaluator in place of
`MLModel`. So the checks cover the saved file with its float16 weights, not its source.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hocket.backends import reference
from hocket.backends.coreml import CoreMLGraph
from hocket.graph import SPECS
from hocket_forge import coreml
from hocket_forge.coreml import FLOAT32_GRAPHS, RANGES, WINDOW
from hocket_forge.coreml_evaluator import evaluate
from hocket_forge.coreml_program import Program, operation_counts, read_program
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.common import EXACT, Array, Check, cosine_gap, cut, speech, worst
from hocket_forge.parity.peaks import PEAKS, peaks_by_numpy, with_peaks
from hocket_forge.parity.segmentation import hardest_scores
from hocket_forge.parity.windows import DISTANCE, input_cases, post_cases

FRAMES = 2e-3  # share of frames that may differ: one per window; seen: one frame in 21 windows
LOG_PROBS_MEAN, LOG_PROBS_WORST = 0.05, 1.0  # seen: 0.014 and 0.18
COSINE = 1e-3  # from 1, on real speech; seen: 1e-5
SLICES = 8  # in a whole graph; FluidAudio's embedding model has 1001
FLOAT32_OPERATIONS = ("log", "softmax", "sqrt", "rsqrt", "exp")
FOREIGN = ("custom_layer", "as_strided")


class EvaluatedModel:
    """A replacement for `coremltools.models.MLModel` on systems without Core ML."""

    def __init__(self, package: Path) -> None:
        from coremltools.models.utils import load_spec

        self.program = read_program(package)
        self._spec = load_spec(str(package))

    def get_spec(self) -> Any:
        """The saved specification."""
        return self._spec

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Outputs by name."""
        return evaluate(self.program, inputs)


def open_evaluated(name: str, package: Path) -> CoreMLGraph:
    """A graph of `RECIPES` from its saved package."""
    return CoreMLGraph(RECIPES[name].graph, EvaluatedModel(package))


def converted(name: str, folder: Path) -> list[Check]:
    """Convert one graph, save its package in a folder, and check it."""
    [(_, package)] = coreml.build(folder, {name: RECIPES[name].module()})
    return list(checks(name, package))


def checks(name: str, package: Path) -> Iterator[Check]:
    """All checks of a package; an exception counts as a failed check."""
    try:
        model = EvaluatedModel(package)
        yield from _islands(name, model.program)
        graph = CoreMLGraph(RECIPES[name].graph, model)
        if name == "sinc_peaks":
            yield from _peaks(graph)
        elif RECIPES[name].graph in FLOAT32_GRAPHS:
            yield from _small(RECIPES[name].graph, graph)
        else:
            yield from _large(name, graph)
    except Exception as error:  # a broken package may raise any error
        yield Check(f"stopped by {type(error).__name__}: {error}", np.inf, EXACT)


def _islands(name: str, program: Program) -> Iterator[Check]:
    """Every operation has the planned precision, and is supported by Core ML."""
    counts = operation_counts(program)
    foreign = sum(counts.get(kind, 0) for kind in FOREIGN)
    yield Check("custom layers and strided views", foreign, EXACT)
    slices = sum(number for kind, number in counts.items() if kind.startswith("slice"))
    yield Check("slices", slices, SLICES)
    halves = [op for op in program.operations if op.outputs[0].type.dtype == "float16"]
    delicate = [op for op in halves if op.type in FLOAT32_OPERATIONS]
    yield Check("logarithms, roots and exponentials in float16", len(delicate), EXACT)
    convolutions = [op for op in program.operations if op.type in {"conv", "linear", "lstm"}]
    half = [op for op in convolutions if op.outputs[0].type.dtype == "float16"]
    if RECIPES[name].graph in FLOAT32_GRAPHS:
        yield Check("operations in float16", len(halves), EXACT)
        return
    # the filter bank is two convolutions; all trained layers compute in float16
    whole = 2 if "dimension" in RECIPES[name].geometry else 0
    yield Check("layers in float32", len(convolutions) - len(half), whole)


def _small(name: str, graph: CoreMLGraph) -> Iterator[Check]:
    shortest = RANGES["samples"][0]
    cases: dict[str, Iterable[tuple[Array, ...]]] = {
        "powerset_decode": ((scores,) for scores in hardest_scores()),
        "embedding_inputs": (c for c in input_cases() if c[0].shape[2] >= shortest),
        "post_embedding": post_cases(),
    }
    ports = [port.name for port in SPECS[name].inputs]
    gaps = {port.name: 0.0 for port in SPECS[name].outputs}
    compute = getattr(reference, name)
    for arrays in cases[name]:
        expected = compute(*arrays)
        found = graph.run(dict(zip(ports, arrays, strict=True)))
        for output, gap in gaps.items():
            gaps[output] = max(gap, worst(found[output], expected[output]))
    for output, gap in gaps.items():
        yield Check(f"{output} = NumPy", gap, DISTANCE if output == "distances" else EXACT)


def _peaks(graph: CoreMLGraph) -> Iterator[Check]:
    """Peaks of batches that fit or are split, with the length of a stream's windows or any."""
    for batch, length in ((1, 29_070), (3, 29_070), (17, 4_001)):
        sound = _speech("sinc_peaks", batch, length)["waveform"]
        gap = worst(graph.run({"waveform": sound})["peaks"], peaks_by_numpy(sound))
        allowed = PEAKS * float(np.abs(sound).max())
        yield Check(f"peaks = NumPy, {batch} x {length} samples", gap, allowed)


def _large(name: str, graph: CoreMLGraph) -> Iterator[Check]:
    """Real speech in batches that fit, are padded, or are split."""
    recipe = RECIPES[name]
    lengths = (WINDOW, 16_321) if recipe.graph == "embedding" else (WINDOW, WINDOW // 2)
    for batch, length in ((1, lengths[0]), (3, lengths[0]), (17, lengths[1])):
        inputs = _speech(recipe.graph, batch, length)
        found, expected = graph.run(inputs), _expected(name, batch, length)
        for port, array in zip(SPECS[recipe.graph].outputs, expected, strict=True):
            label = f"{port.name}, {batch} x {length} samples"
            yield from _compared(label, found[port.name], array)


@cache
def _expected(name: str, batch: int, length: int) -> tuple[Array, ...]:
    """The module's outputs for `_speech`."""
    inputs = _speech(RECIPES[name].graph, batch, length)
    with torch.no_grad():
        out = RECIPES[name].module()(*map(torch.from_numpy, inputs.values()))
    return tuple(x.numpy() for x in (out if isinstance(out, tuple) else (out,)))


def _speech(graph: str, batch: int, length: int) -> dict[str, Array]:
    audio = speech()
    rows = [cut(audio, 112_000 + 15_000 * row, length) for row in range(batch)]
    inputs = {"waveform": np.stack(rows)[:, None]}
    if graph == "embedding":
        frames = length // 270
        masks = np.zeros((batch, 3, frames), np.float32)
        masks[:, 0], masks[:, 1, : frames // 2], masks[:, 2, frames // 3 : frames // 2] = 1, 1, 1
        inputs["masks"] = masks
    if graph == "segmentation_from_peaks":  # at different loudness
        inputs["waveform"] *= np.float32(0.1) ** (np.arange(batch) % 4)[:, None, None]
        inputs = with_peaks(inputs)
    return inputs


def _compared(label: str, found: Array, expected: Array) -> Iterator[Check]:
    if found.shape != expected.shape:
        yield Check(f"{label}: found {found.shape}, expected {expected.shape}", np.inf, EXACT)
    elif label.startswith("log_probs"):
        differing = float((found.argmax(-1) != expected.argmax(-1)).mean())
        yield Check(f"{label}: frames with another best class", differing, FRAMES)
        gaps = np.abs(found - expected)
        yield Check(f"{label}: mean difference", float(gaps.mean()), LOG_PROBS_MEAN)
        yield Check(f"{label}: largest difference", worst(found, expected), LOG_PROBS_WORST)
    elif label.startswith("masks"):
        differing = float((found != expected).any(axis=-1).mean())
        yield Check(f"{label}: frames that differ", differing, FRAMES)
    else:
        spoken = np.any(expected != 0, axis=-1)
        yield Check(f"{label}: no slot speaks", float(not spoken.any()), EXACT)
        yield Check(f"{label}: silent slots", worst(found[~spoken], expected[~spoken]), EXACT)
        yield Check(f"{label}: cosine", cosine_gap(found[spoken], expected[spoken]), COSINE)
