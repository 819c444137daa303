"""The ResNet34 graph compared with WeSpeaker's network as pyannote.audio runs it.

wespeaker.npz: both on the conversation, with weights drawn by the rule in
`tests.helpers.checkpoints`.
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import models
from hocket.config import GraphConfig, Runtime
from tests.helpers.checkpoints import recipe_weights
from tests.helpers.paths import CONVERSATION, GOLDEN

RELATIVE = 1e-3  # length of the difference; measured: 1e-7
WITHOUT_BIAS = 1e-4  # relative to the part without the bias, which is most of an embedding


def relative(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.fixture
def golden() -> dict[str, NDArray]:
    with np.load(GOLDEN / "wespeaker.npz") as recorded:
        return dict(recorded)


def test_the_rule_draws_the_tensors_of_the_recording(golden: dict[str, NDArray]) -> None:
    assert list(recipe_weights()) == golden["keys"].tolist()


def test_full_and_masked_embeddings_equal_wespeakers(
    resnet34: Path, golden: dict[str, NDArray]
) -> None:
    start = int(golden["start"])
    samples, _ = soundfile.read(CONVERSATION, dtype="float32", start=start, frames=160_000)
    masks = np.concatenate([np.ones((1, 589), np.uint8), golden["masks"]])
    graph = models.load("embedding", GraphConfig("wespeaker-resnet34", "float32"), Runtime())
    inputs = {"waveform": samples[None, None], "masks": masks[None].astype(np.float32)}
    found = graph.run(inputs)["embeddings"][0]
    expected = np.concatenate([golden["full"][None], golden["masked"]])
    spoken, bias = masks.any(axis=1), recipe_weights()["seg_1.bias"]
    assert spoken.tolist() == [True, False, True, True]
    assert not found[~spoken].any()
    for row in np.flatnonzero(spoken).tolist():
        assert relative(found[row], expected[row]) <= RELATIVE
        assert relative(found[row] - bias, expected[row] - bias) <= WITHOUT_BIAS
    # and the masks matter: each row is nearest to its own
    gaps = np.linalg.norm(found[spoken][:, None] - expected[spoken], axis=-1)
    assert gaps.argmin(axis=1).tolist() == [0, 1, 2]


def test_the_fused_graph_embeds_as_the_embedding_graph_does(resnet34: Path) -> None:
    samples, _ = soundfile.read(CONVERSATION, dtype="float32", start=112_000, frames=80_000)
    config, waveform = GraphConfig("wespeaker-resnet34", "float32"), samples[None, None]
    fused = models.load("fused", config, Runtime()).run({"waveform": waveform})
    clean = np.moveaxis(fused["masks"] * (fused["masks"].sum(-1, keepdims=True) < 2), 1, 2)
    inputs = {"waveform": waveform, "masks": clean}
    expected = models.load("embedding", config, Runtime()).run(inputs)["embeddings"]
    assert expected.any()
    assert np.abs(fused["embeddings"] - expected).max() <= 1e-4 * np.abs(expected).max()
