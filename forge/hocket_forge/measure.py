"""Measured figures of the report: differences, cosines and DER, stored in bench/results."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hocket import Config, Diarizer
from hocket.config import GraphConfig, Runtime, WindowConfig
from hocket.graph import SPECS, Graph, Tensors
from hocket.models import load
from hocket_forge import candidates, rows
from hocket_forge.candidates import DECIDING, SHARING, Candidate
from hocket_forge.graphs import EMBEDDINGS, RECIPES
from hocket_forge.manifest import write_variant
from hocket_forge.rows import Row
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import PACKAGES, ROOT

RESULTS = ROOT / "bench" / "results" / "models.json"
REJECTED_OVER = 0.3  # points of DER


def measure(data: Path, calibration: Path) -> None:
    """Measure every figure that is not in the results; delete the file to measure all again.

    Args:
        data: corpus for the DER.
        calibration: simulated recordings of other voices, for int8.
    """
    results = read_results()
    for candidate in _all(calibration):
        known = results["rows"].get(candidate.row.key)
        if known and _is_current(known, candidate.row):
            continue
        print(candidate.row.key, flush=True)
        results["rows"][candidate.row.key] = _measured(candidate, data).as_json()
        _write(results, data, calibration)
    results["pooling"] = pooling()
    _write(results, data, calibration)


def publish(calibration: Path) -> None:
    """Write the int8 variants, each with its row of the results.

    Raises:
        ForgeError: a variant was not measured, or costs more than REJECTED_OVER.
    """
    measured = read_results()["rows"]
    exact = float32_der(measured)["all"]["der_percent"]
    for candidate, model in candidates.int8(calibration):
        row = measured.get(candidate.row.key)
        if row is None or row["bytes"] != candidate.row.bytes:
            raise ForgeError(f"{candidate.row.key}: not measured; run measure first")
        der = row["der"]["all"]["der_percent"]
        if der - exact > REJECTED_OVER:
            raise ForgeError(f"{candidate.row.key}: costs {der - exact:.2f} DER; not published")
        figures = ("differing", "cosine_mean", "cosine_worst")
        kept = {name: round(row[name], 5) for name in figures if row[name] is not None}
        write_variant(
            row["name"], row["precision"], model, {"der": der, "der_float32": exact, **kept}
        )


def read_results() -> dict[str, Any]:
    """The current results."""
    if not RESULTS.exists():
        return {"rows": {}, "pooling": {}}
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def float32_der(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Error rates in float32, from measured rows; ForgeError if they were not measured."""
    key = f"{DECIDING[0]} | {candidates.ONNX} | float32"
    der: dict[str, Any] | None = measured.get(key, {}).get("der")
    if der is None:
        raise ForgeError(f"{key}: has no DER; run 'python -m hocket_forge measure'")
    return der


def _is_current(known: Mapping[str, Any], row: Row) -> bool:
    """Whether a measured row is of this file and complete."""
    complete = known["der"] is not None or not _has_der(row)
    return known["bytes"] == row.bytes and complete


def _all(calibration: Path) -> Iterator[Candidate]:
    yield from candidates.shipped()
    yield from candidates.packages(PACKAGES)
    yield from candidates.variants(calibration)


def _measured(candidate: Candidate, data: Path) -> Row:
    graph, row = candidate.open(), candidate.row
    found: dict[str, Any] = rows.differences(row.name, graph)
    row = replace(row, **found)
    if _has_der(row):
        row = replace(row, der=_der(row, graph, data))
    return row


def _has_der(row: Row) -> bool:
    return row.name in DECIDING or row.precision == "int8"


def _der(row: Row, graph: Graph, data: Path) -> dict[str, Any]:
    """Error rates of the pipeline with this graph in place of the shipped one."""
    from bench.accuracy.der import Hypothesis, measure_errors
    from bench.corpus import Recording, Turn, find_recordings

    # one window per call in int8, as in Diarizer: windows of one call would share a scale
    windows = WindowConfig(batch=1) if row.precision == "int8" else WindowConfig()
    # the other graph is the shipped one in float32, on every machine
    plain = GraphConfig(precision="float32", backend="onnxruntime")
    diarizer = Diarizer(Config(graphs=plain, windows=windows))
    if row.name == SHARING:
        diarizer.segmentation_graph = _FromPeaks(graph)
    elif row.name == "segmentation":
        diarizer.segmentation_graph = graph
    else:
        diarizer.embedding_graph = graph

    class WithGraph:
        def describe(self) -> dict[str, object]:
            return {"name": "hocket", "graph": row.name}

        def __call__(self, recording: Recording) -> Hypothesis:
            turns = diarizer(str(recording.audio)).turns
            return Hypothesis([Turn(turn.start, turn.end, turn.speaker) for turn in turns])

    found = measure_errors(find_recordings(data), WithGraph(), lambda _: None)
    return {"all": found["all"], "kinds": found["kinds"], "audio_minutes": found["audio_minutes"]}


class _FromPeaks:
    """`segmentation` from the two graphs that compute it in parts."""

    def __init__(self, graph: Graph) -> None:
        self.spec, self.metadata, self._graph = SPECS["segmentation"], graph.metadata, graph
        exact = GraphConfig(precision="float32", backend="onnxruntime")
        self._filters = load("sinc_peaks", exact, Runtime(threads=1))

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        return self._graph.run({**inputs, **self._filters.run(inputs)})


class LinearPooling(nn.Module):
    """Statistics pooling as in FluidAudio: masks are interpolated to weights from 0 to 1."""

    def __init__(self, masks: Tensor) -> None:
        super().__init__()
        self.masks = masks

    def forward(self, features: Tensor, _: Tensor) -> Tensor:
        weights = functional.interpolate(self.masks, features.shape[-1], mode="linear")
        total = weights.sum(-1, keepdim=True).clamp_min(1e-8)
        mean = weights @ features.transpose(1, 2) / total
        centered = features[:, None] - mean[..., None]
        spread = (centered.square() * weights[:, :, None]).sum(-1)
        unbiased = total - weights.square().sum(-1, keepdim=True) / total
        deviation = (spread / unbiased.clamp_min(1e-8)).sqrt()
        return torch.cat([mean, deviation], dim=-1)


def pooling() -> dict[str, dict[str, float]]:
    """Cosines between embeddings pooled with nearest-frame masks and with interpolated masks."""
    found = {}
    inputs = RECIPES["embedding_inputs"].module()
    segmentation = RECIPES["segmentation_masks"].module()
    for name, network in EMBEDDINGS.items():
        module, cosines = network(), []
        nearest = module.pooling
        for window in rows.windows():
            with torch.no_grad():
                waveform = torch.from_numpy(window["waveform"])
                masks = inputs(waveform, segmentation(waveform))[1][None]
                module.pooling = nearest
                expected = module(waveform, masks).numpy()
                module.pooling = LinearPooling(masks)
                linear = module(waveform, masks).numpy()
                module.pooling = nearest
            cosines.append(rows.cosines_of(linear, expected))
        cosine = np.concatenate(cosines)
        found[name] = {"cosine_mean": float(cosine.mean()), "cosine_worst": float(cosine.min())}
    return found


def _write(results: Mapping[str, Any], data: Path, calibration: Path) -> None:
    from bench.accuracy.scoring import PROTOCOL
    from bench.environment import describe
    from bench.report import write_results

    header = {
        "command": "hocket_forge measure",
        "corpus": data.resolve().name,
        "calibration": calibration.resolve().name,
        "protocol": PROTOCOL,
        "environment": describe(),
    }
    write_results(RESULTS, {**results, **header})
