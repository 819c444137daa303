"""Packs in inference: a subsegment in a pack is embedded as if it were alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.arrays import Waveform
from hocket.graph import Tensors
from hocket.offline.inference import InferenceOutput
from hocket.timing import Stopwatch
from tests.helpers.geometry import SMALL
from tests.helpers.inference import CONFIG
from tests.helpers.rule_networks import (
    RuleEmbedding,
    RuleInference,
    delays,
    rule_inference,
    sound_of,
    stream_in,
)


def inference(threads: int, seed: int | None = None, pack_s: float = 0.9) -> RuleInference:
    before = {} if seed is None else {"before": delays(seed)}
    subsegments = replace(CONFIG.subsegments, crop_s=0.7, pack_s=pack_s, gap_s=0.02)
    config = replace(CONFIG, subsegments=subsegments)
    return rule_inference(SMALL, config=config, threads=threads, gate_samples=10, **before)


def alone(sound: Waveform, found: InferenceOutput) -> np.ndarray:
    """Embeddings of the subsegments, each from its own samples."""
    network = RuleEmbedding(SMALL.frame_step, gate_samples=10)
    rows = [np.zeros((0, 4), np.float32)]
    bounds = found.subsegments.first.tolist(), found.subsegments.last.tolist()
    for first, last in zip(*bounds, strict=True):
        own = sound[SMALL.frame_start(first) : SMALL.frame_start(last)]
        inputs = {"waveform": own[None, None], "masks": np.ones((1, 1, len(own)), np.float32)}
        rows.append(network.run(inputs)["embeddings"][0])
    return np.concatenate(rows)


PARTS_OF_SOUND = st.lists(
    st.tuples(st.sampled_from([0, 1, 1, 2, 2, 3, 4, 6]), st.integers(1, 60)), max_size=14
)


@pytest.mark.parametrize("pack_s", [0.1, 0.9])
@settings(max_examples=30)
@given(PARTS_OF_SOUND, st.sampled_from([1, 9, 50, 1000]), st.integers(1, 3), st.integers(0, 99))
def test_subsegments_are_embedded_as_if_alone_on_any_number_of_threads(
    pack_s: float, parts: list[tuple[int, int]], block: int, threads: int, seed: int
) -> None:
    sound = np.concatenate([sound_of(parts, seed), sound_of([(0, 60)])])
    expected = inference(1, pack_s=pack_s).infer(stream_in(sound, []))
    blocks = [block] * (len(sound) // block)
    found = inference(threads, seed, pack_s).infer(stream_in(sound, blocks))
    np.testing.assert_allclose(expected.embeddings, alone(sound, expected), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)
    np.testing.assert_array_equal(found.subsegments.first, expected.subsegments.first)


@pytest.mark.parametrize("threads", [1, 3])
def test_all_packs_have_one_length(threads: int) -> None:
    sound = sound_of([(1, 130), (2, 70), (0, 60), (4, 40), (1, 300), (0, 30), (3, 90)] * 3)
    rules, watch = inference(threads), Stopwatch()
    found = rules.infer(stream_in(sound, [33] * 50), watch)
    assert len(rules.embedding.lengths) > 10
    assert set(rules.embedding.lengths) == {90}
    assert found.embeddings.any(axis=1).all()
    samples = (found.subsegments.last - found.subsegments.first).sum() * SMALL.frame_step
    assert 0 < watch.copied["embedding"] <= 4 * samples


@pytest.mark.parametrize("pack_s", [0.9, 30.0])
def test_no_pack_mixes_void_regions_with_later_ones(pack_s: float) -> None:
    sound = sound_of([(4, 400), (0, 50), (6, 300), (1, 70), (0, 40), (4, 100)])
    rules, received = inference(2, 5, pack_s), list[Waveform]()
    run = rules.embedding.run

    def keep(inputs: Tensors) -> dict[str, np.ndarray]:
        received.append(inputs["waveform"][0, 0].copy())
        return run(inputs)

    rules.embedding.run = keep  # type: ignore[method-assign]
    found = rules.infer(stream_in(sound, [10] * 96))
    assert len(found.embeddings) == len(found.subsegments.region) > 0
    assert (found.regions * SMALL.frame_step > 700).all()
    np.testing.assert_allclose(found.embeddings, alone(sound, found), rtol=1e-5, atol=1e-6)
    assert all(each[0] for each in received)  # a pack begins with a crop
