"""ResNet34: recorded embeddings of pyannote's network, and the effects of masks and norms."""

from typing import Any

import numpy as np
import pytest
import torch
from hocket_forge.pooling import masked_statistics, resample_masks
from hocket_forge.wespeaker import (
    DIMENSION,
    TRUNK_STRIDE,
    ResNet34,
    load_resnet34,
    recipe_weights,
)
from hocket_forge.workspace import GOLDEN
from numpy.typing import NDArray
from torch import Tensor, nn

Waveform = NDArray[np.float32]

RELATIVE = 1e-3  # length of the difference
# The last layer adds the same vector to every embedding, which is most of it. Seen without: 6e-7;
# one weight of 589,824 in a late convolution makes 2e-5.
WITHOUT_BIAS = 1e-5


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN / "wespeaker.npz") as recorded:
        return dict(recorded)


def embed(network: ResNet34, audio: Waveform, masks: Tensor) -> NDArray[np.float32]:
    """(S, 256) of one waveform under masks (S, F)."""
    with torch.no_grad():
        found = network(torch.from_numpy(audio.copy())[None, None], masks[None])[0]
    embeddings: NDArray[np.float32] = found.numpy()
    return embeddings


def relative(found: Waveform, expected: Waveform) -> float:
    """Largest length of a row's difference, relative to the row's length."""
    assert found.shape == expected.shape
    gaps = np.linalg.norm(found - expected, axis=-1) / np.linalg.norm(expected, axis=-1)
    return float(gaps.max())


def recorded_window(speech: Waveform, golden: dict[str, NDArray[Any]]) -> Waveform:
    start = int(golden["start"])
    return speech[start : start + 160_000]


def test_the_whole_window_gives_the_recorded_embedding(
    resnet34: ResNet34, speech: Waveform, golden: dict[str, NDArray[Any]]
) -> None:
    found = embed(resnet34, recorded_window(speech, golden), torch.ones(1, 589))
    bias = resnet34.seg_1.bias.detach().numpy()
    expected = golden["full"][None]
    assert relative(found, expected) < RELATIVE
    assert relative(found - bias, expected - bias) < WITHOUT_BIAS


def test_masks_give_the_recorded_embeddings(
    resnet34: ResNet34, speech: Waveform, golden: dict[str, NDArray[Any]]
) -> None:
    masks = torch.from_numpy(golden["masks"]).float()
    found = embed(resnet34, recorded_window(speech, golden), masks)
    spoken = masks.any(1).numpy()
    assert spoken.tolist() == [False, True, True]  # as recorded: one slot does not speak
    assert not found[0].any()
    bias = resnet34.seg_1.bias.detach().numpy()
    found, expected = found[spoken], golden["masked"][spoken]
    assert relative(found, expected) < RELATIVE
    assert relative(found - bias, expected - bias) < WITHOUT_BIAS
    # the two embeddings are clearly different
    assert relative(expected[:1] - bias, expected[1:] - bias) > 100 * WITHOUT_BIAS


@pytest.mark.parametrize(
    "name",
    [
        "conv1.weight",
        "layer1.0.bn2.running_var",
        "layer3.5.conv2.weight",
        "layer4.1.bn1.bias",
        "seg_1.weight",
    ],
)
def test_one_altered_weight_misses_the_recorded_embedding(
    speech: Waveform, golden: dict[str, NDArray[Any]], name: str
) -> None:
    state = recipe_weights()
    altered = state[name].flatten()
    altered[altered.abs().argmax()] *= 3
    network = load_resnet34({**state, name: altered.reshape(state[name].shape)})
    found = embed(network, recorded_window(speech, golden), torch.ones(1, 589))
    bias = state["seg_1.bias"].numpy()
    assert relative(found - bias, golden["full"][None] - bias) > WITHOUT_BIAS


def test_tensors_are_named_as_in_the_published_checkpoint(
    resnet34: ResNet34, golden: dict[str, NDArray[Any]]
) -> None:
    names = [key for key in resnet34.state_dict() if not key.endswith("num_batches_tracked")]
    assert sorted(names) == golden["keys"].tolist()
    drawn, again = recipe_weights(), recipe_weights(golden["keys"].tolist())
    assert list(drawn) == list(again)
    assert all(torch.equal(drawn[name], again[name]) for name in drawn)


def test_counters_of_training_steps_may_be_there_or_not(resnet34: ResNet34) -> None:
    state = resnet34.state_dict()
    counters = {key for key in state if key.endswith("num_batches_tracked")}
    assert len(counters) == 36
    short = {key: tensor for key, tensor in state.items() if key not in counters}
    for given in (state, short):
        loaded = load_resnet34(given)
        assert not loaded.training
        for key, tensor in loaded.state_dict().items():
            assert torch.equal(tensor, state[key]), key


def test_a_checkpoint_with_a_missing_or_extra_tensor_is_refused(resnet34: ResNet34) -> None:
    state = resnet34.state_dict()
    with pytest.raises(RuntimeError, match=r"Unexpected key.*seg_2\.weight"):
        load_resnet34(state | {"seg_2.weight": torch.zeros(1)})
    del state["layer3.2.bn1.running_var"]
    with pytest.raises(RuntimeError, match=r"Missing key.*layer3\.2\.bn1\.running_var"):
        load_resnet34(state)


def mask_of(start: int, end: int, frames: int = 118) -> Tensor:
    mask = torch.zeros(frames)
    mask[start:end] = 1
    return mask


def calls(module: nn.Module, network: ResNet34, audio: Waveform, masks: Tensor) -> list[Tensor]:
    """Outputs of a part of the network, one per call."""
    outputs: list[Tensor] = []
    hook = module.register_forward_hook(lambda _module, _inputs, out: outputs.append(out))
    embed(network, audio, masks)
    hook.remove()
    return outputs


