"""Parity of the embedding graphs: with Kaldi, 3D-Speaker, WeSpeaker, and with the modules."""

from collections.abc import Iterator
from dataclasses import replace

import kaldi_native_fbank
import numpy as np
import torch
from onnx import ModelProto
from torch import nn

from hocket_forge.export import export
from hocket_forge.fbank import SAMPLE_RATE, Fbank, WindowShape
from hocket_forge.graphs import EMBEDDINGS, RECIPES, resnet34_network
from hocket_forge.parity.common import (
    EXACT,
    TORCH,
    Array,
    Check,
    cosine_gap,
    cut,
    golden,
    relative,
    run,
    runner,
    speech,
    worst,
)

FBANK_MAX = 1e-3  # one bin near the logarithm's floor; differences seen are 4e-4
FBANK_MEAN = 5e-5  # seen: 1e-5
COSINE = 1e-5  # from 1, with weights rounded to float16; seen: 3e-6
ROUNDED = 1e-2  # length of the difference due to that rounding; seen: 5e-3
LOCAL_SAMPLES = 12_800  # the longest sound that fits into the context of every local gate
RESNET34 = 1e-3  # length of the difference; seen: 3e-7
RESNET34_POOLED = 1e-5  # without the bias of the last layer; seen: 6e-7


def campplus(model: ModelProto) -> Iterator[Check]:
    """The shipped file against 3D-Speaker, and a float32 export against the module."""
    yield from _fbank("povey", 1.0)
    audio, expected = speech(), golden("campplus")
    everything = np.ones((1, 1, 589), np.float32)
    for (start, end), embedding in zip(expected["spans"], expected["embeddings"], strict=True):
        found = run(model, audio[None, None, start:end], everything)[0][0]
        gap = cosine_gap(found, embedding[None])
        yield Check(f"CAM++ = 3D-Speaker, samples {start}-{end}", gap, COSINE)
    recipe = RECIPES["embedding-campplus"]
    yield from _batches(model, EMBEDDINGS["campplus"](), ROUNDED, "float16 weights")
    exact = export("embedding-campplus", replace(recipe, half_weights=False))
    yield from _batches(exact, EMBEDDINGS["campplus"](), TORCH, "float32 weights")


def campplus_local(model: ModelProto) -> Iterator[Check]:
    """Local CAM++: equal to CAM++ on short sounds, and to the module on parts of longer ones."""
    published, local = EMBEDDINGS["campplus"](), EMBEDDINGS["campplus-local"]()
    exact = export(
        "embedding-campplus-local", replace(RECIPES["embedding-campplus-local"], half_weights=False)
    )
    audio = speech()
    for length in (400, 5_000, LOCAL_SAMPLES):
        waveform = np.stack([cut(audio, start, length) for start in (100_000, 300_000)])[:, None]
        everything = np.ones((2, 1, 1), np.float32)
        with torch.no_grad():
            expected = published(*map(torch.from_numpy, (waveform, everything))).numpy()
        found = run(exact, waveform, everything)[0]
        gap = relative(found, expected)
        yield Check(f"local CAM++ = CAM++ on {length} samples", gap, TORCH)
    yield from _batches(model, local, ROUNDED, "float16 weights")
    yield from _batches(exact, local, TORCH, "float32 weights")
    crop, subsegments = audio[None, None, 96_000:192_000], _subsegments(6.0)
    with torch.no_grad():
        expected = local(torch.from_numpy(crop), torch.from_numpy(subsegments)).numpy()
    found = run(exact, crop, subsegments)[0]
    yield Check("subsegments of a crop = PyTorch", relative(found, expected), TORCH)


def _subsegments(seconds: float) -> Array:
    """Masks (1, subsegments, hundredths of a second) of 1.2 s every 0.6 s."""
    starts = np.arange(0, round(100 * seconds) - 119, 60)[:, None]
    frame = np.arange(round(100 * seconds))
    return ((frame >= starts) & (frame < starts + 120)).astype(np.float32)[None]


