"""Parity of the graphs around the networks: with NumPy, and with their parts."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from onnx import ModelProto

from hocket.backends import reference
from hocket.graph import SPECS
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.common import (
    EXACT,
    TORCH,
    Array,
    Check,
    cosine_gap,
    cut,
    relative,
    run,
    runner,
    speech,
    worst,
)
from hocket_forge.parity.segmentation import log_probs_of, with_scores

DISTANCE = 2e-6  # float32 cosine of unit vectors against float64
HALF_WEIGHTS = {"fused-campplus": 1e-2, "fused-wespeaker-resnet34": TORCH}
RANDOM_CASES = 1_000


def embedding_inputs(model: ModelProto) -> Iterator[Check]:
    """Random, all-overlap and all-zero masks of any length."""
    session, worst_gap = runner(model), 0.0
    for audio, masks in input_cases():
        expected = reference.embedding_inputs(audio, masks)
        for found, name in zip(session(audio, masks), expected, strict=True):
            worst_gap = max(worst_gap, worst(found, expected[name]))
    yield Check("waveforms and clean masks = NumPy", worst_gap, EXACT)


def input_cases() -> Iterator[tuple[Array, Array]]:
    """Audio and masks: in every frame no slot, some slots, or all slots speak."""
    generator = np.random.default_rng(3)
    for samples, frames in ((1, 1), (160_000, 589), (16_000, 58), (16_001, 58), (400, 1_200)):
        for share in (0.0, 0.4, 1.0):
            audio = generator.standard_normal((1, 1, samples)).astype(np.float32)
            masks = (generator.random((1, frames, 3)) < share).astype(np.float32)
            yield audio, masks


def post_embedding(model: ModelProto) -> Iterator[Check]:
    """Random and edge cases, as in the NumPy reference."""
    gaps = {port.name: 0.0 for port in SPECS["post_embedding"].outputs}
    session = runner(model)
    for case in post_cases():
        expected = reference.post_embedding(*case)
        for name, found in zip(gaps, session(*case), strict=True):
            gaps[name] = max(gaps[name], worst(found, expected[name]))
    for name, gap in gaps.items():
        yield Check(f"{name} = NumPy loop", gap, DISTANCE if name == "distances" else EXACT)


def post_cases() -> Iterator[tuple[Array, Array, Array]]:
    """Embeddings, database and segments: a grid of shapes, random shapes, and extreme numbers."""
    generator = np.random.default_rng(11)
    shapes = [(f, n, d) for f in (1, 58, 59, 60, 589, 1200) for n in (0, 1, 7) for d in (192, 256)]
    frames_and_speakers = generator.integers((1, 0), (700, 9), (RANDOM_CASES, 2)).tolist()
    shapes += [(frames, speakers, 192) for frames, speakers in frames_and_speakers]
    for frames, speakers, dimension in shapes:
        embeddings = generator.standard_normal((3, dimension)).astype(np.float32)
        database = generator.standard_normal((speakers, dimension)).astype(np.float32)
        lengths = generator.integers(1, 120, frames // 60 + 2)
        slots = [np.repeat(generator.random(len(lengths)) < 0.6, lengths) for _ in range(3)]
        shortest = min(frames, *map(len, slots))
        segments = np.stack([slot[:shortest] for slot in slots], axis=1)[None]
        yield embeddings, database, segments.astype(np.float32)
    extreme = np.ones((6, 192), np.float32)
    extreme[1], extreme[2, 5], extreme[3, 5], extreme[4] = 0, np.nan, np.inf, 1e-3
    extreme[5] = 1e30
    yield extreme, extreme, np.ones((1, 100, 6), np.float32)


@cache
def _fused_case(name: str, batch: int, length: int) -> tuple[Array, Array, Array]:
    """Speech, and the module's masks and embeddings for it."""
    audio = speech()
    rows = [cut(audio, 112_000 + 40_000 * row, length) for row in range(batch)]
    waveform = np.stack(rows)[:, None]
    with torch.no_grad():
        masks, embeddings = RECIPES[name].module()(torch.from_numpy(waveform))
    return waveform, masks.numpy(), embeddings.numpy()


def fused(name: str, model: ModelProto) -> Iterator[Check]:
    """Masks and embeddings as in the module, for several batches and lengths."""
    session = runner(model)
    for batch, length in ((1, 160_000), (3, 160_000), (2, 90_007)):
        waveform, masks, embeddings = _fused_case(name, batch, length)
        found_masks, found = session(waveform)
        label = f"{batch} x {length} samples"
        yield Check(f"masks = PyTorch, {label}", worst(found_masks, masks), EXACT)
        (scores,) = run(with_scores(model), waveform)
        gap = worst(torch.from_numpy(scores).log_softmax(-1).numpy(), log_probs_of(waveform))
        yield Check(f"log-probabilities = PyTorch, {label}", gap, TORCH)
        spoken = np.any(embeddings != 0, axis=-1)
        silent = worst(found[~spoken], embeddings[~spoken])
        yield Check(f"slots never alone, {label}, are zero", silent, EXACT)
        gap = relative(found[spoken], embeddings[spoken])
        yield Check(f"embeddings = PyTorch, {label}", gap, HALF_WEIGHTS[name])
        gap = cosine_gap(found[spoken], embeddings[spoken])
        yield Check(f"direction of embeddings = PyTorch, {label}", gap, 1e-5)
