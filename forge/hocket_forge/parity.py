"""Checks an artefact must pass before it is written, and again in CI.

Each compares with something the module was not made from: arrays recorded from the reference
implementations, kaldi-native-fbank, a NumPy loop. Then the exported file is compared with the
module on batches and lengths it was not traced with.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import kaldi_native_fbank
import numpy as np
import onnx
import onnxruntime
import soundfile
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from hocket.graph import SPECS
from hocket_forge import oracle
from hocket_forge.fbank import SAMPLE_RATE, Fbank
from hocket_forge.graphs import RECIPES, embedding_network, segmentation_network
from hocket_forge.workspace import CONVERSATION, GOLDEN

Array = NDArray[np.float32]

LOG_PROBS = 1e-4  # seen: 9e-5; pyannote's own float32 is 7e-5 from float64 on these windows
LOGITS = 2e-4  # worst of any window, float32 on both sides; seen: 8e-5
FBANK_MAX = 1e-3  # one bin near the logarithm's floor; differences seen are 4e-4
FBANK_MEAN = 5e-5  # seen: 1e-5
EMBEDDING_COSINE = 1 - 1e-5  # weights rounded to float16; seen: 1 - 3e-6
EMBEDDING = 1e-2  # length of the difference by the same rounding; seen: 5e-3
DISTANCE = 2e-6  # float32 cosine of unit vectors against float64
EXACT = 0.0


@dataclass(frozen=True)
class Check:
    """One comparison: what was compared, the worst difference found, and the most allowed."""

    name: str
    found: float
    allowed: float

    @property
    def passed(self) -> bool:
        """Whether the difference is small enough; NaN never is."""
        return self.found <= self.allowed


def checks(name: str, model: ModelProto) -> Iterator[Check]:
    """All checks of one graph; one that cannot even be made counts as failed."""
    try:
        yield from _CHECKS[name](model)
    except Exception as error:  # a broken graph may break its check anyhow
        yield Check(f"stopped by {type(error).__name__}: {error}", np.inf, EXACT)


def _golden(name: str) -> dict[str, Array]:
    with np.load(GOLDEN / f"{name}.npz") as recorded:
        return dict(recorded)


def _run(model: ModelProto, *inputs: Array) -> list[Array]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    names = [port.name for port in session.get_inputs()]
    out: list[Array] = session.run(None, dict(zip(names, inputs, strict=True)))
    return out


def _speech() -> Array:
    samples, _ = soundfile.read(CONVERSATION, dtype="float32")
    speech: Array = samples
    return speech


def _cut(audio: Array, start: int, length: int) -> Array:
    """Samples from `start`, zero padded to `length`."""
    piece = audio[start : start + length]
    return np.pad(piece, (0, length - len(piece)))


def _worst(found: Array, expected: Array) -> float:
    """Largest difference; equal infinities differ by nothing, NaN and other shapes by infinity."""
    if found.shape != expected.shape:
        return np.inf
    with np.errstate(invalid="ignore"):
        gaps = np.where(found == expected, 0.0, np.abs(found - expected))
    return float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))


def _relative(found: Array, expected: Array) -> float:
    """Largest length of a row's difference, as a share of the row's length."""
    if found.shape != expected.shape:
        return np.inf
    gaps = np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)
    return float(np.nan_to_num(gaps, nan=np.inf).max())


def _cosine_gap(found: Array, expected: Array) -> float:
    """Largest 1 - cosine over rows, in float64."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return float(1 - cosine.min())


def _with_logits(model: ModelProto) -> ModelProto:
    """The same graph, giving the scores it decodes as its only output."""
    peeking = onnx.ModelProto()
    peeking.CopyFrom(model)
    decoded = next(node for node in peeking.graph.node if node.op_type == "ArgMax").input[0]
    del peeking.graph.output[:]
    peeking.graph.output.append(
        onnx.helper.make_tensor_value_info(decoded, onnx.TensorProto.FLOAT, None)
    )
    return peeking


def _decoded(model: ModelProto, scores: Array) -> Array:
    """What the end of the graph makes of class scores (B, F, 7)."""
    decode = next(node for node in model.graph.node if node.op_type.startswith("Arg"))
    tail = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    return _run(tail.extract_model([decode.input[0]], [model.graph.output[0].name]), scores)[0]


def _log_softmax(logits: Array) -> Array:
    log_probs: Array = torch.from_numpy(logits).log_softmax(-1).numpy()
    return log_probs


def _segmentation_masks(model: ModelProto) -> Iterator[Check]:
    golden = _golden("segmentation")
    audio = _speech()
    windows = np.stack([_cut(audio, start, 160_000) for start in golden["starts"]])[:, None]
    logits_of = _with_logits(model)
    log_probs = _log_softmax(_run(logits_of, windows)[0])
    yield Check(
        "log-probabilities = pyannote.audio", _worst(log_probs, golden["log_probs"]), LOG_PROBS
    )
    masks = _run(model, windows)[0]
    mapping = golden["mapping"].astype(np.float32)
    decoded = _decoded(model, np.eye(len(mapping), dtype=np.float32)[None])
    yield Check("every class = pyannote's slots", _worst(decoded[0], mapping), EXACT)
    tied = _decoded(model, np.zeros((1, 1, len(mapping)), np.float32))
    yield Check("the first class wins a tie", _worst(tied[0, 0], mapping[0]), EXACT)
    yield Check("masks = pyannote.audio, frames", _worst(masks, golden["masks"]), EXACT)
    for batch, length in ((1, 160_000), (3, 160_000), (5, 48_007), (2, 1_261)):
        piece = np.stack([_cut(audio, 20_000 * row, length) for row in range(batch)])[:, None]
        with torch.no_grad():
            expected = segmentation_network()(torch.from_numpy(piece)).numpy()
        found = _run(logits_of, piece)[0]
        yield Check(
            f"logits = PyTorch, {batch} x {length} samples", _worst(found, expected), LOGITS
        )