def resnet34(model: ModelProto) -> Iterator[Check]:
    """With weights drawn by a rule, full and masked pooling as in pyannote's network."""
    yield from _fbank("hamming", 32768.0)
    expected = golden("wespeaker")
    start = int(expected["start"])
    waveform = speech()[None, None, start : start + 160_000]
    bias = resnet34_network().seg_1.bias.detach().numpy()
    cases = {
        "full": (np.ones((1, 1, 589), np.float32), expected["full"][None]),
        "masked": (expected["masks"][None].astype(np.float32), expected["masked"]),
    }
    for label, (masks, embeddings) in cases.items():
        found = run(model, waveform, masks)[0][0]
        spoken = masks[0].any(axis=1)
        silent = worst(found[~spoken], embeddings[~spoken])
        yield Check(f"ResNet34 = WeSpeaker, {label}, empty masks", silent, EXACT)
        gap = relative(found[spoken], embeddings[spoken])
        yield Check(f"ResNet34 = WeSpeaker, {label}", gap, RESNET34)
        gap = relative(found[spoken] - bias, embeddings[spoken] - bias)
        yield Check(f"ResNet34 = WeSpeaker, {label}, without bias", gap, RESNET34_POOLED)
    yield from _batches(model, resnet34_network(), TORCH, "float32 weights")


def _kaldi_fbank(audio: Array, window: WindowShape, scale: float) -> Array:
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.window_type = window
    options.mel_opts.num_bins = 80
    online = kaldi_native_fbank.OnlineFbank(options)
    online.accept_waveform(SAMPLE_RATE, (audio * scale).tolist())
    online.input_finished()
    return np.stack([online.get_frame(i) for i in range(online.num_frames_ready)])


def _fbank(window: WindowShape, scale: float) -> Iterator[Check]:
    audio, recorded = speech(), golden("fbank")
    start = int(recorded["start"])
    cases = [(f"{n} samples", audio[:n]) for n in (400, 16_123, 480_000)]
    expected = [_kaldi_fbank(samples, window, scale) for _, samples in cases]
    cases.append(("recorded", cut(audio, start, 160_000)))
    expected.append(recorded[f"{window}_scale{scale:.0f}"])
    for (label, samples), bins in zip(cases, expected, strict=True):
        found = Fbank(window, scale)(torch.from_numpy(samples)[None, None])[0].T.numpy()
        name = f"{window} fbank = kaldi-native-fbank, {label}"
        yield Check(f"{name}, worst", worst(found, bins), FBANK_MAX)
        yield Check(f"{name}, mean", float(np.abs(found - bins).mean()), FBANK_MEAN)


def _batches(
    model: ModelProto, network: nn.Module, allowed: float, weights: str
) -> Iterator[Check]:
    """Ragged masks: every slot of a batch as in the module, and as without the batch."""
    audio, generator, session = speech(), np.random.default_rng(7), runner(model)
    for batch, slots, frames, length in (
        (1, 1, 1, 16_000),
        (4, 3, 589, 160_000),
        (3, 2, 40, 33_333),
    ):
        waveform = np.stack([cut(audio, 30_000 * row, length) for row in range(batch)])[:, None]
        ends = generator.integers(1, frames + 1, (batch, slots, 1))
        masks = (np.arange(frames) < ends).astype(np.float32)
        with torch.no_grad():
            expected = network(*map(torch.from_numpy, (waveform, masks))).numpy()
        found = session(waveform, masks)[0]
        name = f"{batch} x {slots} slots x {length} samples, {weights}"
        yield Check(f"embeddings = PyTorch, {name}", relative(found, expected), allowed)
        alone = np.concatenate(
            [session(waveform[i : i + 1], masks[i : i + 1])[0] for i in range(batch)]
        )
        yield Check(f"embeddings in a batch = alone, {name}", cosine_gap(found, alone), 1e-6)
    silent = session(audio[None, None, :16_000], np.zeros((1, 3, 58), np.float32))[0]
    yield Check(f"empty masks, {weights}, give zeros", worst(silent, np.zeros_like(silent)), EXACT)
