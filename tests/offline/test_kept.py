"""Artifacts in a file: the same to the last bit, and nothing else is taken for one."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import Diarizer
from hocket.arrays import Bands
from hocket.errors import FormatError, OutputError
from hocket.notices import Notice
from hocket.offline import kept
from hocket.offline.artifacts import Artifacts
from hocket.offline.kept import read_artifacts, write_artifacts
from tests.helpers import shared
from tests.helpers.artifacts import artifacts_of, with_voices
from tests.helpers.paths import CONVERSATION

NUMBERS = st.floats(0, 1e9, allow_nan=False)
ABOUT = st.fixed_dictionaries(
    {
        "uri": st.text(max_size=40),
        "seconds": st.dictionaries(st.text(max_size=9), NUMBERS, max_size=3),
        "copied": st.dictionaries(st.text(max_size=9), st.integers(0, 10**12), max_size=3),
        "audible_s": NUMBERS,
        "start_s": NUMBERS,
        "channel": st.one_of(st.none(), st.integers(1, 32)),
        "pauses": st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple),
        "notices": st.lists(
            st.builds(Notice, st.text(max_size=9), st.text(max_size=40), st.none() | NUMBERS),
            max_size=3,
        ).map(tuple),
    }
)
VALUES = st.lists(st.floats(width=32), min_size=1, max_size=8)


def arrays_of(artifacts: Artifacts) -> list[np.ndarray]:
    bands = artifacts.bands or ()
    every = (*artifacts.segmentation, artifacts.regions, *artifacts.subsegments)
    return [each for each in (*every, artifacts.embeddings, *bands) if each is not None]


def assert_same(one: Artifacts, other: Artifacts) -> None:
    for a, b in zip(arrays_of(one), arrays_of(other), strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()
    plain = {"segmentation", "regions", "subsegments", "embeddings", "bands"}
    for name in vars(one).keys() - plain:
        assert getattr(one, name) == getattr(other, name), name


@given(ABOUT, VALUES, st.booleans(), st.booleans())
def test_artifacts_are_the_same_after_a_file(
    about: dict[str, object], values: list[float], has_bands: bool, has_usual: bool
) -> None:
    artifacts = replace(with_voices(0, 1, 0, 1, 2), **about)
    embeddings = artifacts.embeddings.copy()
    embeddings[0, : len(values)] = values  # also not a number, infinity, and minus zero
    bands = None
    if has_bands:
        usual = np.array([-40, np.nan, -0.0], np.float32) if has_usual else None
        crops = np.arange(len(embeddings))
        levels = np.full((len(embeddings), 3), np.nan, np.float32)
        bands = Bands(crops, levels, np.ones(len(embeddings)), usual)
    artifacts = replace(artifacts, embeddings=embeddings, bands=bands)
    with TemporaryDirectory() as folder:
        place, again = Path(folder) / "one.npz", Path(folder) / "two.npz"
        write_artifacts(artifacts, place)
        found = read_artifacts(place)
        assert_same(artifacts, found)
        write_artifacts(found, again)
        assert place.read_bytes() == again.read_bytes()
        assert place.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("speech", [[], [(1.0, 2.0)]], ids=["silence", "speech"])
def test_little_or_nothing_is_kept_too(tmp_path: Path, speech: list[tuple[float, float]]) -> None:
    place = tmp_path / "kept.npz"
    write_artifacts(artifacts_of(speech), place)
    assert_same(artifacts_of(speech), read_artifacts(place))


def test_the_result_is_the_same_and_needs_no_graph(tmp_path: Path) -> None:
    artifacts, place = shared.artifacts_of(CONVERSATION), tmp_path / "kept.npz"
    write_artifacts(artifacts, place)
    diarizer = Diarizer()
    result = diarizer.finish(read_artifacts(place))
    assert result == shared.diarizer_of().finish(artifacts)
    assert result.to_json() == shared.diarizer_of().finish(artifacts).to_json()
    assert not {"segmentation_graph", "embedding_graph"} & vars(diarizer).keys()


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_file_is_refused_or_harmless(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        place = Path(folder) / "kept.npz"
        artifacts = with_voices(0, 1, 0, 1, 2)
        write_artifacts(artifacts, place)
        content = bytearray(place.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] ^= data.draw(st.integers(1, 255))
        else:
            del content[at:]
        place.write_bytes(content)
        found = read_or_refused(place)
        if isinstance(found, Artifacts):
            assert_same(artifacts, found)
        else:
            assert "kept.npz: not the artifacts of a recording" in found
            assert "diarize it again" in found
            assert "\n" not in found


def read_or_refused(place: Path) -> Artifacts | str:
    try:
        return read_artifacts(place)
    except FormatError as error:
        return str(error)


def changed(place: Path, **members: bytes | None) -> None:
    """Replace members of an archive, or leave them out."""
    with zipfile.ZipFile(place) as archive:
        every: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    every |= {name.replace("__", "."): content for name, content in members.items()}
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for name, content in every.items():
            if content is not None:
                archive.writestr(name, content)


def npy(array: np.ndarray, **options: bool) -> bytes:
    member = io.BytesIO()
    np.lib.format.write_array(member, array, **options)
    return member.getvalue()


def huge() -> bytes:
    """An array that claims to have more than there is."""
    member = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 8)}
    np.lib.format.write_array_header_1_0(member, header)
    return member.getvalue() + b"\0" * 32


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"embeddings__npy": huge()}, "embeddings has 32 bytes, not those of"),
        ({"embeddings__npy": npy(np.zeros((3, 8), np.float64))}, r"embeddings is float64 \(3, 8\)"),
        ({"embeddings__npy": npy(np.zeros((3, 8), np.float32))}, "do not fit one another"),
        (
            {"regions__npy": npy(np.array([[0, {}]], object), allow_pickle=True)},
            "regions is object",
        ),
        ({"regions__npy": npy(np.array([[5, 1 << 40]]))}, "do not fit one another"),
        ({"regions__npy": npy(np.array([[9, 5]]))}, "do not fit one another"),
        ({"regions__npy": None}, "regions"),
        ({"about__json": None}, "about.json"),
        ({"about__json": b"{}"}, "version"),
        ({"about__json": b'{"version": 2}'}, "is of version 2, not 1"),
        ({"about__json": b"[" * 100_000}, "artifacts of a recording"),
        ({"other__npy": b""}, "has other members"),
        (
            {"regions__npy": npy(np.zeros((2, 2), np.int64)).replace(b"(2, 2)", b"(2, 2 ")},
            "EOF in multi-line statement",
        ),
        (
            {"regions__npy": npy(np.zeros((2, 2), np.int64)).replace(b"(2, 2)", b"(-2,2)")},
            "regions",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_such_file_is_refused(
    tmp_path: Path, members: dict[str, bytes | None], problem: str
) -> None:
    place = tmp_path / "kept.npz"
    write_artifacts(with_voices(0, 1, 0, 1, 2), place)
    changed(place, **members)
    with pytest.raises(FormatError, match=problem):
        read_artifacts(place)


def test_nothing_compressed_or_too_large_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "kept.npz"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", b" " * 10_000_000)
    with pytest.raises(FormatError, match="larger than it can be"):
        read_artifacts(place)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", b"{}")
    with pytest.raises(FormatError, match="is compressed"):
        read_artifacts(place)
    write_artifacts(with_voices(0, 1, 0, 1, 2), place)
    monkeypatch.setattr(kept, "MOST_BYTES", 1000)
    with pytest.raises(FormatError, match="larger than it can be"):
        read_artifacts(place)


def test_files_that_are_missing_or_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none.npz: .*No such file"):
        read_artifacts(tmp_path / "none.npz")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="free some disk space"):
        write_artifacts(with_voices(0, 1, 0, 1, 2), tmp_path / "file" / "kept.npz")
