"""The fused graph: its module, its file, and the graphs that it replaces."""

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from hocket_forge.campplus import CamPlusPlus
from hocket_forge.fused import CleanMasks, Fused, Segmentation, SegmentationMasks
from hocket_forge.graphs import EMBEDDINGS
from hocket_forge.pyannet import PyanNet
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor

from hocket.backends import reference

Array = NDArray[np.float32]
Exported = Callable[[str], ModelProto]

both_networks = pytest.mark.parametrize("network", ["campplus", "wespeaker-resnet34"])
# The first slot speaks in neither window. In the second window, the last slot speaks for eight
# frames, but never alone.
STARTS, SAMPLES = (112_000, 200_000), 32_000


@pytest.fixture(scope="module")
def windows(speech: Array) -> Array:
    return np.stack([speech[start : start + SAMPLES] for start in STARTS])[:, None]


def session(model: ModelProto) -> Callable[..., list[Array]]:
    opened = onnxruntime.InferenceSession(model.SerializeToString())
    names = [port.name for port in opened.get_inputs()]
    return lambda *arrays: opened.run(None, dict(zip(names, arrays, strict=True)))


def gap(found: Array, expected: Array) -> float:
    """Largest length of a row's difference, relative to the row's length; zero rows are equal."""
    spoken = np.any(expected != 0, axis=-1)
    assert np.array_equal(np.any(found != 0, axis=-1), spoken)
    difference = np.linalg.norm(found - expected, axis=-1)[spoken]
    return float((difference / np.linalg.norm(expected, axis=-1)[spoken]).max())


@pytest.mark.parametrize(("network", "allowed"), [("campplus", 1e-2), ("wespeaker-resnet34", 1e-5)])
def test_the_joined_file_gives_what_the_module_gives(
    exported: Exported, segmentation: PyanNet, windows: Array, network: str, allowed: float
) -> None:
    module = Fused(SegmentationMasks(segmentation), EMBEDDINGS[network]()).eval()
    with torch.no_grad():
        masks, embeddings = (out.numpy() for out in module(torch.from_numpy(windows)))
    found_masks, found = session(exported(f"fused-{network}"))(windows)
    assert np.array_equal(found_masks, masks)
    assert gap(found, embeddings) < allowed  # CAM++: its file is rounded to float16


@both_networks
def test_the_joined_file_gives_what_the_separate_ones_give(
    exported: Exported, windows: Array, network: str
) -> None:
    found_masks, found = session(exported(f"fused-{network}"))(windows)
    (masks,) = session(exported("segmentation_masks"))(windows)
    assert np.array_equal(found_masks, masks)
    (log_probs,) = session(exported("segmentation"))(windows)
    assert np.array_equal(session(exported("powerset_decode"))(log_probs)[0], masks)
    prepare = session(exported("embedding_inputs"))
    clean = [prepare(windows[i : i + 1], masks[i : i + 1])[1] for i in range(len(windows))]
    (embeddings,) = session(exported(f"embedding-{network}"))(windows, np.stack(clean))
    assert gap(found, embeddings) < 1e-5


@both_networks
def test_slots_that_are_never_alone_have_a_zero_embedding(
    exported: Exported, windows: Array, network: str
) -> None:
    masks, embeddings = session(exported(f"fused-{network}"))(windows)
    active = masks.sum(1)
    alone = (masks * (masks.sum(2, keepdims=True) < 2)).sum(1)
    assert active[1, 2] > 0
    assert alone[1, 2] == 0
    assert np.array_equal(np.any(embeddings != 0, axis=-1), alone > 0)
    assert 2 <= (alone > 0).sum() < alone.size


@both_networks
def test_every_tensor_of_the_parts_is_in_the_joined_file_as_it_is(
    exported: Exported, network: str
) -> None:
    joined = {t.name: t for t in exported(f"fused-{network}").graph.initializer}
    for prefix, name in (
        ("segmentation/", "segmentation_masks"),
        ("embedding/", f"embedding-{network}"),
    ):
        tensors = exported(name).graph.initializer
        assert len(tensors) > 20
        for tensor in tensors:
            found = joined.pop(prefix + tensor.name)
            assert found.raw_data == tensor.raw_data, tensor.name
            assert (found.dims, found.data_type) == (tensor.dims, tensor.data_type), tensor.name
    assert not joined


@both_networks
def test_no_value_of_the_joined_file_is_made_twice_and_none_is_read_before_it_is_made(
    exported: Exported, network: str
) -> None:
    graph = exported(f"fused-{network}").graph
    made = ["", *(port.name for port in graph.input), *(t.name for t in graph.initializer)]
    known = set(made)
    for node in graph.node:
        assert known.issuperset(node.input), node.name
        made += filter(None, node.output)
        known.update(node.output)
    assert len(made) == len(set(made))
    assert known.issuperset(port.name for port in graph.output)


def test_the_trunk_runs_once_per_window_for_all_slots(
    segmentation: PyanNet, campplus: CamPlusPlus, windows: Array
) -> None:
    given: list[Tensor] = []
    hook = campplus.head.register_forward_hook(
        lambda _module, inputs, _out: given.append(inputs[0])
    )
    fused = Fused(SegmentationMasks(segmentation), campplus).eval()
    with torch.no_grad():
        fused(torch.from_numpy(windows))
    hook.remove()
    assert [len(features) for features in given] == [len(windows)]


def test_log_probabilities_add_up_to_one_and_decode_to_the_masks(
    segmentation: PyanNet, windows: Array
) -> None:
    with torch.no_grad():
        log_probs = Segmentation(segmentation)(torch.from_numpy(windows)).numpy()
        masks = SegmentationMasks(segmentation)(torch.from_numpy(windows)).numpy()
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, rtol=1e-5)
    assert log_probs.shape[2] == 7
    assert np.array_equal(reference.powerset_decode(log_probs)["masks"], masks)
    assert 0 < masks.mean() < 1


@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 3),
    frames=st.integers(1, 50),
    share=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)
def test_clean_masks_are_those_of_the_embedding_inputs(
    seed: int, batch: int, frames: int, share: float
) -> None:
    drawn = np.random.default_rng(seed).random((batch, frames, 3)) < share
    masks = drawn.astype(np.float32)
    silence = np.zeros((1, 1, 1), np.float32)
    found = CleanMasks()(torch.from_numpy(masks)).numpy()
    assert found.shape == (batch, 3, frames)
    for index in range(batch):
        expected = reference.embedding_inputs(silence, masks[index : index + 1])["clean_masks"]
        assert np.array_equal(found[index], expected)
