"""PyTorch modules to Core ML packages: enumerated shapes, float16 with float32 islands.

These parts stay in float32:

- the filter bank and its mean: energies exceed the range of float16, with large errors in their
  logarithms;
- sinc filters of waveforms that are not normalized, and the normalization of their outputs;
- the logarithm of softmax;
- statistics pooling, a sum of squares over hundreds of frames;
- the small graphs: rounding would make scores tie, change samples that only pass through, and move
  lengths across thresholds.
"""

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from copy import deepcopy
from io import StringIO
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from hocket.graph import SPECS, Port
from hocket_forge import fbank, peaks, pyannet, wespeaker
from hocket_forge.export import metadata
from hocket_forge.fused import Fused, SegmentationMasks
from hocket_forge.graphs import RECIPES, segmentation_network
from hocket_forge.weights import placed_layout

if TYPE_CHECKING:
    from hocket.models import Artefact

BATCHES = (1, 4, 16)
WINDOW = pyannet.WINDOW_SAMPLES
WINDOW_FRAMES, HALF_FRAMES = pyannet.frame_count(WINDOW), pyannet.frame_count(WINDOW // 2)
ISLANDS = frozenset({"fbank", "normalisation", "levelling", "pooling", "log_softmax"})
FLOAT32_GRAPHS = frozenset({"sinc_peaks", "powerset_decode", "embedding_inputs", "post_embedding"})
PARTS = frozenset({"sinc_peaks"})  # graphs whose inputs have any length, not that of a window

RANGES: Mapping[str, tuple[int, int]] = {
    "samples": (fbank.FRAME_SAMPLES, 6 * WINDOW),
    "places": (1, peaks.place_count(6 * WINDOW)),
    "windows": (1, max(BATCHES)),
    "frames": (1, 4_000),
    "slots": (1, 16),
    "speakers": (1, 10_000),
    "dimension": (1, 1_024),
}
"""Least and greatest length of axes that are not enumerated."""


def convert(name: str, module: nn.Module, *, half: bool = True) -> Any:
    """A Core ML model of one of `RECIPES`, not yet saved.

    The module is copied first: coremltools 9.0 changes the running mean of a batch norm without
    scale in place.

    Args:
        name: a key of `RECIPES`.
        module: the network, with its weights.
        half: float16 outside the islands; otherwise all float32.
    """
    with _quiet():
        import coremltools

        recipe = RECIPES[name]
        spec = SPECS[recipe.graph]
        axes = {
            axis: coremltools.RangeDim(*bounds, default=_default(axis), symbol=axis)
            for axis, bounds in RANGES.items()
        }
        ports = [
            coremltools.TensorType(
                name=port.name,
                dtype=np.float32,
                shape=_shape(coremltools, port, recipe.graph, axes),
            )
            for port in spec.inputs
        ]
        model = coremltools.convert(
            _traced(deepcopy(module), spec.inputs),
            inputs=ports,
            outputs=[
                coremltools.TensorType(name=port.name, dtype=np.float32) for port in spec.outputs
            ],
            convert_to="mlprogram",
            minimum_deployment_target=coremltools.target.iOS17,
            compute_precision=_precision(coremltools, half and recipe.graph not in FLOAT32_GRAPHS),
            skip_model_load=True,
        )
    model.user_defined_metadata.update(metadata(recipe))
    model.author = "hocket"
    model.short_description = f"{recipe.graph}: see the README beside this package"
    return model


def build(folder: Path, modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, Path]]:
    """Convert and save every graph, one after the other; yields names and packages."""
    for name, module in modules.items():
        package = folder / f"{name}.mlpackage"
        rmtree(package, ignore_errors=True)
        model = convert(name, module)
        folder.mkdir(parents=True, exist_ok=True)
        model.save(str(package))
        _open_to_readers(package)
        yield name, package


def _open_to_readers(package: Path) -> None:
    """Let all users read the package: coremltools gives access to the owner only."""
    for path in (package, *package.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def export(
    artefacts: "list[Artefact]", weights: Mapping[str, Mapping[str, bytes]], folder: Path
) -> list[str]:
    """The exporter of `hocket models export --to coreml`; see `hocket.models.export.Exporter`."""
    modules = {artefact.name: RECIPES[artefact.name].module() for artefact in artefacts}
    for name in modules:
        if placed := weights[name].get("wespeaker-resnet34.weights"):
            modules[name] = _with_placed(name, placed)
    return [package.name for _, package in build(folder, modules)]


def _with_placed(name: str, content: bytes) -> nn.Module:
    """A graph with the user's weights instead of those drawn by a rule."""
    state = {
        place.name: torch.from_numpy(
            np.frombuffer(content, np.float32, math.prod(place.shape), place.offset).copy()
        ).reshape(place.shape)
        for place in placed_layout()
    }
    network = wespeaker.load_resnet34(state)
    if RECIPES[name].graph == "embedding":
        return network
    return Fused(SegmentationMasks(segmentation_network()), network).eval()


def _default(axis: str) -> int:
    defaults = {
        "samples": WINDOW,
        "places": peaks.place_count(WINDOW),
        "frames": WINDOW_FRAMES,
        "slots": 3,
        "dimension": 192,
    }
    return defaults.get(axis, 1)


def _shape(coremltools: Any, port: Port, graph: str, axes: Mapping[str, Any]) -> Any:
    """Enumerated shapes for a single input of windows; ranges for several inputs or any length.

    Before iOS 18, a model with an enumerated input may have no other flexible input.
    """
    if len(SPECS[graph].inputs) > 1 or graph in PARTS:
        return tuple(int(axis) if axis.isdigit() else axes[axis] for axis in port.axes)
    lengths = {"samples": (WINDOW, WINDOW // 2), "frames": (WINDOW_FRAMES, HALF_FRAMES)}
    free = next(axis for axis in port.axes if axis in lengths)
    shapes = [
        tuple({"windows": batch, free: length}.get(a) or int(a) for a in port.axes)
        for length in lengths[free]
        for batch in BATCHES
    ]
    return coremltools.EnumeratedShapes(shapes, default=shapes[0])


def _traced(module: nn.Module, ports: tuple[Port, ...]) -> torch.jit.ScriptModule:
    shapes = [[int(a) if a.isdigit() else _default(a) for a in port.axes] for port in ports]
    example = tuple(torch.zeros(shape) for shape in shapes)
    with torch.no_grad():
        traced: torch.jit.ScriptModule = torch.jit.trace(  # type: ignore[no-untyped-call]
            module.eval(), example, check_trace=False
        )
    return traced


def _precision(coremltools: Any, half: bool) -> Any:
    if not half:
        return coremltools.precision.FLOAT32
    from coremltools.converters.mil.mil.scope import ScopeSource

    def outside_islands(operation: Any) -> bool:
        scopes = operation.scopes.get(ScopeSource.TORCHSCRIPT_MODULE_NAME, [])
        return ISLANDS.isdisjoint(scopes)

    return coremltools.transform.FP16ComputePrecision(op_selector=outside_islands)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide progress bars, and warnings about parts of coremltools that exist only on macOS."""
    with warnings.catch_warnings(), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        yield
