"""Every variant of every graph in the report, and how it is opened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from hocket import Diarizer
from hocket.audio.reading import read_audio
from hocket.backends import (
    REFERENCES,
    ReferenceGraph,
    open_onnx,
    open_openvino,
    this_processor,
)
from hocket.config import Config, Runtime, SubsegmentConfig
from hocket.graph import Graph, Tensors
from hocket_forge import counts, quantize
from hocket_forge.coreml import FLOAT32_GRAPHS
from hocket_forge.coreml_parity import open_evaluated
from hocket_forge.coreml_program import operation_counts, read_program
from hocket_forge.export import export
from hocket_forge.graphs import RECIPES
from hocket_forge.manifest import read_artefacts
from hocket_forge.parity.common import Array
from hocket_forge.rows import Row
from hocket_forge.sources import ForgeError

ONNX, CORE_ML, OPENVINO, NUMPY = "ONNX Runtime", "Core ML", "OpenVINO", "NumPy"
DECIDING = ("segmentation", "embedding-campplus-local")
"""The graphs that decide turns; their variants have a DER."""
SHARING = "segmentation_from_peaks"
"""The first of them for windows that share their sinc features."""
CALIBRATION_PIECES = 160
CALIBRATION_SAMPLES = 48_000  # every piece is repeated to three seconds, so all have one shape


@dataclass(frozen=True)
class Candidate:
    """A row of the report without its measured figures, and the graph to measure."""

    row: Row
    open: Callable[[], Graph]


def shipped() -> Iterator[Candidate]:
    """The files in the repository on ONNX Runtime, and their fallbacks in NumPy."""
    for name, model in read_artefacts().items():
        placed = "wespeaker" in name
        half = "campplus" in name
        status = "ships; weights are the user's to place" if placed else "ships"
        precision = "float16 weights" if half else "float32"
        yield _onnx(name, precision, status, model)
        if (graph := RECIPES[name].graph) in REFERENCES:
            row = Row(name, NUMPY, "float64", "ships; runs where the file is absent", 0, {}, 0)
            yield Candidate(row, _opener(ReferenceGraph, graph))


def packages(folder: Path) -> Iterator[Candidate]:
    """The Core ML packages that `make coreml` built."""
    macs = {c.row.name: c.row.macs for c in shipped() if c.row.runtime == ONNX}
    for name, recipe in RECIPES.items():
        package = folder / f"{name}.mlpackage"
        content = package / "Data" / "com.apple.CoreML"
        files = (content / "model.mlmodel", content / "weights" / "weight.bin")
        size = sum(file.stat().st_size for file in files if file.exists())
        precision = "float32" if recipe.graph in FLOAT32_GRAPHS else "float16"
        row = Row(
            name=name,
            runtime=CORE_ML,
            precision=precision,
            status="built by make coreml",
            bytes=size,
            operations=operation_counts(read_program(package)),
            macs=macs[name],
        )
        yield Candidate(row, _opener(open_evaluated, name, package))


def variants(calibration: Path) -> Iterator[Candidate]:
    """Post-training variants of the graphs that decide turns; int8 uses recordings in a folder."""
    segmentation, embedding = _exact()
    made: list[tuple[str, str, Callable[[], ModelProto]]] = [
        (DECIDING[1], "float32", lambda: embedding),
        (DECIDING[0], "float16 weights", lambda: quantize.half_weights(segmentation)),
        (DECIDING[0], "int8 weights", lambda: quantize.int8_weights(segmentation)),
        (DECIDING[1], "int8 weights", lambda: quantize.int8_weights(embedding)),
    ]
    exact = dict(zip(DECIDING, (segmentation, embedding), strict=True))
    macs = {name: counts.multiplications(exact[name], _example(name)) for name in DECIDING}
    for name, precision, make in made:
        yield _onnx(name, precision, "measured", make(), macs[name])
    yield from (candidate for candidate, _ in int8(calibration))
    for name in DECIDING:
        for precision in ("float32", "bfloat16") if this_processor().bfloat16 else ("float32",):
            plain = _onnx(name, precision, "measured", exact[name], macs[name]).row
            row = replace(plain, runtime=OPENVINO)
            yield Candidate(row, _opener(_openvino, name, exact[name], precision))


def int8(calibration: Path) -> Iterator[tuple[Candidate, ModelProto]]:
    """The int8 variants, and their files."""
    segmentation, embedding = _exact()
    pieces = calibration_pieces(calibration)
    sharing = export(SHARING, RECIPES[SHARING])
    made = (
        (DECIDING[0], segmentation, quantize.int8_segmentation(segmentation)),
        (SHARING, sharing, quantize.int8_segmentation(sharing)),
        (DECIDING[1], embedding, quantize.int8_embedding(embedding, pieces)),
    )
    for name, exact, model in made:
        macs = counts.multiplications(exact, _example(name))
        yield _onnx(name, "int8", "measured", model, macs), model


def _exact() -> tuple[ModelProto, ModelProto]:
    """The deciding graphs in float32."""
    segmentation, embedding = (
        export(name, replace(RECIPES[name], half_weights=False)) for name in DECIDING
    )
    return segmentation, embedding


def calibration_pieces(folder: Path) -> list[dict[str, Array]]:
    """Single-speaker regions of recordings as the pipeline finds them, up to three seconds of each.

    Silence and overlapping speech are not embedded, and would widen the ranges that int8 has to
    cover. Subsegments of 1.2 s repeated to 3 s were worse: a lowest cosine of 0.935, not 0.980.
    """
    files = sorted(folder.rglob("*.flac")) + sorted(folder.rglob("*.wav"))
    longest = CALIBRATION_SAMPLES / 16_000
    subsegments = SubsegmentConfig(length_s=longest, hop_s=longest, crop_s=longest)
    recorder = _InputRecorder(Diarizer(Config(subsegments=subsegments), Runtime(threads=1)))
    for file in files:
        recorder.diarizer.infer(read_audio(file, target_rate=16_000))
    if len(recorder.inputs) < CALIBRATION_PIECES:
        raise ForgeError(
            f"{folder}: found {len(recorder.inputs)} pieces of one voice, "
            f"need {CALIBRATION_PIECES}; add recordings"
        )
    chosen = np.random.default_rng(0).permutation(len(recorder.inputs))[:CALIBRATION_PIECES]
    everything = np.ones((1, 1, 1), np.float32)
    return [
        {
            "waveform": np.resize(recorder.inputs[index], CALIBRATION_SAMPLES)[None, None],
            "masks": everything,
        }
        for index in chosen.tolist()
    ]


class _InputRecorder:
    """Wraps the embedding graph of a Diarizer, and keeps its inputs."""

    def __init__(self, diarizer: Diarizer) -> None:
        self.diarizer, self._graph = diarizer, diarizer.embedding_graph
        self.spec = self._graph.spec
        metadata = self._graph.metadata.items()  # without sound_step, every call has one piece
        self.metadata = {key: value for key, value in metadata if key != "sound_step"}
        self.inputs: list[Array] = []
        diarizer.embedding_graph = self

    def run(self, inputs: Tensors) -> dict[str, Array]:
        self.inputs += list(inputs["waveform"][:, 0])
        return self._graph.run(inputs)


def _openvino(name: str, model: ModelProto, precision: str) -> Graph:
    content = model.SerializeToString()
    one = Runtime(threads=1)
    return open_openvino(RECIPES[name].graph, content, {}, precision, one, this_processor())


def _onnx(
    name: str, precision: str, status: str, model: ModelProto, macs: int | None = None
) -> Candidate:
    row = Row(
        name=name,
        runtime=ONNX,
        precision=precision,
        status=status,
        bytes=model.ByteSize(),
        operations=counts.operation_counts(model),
        macs=counts.multiplications(model, _example(name)) if macs is None else macs,
    )
    content = model.SerializeToString()
    return Candidate(row, _opener(open_onnx, RECIPES[name].graph, content, {}))


def _example(name: str) -> dict[str, Array]:
    recipe = RECIPES[name]
    return counts.example_inputs(recipe.graph, recipe.geometry.get("dimension", 192))


def _opener(make: Callable[..., Graph], *arguments: Any) -> Callable[[], Graph]:
    return lambda: make(*arguments)
