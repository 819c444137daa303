"""PLDA on planted speakers: properties of the transform, and files that are refused."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.linalg import eigh

from hocket.clustering import plda as plda_module
from hocket.clustering.plda import FILES, NAMES, Plda, read_plda
from hocket.errors import ModelError

DIMENSION, KEPT = 24, 10
SEEDS = st.integers(0, 2**32 - 1)
Arrays = dict[str, NDArray]


def random_arrays(seed: int, dimension: int = DIMENSION, kept: int = KEPT) -> Arrays:
    """Arrays of a PLDA, with variances in no order."""
    rng = np.random.default_rng(seed)
    return {
        "mean1": rng.normal(size=dimension),
        "mean2": 0.1 * rng.normal(size=kept),
        "lda": rng.normal(size=(dimension, kept)),
        "mu": 0.1 * rng.normal(size=kept),
        "tr": rng.normal(size=(kept, kept)) + 3 * np.eye(kept),
        "psi": rng.permutation(np.linspace(0.1, 9, kept)),
    }


def save(path: Path, arrays: Arrays) -> Path:
    np.savez(path, **arrays)
    return path


def loaded(seed: int) -> Plda:
    """The PLDA of `random_arrays`, without a file."""
    arrays = random_arrays(seed)
    order = np.argsort(-arrays["psi"])
    return Plda(
        "here",
        arrays["mean1"],
        arrays["lda"],
        arrays["mean2"],
        arrays["mu"],
        arrays["tr"][order],
        arrays["psi"][order],
    )


def published(arrays: Arrays, vectors: NDArray) -> tuple[NDArray, NDArray]:
    """The published recipe step by step, by an eigenproblem: features and variances."""
    tr = arrays["tr"]
    within = np.linalg.inv(tr.T @ tr)
    between = np.linalg.inv(tr.T @ np.diag(1 / arrays["psi"]) @ tr)
    rising, columns = eigh(between, within)
    rows = []
    for vector in vectors:
        centred = vector - arrays["mean1"]
        projected = arrays["lda"].T @ (centred / np.linalg.norm(centred) * DIMENSION**0.5)
        projected -= arrays["mean2"]
        length = np.linalg.norm(projected)
        rows.append((projected / length * KEPT**0.5 - arrays["mu"]) @ columns[:, ::-1])
    return np.array(rows), rising[::-1]


def train(vectors: NDArray, speakers: NDArray) -> Arrays:
    """A PLDA from labelled vectors, by moments; projects on the first KEPT axes."""
    mean1 = vectors.mean(axis=0)
    lda = np.eye(vectors.shape[1], KEPT)
    plain = {"mean1": mean1, "lda": lda, "mean2": np.zeros(KEPT), "mu": np.zeros(KEPT)}
    raw = Plda("", mean1, lda, np.zeros(KEPT), np.zeros(KEPT), np.eye(KEPT), np.ones(KEPT))
    features = raw.transform(vectors)
    mu = features.mean(axis=0)
    within, between = covariances(features, speakers)
    psi, columns = eigh(between, within)
    return plain | {"mu": mu, "tr": columns.T, "psi": psi}


def covariances(features: NDArray, speakers: NDArray) -> tuple[NDArray, NDArray]:
    """Covariance within and between speakers with equally many vectors each."""
    means = np.stack([features[speakers == one].mean(axis=0) for one in np.unique(speakers)])
    each = len(features) // len(means)
    within = (features - means[speakers]).T @ (features - means[speakers])
    within /= len(features) - len(means)
    return within, np.cov(means.T) - within / each


def planted(speakers: int, each: int, seed: int) -> tuple[NDArray, NDArray]:
    """Vectors far from the origin, correlated within and between speakers, and their speakers."""
    mixing, blur = np.random.default_rng(7).normal(size=(2, DIMENSION, DIMENSION))
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(speakers, DIMENSION)) @ mixing
    labels = np.repeat(np.arange(speakers), each)
    noise = 0.5 * rng.normal(size=(len(labels), DIMENSION)) @ blur
    return points[labels] + noise + 3.0, labels


def test_variance_is_one_within_speakers_and_diagonal_between_them(tmp_path: Path) -> None:
    vectors, speakers = planted(1_500, 8, seed=1)
    found = read_plda(save(tmp_path / "all.npz", train(vectors, speakers)))
    others, other_speakers = planted(1_500, 8, seed=2)  # the same population, other speakers
    features = found.transform(others.astype(np.float32))
    within, between = covariances(features, other_speakers)
    np.testing.assert_allclose(within, np.eye(KEPT), atol=0.1)
    scale = np.sqrt(np.outer(1 + found.between, 1 + found.between))
    np.testing.assert_allclose(between / scale, np.diag(found.between) / scale, atol=0.1)
    assert found.between[0] > 2
    assert np.all(np.diff(found.between) <= 0)


@given(SEEDS)
def test_the_transform_is_the_published_recipe_up_to_signs(seed: int) -> None:
    vectors = np.random.default_rng([seed, 1]).normal(size=(6, DIMENSION))
    expected, variances = published(random_arrays(seed), vectors)
    found = loaded(seed)
    np.testing.assert_allclose(found.between, variances, rtol=1e-6)
    np.testing.assert_allclose(
        np.abs(found.transform(vectors)), np.abs(expected), rtol=1e-4, atol=1e-5
    )
    inner = expected * variances @ expected.T  # all that a mixture depends on
    features = found.transform(vectors)
    np.testing.assert_allclose(features * found.between @ features.T, inner, rtol=1e-4, atol=1e-3)


@given(SEEDS, st.floats(0.01, 100))
def test_only_the_direction_from_the_mean_matters(seed: int, scale: float) -> None:
    found = loaded(seed)
    offsets = np.random.default_rng([seed, 1]).normal(size=(4, DIMENSION))
    near, far = found.transform(found.mean + offsets), found.transform(found.mean + scale * offsets)
    np.testing.assert_allclose(near, far, rtol=1e-6, atol=1e-8)


def test_every_voice_is_transformed_independently_in_double_precision() -> None:
    vectors = np.random.default_rng(3).normal(size=(5, DIMENSION)).astype(np.float32)
    features = loaded(3).transform(vectors)
    assert features.dtype == np.float64
    assert features.shape == (5, KEPT)
    np.testing.assert_allclose(features[2], loaded(3).transform(vectors[2:3])[0], rtol=1e-12)
    assert loaded(3).transform(vectors[:0]).shape == (0, KEPT)


def test_the_mean_itself_has_finite_features() -> None:
    assert np.isfinite(loaded(4).transform(loaded(4).mean[None])).all()


def test_one_file_and_the_two_published_files_are_the_same_plda(tmp_path: Path) -> None:
    arrays = random_arrays(5)
    one = read_plda(save(tmp_path / "all.npz", arrays | {"note": np.array("ignored")}))
    save(tmp_path / FILES[0], {name: arrays[name] for name in ("mean1", "mean2", "lda")})
    save(tmp_path / FILES[1], {name: arrays[name] for name in ("mu", "tr", "psi")})
    two = read_plda(tmp_path)
    for found, expected in zip(two[1:], one[1:], strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(two[1:], loaded(5)[1:], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_single_precision_files_are_read(tmp_path: Path) -> None:
    arrays = {name: array.astype(">f4") for name, array in random_arrays(6).items()}
    found = read_plda(save(tmp_path / "all.npz", arrays))
    assert all(array.dtype == np.float64 for array in found[1:])
    np.testing.assert_allclose(found.mean, random_arrays(6)["mean1"], rtol=1e-6)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    for name in NAMES:
        arrays = random_arrays(7)
        del arrays[name]
        with pytest.raises(ModelError, match=rf"all\.npz: found no {name}; place the PLDA"):
            read_plda(save(tmp_path / "all.npz", arrays))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda array: array[:-1],
        lambda array: array[..., None],
        lambda array: np.where(array == array.flat[0], np.nan, array),
        lambda array: array.astype(int),
        lambda array: array.astype(complex),
        lambda array: array.astype(object),
        lambda array: array[:0],
    ],
    ids=["short", "axis", "nan", "int", "complex", "object", "empty"],
)
def test_a_spoilt_array_is_named(tmp_path: Path, spoil: Callable[[NDArray], NDArray]) -> None:
    for name in NAMES:
        arrays = random_arrays(8)
        arrays[name] = spoil(arrays[name])
        with pytest.raises(ModelError, match=r"all\.npz: found .*; place the PLDA") as caught:
            read_plda(save(tmp_path / "all.npz", arrays))
        assert "\n" not in str(caught.value)


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    arrays = random_arrays(9)
    arrays["psi"][3] = -0.1
    with pytest.raises(ModelError, match="found negative variances in psi"):
        read_plda(save(tmp_path / "all.npz", arrays))


def test_vectors_of_another_network_are_refused() -> None:
    with pytest.raises(ModelError, match="it is for vectors of 24 numbers, these have 25"):
        loaded(1).transform(np.ones((2, DIMENSION + 1)))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def header(shape: str) -> bytes:
    """An array file with this shape in its header and eight bytes of data."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(8)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        zipped({"mean1.npy": b""}),
        zipped({"mean1.npy": b"\x80\x04K\x01."}),  # a pickle
        zipped({"mean1.npy": header("(1000000000000,)")}),
        zipped({"mean1.npy": header("(" + "9" * 40 + ",)")}),
        zipped({"mean1.npy": header("(-3,)")}),
        zipped({"mean1.npy": header("(" * 90)}),
        zipped({"mean1.npy": zipped({"a.npy": header("(1,)")})}),
        zipped({"mean1.npy": header("(1,)")})[:-30],
        zipped({"mean1.npy": header("(1,)")}).replace(b"NUMPY", b"NUMPx"),
        zipped({"mean1.npy": header("(1,)")}, zipfile.ZIP_LZMA),
    ],
    ids=[
        "empty",
        "text",
        "empty array",
        "pickle",
        "too long",
        "far too long",
        "negative",
        "nested",
        "archive in archive",
        "cut",
        "stored or damaged",
        "lzma",
    ],
)
def test_a_file_that_is_no_plda_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"all\.npz: found .*; place the PLDA") as caught:
        read_plda(path)
    assert "\n" not in str(caught.value)


def test_an_array_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plda_module, "MAX_ARRAY_BYTES", 1_000)
    with pytest.raises(ModelError, match=r"found lda of \d+ bytes, over 1000"):
        read_plda(save(tmp_path / "all.npz", random_arrays(1)))


def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.npz", tmp_path):
        with pytest.raises(ModelError, match=r"npz: found no readable \.npz file"):
            read_plda(path)
