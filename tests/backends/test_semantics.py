"""The meaning of the graphs' outputs, on every backend."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.helpers.graphs import (
    INSTALLED,
    WITH_WAVEFORM,
    Case,
    cases,
    opened,
    samples,
    sinc_features_of,
)

Array = NDArray[np.float32]


def post(case: Case, **changed: Array) -> dict[str, Array]:
    """Outputs of post_embedding: three slots of length 1, two speakers, a second of speech each."""
    good = {
        "embeddings": np.eye(3, 8, dtype=np.float32),
        "database": np.eye(2, 8, dtype=np.float32),
        "segments": np.ones((1, 59, 3), np.float32),
    }
    return case.graph.run(good | changed)


def slots(*active: slice) -> Array:
    """Segments (1, 200, slots), each slot active in these frames."""
    segments = np.zeros((1, 200, len(active)), np.float32)
    for slot, frames in enumerate(active):
        segments[0, frames, slot] = 1
    return segments


@cases("post_embedding")
def test_an_empty_database_changes_only_the_distances(case: Case) -> None:
    empty, usual = post(case, database=np.empty((0, 8), np.float32)), post(case)
    assert empty.pop("distances").shape == (3, 0)
    assert usual.pop("distances").shape == (3, 2)
    for name, array in empty.items():
        assert np.array_equal(array, usual[name])


@cases("post_embedding")
def test_a_vector_without_a_direction_is_infinitely_far(case: Case) -> None:
    for odd in ([0.0] * 8, [np.nan], [np.inf], [-np.inf], [np.inf, -np.inf]):
        vectors = np.ones((3, 8), np.float32)
        vectors[1, : len(odd)] = odd
        as_slot = post(case, embeddings=vectors)
        assert as_slot["distances"][1].tolist() == [np.inf, np.inf]
        assert np.isfinite(as_slot["distances"][[0, 2]]).all()
        assert as_slot["valid"].tolist() == [1, 0, 1]
        as_speaker = post(case, database=vectors)
        assert as_speaker["distances"][:, 1].tolist() == [np.inf] * 3
        assert np.isfinite(as_speaker["distances"][:, [0, 2]]).all()
        assert as_speaker["valid"].tolist() == [1, 1, 1]


@cases("post_embedding")
def test_distances_depend_on_directions_only(case: Case) -> None:
    vectors = np.array([[1, 0], [0, 1], [-3e30, 0], [1e-30, 0], [1, 1]], np.float32)
    found = post(case, embeddings=vectors, database=vectors, segments=slots(*[slice(200)] * 5))
    angles = np.deg2rad([0, 90, 180, 0, 45])
    expected = 1 - np.cos(angles[:, None] - angles)
    assert found["distances"] == pytest.approx(expected, abs=2e-6)


@cases("post_embedding")
def test_a_slot_is_valid_with_over_ten_frames_and_an_embedding_of_some_length(case: Case) -> None:
    lengths = np.array([1, 1, 1, 0.11, 0.09], np.float32)
    segments_of = [slice(0), slice(10), slice(11), slice(11), slice(11)]
    vectors = np.eye(5, 8, dtype=np.float32) * lengths[:, None]
    found = post(case, embeddings=vectors, segments=slots(*segments_of))
    assert found["activity"].tolist() == [0, 10, 11, 11, 11]
    assert found["valid"].tolist() == [0, 0, 1, 1, 0]


@cases("post_embedding")
def test_a_segment_of_59_frames_is_kept_and_one_of_58_is_dropped(case: Case) -> None:
    for first in (0, 70, 141):
        segments = slots(slice(first, first + 59), slice(first + 1, first + 59), slice(200))
        filtered = post(case, segments=segments)["filtered"]
        assert np.array_equal(filtered[..., [0, 2]], segments[..., [0, 2]])
        assert not filtered[..., 1].any()


@cases("post_embedding")
def test_segments_are_counted_separately(case: Case) -> None:
    segments = slots(slice(0, 200), slice(0, 200), slice(0, 0))
    segments[0, 100, 0] = 0  # 100 and 99 frames: both stay, and the gap too
    segments[0, [58, 117], 1] = 0  # 58, 58 and 82 frames
    filtered = post(case, segments=segments)["filtered"]
    assert np.flatnonzero(filtered[0, :, 0] == 0).tolist() == [100]
    assert np.flatnonzero(filtered[0, :, 1]).tolist() == list(range(118, 200))


@cases("powerset_decode")
def test_the_first_of_equal_classes_wins(case: Case) -> None:
    log_probs = np.zeros((1, 3, 7), np.float32)
    log_probs[0, 1, :4] = -1
    log_probs[0, 2, :6] = -np.inf
    assert case.graph.run({"log_probs": log_probs})["masks"].tolist() == [
        [[0, 0, 0], [1, 1, 0], [0, 1, 1]]
    ]


@cases("embedding_inputs")
def test_a_slot_is_clean_where_it_speaks_alone(case: Case) -> None:
    audio, masks = samples("embedding_inputs")["audio"], np.zeros((1, 5, 3), np.float32)
    masks[0, 1] = [0, 1, 0]
    masks[0, 2] = [1, 1, 0]
    masks[0, 3] = [0, 0, 1]
    found = case.graph.run({"audio": audio, "masks": masks})
    assert np.array_equal(found["waveforms"], np.tile(audio[0], (3, 1)))
    assert found["clean_masks"].tolist() == [[0] * 5, [0, 1, 0, 0, 0], [0, 0, 0, 1, 0]]


@cases("embedding_inputs")
def test_slots_that_always_overlap_have_no_clean_frame(case: Case) -> None:
    for together in (2, 3):
        masks = np.zeros((1, 59, 3), np.float32)
        masks[..., :together] = 1
        found = case.graph.run(samples("embedding_inputs") | {"masks": masks})
        assert not found["clean_masks"].any()


@cases("embedding")
def test_an_empty_mask_gives_a_zero_embedding(case: Case) -> None:
    inputs = case.inputs
    inputs["masks"][0, 1] *= inputs["masks"][0, 0]  # embedded with and without it, to compare
    silenced = inputs["masks"].copy()
    silenced[0, 1] = silenced[1] = 0
    usual = case.graph.run(inputs)["embeddings"]
    found = case.graph.run(inputs | {"masks": silenced})["embeddings"]
    assert usual.any(axis=-1).all()
    assert found.any(axis=-1).tolist() == [[True, False, True], [False] * 3]
    assert np.array_equal(found[0, ::2], usual[0, ::2])


@cases("embedding")
def test_masks_may_have_any_frame_rate(case: Case) -> None:
    waveform = samples("embedding")["waveform"]
    found = [
        case.graph.run({"waveform": waveform, "masks": np.ones((2, 1, frames), np.float32)})
        for frames in (1, 7, 100, 4_000)
    ]
    assert all(np.array_equal(f["embeddings"], found[0]["embeddings"]) for f in found)


@cases(*WITH_WAVEFORM, backends=INSTALLED)
def test_a_row_of_a_batch_is_what_it_is_alone(case: Case) -> None:
    together = case.graph.run(case.inputs)
    for row in range(2):
        alone = case.graph.run({name: a[row : row + 1] for name, a in case.inputs.items()})
        for name, array in alone.items():
            np.testing.assert_allclose(array[0], together[name][row], 1e-3, 1e-3, err_msg=name)


@cases("fused")
def test_silence_has_no_mask_and_no_embedding(case: Case) -> None:
    found = case.graph.run({"waveform": np.zeros((2, 1, 80_000), np.float32)})
    assert not found["masks"].any()
    assert not found["embeddings"].any()


@cases("sinc_peaks")
def test_sinc_features_are_the_highest_of_three_and_of_the_negatives(case: Case) -> None:
    waveform = case.inputs["waveform"][:1]
    upright, turned = (case.graph.run({"waveform": sign * waveform})["peaks"] for sign in (1, -1))
    step, field = (int(case.graph.metadata[f"place_{name}"]) for name in ("step", "field"))
    assert upright.shape[-1] == (waveform.shape[-1] - field) // step + 1
    assert np.array_equal(upright, np.roll(turned, 80, axis=1))
    assert (upright[:, :80] + upright[:, 80:] >= 0).all()
    assert not case.graph.run({"waveform": np.zeros_like(waveform)})["peaks"].any()


@cases("segmentation_from_peaks")
def test_segmentation_from_sinc_features_equals_segmentation_from_sound(case: Case) -> None:
    whole = opened(case.backend, "segmentation")
    for offset in (0.0, 0.25):
        waveform = case.inputs["waveform"] + np.float32(offset)
        found = case.graph.run({"waveform": waveform, "peaks": sinc_features_of(waveform)})[
            "log_probs"
        ]
        expected = whole.run({"waveform": waveform})["log_probs"]
        np.testing.assert_allclose(found, expected, 1e-6, 1e-3)


@pytest.mark.parametrize("backend", [*INSTALLED, "coreml"])
def test_joined_graphs_are_the_chain_of_their_parts(backend: str) -> None:
    waveform = samples("fused")["waveform"][:1]
    fused = opened(backend, "fused").run({"waveform": waveform})
    log_probs = opened(backend, "segmentation").run({"waveform": waveform})
    masks = opened(backend, "powerset_decode").run(log_probs)["masks"]
    joined = opened(backend, "segmentation_masks").run({"waveform": waveform})["masks"]
    assert masks.any()
    assert np.array_equal(joined, masks)
    assert np.array_equal(fused["masks"], masks)
    audio = np.resize(waveform, (1, 1, 16_000))  # not used here
    clean = opened(backend, "embedding_inputs").run({"audio": audio, "masks": masks})["clean_masks"]
    embeddings = opened("onnxruntime", "embedding").run(
        {"waveform": waveform, "masks": clean[None]}
    )
    scale = np.abs(embeddings["embeddings"]).max()
    assert scale > 0
    assert np.abs(fused["embeddings"] - embeddings["embeddings"]).max() <= 1e-3 * scale
