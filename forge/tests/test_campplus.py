"""CAM++: the gate against a per-frame version, and the effect of masks."""

import numpy as np
import pytest
import torch
from hocket_forge.campplus import (
    BOTTLENECK,
    CamPlusPlus,
    Context,
    load_campplus,
    local_contexts,
    utterance_contexts,
)
from hocket_forge.pooling import masked_statistics, resample_masks
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Waveform = NDArray[np.float32]

SEGMENT = 100
# Samples that influence an embedding on either side of a mask: the trunk's 12 layers of dilation 1
# and 40 of dilation 2, at two filter-bank frames each; 2 frames of the time-delay layer; 10 of the
# head. With the 25 ms frame, and 20 ms for rounding the mask to trunk frames, that is 2.01 s.
REACH = (2 * (12 + 2 * 40) + 2 + 10) * 160 + 400 + 320
WINDOW_FRAMES = 589
FRAME = 160_000 / WINDOW_FRAMES  # samples of a ten-second window per frame of its mask


def drawn_features(frames: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, BOTTLENECK, frames, generator=torch.Generator().manual_seed(frames))


def drawn_context(dilation: int) -> Context:
    torch.manual_seed(dilation)
    return Context(dilation).eval()


def dense(layer: nn.Conv1d, vector: Tensor) -> Tensor:
    assert layer.bias is not None
    return layer.weight[:, :, 0] @ vector + layer.bias


def per_frame(context: Context, features: Tensor, mask: Tensor) -> Tensor:
    """As in the reference: a context vector and a gate for every frame, one utterance at a time."""
    rows = []
    for row, covered in zip(features, mask[:, 0] > 0, strict=True):
        overall = row[:, covered].mean(1) if covered.any() else torch.zeros(BOTTLENECK)
        gates = []
        for frame in range(row.shape[1]):
            start = frame // SEGMENT * SEGMENT
            inside = row[:, start : start + SEGMENT][:, covered[start : start + SEGMENT]]
            local = inside.mean(1) if inside.shape[1] else torch.zeros(BOTTLENECK)
            hidden = dense(context.linear1, overall + local).relu()
            gates.append(dense(context.linear2, hidden).sigmoid())
        convolution = context.linear_local
        out = functional.conv1d(
            row[None],
            convolution.weight,
            padding=convolution.dilation[0],
            dilation=convolution.dilation[0],
        )
        rows.append(out[0] * torch.stack(gates, dim=1))
    return torch.stack(rows)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("frames", [1, 99, 100, 101, 250])
def test_the_gate_equals_one_computed_for_every_frame(frames: int, dilation: int) -> None:
    context, features = drawn_context(dilation), drawn_features(frames)
    full = torch.ones(2, 1, frames)
    with torch.no_grad():
        found = context(features, utterance_contexts(full))
        expected = per_frame(context, features, full)
    assert found.shape == expected.shape == (2, 32, frames)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_under_a_mask_the_gate_uses_the_means_of_its_frames() -> None:
    context, features = drawn_context(2), drawn_features(330, batch=3) + 1
    mask = torch.zeros(3, 1, 330)
    mask[0, 0, 20:130] = 1  # ends inside the second segment; the others have no frames
    mask[1, 0, ::3] = 1
    with torch.no_grad():
        found = context(features, utterance_contexts(mask))
        expected = per_frame(context, features, mask)  # the third mask is empty
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_segments_are_100_frames_and_the_last_is_shorter() -> None:
    spread, weights, counts, _ = utterance_contexts(torch.ones(1, 1, 250))
    assert spread.sum(1).tolist() == [100, 100, 50]
    assert torch.nonzero(spread[1])[:, 0].tolist() == list(range(100, 200))
    assert counts.tolist() == [[[100, 100, 50]]]
    assert torch.equal(weights[0], spread.T)


