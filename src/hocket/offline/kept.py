"""Artifacts in a file: a NumPy archive (.npz) without pickled objects.

What is read is not trusted. Nothing is compressed, so nothing is larger in memory than in the file,
and an array is a view of what was read: its header can claim no more.
"""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Bands, Subsegments
from hocket.errors import FormatError
from hocket.files import write_whole
from hocket.geometry import Geometry
from hocket.notices import Notice
from hocket.offline.artifacts import Artifacts
from hocket.segmentation.aggregation import Segmentation

VERSION = 1
MOST_BYTES = 1 << 32  # of a file; a recording of a day has 200 MB
DATE = (1980, 1, 1, 0, 0, 0)  # of all members, so that equal artifacts are equal files

AXES: Mapping[str, tuple[type[np.generic], int]] = {
    "first_frames": (np.int64, 1),
    "activity": (np.float16, 3),
    "occupancy": (np.float32, 2),
    "regions": (np.int64, 2),
    "subsegment_region": (np.int64, 1),
    "subsegment_first": (np.int64, 1),
    "subsegment_last": (np.int64, 1),
    "embeddings": (np.float32, 2),
    "band_crop": (np.int64, 1),
    "band_levels": (np.float32, 2),
    "band_seconds": (np.float64, 1),
    "band_usual": (np.float32, 1),
}
"""Type and number of axes of every array; those of bands may be missing."""


def write_artifacts(artifacts: Artifacts, path: Path) -> None:
    """Write artifacts, whole or not at all; only the owner may read them.

    Raises:
        OutputError: the file cannot be written.
    """
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("about.json", DATE), json.dumps(_about(artifacts)))
        for name, array in _arrays(artifacts).items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", DATE), member.getvalue())
    write_whole(path, place.getvalue(), "free some disk space", private=True)


