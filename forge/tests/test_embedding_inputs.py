"""Inputs of an embedding network: a copy of the audio per slot, and masks of single speech."""

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from hocket_forge import parity
from hocket_forge.embedding_inputs import EmbeddingInputs, clean
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from hocket.backends import reference

Array = NDArray[np.float32]
Exported = Callable[[str], ModelProto]
Alteration = Callable[[ModelProto], None]


def alone_by_loop(masks: Array) -> Array:
    """(F, S) -> (S, F), one where a slot speaks alone."""
    frames, slots = masks.shape
    alone = np.zeros((slots, frames), np.float32)
    for frame, row in enumerate(masks.tolist()):
        for slot, active in enumerate(row):
            others = [other for number, other in enumerate(row) if number != slot]
            alone[slot, frame] = float(active == 1 and not any(others))
    return alone


@st.composite
def inputs(draw: st.DrawFn) -> tuple[Array, Array]:
    """Audio (1, 1, T) and masks (1, F, 3) of any lengths, from silence to full overlap."""
    samples, frames = draw(st.integers(1, 300)), draw(st.integers(1, 80))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]))
    audio = generator.standard_normal((1, 1, samples)).astype(np.float32)
    return audio, (generator.random((1, frames, 3)) < share).astype(np.float32)


@given(drawn=inputs())
def test_every_slot_gets_the_audio_and_the_frames_in_which_it_speaks_alone(
    drawn: tuple[Array, Array],
) -> None:
    audio, masks = drawn
    with torch.no_grad():
        waveforms, clean_masks = EmbeddingInputs()(*map(torch.from_numpy, drawn))
    assert np.array_equal(waveforms.numpy(), [audio[0, 0].tolist()] * 3)
    assert np.array_equal(clean_masks.numpy(), alone_by_loop(masks[0]))
    expected = reference.embedding_inputs(audio, masks)
    assert np.array_equal(expected["waveforms"], waveforms.numpy())
    assert np.array_equal(expected["clean_masks"], clean_masks.numpy())


def test_every_combination_of_slots_keeps_a_lone_speaker_only() -> None:
    rows = np.array(np.unravel_index(np.arange(8), (2, 2, 2)), np.float32).T
    kept = clean(torch.from_numpy(rows)[None])[0].tolist()
    assert kept == [row if sum(row) == 1 else [0, 0, 0] for row in rows.tolist()]


def test_the_windows_of_a_batch_are_cleaned_one_by_one() -> None:
    masks = (np.random.default_rng(2).random((4, 30, 3)) < 0.5).astype(np.float32)
    expected = np.stack([alone_by_loop(window).T for window in masks])
    assert np.array_equal(clean(torch.from_numpy(masks)).numpy(), expected)


def test_the_file_accepts_other_lengths_than_the_traced_ones(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(exported("embedding_inputs").SerializeToString())
    generator = np.random.default_rng(6)
    for samples, frames in ((1, 1), (7_001, 26), (16_000, 900)):
        audio = generator.standard_normal((1, 1, samples)).astype(np.float32)
        masks = (generator.random((1, frames, 3)) < 0.5).astype(np.float32)
        waveforms, clean_masks = session.run(None, {"audio": audio, "masks": masks})
        assert np.array_equal(waveforms, np.repeat(audio[0], 3, axis=0))
        assert np.array_equal(clean_masks, alone_by_loop(masks[0]))


def renamed(kind: str, other: str) -> Alteration:
    def alter(model: ModelProto) -> None:
        (node,) = (node for node in model.graph.node if node.op_type == kind)
        node.op_type = other

    return alter


def another_axis(model: ModelProto) -> None:
    (total,) = (node for node in model.graph.node if node.op_type == "ReduceSum")
    model.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axes"))
    total.input[1] = "axes"


def upside_down(model: ModelProto) -> None:
    (last,) = (node for node in model.graph.node if node.output[0] == "waveforms")
    last.output[0] = "upright"
    model.graph.node.append(helper.make_node("Neg", ["upright"], ["waveforms"]))


def slots_backwards(model: ModelProto) -> None:
    (last,) = (node for node in model.graph.node if node.output[0] == "clean_masks")
    last.output[0] = "forwards"
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), "order"))
    model.graph.node.append(helper.make_node("Gather", ["forwards", "order"], ["clean_masks"]))


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(renamed("Less", "Greater"), id="only frames in which all speak"),
        pytest.param(renamed("Less", "LessOrEqual"), id="frames in which two speak too"),
        pytest.param(renamed("Mul", "Add"), id="Mul to Add"),
        pytest.param(another_axis, id="slots counted along the frames"),
        pytest.param(upside_down, id="waveforms upside down"),
        pytest.param(slots_backwards, id="slots in another order"),
    ],
)
def test_an_altered_file_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("embedding_inputs")
    alter(model)
    failed = [check.name for check in parity.checks("embedding_inputs", model) if not check.passed]
    assert failed == ["waveforms and clean masks = NumPy"]
