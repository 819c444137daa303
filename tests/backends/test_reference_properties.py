"""The exported small graphs equal their NumPy references, and both follow their definitions."""

from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from hocket.segmentation.powerset import SLOTS_OF_CLASS
from tests.helpers.graphs import opened
from tests.helpers.paths import GOLDEN

Array = NDArray[np.float32]

BOTH = ("onnxruntime", "numpy")
LEAST_FRAMES = 59
SLOTS = 50


def run(name: str, **inputs: Array) -> dict[str, Array]:
    """Outputs of a small graph; both backends give the same bytes, except for distances."""
    exported, reference = (opened(backend, name).run(inputs) for backend in BOTH)
    assert list(exported) == list(reference)
    for port, array in exported.items():
        assert array.shape == reference[port].shape
        if port == "distances":
            assert array == pytest.approx(reference[port], abs=2e-6)
        else:
            assert np.array_equal(array, reference[port]), port
    return exported


def without_short_segments(mask: list[int]) -> list[int]:
    kept: list[int] = []
    for value, group in groupby(mask):
        length = len(list(group))
        kept += [value if length >= LEAST_FRAMES else 0] * length
    return kept


def mask_around_the_limit(frames: int, generator: np.random.Generator) -> list[int]:
    """A mask of segments and gaps, many exactly as long as a segment must be, or one frame off."""
    mask: list[int] = []
    value = int(generator.integers(2))
    while len(mask) < frames:
        usual = generator.integers(1, 130)
        mask += [value] * int(generator.choice([usual, 1, 58, 59, 60, 2]))
        value = 1 - value
    return mask[:frames]


def filtered(segments: list[list[int]]) -> tuple[Array, Array]:
    """Masks after post_embedding, a row each, and their frames."""
    stacked = np.array(segments, np.float32).T[None]
    unknown = np.zeros((stacked.shape[2], 1), np.float32)
    found = run("post_embedding", embeddings=unknown, database=unknown[:0], segments=stacked)
    return found["filtered"][0].T, found["activity"]


def test_filtered_masks_equal_a_loop_over_segments() -> None:
    generator = np.random.default_rng(59)
    counts = {"kept": 0, "dropped": 0}
    for frames in generator.integers(1, 700, 1_500 // SLOTS).tolist():
        masks = [mask_around_the_limit(frames, generator) for _ in range(SLOTS)]
        expected = [without_short_segments(mask) for mask in masks]
        found, activity = filtered(masks)
        assert found.tolist() == expected
        assert activity.tolist() == [sum(mask) for mask in masks]
        counts["kept"] += sum(map(sum, expected))
        counts["dropped"] += int(activity.sum()) - sum(map(sum, expected))
    assert min(counts.values()) > 10_000  # frames


@pytest.mark.parametrize("frames", [1, 58, 59, 60, 118])
def test_filtered_masks_equal_the_loop_on_every_single_segment(frames: int) -> None:
    masks = [
        [int(first <= frame < last) for frame in range(frames)]
        for last in range(1, frames + 1)
        for first in (0, last // 2, max(0, last - LEAST_FRAMES), max(0, last - LEAST_FRAMES + 1))
    ]
    assert filtered(masks)[0].tolist() == [without_short_segments(mask) for mask in masks]


@pytest.mark.parametrize("low", [-1.0, -1e30, -np.inf, 0.0 - 1e-7])
def test_the_first_class_wins_every_tie(low: float) -> None:
    tied = np.array(list(product([False, True], repeat=7)))  # all 128 sets of best classes
    log_probs = np.where(tied, 0.0, low).astype(np.float32)[None]
    expected = [next((c for c, best in enumerate(row) if best), 0) for row in tied.tolist()]
    masks = run("powerset_decode", log_probs=log_probs)["masks"]
    assert np.array_equal(masks[0], SLOTS_OF_CLASS[expected])


def test_classes_are_pyannotes() -> None:
    with np.load(GOLDEN / "segmentation.npz") as golden:
        assert np.array_equal(SLOTS_OF_CLASS, golden["mapping"])


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 20), st.just(7)),
        elements=st.sampled_from([-np.inf, -2.0, -1.0, -0.5, 0.0]) | st.floats(-50, 0, width=32),
    )
)
def test_the_best_class_is_decoded(log_probs: Array) -> None:
    masks = run("powerset_decode", log_probs=log_probs)["masks"]
    for index in np.ndindex(*log_probs.shape[:2]):
        scores = log_probs[index].tolist()
        assert masks[index].tolist() == SLOTS_OF_CLASS[scores.index(max(scores))].tolist()


@given(
    st.integers(1, 50).flatmap(
        lambda n: arrays.arrays(np.uint8, (n, 3), elements=st.integers(0, 1))
    ),
    arrays.arrays(np.float32, st.integers(1, 400), elements=st.floats(-1, 1, width=32)),
)
def test_embedding_inputs_are_copies_of_the_audio_and_frames_of_single_slots(
    masks: NDArray[np.uint8], audio: Array
) -> None:
    found = run("embedding_inputs", audio=audio[None, None], masks=masks[None].astype(np.float32))
    assert found["waveforms"].tolist() == [audio.tolist()] * 3
    alone = [[int(row[slot] and sum(row) == 1) for row in masks.tolist()] for slot in range(3)]
    assert found["clean_masks"].tolist() == alone


def vectors(generator: np.random.Generator, rows: int, dimension: int) -> Array:
    lengths = 10.0 ** generator.uniform(-12, 12, (rows, 1))
    return (generator.standard_normal((rows, dimension)) * lengths).astype(np.float32)


@pytest.mark.parametrize(("dimension", "speakers"), [(1, 3), (2, 40), (192, 1), (192, 0)])
def test_distances_equal_scipys(dimension: int, speakers: int) -> None:
    generator = np.random.default_rng(dimension + speakers)
    for _ in range(4):
        embeddings = vectors(generator, 5, dimension)
        database = vectors(generator, speakers, dimension)
        segments = np.ones((1, 3, 5), np.float32)
        found = run("post_embedding", embeddings=embeddings, database=database, segments=segments)
        expected = cdist(embeddings.astype(np.float64), database.astype(np.float64), "cosine")
        assert found["distances"] == pytest.approx(expected, abs=2e-6)


ODD = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e-30, 3e38])


@given(
    st.integers(1, 4).flatmap(
        lambda rows: arrays.arrays(np.float32, (rows, 3), elements=ODD | st.floats(-9, 9, width=32))
    ),
    st.integers(1, 20),
)
def test_a_distance_is_finite_exactly_between_two_directions(numbers: Array, frames: int) -> None:
    segments = np.ones((1, frames, len(numbers)), np.float32)
    found = run("post_embedding", embeddings=numbers, database=numbers, segments=segments)
    usable = np.isfinite(numbers).all(axis=1) & (numbers != 0).any(axis=1)
    assert np.array_equal(np.isfinite(found["distances"]), usable[:, None] & usable)
    assert not np.isnan(found["distances"]).any()
    assert (found["valid"] <= (usable & (frames > 10))).all()