def _kaldi_fbank(audio: Array) -> Array:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = "povey"
    options.mel_opts.num_bins = 80
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(SAMPLE_RATE, audio.tolist())
    online.input_finished()
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


def _fbank() -> Iterator[Check]:
    audio = _speech()
    golden = _golden("fbank")
    start = int(golden["start"])
    cases = [("recorded", golden["povey_scale1"], _cut(audio, start, 160_000))]
    cases += [(f"{n} samples", _kaldi_fbank(audio[:n]), audio[:n]) for n in (400, 16_123, 480_000)]
    for label, expected, samples in cases:
        found = Fbank()(torch.from_numpy(samples)[None, None])[0].T.numpy()
        name = f"fbank = kaldi-native-fbank, {label}"
        yield Check(f"{name}, worst", _worst(found, expected), FBANK_MAX)
        yield Check(f"{name}, mean", float(np.abs(found - expected).mean()), FBANK_MEAN)


def _embedding(model: ModelProto) -> Iterator[Check]:
    yield from _fbank()
    audio = _speech()
    golden = _golden("campplus")
    for (start, end), expected in zip(golden["spans"], golden["embeddings"], strict=True):
        everything = np.ones((1, 1, 589), np.float32)
        found = _run(model, audio[None, None, start:end], everything)[0][0]
        gap = _cosine_gap(found, expected[None])
        yield Check(f"CAM++ = 3D-Speaker, samples {start}-{end}", gap, 1 - EMBEDDING_COSINE)
    yield from _embedding_batches(model, audio)


def _embedding_batches(model: ModelProto, audio: Array) -> Iterator[Check]:
    """Ragged masks: every slot of a batch as the module gives it, and as it is alone."""
    generator = np.random.default_rng(7)
    for batch, slots, frames, length in (
        (1, 1, 1, 16_000),
        (4, 3, 589, 160_000),
        (3, 2, 40, 33_333),
    ):
        waveform = np.stack([_cut(audio, 30_000 * row, length) for row in range(batch)])[:, None]
        ends = generator.integers(1, frames + 1, (batch, slots, 1))
        masks = (np.arange(frames) < ends).astype(np.float32)
        with torch.no_grad():
            expected = embedding_network()(*map(torch.from_numpy, (waveform, masks))).numpy()
        found = _run(model, waveform, masks)[0]
        name = f"{batch} x {slots} slots x {length} samples"
        yield Check(f"embeddings = PyTorch, {name}", _relative(found, expected), EMBEDDING)
        alone = np.concatenate(
            [_run(model, waveform[i : i + 1], masks[i : i + 1])[0] for i in range(batch)]
        )
        yield Check(f"embeddings in a batch = alone, {name}", _cosine_gap(found, alone), 1e-6)
    silent = _run(model, audio[None, None, :16_000], np.zeros((1, 3, 58), np.float32))[0]
    yield Check("empty masks give zero embeddings", _worst(silent, np.zeros_like(silent)), EXACT)


def _post_cases() -> Iterator[tuple[str, Array, Array, Array]]:
    generator = np.random.default_rng(11)
    for frames in (1, 58, 59, 60, 589, 1200):
        for speakers in (0, 1, 7):
            for dimension in (192, 256):
                embeddings = generator.standard_normal((3, dimension)).astype(np.float32)
                database = generator.standard_normal((speakers, dimension)).astype(np.float32)
                runs = np.repeat(generator.random((1, frames // 20 + 1, 3)) < 0.7, 20, axis=1)
                segments = runs[:, :frames].astype(np.float32)
                yield f"{frames} frames, {speakers} known", embeddings, database, segments
    odd = np.ones((6, 192), np.float32)
    odd[1], odd[2, 5], odd[3, 5], odd[4] = 0, np.nan, np.inf, 1e-3
    odd[5] = 1e30
    yield "zero, NaN, infinite, tiny and huge", odd, odd, np.ones((1, 100, 6), np.float32)


def _post_embedding(model: ModelProto) -> Iterator[Check]:
    worst = {port.name: 0.0 for port in SPECS["post_embedding"].outputs}
    for _, *inputs in _post_cases():
        expected = oracle.post_embedding(*inputs)
        for name, found in zip(worst, _run(model, *inputs), strict=True):
            worst[name] = max(worst[name], _worst(found, expected[name].astype(np.float32)))
    for name, gap in worst.items():
        yield Check(f"{name} = NumPy loop", gap, DISTANCE if name == "distances" else EXACT)


_CHECKS: dict[str, Callable[[ModelProto], Iterator[Check]]] = {
    "segmentation_masks": _segmentation_masks,
    "embedding": _embedding,
    "post_embedding": _post_embedding,
}
assert set(_CHECKS) == set(RECIPES), "no graph without parity"
