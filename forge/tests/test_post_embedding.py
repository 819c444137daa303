"""Everything after the embeddings, against the NumPy reference and a run-length loop."""

from itertools import groupby

import numpy as np
import pytest
import torch
from hocket_forge.post_embedding import PostEmbedding
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from hocket.backends import reference

Array = NDArray[np.float32]
NAMES = ("distances", "activity", "valid", "filtered")
MIN_SEGMENT = 59
DISTANCE = 1e-6


def post_embedding(embeddings: Array, database: Array, segments: Array) -> dict[str, Array]:
    with torch.no_grad():
        outputs = PostEmbedding()(*map(torch.from_numpy, (embeddings, database, segments)))
    return {name: out.numpy() for name, out in zip(NAMES, outputs, strict=True)}


def filtered(segments: Array) -> Array:
    """Masks (F, S) without short segments."""
    embeddings = np.ones((segments.shape[1], 1), np.float32)
    kept: Array = post_embedding(embeddings, embeddings[:0], segments[None])["filtered"][0]
    return kept


def vectors(rows: st.SearchStrategy[int], dimension: int) -> st.SearchStrategy[Array]:
    ordinary = st.floats(-8, 8, width=32)
    anything = st.floats(width=32) | st.just(0.0)
    row = st.one_of(
        arrays(np.float32, dimension, elements=ordinary),
        arrays(np.float32, dimension, elements=anything),
        st.just(np.zeros(dimension, np.float32)),
    )
    return rows.flatmap(
        lambda count: st.lists(row, min_size=count, max_size=count).map(
            lambda found: np.array(found, np.float32).reshape(count, dimension)
        )
    )


@st.composite
def masks(draw: st.DrawFn, slots: int) -> Array:
    """(1, F, slots): segments and gaps with lengths near the limit."""
    frames = draw(st.one_of(st.integers(1, 70), st.integers(1, 400)))
    columns = []
    for _ in range(slots):
        lengths = draw(st.lists(st.one_of(st.integers(0, 3), st.integers(8, 120)), max_size=8))
        active = [index % 2 for index, length in enumerate(lengths) for _ in range(length)]
        tail = draw(st.integers(0, 1))
        columns.append((active + [tail] * frames)[:frames])
    return np.array(columns, np.float32).T[None]


