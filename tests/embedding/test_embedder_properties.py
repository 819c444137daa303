"""The embedder: what the embedding network receives, and what comes back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import Subsegments, Waveform
from hocket.audio.buffer import SampleBuffer
from hocket.config import ResolvedSubsegments
from hocket.embedding.candidates import CandidateGrid
from hocket.embedding.embedder import Embedded, Embedder
from hocket.embedding.packing import Pack, PackedCrop
from hocket.embedding.subsegments import Crop, plan_crops, plan_subsegments
from hocket.errors import ModelError
from hocket.graph import Tensors
from tests.helpers.geometry import SHIPPED, grid_of
from tests.helpers.rule_networks import RuleEmbedding

GRID = grid_of(200, 4, 10)
CONFIG = ResolvedSubsegments(length_s=1.0, hop_s=0.4, min_s=0.2, grid_s=0.3, crop_s=1.0)


class Recorded(RuleEmbedding):
    """A rule network that keeps its inputs."""

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.inputs = {name: array.copy() for name, array in inputs.items()}
        return super().run(inputs)


def embedder_of(
    least: int = 1, grid_s: float = 0.3, gate_samples: int | None = None
) -> tuple[Embedder, Recorded]:
    network = Recorded(GRID.frame_step, least, gate_samples)
    return Embedder(network, GRID, replace(CONFIG, grid_s=grid_s)), network


def buffer_of(samples: int) -> tuple[SampleBuffer, Waveform]:
    """A recording whose samples are numbered from 1."""
    sound, buffer = np.arange(1, 1 + samples, dtype=np.float32), SampleBuffer()
    buffer.append(sound)
    return buffer, sound


@st.composite
def crops(draw: st.DrawFn) -> Crop:
    """Crops of some overlapping subsegments."""
    first = draw(st.integers(0, 50))
    regions = np.array([[first, first + draw(st.integers(5, 120))]], np.int64)
    config = replace(CONFIG, crop_s=draw(st.sampled_from([0.01, 1.0, 1.3, 2.0, 100.0])))
    found = plan_crops(plan_subsegments(regions, GRID, config), GRID, config)
    return draw(st.sampled_from(found))


def bounds_of(crop: Crop) -> tuple[int, int]:
    """First and past-the-last sample of a crop."""
    return GRID.frame_start(crop.first), GRID.frame_start(crop.last)


LEASTS = st.sampled_from([1, 90, 400])
GRIDS_S = st.sampled_from([0.01, 0.04, 0.3, 10.0])


@given(crops(), LEASTS, GRIDS_S)
def test_the_length_of_a_call_is_on_the_grid_or_the_least(
    crop: Crop, least: int, grid_s: float
) -> None:
    embedder, network = embedder_of(least, grid_s)
    start, end = bounds_of(crop)
    embedder.embed_pack(embedder.single(crop, buffer_of(end)[0]))
    samples, (length,), grid = end - start, network.lengths, round(grid_s * 100)
    assert length >= max(samples, least)
    assert length % grid == 0 or length == least
    assert length < samples + grid or length == least


@given(crops(), LEASTS, GRIDS_S)
def test_a_crop_at_the_end_of_the_recording_is_repeated(
    crop: Crop, least: int, grid_s: float
) -> None:
    embedder, network = embedder_of(least, grid_s)
    start, end = bounds_of(crop)
    buffer, sound = buffer_of(end)
    embedder.embed_pack(embedder.single(crop, buffer))
    received, own = network.inputs["waveform"][0, 0], sound[start:end]
    assert received.tolist() == np.resize(own, len(received)).tolist()
    if len(crop.subsegments) == 1 and len(received) > len(own):
        assert network.inputs["masks"].all()  # the only subsegment includes its repetition


@given(crops(), LEASTS, GRIDS_S, st.integers(0, 2500))
def test_a_crop_is_followed_by_at_most_a_window_of_the_recording(
    crop: Crop, least: int, grid_s: float, more: int
) -> None:
    """So that nothing depends on how far decoding has come."""
    embedder, network = embedder_of(least, grid_s)
    start, end = bounds_of(crop)
    window = end + GRID.window_samples - GRID.frame_start(0)
    buffer, sound = buffer_of(end + more)
    embedder.embed_pack(embedder.single(crop, buffer))
    received, length = network.inputs["waveform"][0, 0], network.lengths[0]
    if start + length <= min(window, len(sound)):
        assert received.tolist() == sound[start : start + length].tolist()
    else:
        assert received.tolist() == np.resize(sound[start:end], length).tolist()


@given(crops(), LEASTS, GRIDS_S)
def test_a_mask_covers_its_subsegment_only(crop: Crop, least: int, grid_s: float) -> None:
    embedder, network = embedder_of(least, grid_s)
    _, end = bounds_of(crop)
    pack = embedder.single(crop, buffer_of(end + 5_000)[0])
    if sum(map(len, pack.sounds[0])) < pack.length:
        return  # repeated, see above
    embedder.embed_pack(pack)
    masks, samples = network.inputs["masks"][0], network.inputs["waveform"].shape[2]
    assert masks.shape[0] == len(crop.subsegments)
    assert 4 * (masks.shape[1] - 1) < samples <= 4 * masks.shape[1]
    for mask, (first, last) in zip(masks, (crop.subsegments - crop.first).tolist(), strict=True):
        assert np.flatnonzero(mask).tolist() == list(range(first, last))


@given(crops())
def test_what_the_buffer_holds_in_one_block_is_not_copied(crop: Crop) -> None:
    _, end = bounds_of(crop)
    embedder, _ = embedder_of(grid_s=0.01)
    assert embedder.embed_pack(embedder.single(crop, buffer_of(end)[0])).copied == 0
    longer, network = embedder_of(grid_s=10.0)
    found = longer.embed_pack(longer.single(crop, buffer_of(end)[0]))
    assert found.copied == 4 * network.lengths[0]


@given(crops())
def test_the_size_of_the_crop_is_returned_without_what_follows_it(crop: Crop) -> None:
    embedder, _ = embedder_of()
    start, end = bounds_of(crop)
    found = embedder.embed_pack(embedder.single(crop, buffer_of(end + 900)[0]))
    assert found.samples.tolist() == [end - start]
    assert found.subsegments.tolist() == [len(crop.subsegments)]
    assert found.levels.shape == (1, 3)


def test_a_pack_has_silence_between_and_behind_its_crops() -> None:
    embedder, network = embedder_of(gate_samples=7)
    one, two = np.ones(3, np.float32), np.full(2, 2, np.float32)
    crop = Crop(0, 1, np.array([[0, 1]]))
    pack = Pack([PackedCrop(crop, 0), PackedCrop(crop, 6)], [[one], [two, two]], 12)
    embedder._row(12)[:] = 7  # left by the pack before
    found = embedder.embed_pack(pack)
    assert network.inputs["waveform"][0, 0].tolist() == [1, 1, 1, 0, 0, 0, 2, 2, 2, 2, 0, 0]
    assert found.copied == 4 * 7
    assert found.subsegments.tolist() == [1, 1]
    assert found.embeddings.shape == (2, 4)  # further rows of the masks are dropped


def test_threads_do_not_share_the_memory_of_a_pack() -> None:
    """Each waits until all have filled theirs."""
    together = threading.Barrier(3)
    network = RuleEmbedding(GRID.frame_step, gate_samples=7, before=lambda: together.wait(20))
    embedder = Embedder(network, GRID, CONFIG)
    crop = Crop(0, 25, np.array([[0, 25]]))

    def level(number: int) -> float:
        pack = Pack([PackedCrop(crop, 0)], [[np.full(100, number, np.float32)]], 126)
        return float(embedder.embed_pack(pack).embeddings[0, 0])

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(level, (1, 2, 3))) == [1, 2, 3]


@given(st.integers(1, 500), LEASTS, GRIDS_S)
def test_a_whole_sound_is_embedded_under_one_full_mask(
    samples: int, least: int, grid_s: float
) -> None:
    embedder, network = embedder_of(least, grid_s)
    sound = buffer_of(samples)[1]
    found = embedder.embed_sound(sound)
    assert (found.shape, found.dtype) == ((4,), np.float32)
    assert network.inputs["masks"].all()
    received = network.inputs["waveform"][0, 0]
    assert received.tolist() == np.resize(sound, len(received)).tolist()


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(5, 60)), max_size=4))
def test_each_subsegment_of_the_newest_sound_is_embedded_by_itself(
    drawn: list[tuple[int, int]],
) -> None:
    regions = np.cumsum(np.array(drawn, np.int64).reshape(-1)).reshape(-1, 2)
    subsegments = plan_subsegments(regions, GRID, CONFIG)
    embedder, network = embedder_of(grid_s=0.01)
    sound = buffer_of(GRID.frame_start(int(regions.max(initial=1))))[1]
    found = embedder.embed_each(subsegments, sound)
    assert found.shape == (len(subsegments.region), 4)
    assert len(network.lengths) == len(found)
    for row, first, last in zip(found, subsegments.first, subsegments.last, strict=True):
        own = sound[GRID.frame_start(int(first)) : GRID.frame_start(int(last))]
        assert row[0] == pytest.approx(own.mean(), rel=1e-5)


def test_candidates_are_embedded_in_the_rows_of_their_masks() -> None:
    network = RuleEmbedding(SHIPPED.frame_step, gate_samples=6400)
    embedder = Embedder(network, SHIPPED, CONFIG)
    info = replace(embedder.info, mask_samples=320)
    grid = CandidateGrid.of(info, SHIPPED, CONFIG, 20_000)
    assert grid is not None
    sound = np.random.default_rng(0).standard_normal(18_000).astype(np.float32)
    rows = grid.rows_of(Subsegments(np.zeros(1, int), np.array([2]), np.array([40])), len(sound))
    masks = np.repeat(grid.masks(len(sound)), 320, axis=1)  # the rule's masks have a frame a sample
    network.run = lambda inputs: RuleEmbedding.run(  # type: ignore[method-assign]
        network, inputs | {"masks": masks[None]}
    )
    found = embedder.embed_candidates(sound, grid)
    assert found.shape == (len(masks), 4)
    padded = np.pad(sound, (0, grid.length - len(sound)))
    assert found[rows[0], 0] == pytest.approx(padded[masks[rows[0]] > 0].mean(), rel=1e-4)


def test_joined_parts_are_in_order_and_may_be_none() -> None:
    none = Embedded.joined([], 4)
    assert none.embeddings.shape == (0, 4)
    assert none.levels.shape == (0, 3)
    embedder, _ = embedder_of()
    crop = Crop(0, 25, np.array([[0, 25]]))
    buffer = buffer_of(400)[0]
    parts = [embedder.embed_pack(embedder.single(crop, buffer)) for _ in range(2)]
    joined = Embedded.joined(parts, 4)
    assert joined.embeddings.tolist() == [*parts[0].embeddings.tolist()] * 2
    assert joined.copied == parts[0].copied + parts[1].copied


def test_metadata_without_sizes_is_refused() -> None:
    network = RuleEmbedding(4)
    broken = type("Broken", (), {"metadata": {"dimension": "many"}, "run": network.run})()
    with pytest.raises(ModelError, match="embedding graph: no usable sizes"):
        Embedder(broken, GRID, CONFIG)
