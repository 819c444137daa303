"""Example inputs for every graph. The README beside exported graphs shows this code."""

import numpy as np
from numpy.typing import NDArray

Inputs = dict[str, NDArray[np.float32]]


def voice() -> NDArray[np.float32]:
    """Two seconds of silence, then eight of babble: 4 syllables a second, pitch about 120 Hz."""
    seconds = np.arange(160_000) / 16_000
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.7 * seconds)
    phase = 2 * np.pi * np.cumsum(pitch) / 16_000
    opening = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * seconds)
    formants = (400 + 300 * opening, 1800 - 700 * np.sin(2 * np.pi * 1.3 * seconds))
    sound = sum(
        np.sin(k * phase) / k * np.exp(-(((k * pitch - formant) / 220) ** 2))
        for k in range(1, 30)
        for formant in formants
    )
    samples: NDArray[np.float32] = (opening * sound / 2 * (seconds >= 2)).astype(np.float32)
    return samples


def one_window() -> Inputs:
    """The babble as one window."""
    return {"waveform": voice()[None, None]}


def window_and_peaks() -> Inputs:
    """The babble, with peaks of 0.01 wherever it sounds; `sinc_peaks` computes real ones."""
    peaks = np.full((1, 160, 5_325), 0.01, np.float32)
    peaks[..., : 2 * 16_000 // 30] = 0
    return {"waveform": voice()[None, None], "peaks": peaks}


def window_and_masks() -> Inputs:
    """The babble; slot 0 speaks in its first half, slot 1 in its second half, slot 2 never."""
    masks = np.zeros((1, 3, 589), np.float32)
    masks[0, 0, 120:350] = 1
    masks[0, 1, 350:] = 1
    return {"waveform": voice()[None, None], "masks": masks}


def two_frames_of_classes() -> Inputs:
    """Frame 0: class 4 (slots 0 and 1) is most probable. Frame 1: all tie, so no slot speaks."""
    log_probs = np.full((1, 2, 7), np.log(1 / 7), np.float32)
    log_probs[0, 0] = np.log([0.1, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1])
    return {"log_probs": log_probs}


def overlapping_masks() -> Inputs:
    """Four frames; slots 0 and 1 overlap in the third."""
    masks = np.array([[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]], np.float32)
    return {"audio": np.linspace(-1, 1, 1600, dtype=np.float32)[None, None], "masks": masks}


def three_slots_two_speakers() -> Inputs:
    """Slot 0 is speaker 0, slot 1 is opposite to speaker 1, slot 2 has a zero embedding."""
    embeddings = np.zeros((3, 192), np.float32)
    embeddings[0, 0], embeddings[1, 1] = 2, -1
    database = np.eye(2, 192, dtype=np.float32)
    segments = np.zeros((1, 589, 3), np.float32)
    segments[0, 100:200, 0] = 1  # 1.7 s: kept
    segments[0, 300:340, 0] = 1  # 0.7 s: too short
    segments[0, 400:500, 1] = 1
    return {"embeddings": embeddings, "database": database, "segments": segments}


EXAMPLES = {
    "segmentation": one_window,
    "segmentation_masks": one_window,
    "sinc_peaks": one_window,
    "segmentation_from_peaks": window_and_peaks,
    "fused": one_window,
    "embedding": window_and_masks,
    "powerset_decode": two_frames_of_classes,
    "embedding_inputs": overlapping_masks,
    "post_embedding": three_slots_two_speakers,
}
"""A function that makes inputs, for each graph."""