@pytest.mark.parametrize("frames", [1, 40, 41, 250])
def test_a_local_gate_uses_the_frames_around_it_and_no_others(frames: int) -> None:
    context, features = drawn_context(2), drawn_features(frames, batch=1)
    mask = torch.ones(1, 1, frames)
    mask[..., 3:7] = 0
    with torch.no_grad():
        found = context(features, local_contexts(mask))
        local = context.linear_local(features)
        for frame in range(frames):
            start = frame // 20 * 20
            near = slice(max(0, start - 20), start + 40)
            covered = mask[0, 0, near].bool()
            mean = features[0, :, near][:, covered].mean(1)[None, :, None]
            inner = functional.relu(context.linear1(2 * mean))
            expected = local[0, :, frame] * torch.sigmoid(context.linear2(inner))[0, :, 0]
            torch.testing.assert_close(found[0, :, frame], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gap", [1, 20, 33])
def test_a_local_gate_uses_only_the_sound_in_its_segment(gap: int) -> None:
    context, features = drawn_context(2), drawn_features(150, batch=2)
    sounds = torch.zeros(2, 3, 150)
    bounds = [(0, 38), (60, 100 - gap), (100, 150)]  # each has segments of 20 frames to itself
    for row, (start, end) in enumerate(bounds):
        sounds[0, row, start:end] = 1
    sounds[1, 0, 5:144] = 1  # and the second utterance is one sound
    with torch.no_grad():
        found = context(features, local_contexts(sounds))
        local = context.linear_local(features)
        for batch, row, frame in torch.nonzero(sounds).tolist():
            start = frame // 20 * 20
            near = slice(max(0, start - 20), start + 40)
            covered = sounds[batch, row, near].bool()
            mean = features[batch, :, near][:, covered].mean(1)[None, :, None]
            inner = functional.relu(context.linear1(2 * mean))
            expected = local[batch, :, frame] * torch.sigmoid(context.linear2(inner))[0, :, 0]
            torch.testing.assert_close(found[batch, :, frame], expected, rtol=1e-4, atol=1e-5)


def test_two_sounds_in_a_segment_share_its_gate() -> None:
    context, features = drawn_context(1), drawn_features(20, batch=1)
    sounds = torch.zeros(1, 2, 20)
    sounds[0, 0, :6], sounds[0, 1, 9:] = 1, 1
    with torch.no_grad():
        shared = context(features, local_contexts(sounds))
        whole = context(features, local_contexts(sounds.sum(1, keepdim=True)))
    torch.testing.assert_close(shared, whole)


def test_embeddings_in_a_pack_are_near_those_of_the_sounds_alone(
    campplus_local: CamPlusPlus, speech: Waveform
) -> None:
    """They are nearer than with a shared mean: one sound is ten times as loud."""
    starts, length = (96_000, 130_000, 170_000), 22_400  # 1.4 s
    sounds = [
        speech[start : start + length] * gain
        for start, gain in zip(starts, (1, 10, 1), strict=True)
    ]
    pack, masks = np.zeros(76_800, np.float32), torch.zeros(3, 240)
    for row, sound in enumerate(sounds):
        pack[25_600 * row : 25_600 * row + length] = sound
        masks[row, 80 * row : 80 * row + 70] = 1
    together = embed(campplus_local, pack, masks)
    alone = torch.cat([embed(campplus_local, sound, torch.ones(1, 1)) for sound in sounds])
    cosines = functional.cosine_similarity(together, alone)
    assert cosines.min() > 0.97
    joined = embed(campplus_local, pack, torch.ones(1, 1)).expand(3, -1)
    assert (functional.cosine_similarity(joined, alone) < cosines - 0.05).all()


def test_a_short_sound_has_the_published_networks_embedding(
    campplus: CamPlusPlus, campplus_local: CamPlusPlus, speech: Waveform
) -> None:
    for length in (4_000, 12_800, 32_000):
        sound, everything = speech[100_000 : 100_000 + length], torch.ones(1, 1)
        published = embed(campplus, sound, everything)
        close = torch.allclose(embed(campplus_local, sound, everything), published, atol=1e-4)
        assert close is (length <= 12_800)  # then every gate covers all of it


def test_embeddings_of_subsegments_are_near_those_of_the_subsegments_alone(
    campplus_local: CamPlusPlus, speech: Waveform
) -> None:
    """They are nearer than those of another second of the same voice."""
    crop = speech[96_000:192_000]
    masks = torch.zeros(4, 600)
    for index in range(4):
        masks[index, 120 * index : 120 * index + 120] = 1
    together = embed(campplus_local, crop, masks)
    alone = torch.cat(
        [
            embed(campplus_local, crop[19_200 * index : 19_200 * (index + 1)], torch.ones(1, 1))
            for index in range(4)
        ]
    )
    cosines = functional.cosine_similarity(together[:, None], alone[None], dim=2)
    assert cosines.argmax(1).tolist() == [0, 1, 2, 3]
    assert cosines.diag().min() > 0.6


@pytest.mark.parametrize("dilation", [1, 2])
def test_frames_outside_the_mask_do_not_influence_the_context(dilation: int) -> None:
    context, features = drawn_context(dilation), drawn_features(250, batch=1)
    mask = torch.ones(1, 1, 250)
    mask[..., 60:110] = 0
    replaced = features.clone()
    replaced[..., 60:110] = 40.0
    apart = torch.ones(250, dtype=torch.bool)
    apart[60 - dilation : 110 + dilation] = False  # frames whose convolution has no changed input
    with torch.no_grad():
        segments = utterance_contexts(mask)
        before, after = context(features, segments), context(replaced, segments)
        everything = utterance_contexts(torch.ones(1, 1, 250))
        unmasked = context(features, everything), context(replaced, everything)
    assert torch.equal(before[..., apart], after[..., apart])
    assert not torch.allclose(unmasked[0][..., apart], unmasked[1][..., apart])


def embed(network: CamPlusPlus, audio: Waveform, masks: Tensor) -> Tensor:
    with torch.no_grad():
        embeddings: Tensor = network(torch.from_numpy(audio.copy())[None, None], masks[None])[0]
    return embeddings


def mask_of(start: int, end: int) -> Tensor:
    mask = torch.zeros(WINDOW_FRAMES)
    mask[start:end] = 1
    return mask


def test_audio_far_outside_the_mask_leaves_the_embedding_alone(
    campplus: CamPlusPlus, speech: Waveform
) -> None:
    audio = speech[96_000:256_000].copy()
    start, end = 240, 330  # 1.5 s in the middle
    left, right = int(start * FRAME) - REACH, int(end * FRAME) + REACH
    assert left > 16_000
    assert right < 144_000
    replaced = audio.copy()
    noise = np.random.default_rng(2).normal(0, 0.3, 160_000).astype(np.float32)
    replaced[:left], replaced[right:] = noise[:left], noise[right:]
    masks = torch.stack([mask_of(start, end), mask_of(start + 10, start + 20)])
    before, after = embed(campplus, audio, masks), embed(campplus, replaced, masks)
    torch.testing.assert_close(before, after, rtol=0, atol=1e-5)
    whole = torch.ones(1, WINDOW_FRAMES)
    gap = embed(campplus, audio, whole) - embed(campplus, replaced, whole)
    assert float(gap.abs().max()) > 0.1  # without a mask, the noise matters


def test_slots_share_the_context_of_all_masks_together(
    campplus: CamPlusPlus, speech: Waveform
) -> None:
    """The trunk runs once: an embedding depends on the union of masks, not on its division."""
    audio = speech[96_000:256_000]
    first, second, both = mask_of(50, 250), mask_of(200, 420), mask_of(50, 420)
    pair = embed(campplus, audio, torch.stack([first, second]))
    triple = embed(campplus, audio, torch.stack([second, both, first]))
    torch.testing.assert_close(pair, triple[[2, 0]], rtol=0, atol=1e-4)
    assert not torch.allclose(triple[0], triple[1], atol=1e-2)
    alone = embed(campplus, audio, first[None])[0]
    assert not torch.allclose(alone, pair[0], atol=1e-2)  # a smaller union is another context
    gap = 1 - functional.cosine_similarity(alone, pair[0], dim=0)
    assert float(gap) < 0.3  # but it is still the same voice


def test_every_slot_pools_one_trunk(campplus: CamPlusPlus, speech: Waveform) -> None:
    waveform = torch.from_numpy(speech[112_000:160_000].copy())[None, None]
    masks = torch.zeros(1, 3, 177)
    masks[0, 0, 10:100], masks[0, 1, 60:177], masks[0, 2, 30] = 1, 1, 1
    trunks: list[Tensor] = []
    hook = campplus.xvector.register_forward_hook(lambda _module, _inputs, out: trunks.append(out))
    with torch.no_grad():
        found = campplus(waveform, masks)
    hook.remove()
    (trunk,) = trunks
    assert trunk.shape == (1, 512, 149)  # 298 filter-bank frames, two to a trunk frame
    pooled = masked_statistics(trunk, resample_masks(masks, 149))
    with torch.no_grad():
        expected = campplus.xvector.dense(pooled.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("frames", [1, 7, 58, 400])
def test_a_full_mask_means_the_same_at_any_frame_rate(
    campplus: CamPlusPlus, speech: Waveform, frames: int
) -> None:
    audio = speech[112_000:128_000]
    reference = embed(campplus, audio, torch.ones(1, 59))
    assert torch.equal(embed(campplus, audio, torch.ones(1, frames)), reference)


def test_an_empty_mask_gives_exactly_zero(campplus: CamPlusPlus, speech: Waveform) -> None:
    audio = speech[112_000:144_000]
    masks = torch.zeros(3, 118)
    assert not embed(campplus, audio, masks).any()
    masks[1, 20:90] = 1
    embeddings = embed(campplus, audio, masks)
    assert not embeddings[0].any()
    assert not embeddings[2].any()
    assert float(embeddings[1].norm()) > 1


def test_a_mask_too_short_to_reach_the_trunk_gives_zero_too(
    campplus: CamPlusPlus, speech: Waveform
) -> None:
    """589 frames of the mask become 499 of the trunk, none of which takes frame 6."""
    assert not resample_masks(mask_of(6, 7)[None, None], 499).any()
    masks = torch.stack([mask_of(6, 7), mask_of(200, 400)])
    embeddings = embed(campplus, speech[96_000:256_000], masks)
    assert float(embeddings[1].norm()) > 1
    assert not embeddings[0].any()  # there is no input, so it has no direction


def test_a_checkpoint_with_a_missing_or_extra_tensor_is_refused(campplus: CamPlusPlus) -> None:
    state = campplus.state_dict()
    with pytest.raises(RuntimeError, match="Unexpected key"):
        load_campplus(state | {"extra": torch.zeros(1)})
    del state["head.conv1.weight"]
    with pytest.raises(RuntimeError, match=r"Missing key.*head\.conv1\.weight"):
        load_campplus(state)
