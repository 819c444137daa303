"""Principal components: as far apart as may be, finite, and the same every time."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from hocket.report.projection import principal_components

VECTORS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 12), st.integers(1, 6)),
    elements=st.floats(-1, 1, width=32),
)


@given(VECTORS)
@example(np.zeros((0, 4), np.float32))
@example(np.ones((5, 4), np.float32))
@example(np.ones((1, 1), np.float32))
def test_points_are_finite_and_no_farther_apart_than_the_vectors(
    vectors: NDArray[np.float32],
) -> None:
    points, shares = principal_components(vectors)
    assert points.shape == (len(vectors), 2)
    assert np.isfinite(points).all()
    assert np.isfinite(shares).all()
    assert 0 <= shares.sum() <= 1 + 1e-9
    assert np.abs(points.sum(axis=0)).max() < 1e-4 if len(points) else True
    exact = vectors.astype(np.float64)
    for one, other in zip(range(len(points)), range(1, len(points)), strict=False):
        apart = np.linalg.norm(points[one] - points[other])
        assert apart <= np.linalg.norm(exact[one] - exact[other]) + 1e-6


def test_the_first_component_is_that_of_the_largest_variance() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 5)) * (0.1, 5.0, 0.1, 2.0, 0.1)
    points, shares = principal_components(vectors)
    centered = vectors - vectors.mean(axis=0)
    assert np.corrcoef(points[:, 0], centered[:, 1])[0, 1] > 0.99
    assert np.corrcoef(points[:, 1], centered[:, 3])[0, 1] > 0.99
    assert shares == pytest.approx([25 / 29.03, 4 / 29.03], abs=0.03)


def test_the_sign_is_that_of_the_largest_coordinate_in_any_order() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        vectors = rng.normal(size=(40, 6)) * rng.permutation((0.1, 5.0, 0.2, 2.0, 0.3, 0.4))
        points = principal_components(vectors).points
        again = principal_components(vectors[::-1]).points[::-1]
        assert points == pytest.approx(again, abs=1e-9)
        largest = vectors[:, vectors.std(axis=0).argmax()]
        assert np.corrcoef(points[:, 0], largest)[0, 1] > 0.9