def read_artifacts(path: Path) -> Artifacts:
    """Artifacts that `write_artifacts` wrote, to the last bit.

    Raises:
        FormatError: the file is missing, damaged, or not such a file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path.stat().st_size)
            about = json.loads(archive.read("about.json"))
            if about["version"] != VERSION:
                raise FormatError(f"is of version {about['version']}, not {VERSION}")
            names = {each.filename for each in archive.infolist()}
            arrays = {name: _array(archive, name) for name in AXES if f"{name}.npy" in names}
        artifacts = _artifacts(about, arrays)
        _check(artifacts)
    except (
        OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError,
        RecursionError, OverflowError, SyntaxError, TokenError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FormatError(
            f"{path.name}: not the artifacts of a recording ({reason or type(error).__name__}); "
            "diarize it again"
        ) from error
    return artifacts


def _about(artifacts: Artifacts) -> dict[str, Any]:
    """What is no array; numbers in JSON are exact."""
    return {
        "version": VERSION,
        "geometry": asdict(artifacts.geometry),
        "notices": [asdict(notice) for notice in artifacts.notices],
        "pauses": [list(pause) for pause in artifacts.pauses],
        **{
            name: getattr(artifacts, name)
            for name in ("uri", "samples", "seconds", "copied", "audible_s", "start_s", "channel")
        },
    }


def _arrays(artifacts: Artifacts) -> dict[str, NDArray[Any]]:
    windows, subsegments = artifacts.segmentation, artifacts.subsegments
    found: dict[str, NDArray[Any]] = {
        "first_frames": windows.first_frames,
        "activity": windows.activity,
        "occupancy": windows.occupancy,
        "regions": artifacts.regions,
        "subsegment_region": subsegments.region,
        "subsegment_first": subsegments.first,
        "subsegment_last": subsegments.last,
        "embeddings": artifacts.embeddings,
    }
    bands = artifacts.bands
    if bands is not None:
        found |= {
            "band_crop": bands.crop,
            "band_levels": bands.levels,
            "band_seconds": bands.seconds,
        }
        found |= {} if bands.usual is None else {"band_usual": bands.usual}
    return found


def _check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Raise FormatError if members are unknown, or could be larger than the file."""
    known = {"about.json", *(f"{name}.npy" for name in AXES)}
    members = archive.infolist()
    if size > MOST_BYTES or sum(each.file_size for each in members) > size:
        raise FormatError("is larger than it can be")
    names = [each.filename for each in members]
    if not set(names) <= known or len(set(names)) < len(names):
        raise FormatError("has other members")
    if any(each.compress_type != zipfile.ZIP_STORED for each in members):
        raise FormatError("is compressed")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of the type and size that it must have, as a view of what was read."""
    kind, axes = AXES[name]
    content = archive.read(f"{name}.npy")  # its checksum is right
    member = io.BytesIO(content)
    if np.lib.format.read_magic(member) != (1, 0):
        raise FormatError(f"{name} is of an unknown form")
    shape, is_transposed, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype != kind or len(shape) != axes or is_transposed:
        raise FormatError(f"{name} is {dtype} {shape}")
    size = len(content) - member.tell()
    if math.prod(shape) * dtype.itemsize != size:
        raise FormatError(f"{name} has {size} bytes, not those of {shape}")
    return np.frombuffer(content, dtype, offset=member.tell()).reshape(shape)


def _artifacts(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Artifacts:
    bands = None
    if "band_crop" in arrays:
        bands = Bands(
            arrays["band_crop"],
            arrays["band_levels"],
            arrays["band_seconds"],
            arrays.get("band_usual"),
        )
    return Artifacts(
        uri=str(about["uri"]),
        samples=int(about["samples"]),
        geometry=Geometry(**about["geometry"]),
        segmentation=Segmentation(arrays["first_frames"], arrays["activity"], arrays["occupancy"]),
        regions=arrays["regions"],
        subsegments=Subsegments(*(arrays[f"subsegment_{part}"] for part in Subsegments._fields)),
        embeddings=arrays["embeddings"],
        seconds=dict(about["seconds"]),
        copied=dict(about["copied"]),
        bands=bands,
        notices=tuple(Notice(**row) for row in about["notices"]),
        audible_s=float(about["audible_s"]),
        start_s=float(about["start_s"]),
        channel=None if about["channel"] is None else int(about["channel"]),
        pauses=tuple((float(start), float(end)) for start, end in about["pauses"]),
    )


def _check(artifacts: Artifacts) -> None:
    """Raise FormatError unless the arrays fit one another."""
    windows, subsegments = artifacts.segmentation, artifacts.subsegments
    geometry, frames = artifacts.geometry, len(windows.occupancy)
    columns = {len(column) for column in (*subsegments, artifacts.embeddings)}
    shape = (len(windows.first_frames), geometry.window_frames, geometry.slots)
    reached = int(windows.first_frames[-1]) + geometry.window_frames if shape[0] else 0
    bands = artifacts.bands
    fits = (
        windows.activity.shape == shape
        and windows.occupancy.shape[1] == 3
        and frames == reached
        and _is_rising(windows.first_frames, reached)
        and artifacts.regions.shape[1] == 2
        and _is_rising(artifacts.regions.ravel(), frames + 1)
        and len(columns) == 1
        and _is_rising(subsegments.region, len(artifacts.regions))
        and _is_within(subsegments.first, frames)
        and _is_within(subsegments.last, frames + 1)
        and bool((subsegments.first < subsegments.last).all())
    )
    if bands is not None:
        fits = fits and (
            len(bands.crop) in columns
            and _is_within(bands.crop, len(bands.levels))
            and bands.levels.shape == (len(bands.seconds), 3)
            and (bands.usual is None or bands.usual.shape == (3,))
        )
    if not fits:
        raise FormatError("its arrays do not fit one another")


def _is_rising(values: NDArray[np.int64], end: int) -> bool:
    return bool((np.diff(values) >= 0).all()) and _is_within(values, end)


def _is_within(values: NDArray[np.int64], end: int) -> bool:
    """Whether all values are at least 0 and below an end."""
    return not len(values) or (int(values.min()) >= 0 and int(values.max()) < end)
