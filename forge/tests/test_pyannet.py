"""The segmentation network: its frame grid and its baked sinc filters."""

from typing import Any

import numpy as np
import pytest
import torch
from hocket_forge.pyannet import (
    FRAME_STEP,
    RECEPTIVE_FIELD,
    PyanNet,
    SincNet,
    bake_sinc_filters,
    frame_count,
    load_pyannet,
)
from hocket_forge.sources import PYANNET, fetch_wheel, load_checkpoint
from hocket_forge.workspace import DOWNLOADS
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

FloatArray = NDArray[np.float64]


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    checkpoint: dict[str, Any] = load_checkpoint(PYANNET, fetch_wheel(DOWNLOADS))
    state: dict[str, Tensor] = checkpoint["state_dict"]
    return state


def unnormalized() -> SincNet:
    """Only the convolutions: with norms, a frame would depend on samples outside its field."""
    network = SincNet()
    network.wav_norm1d = nn.Identity()  # type: ignore[assignment]
    network.norm1d = nn.ModuleList(nn.Identity() for _ in range(3))
    return network


def test_ten_seconds_give_589_frames() -> None:
    assert frame_count(160_000) == 589


@pytest.mark.parametrize("samples", [1_261, 1_530, 1_531, 48_007, 160_000])
def test_frame_count_equals_what_the_network_gives(samples: int) -> None:
    with torch.no_grad():
        logits = PyanNet().eval()(torch.randn(2, 1, samples))
    assert logits.shape == (2, frame_count(samples), 7)


def test_frame_count_is_exact_around_every_step() -> None:
    network = unnormalized()
    with torch.no_grad():
        for samples in (*range(991, 1_000), *range(1_250, 1_272), *range(1_520, 1_542)):
            frames = network(torch.zeros(1, 1, samples)).shape[-1]
            assert frames == frame_count(samples), samples
    assert [frame_count(n) for n in (990, 991, 1_260, 1_261)] == [0, 1, 1, 2]


def test_a_frame_depends_on_991_samples_and_the_next_starts_270_later() -> None:
    """With positive convolutions, a frame is nonzero exactly for the impulses in its field."""
    network = unnormalized()
    for conv in network.conv1d:
        assert isinstance(conv, nn.Conv1d)
        nn.init.ones_(conv.weight)
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
    impulses = torch.eye(991 + 4 * 270 + 100)[:, None]
    with torch.no_grad():
        parts = [network(some).amax(1) > 0 for some in torch.chunk(impulses, 11)]
    support = torch.cat(parts).numpy()  # (samples, frames)
    assert support.shape[1] == 5
    for frame in range(5):
        start = 270 * frame
        assert np.flatnonzero(support[:, frame]).tolist() == list(range(start, start + 991))
    assert (RECEPTIVE_FIELD, FRAME_STEP) == (991, 270)


def test_the_trained_filters_reach_no_further_than_the_receptive_field(
    segmentation: PyanNet,
) -> None:
    network = unnormalized()
    network.conv1d.load_state_dict(segmentation.sincnet.conv1d.state_dict())
    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(1, 1, 991 + 4 * 270, generator=generator, requires_grad=True)
    out = network(noise)
    first, last = 2 * 270, 2 * 270 + 991
    (gradient,) = torch.autograd.grad(out[..., 2].square().sum(), noise)
    touched = torch.nonzero(gradient[0, 0])[:, 0]
    assert first <= touched.min() < first + 30
    assert last - 30 < touched.max() + 1 <= last


def band_pass(low: FloatArray, high: FloatArray) -> FloatArray:
    """Windowed ideal band-pass filters and their Hilbert transforms, (80, 251), in float64."""
    seconds = np.arange(-125, 126) / 16_000
    taper = np.hamming(251)

    def low_pass(cutoff: FloatArray) -> FloatArray:
        ideal: FloatArray = 2 * cutoff * np.sinc(2 * cutoff * seconds)
        return ideal

    even = low_pass(high) - low_pass(low)
    odd = np.zeros_like(even)
    off = seconds != 0
    turns = 2 * np.pi * seconds[off]
    odd[:, off] = 2 * (np.cos(low * turns) - np.cos(high * turns)) / turns
    band = np.concatenate([high - low, high - low])
    filters: FloatArray = np.concatenate([even, odd]) * taper / (2 * band)
    return filters