@st.composite
def inputs(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    dimension = draw(st.integers(1, 6))
    slots = draw(st.integers(1, 4))
    embeddings = draw(vectors(st.just(slots), dimension))
    database = draw(vectors(st.integers(0, 4), dimension))
    return embeddings, database, draw(masks(slots))


@given(drawn=inputs())
def test_any_input_gives_what_the_numpy_loop_gives(drawn: tuple[Array, Array, Array]) -> None:
    embeddings, database, segments = drawn
    finite = embeddings[np.isfinite(embeddings).all(1)].astype(np.float64)
    # float32 and float64 may differ about a norm near the limit
    assume(not (np.abs(np.linalg.norm(finite, axis=1) - 0.1) < 1e-6).any())
    expected = reference.post_embedding(embeddings, database, segments)
    found = post_embedding(embeddings, database, segments)
    for name in NAMES:
        assert found[name].dtype == np.float32
        assert found[name].shape == expected[name].shape, name
    for name in ("activity", "valid", "filtered"):
        assert np.array_equal(found[name], expected[name]), name
    known = np.isfinite(expected["distances"])
    assert np.array_equal(found["distances"][~known], expected["distances"][~known])
    gap = np.abs(found["distances"][known] - expected["distances"][known])
    assert gap.max(initial=0.0) <= DISTANCE


def test_distances_are_one_minus_cosine_whatever_the_lengths() -> None:
    embeddings = np.array([[3, 0], [0, 1e-18], [1e30, 1e30]], np.float32)
    database = np.array([[1e-30, 0], [-5, 0], [0, 2e25], [1, 1]], np.float32)
    found = post_embedding(embeddings, database, np.zeros((1, 5, 3), np.float32))["distances"]
    diagonal = 1 - np.sqrt(0.5)
    expected = [[0, 2, 1, diagonal], [1, 1, 0, diagonal], [diagonal, 2 - diagonal, diagonal, 0]]
    assert np.abs(found - expected).max() < DISTANCE


@pytest.mark.parametrize("poison", [0.0, np.nan, np.inf, -np.inf])
def test_an_embedding_without_direction_is_far_from_all_and_invalid(poison: float) -> None:
    rows = np.ones((3, 4), np.float32)
    rows[1, 2] = poison
    if poison == 0:
        rows[1] = 0
    found = post_embedding(rows, rows, np.ones((1, 20, 3), np.float32))
    infinite = np.zeros((3, 3), bool)
    infinite[1], infinite[:, 1] = True, True
    assert np.array_equal(np.isposinf(found["distances"]), infinite)
    assert np.abs(found["distances"][~infinite]).max() < DISTANCE
    assert found["valid"].tolist() == [1, 0, 1]


def test_an_empty_database_gives_an_empty_row_per_slot() -> None:
    found = post_embedding(
        np.ones((3, 192), np.float32),
        np.empty((0, 192), np.float32),
        np.ones((1, 589, 3), np.float32),
    )
    assert found["distances"].shape == (3, 0)
    assert found["valid"].tolist() == [1, 1, 1]
    assert found["activity"].tolist() == [589, 589, 589]


def test_a_valid_slot_has_more_than_ten_frames_and_a_length_above_a_tenth() -> None:
    segments = np.zeros((1, 40, 4), np.float32)
    segments[0, 3:13, 0] = 1  # ten frames, one too few
    segments[0, ::2, 1] = 1
    segments[0, 5:16, 2:] = 1  # eleven
    embeddings = np.zeros((4, 3), np.float32)
    embeddings[:3, 0] = 0.101
    embeddings[3, 0] = 0.099
    found = post_embedding(embeddings, embeddings, segments)
    assert found["activity"].tolist() == [10, 20, 11, 11]
    assert found["valid"].tolist() == [0, 1, 1, 0]
    assert np.isfinite(found["distances"]).all()  # short, but it has a direction


@pytest.mark.parametrize("frames", [1, 10, 58, 59, 60, 117, 118, 589])
def test_a_segment_that_fills_the_window_is_kept_only_if_long_enough(frames: int) -> None:
    column = np.ones((frames, 1), np.float32)
    assert np.array_equal(filtered(column), column * (frames >= MIN_SEGMENT))


@pytest.mark.parametrize("length", [58, 59, 60])
@pytest.mark.parametrize("edge", ["start", "end"])
def test_a_segment_at_an_edge_is_measured_like_any_other(edge: str, length: int) -> None:
    column = np.zeros((200, 1), np.float32)
    segment = slice(0, length) if edge == "start" else slice(200 - length, 200)
    column[segment] = 1
    assert np.array_equal(filtered(column), column * (length >= MIN_SEGMENT))


def drawn_segments(generator: np.random.Generator, frames: int, slots: int) -> Array:
    """(frames, slots): segments and gaps of 1 to 119 frames, many within one frame of 59."""
    lengths = generator.choice(
        np.concatenate([np.arange(1, 120), np.repeat([1, 57, 58, 59, 60], 20)]), (slots, frames)
    )
    changes = np.cumsum(lengths, axis=1) - generator.integers(0, 120, (slots, 1))
    toggles = np.zeros((slots, frames), np.int64)
    rows, columns = np.nonzero((changes >= 0) & (changes < frames))
    np.add.at(toggles, (rows, changes[rows, columns]), 1)
    started = generator.integers(0, 2, (slots, 1))
    segments: Array = ((started + toggles.cumsum(1)) % 2).T.astype(np.float32)
    return segments


def long_segments(column: Array) -> list[float]:
    kept: list[float] = []
    for active, frames in groupby(column.tolist()):
        length = len(list(frames))
        kept += [active if length >= MIN_SEGMENT else 0.0] * length
    return kept


def test_ten_thousand_masks_lose_exactly_their_short_segments() -> None:
    generator = np.random.default_rng(59)
    kept = removed = 0
    for frames in (58, 59, 61, 100, 118, 177, 200, 300, 589, 600):
        segments = drawn_segments(generator, frames, slots=1_000)
        expected = np.array([long_segments(column) for column in segments.T], np.float32).T
        assert np.array_equal(filtered(segments), expected)
        kept += int(expected.sum())
        removed += int((segments - expected).sum())
    assert kept > 100_000  # otherwise the comparison would prove nothing
    assert removed > 100_000
