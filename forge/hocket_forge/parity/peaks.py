"""Parity of the segmentation in two parts: with NumPy, pyannote.audio and the whole network."""

from collections.abc import Iterator

import numpy as np
import torch
from onnx import ModelProto

from hocket_forge.graphs import segmentation_network
from hocket_forge.parity.common import Array, Check, golden, run, speech, worst
from hocket_forge.parity.segmentation import (
    LOG_PROBS,
    batches,
    exact_log_probs_of,
    golden_windows,
    log_probs_of,
)
from hocket_forge.peaks import PLACE_STEP, SincPeaks, place_count, sinc_filters

PEAKS = 4e-7  # of the loudest sample; seen: 2.5e-7
FROM_PEAKS = 5e-4  # seen: 2e-4, which is also PyTorch's difference from float64 (decision 2)
STEP = 28_890  # samples between windows that share peaks, as in a stream
WINDOW = 119_880


def peaks_by_numpy(waveform: Array) -> Array:
    """(B, 1, T) waveform -> (B, 160, P), computed in float64."""
    filters = sinc_filters(segmentation_network().sincnet).weight.detach().double().numpy()[:, 0]
    frames = np.lib.stride_tricks.sliding_window_view(waveform[:, 0].astype(np.float64), 251, 1)
    outputs = filters @ frames[:, ::10].transpose(0, 2, 1)
    threes = outputs[..., : outputs.shape[-1] // 3 * 3].reshape(*outputs.shape[:2], -1, 3)
    peaks: Array = np.concatenate([threes.max(-1), -threes.min(-1)], 1).astype(np.float32)
    return peaks


def peaks_of(waveform: Array) -> Array:
    """The module's output for a waveform."""
    with torch.no_grad():
        peaks: Array = SincPeaks(segmentation_network().sincnet)(torch.from_numpy(waveform)).numpy()
    return peaks


def sinc_peaks(model: ModelProto) -> Iterator[Check]:
    """Peaks as in NumPy and the module for any batch and length, also louder and with an offset."""
    for label, waveform in batches():
        for name, sound in ((label, waveform), (f"{label}, with an offset", waveform * 3 + 0.5)):
            found, allowed = run(model, sound)[0], PEAKS * float(np.abs(sound).max())
            yield Check(f"peaks = NumPy, {name}", worst(found, peaks_by_numpy(sound)), allowed)
            yield Check(f"peaks = PyTorch, {name}", worst(found, peaks_of(sound)), allowed)


def segmentation_from_peaks(model: ModelProto) -> Iterator[Check]:
    """Log-probabilities as in pyannote.audio and the whole network, also from shared peaks."""
    windows = golden_windows()
    found = run(model, windows, peaks_by_numpy(windows))[0]
    yield Check(
        "log-probabilities = pyannote.audio",
        worst(found, golden("segmentation")["log_probs"]),
        LOG_PROBS,
    )
    for label, waveform in batches():
        gap = worst(run(model, waveform, peaks_of(waveform))[0], log_probs_of(waveform))
        yield Check(f"log-probabilities = PyTorch, {label}", gap, FROM_PEAKS)
    yield from _shared(model)


def _shared(model: ModelProto) -> Iterator[Check]:
    """Windows of a sound whose peaks are computed once: loud, quiet, and with an offset."""
    for gain, offset in ((1.0, 0.0), (0.001, 0.0), (1.0, 0.1)):
        sound = (speech() * gain + offset).astype(np.float32)[None, None]
        peaks = peaks_of(sound)
        for start in range(0, 5 * STEP, STEP):
            window, first = sound[..., start : start + WINDOW], start // PLACE_STEP
            part = peaks[..., first : first + place_count(WINDOW)]
            gap = worst(run(model, window, part)[0], exact_log_probs_of(window))
            label = f"sample {start}, gain {gain:g}, offset {offset:g}"
            yield Check(f"log-probabilities from shared peaks, {label}", gap, FROM_PEAKS)


def with_peaks(inputs: dict[str, Array]) -> dict[str, Array]:
    """The inputs of `segmentation_from_peaks`: a window and its peaks."""
    return {**inputs, "peaks": peaks_of(inputs["waveform"])}
