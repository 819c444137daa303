"""Channels from band levels, and compensation: continuous, and without effect in full band."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket import models
from hocket.arrays import Bands, unit_length
from hocket.embedding.channels import (
    ChannelModel,
    compensate,
    compensate_subsegments,
    membership,
    pooled,
    usual_levels,
    weights_of,
)

DIMENSION, RANK = 12, 3
NAN = [np.nan] * 3
FULL, TELEPHONE = [0.0, -10.0, -12.0], [-25.0, -60.0, -65.0]

decibels = st.floats(-130, 30, width=32)
triples = st.tuples(decibels, decibels, decibels)


def model_of(seed: int = 0, dimension: int = DIMENSION) -> ChannelModel:
    rng = np.random.default_rng(seed)
    shapes = [(3, dimension), (dimension,), (dimension, RANK), (RANK, dimension)]
    return ChannelModel(*(0.3 * rng.normal(size=shape).astype(np.float32) for shape in shapes))


def voices(number: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return unit_length(rng.normal(size=(number, DIMENSION)).astype(np.float32))


def levels_array(*rows: object) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, 3)


# Membership


@given(st.lists(triples, min_size=1, max_size=20))
def test_weights_are_shares_of_one(rows: list[tuple[float, float, float]]) -> None:
    weights = membership(levels_array(*rows))
    assert weights.shape == (len(rows), 4)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


@given(triples, st.integers(0, 2), st.floats(-0.5, 0.5))
def test_weights_change_as_little_as_levels_do(
    row: tuple[float, float, float], place: int, step: float
) -> None:
    moved = list(row)
    moved[place] += step
    one, other = membership(np.array([row, moved]))
    assert np.abs(one - other).max() <= abs(step) / 10 + 1e-9  # ramps are 10 dB long


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (FULL, [1, 0, 0, 0]),
        ((-40, -34, -45), [1, 0, 0, 0]),
        ((0, -20, -50), [0.5, 0.5, 0, 0]),
        ((-40, -20, -60), [0, 1, 0, 0]),
        ((0, -39, -40), [0.5, 0, 0.5, 0]),
        ((0, -39, -60), [0, 0.5, 0.5, 0]),
        ((0, -44, -44), [0, 0, 1, 0]),
        ((-13, -44, -70), [0, 0, 0.5, 0.5]),
        ((-13, -39, -40), [0.5, 0, 0.25, 0.25]),
        (TELEPHONE, [0, 0, 0, 1]),
    ],
)
def test_ramps_lie_where_they_were_measured(
    levels: tuple[float, ...], expected: list[float]
) -> None:
    np.testing.assert_allclose(membership(levels_array(levels))[0], expected, atol=1e-12)


# Pooling


def test_a_crop_counts_by_its_length_against_one_second_of_the_usual_levels() -> None:
    levels, usual = levels_array([-20, -40, -60], [-20, -40, -60]), np.array([0.0, -10.0, -20.0])
    found = pooled(levels, np.array([1.0, 3.0]), usual)
    np.testing.assert_allclose(found, [[-10, -25, -40], [-15, -32.5, -50]])


def test_levels_are_clipped_where_they_stop_to_matter() -> None:
    levels = levels_array([10, -110, -110], [-90, 20, 20])
    found = pooled(levels, np.array([1.0, 1.0]), np.array([5.0, -110.0, -110.0]))
    np.testing.assert_allclose(found, [[0, -70, -70], [-20, -35, -35]])


def test_unknown_crops_have_the_usual_levels_and_with_nothing_known_all_is_full_band() -> None:
    usual = np.array(TELEPHONE)
    np.testing.assert_allclose(pooled(levels_array(NAN), np.ones(1), usual), [TELEPHONE])
    nothing = Bands(np.array([0, 0, 1]), levels_array(NAN, NAN), np.array([0.1, 2.0]))
    assert weights_of(nothing).tolist() == [[1, 0, 0, 0]] * 3
    assert (
        weights_of(nothing._replace(usual=np.array(NAN, np.float32))).tolist() == [[1, 0, 0, 0]] * 3
    )
    lone = Bands(np.array([0]), levels_array(TELEPHONE), np.ones(1))
    assert weights_of(lone._replace(usual=np.array(NAN, np.float32)))[0, 3] == 1
    empty = Bands(np.zeros(0, np.int64), levels_array(), np.zeros(0))
    assert weights_of(empty).shape == (0, 4)


def test_subsegments_have_the_weights_of_their_crop() -> None:
    bands = Bands(np.array([1, 0, 1, 1]), levels_array(FULL, TELEPHONE), np.array([100.0, 90.0]))
    weights = weights_of(bands)
    assert weights[1].tolist() == [1, 0, 0, 0]
    assert weights[[0, 2, 3]].tolist() == [[0, 0, 0, 1]] * 3


def test_usual_levels_may_be_given() -> None:
    bands = Bands(np.array([0]), levels_array(FULL), np.array([0.2]))
    assert weights_of(bands)[0, 0] == 1
    assert weights_of(bands._replace(usual=np.array(TELEPHONE, np.float32)))[0, 0] < 0.2


@given(
    st.lists(st.tuples(triples, st.integers(1, 9), st.booleans()), min_size=1, max_size=15),
)
def test_usual_levels_are_weighted_medians(
    crops: list[tuple[tuple[float, float, float], int, bool]],
) -> None:
    """The median of crops repeated by their seconds, without unknown ones."""
    levels = levels_array(*(row if known else NAN for row, _, known in crops))
    seconds = np.array([length for _, length, _ in crops], float)
    found = usual_levels(levels, seconds)
    known = np.isfinite(levels).all(axis=1)
    if not known.any():
        assert np.isnan(found).all()
        return
    repeated = np.repeat(levels[known].astype(float), seconds[known].astype(int), axis=0)
    clipped = np.sort(np.clip(repeated, (-40, -70, -70), 0), axis=0)
    np.testing.assert_allclose(found, clipped[(len(clipped) - 1) // 2])


# Compensation


@given(st.lists(triples, min_size=1, max_size=12), st.integers(0, 5))
def test_compensated_vectors_follow_the_formula(
    rows: list[tuple[float, float, float]], seed: int
) -> None:
    vectors, model = voices(len(rows), seed), model_of(seed)
    weights = membership(levels_array(*rows))
    freed = compensate(vectors, weights, model)
    assert freed.dtype == np.float32
    for row, (vector, shares) in enumerate(zip(vectors.astype(float), weights, strict=True)):
        if shares[0] == 1:
            assert freed[row].tobytes() == vectors[row].tobytes()
            continue
        bare = vector - shares[1:] @ model.offsets
        bare += (1 - shares[0]) * ((bare - model.centre) @ model.left @ model.right)
        np.testing.assert_allclose(freed[row], bare / np.linalg.norm(bare), atol=1e-5)


def test_full_band_stays_bit_for_bit_and_inputs_are_not_changed() -> None:
    vectors, model = voices(4), model_of()
    before = vectors.copy()
    full = np.tile([1.0, 0, 0, 0], (4, 1))
    assert compensate(vectors, full, model) is vectors
    mixed = full.copy()
    mixed[1] = 0, 0, 0, 1
    freed = compensate(vectors, mixed, model)
    assert vectors.tobytes() == before.tobytes()
    assert freed[[0, 2, 3]].tobytes() == before[[0, 2, 3]].tobytes()
    assert np.abs(freed[1] - before[1]).max() > 0.1


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf])
def test_rows_without_a_direction_are_left_alone(value: float) -> None:
    vectors = voices(3)
    vectors[1] = value
    vectors[2, 5] = value
    freed = compensate(vectors, np.tile([0.0, 0, 0, 1], (3, 1)), model_of())
    assert freed[1].tobytes() == vectors[1].tobytes()
    assert (freed[2].tobytes() == vectors[2].tobytes()) == (value != 0)
    assert freed[0].tobytes() != vectors[0].tobytes()


def test_without_bands_or_model_nothing_changes() -> None:
    vectors = voices(2)
    bands = Bands(np.array([0, 0]), levels_array(TELEPHONE), np.ones(1))
    assert compensate_subsegments(vectors, None, model_of()).vectors is vectors
    assert compensate_subsegments(vectors, bands, None).vectors is vectors
    assert compensate_subsegments(vectors, bands, model_of()).vectors.tobytes() != vectors.tobytes()


def test_vectors_are_compensated_independently() -> None:
    vectors, model = voices(40), model_of()
    weights = np.tile([0.2, 0.1, 0.3, 0.4], (40, 1))
    together = compensate(vectors, weights, model)
    alone = [compensate(vectors[[row]], weights[[row]], model) for row in range(40)]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)


# The file


def test_a_model_survives_its_file_and_equal_models_have_equal_bytes() -> None:
    model = model_of()
    read = ChannelModel.from_bytes(model.to_bytes())
    for name, array in vars(model).items():
        assert getattr(read, name).tobytes() == array.tobytes()
    assert model.to_bytes() == model_of().to_bytes() != model_of(1).to_bytes()


def saved(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def altered(**changes: object) -> bytes:
    return saved(**vars(model_of()) | changes)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the kind",
        model_of().to_bytes()[:300],
        saved(offsets=np.zeros(3, np.float32)),
        altered(centre=np.zeros(DIMENSION)),
        altered(centre=np.zeros(DIMENSION - 1, np.float32)),
        altered(left=np.zeros(DIMENSION, np.float32)),
        altered(right=np.zeros((RANK + 1, DIMENSION), np.float32)),
        altered(offsets=np.array([{"code": print}], dtype=object)),
    ],
)
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ChannelModel.from_bytes(content)


def test_the_shipped_model_fits_its_network() -> None:
    for name in ("campplus", "campplus-local"):
        model = models.channel_model(name)
        assert model is not None
        assert model.offsets.shape == (3, models.embedding_model(name).dimension)
        assert model.left.shape[1] == 16
        assert all(np.isfinite(array).all() for array in vars(model).values())
        lengths = np.linalg.norm(model.offsets, axis=1)
        assert 0.2 < lengths[0] < lengths[1:].min() < 1
    assert models.channel_model("wespeaker-resnet34") is None
