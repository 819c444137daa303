"""Parity of the segmentation graphs: with pyannote.audio, and with the modules."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import onnx
import torch
from onnx import ModelProto

from hocket.backends.reference import powerset_decode as reference_decode
from hocket_forge.graphs import segmentation_network
from hocket_forge.parity.common import EXACT, TORCH, Array, Check, cut, golden, run, speech, worst

LOG_PROBS = 1e-4  # seen: 9e-5; pyannote's own float32 is 7e-5 from float64 on these windows
LENGTHS = ((1, 160_000), (3, 160_000), (5, 48_007), (2, 1_261))


def batches() -> Iterator[tuple[str, Array]]:
    """Speech in batches and lengths with which no graph was traced, and labels for them."""
    audio = speech()
    for batch, length in LENGTHS:
        rows = [cut(audio, 20_000 * row, length) for row in range(batch)]
        yield f"{batch} x {length} samples", np.stack(rows)[:, None]


def golden_windows() -> Array:
    """The windows whose log-probabilities were recorded, (11, 1, 160000)."""
    audio = speech()
    starts = golden("segmentation")["starts"]
    return np.stack([cut(audio, start, 160_000) for start in starts])[:, None]


def log_probs_of(waveform: Array) -> Array:
    """The module's output for a waveform."""
    with torch.no_grad():
        log_probs: Array = (
            segmentation_network()(torch.from_numpy(waveform)).log_softmax(-1).numpy()
        )
    return log_probs


def exact_log_probs_of(waveform: Array) -> Array:
    """The module's output in float64; in float32 it depends on the processor."""
    network = deepcopy(segmentation_network()).double()
    with torch.no_grad():
        log_probs: Array = network(torch.from_numpy(waveform).double()).log_softmax(-1).numpy()
    return log_probs


def segmentation(model: ModelProto) -> Iterator[Check]:
    """Log-probabilities as in pyannote.audio, and as in the module for any batch and length."""
    found = run(model, golden_windows())[0]
    yield Check(
        "log-probabilities = pyannote.audio",
        worst(found, golden("segmentation")["log_probs"]),
        LOG_PROBS,
    )
    for label, waveform in batches():
        gap = worst(run(model, waveform)[0], log_probs_of(waveform))
        yield Check(f"log-probabilities = PyTorch, {label}", gap, TORCH)


def powerset_decode(model: ModelProto) -> Iterator[Check]:
    """Every class, every tie and random scores, as in the NumPy reference."""
    classes = np.eye(7, dtype=np.float32)[None]
    expected = golden("segmentation")["mapping"].astype(np.float32)
    yield Check("every class = pyannote's slots", worst(run(model, classes)[0][0], expected), EXACT)
    for label, log_probs in zip(("ties", "any scores", "-inf"), hardest_scores(), strict=True):
        reference = reference_decode(log_probs)["masks"]
        yield Check(f"masks = NumPy, {label}", worst(run(model, log_probs)[0], reference), EXACT)


def hardest_scores() -> tuple[Array, Array, Array]:
    """Class scores with many ties, random class scores, and scores that are mostly -inf."""
    generator = np.random.default_rng(5)
    ties = generator.integers(0, 3, (4, 589, 7)).astype(np.float32)
    scores = generator.standard_normal((4, 589, 7)).astype(np.float32)
    impossible = np.where(scores > 1, scores, -np.inf).astype(np.float32)
    return ties, scores, impossible


def segmentation_masks(model: ModelProto) -> Iterator[Check]:
    """Masks as in pyannote.audio, and as in the module for any batch and length."""
    windows = golden_windows()
    found = run(model, windows)[0]
    yield Check(
        "masks = pyannote.audio, frames", worst(found, golden("segmentation")["masks"]), EXACT
    )
    scores = run(with_scores(model), windows)[0]
    log_probs: Array = torch.from_numpy(scores).log_softmax(-1).numpy()
    gap = worst(log_probs, golden("segmentation")["log_probs"])
    yield Check("log-probabilities = pyannote.audio", gap, LOG_PROBS)
    yield from powerset_decode(_tail(model))
    for label, waveform in batches():
        expected = reference_decode(log_probs_of(waveform))["masks"]
        yield Check(f"masks = PyTorch, {label}", worst(run(model, waveform)[0], expected), EXACT)


def with_scores(model: ModelProto) -> ModelProto:
    """The same graph, with the scores that it decodes as its only output."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    decoded = next(node for node in probe.graph.node if node.op_type == "ArgMax").input[0]
    del probe.graph.output[:]
    probe.graph.output.append(
        onnx.helper.make_tensor_value_info(decoded, onnx.TensorProto.FLOAT, None)
    )
    return probe


def _tail(model: ModelProto) -> ModelProto:
    """The end of the graph, from class scores to masks."""
    decode = next(node for node in model.graph.node if node.op_type.startswith("Arg"))
    extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    tail: ModelProto = extractor.extract_model([decode.input[0]], [model.graph.output[0].name])
    return tail