def cutoffs(low_offset: FloatArray, band_offset: FloatArray) -> tuple[FloatArray, FloatArray]:
    low = 50 + np.abs(low_offset)
    return low, np.clip(low + 50 + np.abs(band_offset), 50, 8_000)


def test_baked_filters_are_windowed_band_passes() -> None:
    generator = np.random.default_rng(3)
    low_offset = generator.uniform(-3_000, 3_000, (40, 1))
    band_offset = generator.uniform(-9_000, 9_000, (40, 1))  # some reach past 8 kHz
    taper = np.hamming(251)[:125]
    time = 2 * np.pi * np.arange(-125, 0)[None] / 16_000
    found = bake_sinc_filters(*map(torch.from_numpy, (low_offset, band_offset, taper, time)))
    expected = band_pass(*cutoffs(low_offset, band_offset))
    assert found.shape == (80, 1, 251)
    assert np.abs(found[:, 0].numpy() - expected).max() < 1e-11


def test_published_filters_are_windowed_band_passes(published: dict[str, Tensor]) -> None:
    bank = "sincnet.conv1d.0.filterbank."
    parameters = [published[bank + name] for name in ("low_hz_", "band_hz_", "window_", "n_")]
    found = bake_sinc_filters(*parameters)[:, 0].double().numpy()
    offsets = [tensor.double().numpy() for tensor in parameters[:2]]
    expected = band_pass(*cutoffs(*offsets))
    # the checkpoint's time axis is float32, whose rounding error at 400 rad is up to 1.5e-5
    assert np.abs(found - expected).max() < 5e-5
    # rows differ by far more, so no two can have been swapped
    gaps = np.abs(expected[:, None] - expected[None]).max(-1) + np.eye(80)
    assert gaps.min() > 1e-3


def test_baking_scale_and_shift_equals_applying_the_norms_affine_part_first(
    published: dict[str, Tensor], segmentation: PyanNet, speech: NDArray[np.float32]
) -> None:
    bank = "sincnet.conv1d.0.filterbank."
    filters = bake_sinc_filters(
        *(published[bank + name] for name in ("low_hz_", "band_hz_", "window_", "n_"))
    ).double()
    scale, shift = (published[f"sincnet.wav_norm1d.{name}"].double() for name in ("weight", "bias"))
    waveform = torch.from_numpy(speech[:32_000].copy()).double()[None, None]
    centered = waveform - waveform.mean(-1, keepdim=True)
    normalized = centered / (waveform.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    expected = functional.conv1d(normalized * scale + shift, filters, stride=10)

    conv = segmentation.sincnet.conv1d[0]
    assert isinstance(conv, nn.Conv1d)
    assert conv.bias is not None
    weight, bias = conv.weight.detach().double(), conv.bias.detach().double()
    found = functional.conv1d(segmentation.sincnet.wav_norm1d(waveform), weight, bias, stride=10)
    assert abs(float(shift)) > 1e-3  # otherwise the test would prove nothing about the shift
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-6
    without_bias = found - bias[:, None]
    assert float((without_bias - expected).abs().max() / expected.abs().max()) > 1e-3


def test_a_checkpoint_with_a_missing_or_extra_tensor_is_refused(
    published: dict[str, Tensor],
) -> None:
    short = {name: tensor for name, tensor in published.items() if name != "classifier.bias"}
    with pytest.raises(RuntimeError, match=r"Missing key.*classifier\.bias"):
        load_pyannet(short)
    with pytest.raises(RuntimeError, match=r"Unexpected key.*extra"):
        load_pyannet(published | {"extra": torch.zeros(1)})