def test_the_trunk_runs_once_for_all_masks(resnet34: ResNet34, speech: Waveform) -> None:
    masks = torch.stack(
        [mask_of(0, 40), mask_of(30, 118), mask_of(4, 5), torch.zeros(118), mask_of(0, 118)]
    )
    audio = speech[112_000:144_000]
    for part in (resnet34.fbank, resnet34.conv1, resnet34.get_submodule("layer4")):
        assert len(calls(part, resnet34, audio, masks)) == 1
    (planes,) = calls(resnet34.get_submodule("layer4"), resnet34, audio, masks)
    assert planes.shape == (1, 256, 10, 25)  # 198 filter-bank frames, eight to a trunk frame
    trunk = planes.flatten(1, 2)
    with torch.no_grad():
        pooled = masked_statistics(trunk, resample_masks(masks[None], 25))
        expected = resnet34.seg_1(pooled)[0].numpy()
    expected[3] = 0  # the empty one
    np.testing.assert_allclose(embed(resnet34, audio, masks), expected, rtol=1e-5, atol=1e-5)


def test_an_embedding_does_not_depend_on_the_masks_beside_it(
    resnet34: ResNet34, speech: Waveform
) -> None:
    audio = speech[112_000:144_000]
    masks = torch.stack([mask_of(0, 40), mask_of(30, 118), mask_of(70, 80)])
    together = embed(resnet34, audio, masks)
    alone = np.concatenate([embed(resnet34, audio, mask[None]) for mask in masks])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert relative(together[:1], together[1:2]) > 1e-3


def test_rows_of_a_batch_do_not_mix(resnet34: ResNet34, speech: Waveform) -> None:
    waveforms = np.stack([speech[start : start + 24_000] for start in (112_000, 200_000, 0)])
    masks = torch.stack(
        [torch.stack([mask_of(start, 88, 88), mask_of(0, 30, 88)]) for start in (0, 9, 50)]
    )
    with torch.no_grad():
        together = resnet34(torch.from_numpy(waveforms)[:, None], masks).numpy()
    alone = np.stack(
        [embed(resnet34, audio, rows) for audio, rows in zip(waveforms, masks, strict=True)]
    )
    bias = resnet34.seg_1.bias.detach().numpy()
    assert relative(together - bias, alone - bias) < 1e-5
    assert relative(together[:1] - bias, together[1:2] - bias) > 1e-2


def test_an_empty_mask_gives_exactly_zero(resnet34: ResNet34, speech: Waveform) -> None:
    audio = speech[112_000:144_000]
    masks = torch.zeros(3, 118)
    assert not embed(resnet34, audio, masks).any()
    masks[1, 20:90] = 1
    embeddings = embed(resnet34, audio, masks)
    assert np.any(embeddings != 0, axis=1).tolist() == [False, True, False]


def test_a_mask_too_short_to_reach_the_trunk_gives_zero_too(
    resnet34: ResNet34, speech: Waveform
) -> None:
    """118 frames of the mask become 25 of the trunk, none of which takes frame 6."""
    masks = torch.stack([mask_of(6, 7), mask_of(40, 100)])
    assert not resample_masks(masks[None, :1], 25).any()
    embeddings = embed(resnet34, speech[112_000:144_000], masks)
    assert np.any(embeddings != 0, axis=1).tolist() == [False, True]


def test_a_mask_of_one_trunk_frame_has_that_frame_for_mean_and_no_deviation(
    resnet34: ResNet34, speech: Waveform
) -> None:
    mask = torch.zeros(1, 25)
    mask[0, 12] = 1
    audio = speech[112_000:144_000]
    (pooled,) = calls(resnet34.pooling, resnet34, audio, mask)
    with torch.no_grad():
        trunk = resnet34.trunk(torch.from_numpy(audio.copy())[None, None])
    mean, deviation = pooled[0, 0].chunk(2)
    assert torch.equal(mean, trunk[0, :, 12])
    assert not deviation.any()
    assert np.isfinite(embed(resnet34, audio, mask)).all()


@pytest.mark.parametrize("samples", [400, 559, 1_679, 1_680, 16_000, 33_333])
def test_eight_filter_bank_frames_make_a_trunk_frame_and_the_last_may_have_fewer(
    resnet34: ResNet34, speech: Waveform, samples: int
) -> None:
    audio = torch.from_numpy(speech[112_000 : 112_000 + samples].copy())[None, None]
    with torch.no_grad():
        trunk = resnet34.trunk(audio)
        embedding = resnet34(audio, torch.ones(1, 1, 7))
    frames = 1 + (samples - 400) // 160
    assert trunk.shape == (1, 2_560, -(-frames // TRUNK_STRIDE))
    assert embedding.shape == (1, 1, DIMENSION)
    assert bool(embedding.isfinite().all())


def test_loudness_is_normalized_away(resnet34: ResNet34, speech: Waveform) -> None:
    """A factor on the samples adds a constant to every logarithm, which mean removal cancels."""
    audio, masks = speech[112_000:144_000], torch.stack([mask_of(0, 118), mask_of(20, 60)])
    bias = resnet34.seg_1.bias.detach().numpy()
    quiet = embed(resnet34, audio * np.float32(0.25), masks) - bias
    assert relative(quiet, embed(resnet34, audio, masks) - bias) < 1e-4
    with torch.no_grad():
        features = resnet34.fbank(torch.from_numpy(audio.copy())[None, None])
        quieter = resnet34.fbank(torch.from_numpy(audio * np.float32(0.25))[None, None])
    assert float((features - quieter).min()) > 2.7  # ln 16
