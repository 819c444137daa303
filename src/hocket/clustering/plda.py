"""PLDA supplied by the user: it transforms embeddings into the features that `vbx` expects.

It consists of six arrays, as in pyannote's community-1: `mean1`, `mean2` and `lda` (there in
`xvec_transform.npz`), `mu`, `tr` and `psi` (in `plda.npz`). The recipe is that of pyannote.audio 4
(`utils/vbx.py`, by BUTSpeechFIT): center with mean1, scale to length sqrt(d), project by lda to k
dimensions, center with mean2, scale to length sqrt(k), center with mu, multiply by tr. The rows of
tr make the within-speaker covariance the identity, and the between-speaker covariance diag(psi).

pyannote.audio computes both covariances from tr and psi and solves their eigenproblem again. That
only sorts the rows of tr by decreasing psi, up to signs that no dot product depends on. Here they
are simply sorted.
"""

import io
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ModelError

FILES = ("xvec_transform.npz", "plda.npz")
NAMES = ("mean1", "mean2", "lda", "mu", "tr", "psi")
# the largest array of community-1, lda, has 256 x 128 numbers: 256 kB
MAX_ARRAY_BYTES = 64 * 2**20
REMEDY = "place the PLDA that belongs to the embedding network, as pyannote publishes it"


class Plda(NamedTuple):
    """A trained PLDA that projects embeddings from `dimension` to `kept` dimensions.

    source: path that it was read from.
    mean: (dimension,), mean1.
    projection: (dimension, kept), lda.
    projected_mean: (kept,), mean2.
    center: (kept,), mu.
    whitening: (kept, kept), rows of tr by decreasing psi.
    between: (kept,), psi, decreasing: variance between speakers.
    """

    source: str
    mean: NDArray[np.float64]
    projection: NDArray[np.float64]
    projected_mean: NDArray[np.float64]
    center: NDArray[np.float64]
    whitening: NDArray[np.float64]
    between: NDArray[np.float64]

    def transform(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """Features with unit variance within a speaker and variance `between` between speakers.

        Args:
            vectors: (voices, dimension), raw network output, not scaled to unit length.

        Returns:
            (voices, kept).

        Raises:
            ModelError: the PLDA is for vectors of another dimension.
        """
        dimension, kept = self.projection.shape
        if vectors.shape[1] != dimension:
            found = f"it is for vectors of {dimension} numbers, these have {vectors.shape[1]}"
            raise ModelError(f"{self.source}: {found}; {REMEDY}")
        centered = _unit(vectors.astype(np.float64) - self.mean) * np.sqrt(dimension)
        projected = _unit(centered @ self.projection - self.projected_mean) * np.sqrt(kept)
        features: NDArray[np.float64] = (projected - self.center) @ self.whitening.T
        return features


def read_plda(path: Path) -> Plda:
    """Read a PLDA.

    Args:
        path: an .npz file with all six arrays, or a folder with the two files of community-1.

    Returns:
        The PLDA; its shapes match, and its numbers are finite, with no negative variance.

    Raises:
        ModelError: the file cannot be read, or holds no such PLDA.
    """
    found = _read_arrays([path / name for name in FILES] if path.is_dir() else [path])
    missing = [name for name in NAMES if name not in found]
    if missing:
        raise ModelError(f"{path}: found no {', '.join(missing)}; {REMEDY}")
    _check(path, found)
    mean1, mean2, lda, mu, tr, psi = (found[name] for name in NAMES)
    order = np.argsort(-psi, kind="stable")
    return Plda(str(path), mean1, lda, mean2, mu, tr[order], psi[order])


def _read_arrays(paths: list[Path]) -> dict[str, NDArray[np.float64]]:
    """Those of the six arrays that the files contain; all other content is ignored."""
    found: dict[str, NDArray[np.float64]] = {}
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                for name in NAMES:
                    if f"{name}.npy" in archive.namelist():
                        found[name] = _read_array(path, archive, name)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
            raise ModelError(f"{path}: found no readable .npz file ({error}); {REMEDY}") from error
        except (
            RuntimeError,
            MemoryError,
            OverflowError,
            SyntaxError,
            tokenize.TokenError,
        ) as error:
            if isinstance(error, ModelError):
                raise
            kind = type(error).__name__  # a password, an invalid header
            raise ModelError(
                f"{path}: found an .npz file of another kind ({kind}); {REMEDY}"
            ) from error
    return found


def _read_array(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[np.float64]:
    """One array of an archive, read without pickle, once its size is known to be acceptable."""
    entry = archive.getinfo(f"{name}.npy")
    if entry.file_size > MAX_ARRAY_BYTES:
        limit = f"of {entry.file_size} bytes, over {MAX_ARRAY_BYTES}"
        raise ModelError(f"{path}: found {name} {limit}; {REMEDY}")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:  # what NumPy writes
        raise ModelError(f"{path}: found {name} in a compression unknown to NumPy; {REMEDY}")
    array = np.load(io.BytesIO(archive.read(entry)), allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        kind = getattr(array, "dtype", type(array).__name__)
        raise ModelError(f"{path}: found {name} of {kind}, not real numbers; {REMEDY}")
    return array.astype(np.float64)


def _check(path: Path, found: dict[str, NDArray[np.float64]]) -> None:
    """Raise ModelError unless the shapes match and the numbers are valid."""
    lda = found["lda"]
    dimension, kept = lda.shape if lda.ndim == 2 else (0, 0)
    if not dimension or not kept:
        raise ModelError(f"{path}: found lda {lda.shape}, not a matrix; {REMEDY}")
    shapes = dict(zip(NAMES, [(dimension,), (kept,), (dimension, kept)], strict=False))
    shapes |= {"mu": (kept,), "tr": (kept, kept), "psi": (kept,)}
    for name in NAMES:
        if found[name].shape != shapes[name]:
            mismatch = f"{found[name].shape} where lda requires {shapes[name]}"
            raise ModelError(f"{path}: found {name} {mismatch}; {REMEDY}")
        if not np.isfinite(found[name]).all():
            raise ModelError(f"{path}: found infinite or undefined numbers in {name}; {REMEDY}")
    if (found["psi"] < 0).any():
        raise ModelError(f"{path}: found negative variances in psi; {REMEDY}")


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors scaled to length 1; a vector equal to its mean stays zero."""
    norms: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
