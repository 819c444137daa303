"""The shipped graphs compared with arrays recorded from the reference implementations.

segmentation.npz: pyannote.audio 4.0.7; campplus.npz: 3D-Speaker's CAM++. Both on the conversation.
"""

from functools import cache

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import models
from hocket.config import GraphConfig, Runtime
from hocket.geometry import Geometry
from hocket.graph import Graph
from tests.helpers.paths import CONVERSATION, GOLDEN

LOG_PROBS = 1e-4  # pyannote's own float32 is 7e-5 from float64 on these windows
COSINE = 0.9999


@cache
def conversation() -> NDArray[np.float32]:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    assert rate == 16_000
    return samples


def golden_windows() -> tuple[dict[str, NDArray], NDArray[np.float32]]:
    golden = dict(np.load(GOLDEN / "segmentation.npz"))
    padded = np.pad(conversation(), (0, 160_000))
    return golden, np.stack([padded[s : s + 160_000] for s in golden["starts"]])[:, None]


def load(name: str) -> Graph:
    return models.load(name, GraphConfig("campplus", "float32"), Runtime())


def test_masks_equal_pyannotes_in_every_frame() -> None:
    golden, windows = golden_windows()
    graph = load("segmentation_masks")
    masks = graph.run({"waveform": windows})["masks"]
    assert masks.shape == golden["masks"].shape
    assert np.array_equal(masks, golden["masks"])


def test_log_probabilities_equal_pyannotes() -> None:
    golden, windows = golden_windows()
    log_probs = load("segmentation").run({"waveform": windows})["log_probs"]
    assert log_probs.shape == golden["log_probs"].shape
    assert np.abs(log_probs - golden["log_probs"]).max() <= LOG_PROBS
    assert np.abs(np.exp(log_probs.astype(np.float64)).sum(axis=-1) - 1).max() <= 1e-5


def test_windows_that_share_sinc_features_give_what_pyannotes_give() -> None:
    """The features are computed once for the whole sound; each window takes its own."""
    golden, windows = golden_windows()
    sound = np.pad(conversation(), (0, 160_000))[None, None]
    peaks, graph = (
        load("sinc_peaks").run({"waveform": sound})["peaks"],
        load("segmentation_from_peaks"),
    )
    shared = 0
    for start, window, expected in zip(golden["starts"], windows, golden["log_probs"], strict=True):
        if start % 30 == 0:
            own = np.ascontiguousarray(peaks[..., start // 30 : start // 30 + 5_325])
            found = graph.run({"waveform": window[None], "peaks": own})["log_probs"][0]
            # both are up to 7e-5 from float64, not on the same side
            assert np.abs(found - expected).max() <= 2 * LOG_PROBS
            assert np.array_equal(found.argmax(axis=-1), expected.argmax(axis=-1))
            shared += 1
    assert shared >= 3


@pytest.mark.parametrize("crop", range(4))
def test_embeddings_have_the_direction_of_3d_speakers(crop: int) -> None:
    golden = np.load(GOLDEN / "campplus.npz")
    start, end = golden["spans"][crop]
    expected = golden["embeddings"][crop]
    graph = load("embedding")
    waveform = conversation()[None, None, start:end]
    found = graph.run({"waveform": waveform, "masks": np.ones((1, 1, 1), np.float32)})
    embedding = found["embeddings"][0, 0]
    cosine = embedding @ expected / np.linalg.norm(embedding) / np.linalg.norm(expected)
    assert cosine >= COSINE


def test_masks_restrict_what_an_embedding_covers() -> None:
    """One half under a mask equals that half as the input, except at the seam."""
    graph = load("embedding")
    whole = conversation()[None, None, 128_000:192_000]
    halves = np.repeat(np.eye(2, dtype=np.float32), 50, axis=1)[None]
    masked = graph.run({"waveform": whole, "masks": halves})["embeddings"][0]
    assert not np.allclose(masked[0], masked[1])
    everything = np.ones((1, 1, 1), np.float32)
    first_only = graph.run({"waveform": whole, "masks": halves[:, :1]})["embeddings"][0, 0]
    alone = graph.run({"waveform": whole[..., :32_000], "masks": everything})["embeddings"][0, 0]
    cosine = first_only @ alone / np.linalg.norm(first_only) / np.linalg.norm(alone)
    assert cosine > 0.97


def test_geometry_is_that_of_the_published_network() -> None:
    for name in ("segmentation", "segmentation_from_peaks", "segmentation_masks", "fused"):
        geometry = Geometry.from_metadata(load(name).metadata)
        assert geometry == Geometry(
            sample_rate=16_000,
            window_samples=160_000,
            frame_step=270,
            receptive_field=991,
            window_frames=589,
            slots=3,
        )
