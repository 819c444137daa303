"""The shipped graphs against arrays recorded from the reference implementations.

segmentation.npz: pyannote.audio 4.0.7; campplus.npz: 3D-Speaker's CAM++. Both on the conversation.
"""

from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import models
from hocket.config import Runtime
from hocket.errors import GraphInputError
from hocket.geometry import Geometry
from tests.places import CONVERSATION, GOLDEN

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


def scores_inside(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the shipped segmentation graph decodes: its scores before the arg max."""
    model = onnx.load_from_string(models.shipped()["segmentation_masks"].read())
    scores = next(node for node in model.graph.node if node.op_type == "ArgMax").input[0]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(scores, onnx.TensorProto.FLOAT, None)
    )
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run([scores], {"waveform": waveform})[0]


def test_masks_equal_pyannotes_in_every_frame() -> None:
    golden, windows = golden_windows()
    graph = models.load("segmentation_masks", Runtime())
    masks = graph.run({"waveform": windows})["masks"]
    assert masks.shape == golden["masks"].shape
    assert np.array_equal(masks, golden["masks"])


def test_log_probabilities_equal_pyannotes() -> None:
    golden, windows = golden_windows()
    scores = scores_inside(windows).astype(np.float64)
    log_probs = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    assert np.abs(log_probs - golden["log_probs"]).max() <= LOG_PROBS


@pytest.mark.parametrize("span", range(4))
def test_embeddings_point_where_3d_speakers_do(span: int) -> None:
    golden = np.load(GOLDEN / "campplus.npz")
    start, end = golden["spans"][span]
    expected = golden["embeddings"][span]
    graph = models.load("embedding", Runtime())
    waveform = conversation()[None, None, start:end]
    found = graph.run({"waveform": waveform, "masks": np.ones((1, 1, 1), np.float32)})
    embedding = found["embeddings"][0, 0]
    cosine = embedding @ expected / np.linalg.norm(embedding) / np.linalg.norm(expected)
    assert cosine >= COSINE


def test_masks_decide_what_an_embedding_hears() -> None:
    """Pooling one half under a mask equals giving the graph that half, but for the seam."""
    graph = models.load("embedding", Runtime())
    whole = conversation()[None, None, 128_000:192_000]
    halves = np.repeat(np.eye(2, dtype=np.float32), 50, axis=1)[None]
    masked = graph.run({"waveform": whole, "masks": halves})["embeddings"][0]
    assert not np.allclose(masked[0], masked[1])
    everything = np.ones((1, 1, 1), np.float32)
    first_only = graph.run({"waveform": whole, "masks": halves[:, :1]})["embeddings"][0, 0]
    alone = graph.run({"waveform": whole[..., :32_000], "masks": everything})["embeddings"][0, 0]
    cosine = first_only @ alone / np.linalg.norm(first_only) / np.linalg.norm(alone)
    assert cosine > 0.97


def test_an_empty_mask_gives_a_zero_embedding() -> None:
    graph = models.load("embedding", Runtime())
    waveform = conversation()[None, None, :16_000]
    found = graph.run({"waveform": waveform, "masks": np.zeros((1, 2, 59), np.float32)})
    assert not found["embeddings"].any()


def test_post_embedding_takes_an_empty_database() -> None:
    graph = models.load("post_embedding", Runtime())
    found = graph.run(
        {
            "embeddings": np.ones((3, 192), np.float32),
            "database": np.empty((0, 192), np.float32),
            "segments": np.ones((1, 589, 3), np.float32),
        }
    )
    assert found["distances"].shape == (3, 0)
    assert found["valid"].tolist() == [1, 1, 1]


def test_post_embedding_removes_runs_below_a_second_and_hopeless_embeddings() -> None:
    graph = models.load("post_embedding", Runtime())
    embeddings = np.ones((3, 192), np.float32)
    embeddings[1] = 0
    embeddings[2, 7] = np.nan
    segments = np.zeros((1, 200, 3), np.float32)
    segments[0, :58, 0] = 1  # one frame too short
    segments[0, 100:159, 0] = 1  # just long enough
    segments[0, :, 1:] = 1
    found = graph.run({"embeddings": embeddings, "database": embeddings[:1], "segments": segments})
    assert found["distances"][:, 0].tolist() == pytest.approx([0, np.inf, np.inf], abs=1e-5)
    assert found["activity"].tolist() == [117, 200, 200]
    assert found["valid"].tolist() == [1, 0, 0]
    assert np.flatnonzero(found["filtered"][0, :, 0]).tolist() == list(range(100, 159))


def test_geometry_in_the_graph_equals_the_manifests() -> None:
    graph = models.load("segmentation_masks", Runtime())
    geometry = Geometry.from_metadata(graph.metadata)
    assert (geometry.window_frames, geometry.frame_step, geometry.receptive_field) == (
        589,
        270,
        991,
    )
    for name, artefact in models.shipped().items():
        metadata = models.load(name, Runtime()).metadata
        for key, value in artefact.geometry.items():
            assert metadata[key] == str(value), (name, key)


def test_wrong_inputs_are_refused_before_the_runtime_sees_them() -> None:
    graph = models.load("segmentation_masks", Runtime())
    with pytest.raises(GraphInputError, match=r"found float64 .* pass a float32"):
        graph.run({"waveform": np.zeros((1, 1, 16_000))})  # type: ignore[dict-item]
    with pytest.raises(GraphInputError, match="axis '1' must be 1"):
        graph.run({"waveform": np.zeros((1, 2, 16_000), np.float32)})
