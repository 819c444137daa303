"""Files that are no checkpoint, damaged or out of bounds are one error with the reason."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from hocket.errors import ModelError
from hocket.models import checkpoint
from hocket.models.checkpoint import read_checkpoint
from tests.helpers.torch_files import (
    MAGIC,
    Tensor,
    legacy,
    pickled,
    ramp,
    read,
    refused,
    safetensors,
    saved,
    storage,
    tensor,
    zipped,
)

# --- tensors out of bounds

HUGE = 1 << 70


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (4, (1,), (1,)),
        (4, (), ()),
        (1, (2, 2), (2, 1)),
        (0, (2,), (4,)),
        (0, (2,), (1 << 40,)),
        (-1, (1,), (1,)),
        (3, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (2, 2), (1,)),
        (0, (1,), ()),
        (0, (HUGE,), (1,)),
        (0, (1,), (HUGE,)),
        (HUGE, (1,), (1,)),
        (0, (1 << 40, 1 << 40), (0, 0)),
        (0, (0, 1 << 40, 1 << 40), (0, 0, 0)),
        (0, (1,) * 33, (1,) * 33),
        (0, (1 << 40,) * 9_000, (0,) * 9_000),
        (0, [4], [1]),
        (0, (True,), (1,)),
        (0, (1.0,), (1,)),
        (0, ("1",), (1,)),
        (None, (1,), (1,)),
        (0, 4, 1),
    ],
)
def test_no_tensor_reaches_outside_its_storage(
    tmp_path: Path, offset: Any, size: Any, stride: Any
) -> None:
    value = {"a": Tensor(storage(ramp(4)), offset, size, stride)}
    refused(tmp_path, saved(value))
    refused(tmp_path, legacy(value))


def test_a_negated_tensor_is_refused(tmp_path: Path) -> None:
    def flagged(flags: dict[str, bool]) -> bytes:
        more: Any = (False, {}, flags)
        return saved({"a": Tensor(storage(ramp(4)), 0, (4,), (1,), more)})

    refused(tmp_path, flagged({"neg": True}))
    read(tmp_path, flagged({}))


def test_a_tensor_without_a_storage_is_refused(tmp_path: Path) -> None:
    for odd in ("text", None, tensor(ramp(1)), PurePosixPath("a")):
        refused(tmp_path, saved({"a": Tensor(odd, 0, (1,), (1,))}))


def test_a_missing_or_short_storage_is_refused(tmp_path: Path) -> None:
    written, found = pickled({"a": tensor(ramp(4))})
    (key,) = found
    refused(tmp_path, zipped(written), f"data/{key}")
    refused(tmp_path, zipped(written, {key: bytes(15)}), "reaches outside its storage")


def test_many_names_of_one_tensor_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "MOST_BYTES", 100_000)
    shared = storage(ramp(5_000))
    views = {f"{place}": Tensor(shared, 0, (5_000,), (1,)) for place in range(5)}
    read(tmp_path, saved(views))
    refused(tmp_path, saved(views | {"5": Tensor(shared, 0, (1,), (1,))}), "more than 100000 bytes")
    refused(tmp_path, saved({"a": tensor(ramp(30_000))}), "give a file of at most 100000")


def test_repeated_elements_are_bounded(tmp_path: Path) -> None:
    content = saved({"a": Tensor(storage(ramp(1)), 0, (1 << 30,), (0,))})
    refused(tmp_path, content, "more than 2147483648 bytes")


# --- files


@pytest.mark.parametrize("name", ["no such.bin", "a\0b.bin", "x" * 5000])
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be opened \(.*\); check path and permissions"):
        read_checkpoint(Path(name))


def test_a_file_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.bin").write_bytes(b"a")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"a\.bin: cannot be opened \(Permission denied\)"):
        read_checkpoint(tmp_path / "a.bin")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is a directory or a device; give the checkpoint file"):
        read_checkpoint(tmp_path)


@pytest.mark.linux
def test_a_pipe_without_a_writer_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelError, match="is a directory or a device"):
        read_checkpoint(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; get the file"),
        (b"hello world, this is text", "is not a checkpoint (begins with b'hello wor"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not its page or its Git LFS pointer"),
        (b"<!DOCTYPE html>\n\0", "download the file itself"),
        (b"x", "begins with b'x'"),
        (bytes(500), "is not a checkpoint"),
        (b"PK\3\4", "truncated or damaged zip"),
        (b"\x80", "is damaged"),
        (pickle.dumps([1, 2], 2), "is a pickle that torch.save did not write"),
        (pickle.dumps(MAGIC, 2) + pickle.dumps(1000, 2), "torch.save did not write"),
        (pickle.dumps(MAGIC, 2), "is damaged (pickle exhausted"),
        (legacy({}, system={"little_endian": False}), "is not little-endian"),
        (legacy({}, system=[]), "is damaged"),
        (legacy({}), "holds no tensors by name; give a file with a state_dict"),
        (saved({}, order="big"), "is not little-endian; save it again"),
        (saved({}), "holds no tensors by name"),
        (saved([1]), "holds no tensors by name"),
        (saved({"a": 1, "b": [2], "state_dict": {"c": {"d": 1}}}), "holds no tensors by name"),
        (saved(PurePosixPath("a")), "holds no tensors by name"),
        (safetensors({}), "holds no tensors by name"),
    ],
)
def test_other_files_are_refused_with_what_they_are(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    refused(tmp_path, content, expected)


def test_before_torch_2_no_byte_order_was_written(tmp_path: Path) -> None:
    assert list(read(tmp_path, saved({"a": tensor(ramp(2))}, order=None))) == ["a"]


@pytest.mark.parametrize("write", [saved, legacy])
def test_a_truncated_file_is_refused(tmp_path: Path, write: Callable[[Any], bytes]) -> None:
    whole = write({"a": tensor(ramp(50)), "b": tensor(ramp(50))})
    for length in range(5, len(whole), 7):
        refused(tmp_path, whole[:length])
    refused(tmp_path, whole[:-30], "is truncated in storage" if write is legacy else "truncated or")


def archive_of(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def test_other_zip_files_are_refused(tmp_path: Path) -> None:
    good, _ = pickled({})
    refused(tmp_path, archive_of(("a.txt", b"a")), "is a zip of 0 files */data.pkl")
    refused(tmp_path, archive_of(("a/data.pkl", good), ("b/data.pkl", good)), "is a zip of 2 files")
    script = archive_of(("a/data.pkl", good), ("a/constants.pkl", b""), ("a/code/b.py", b""))
    refused(tmp_path, script, "is a TorchScript program; give the checkpoint it was made from")


def test_a_damaged_storage_is_noticed(tmp_path: Path) -> None:
    content = bytearray(saved({"a": tensor(ramp(50))}))
    content[content.index(ramp(50).tobytes()) + 20] ^= 1
    refused(tmp_path, bytes(content), "is damaged (Bad CRC-32 for file 'weights/data/")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = saved({"a": tensor(np.zeros(1 << 20, np.uint8))}, compression=zipfile.ZIP_DEFLATED)
    assert len(packed) < 1 << 12
    refused(tmp_path, packed, "zip entries are compressed")
    good, found = pickled({"a": tensor(np.zeros(4096, np.uint8))})
    noise = {key: np.random.default_rng(7).bytes(4096) for key in found}
    packed = zipped(good, noise, compression=zipfile.ZIP_DEFLATED)
    assert len(packed) > 4096 + len(good) + 8
    refused(tmp_path, packed, "zip entries are compressed")
    monkeypatch.setattr(checkpoint, "MOST_PICKLED", 500)
    refused(tmp_path, saved({"a": "text" * 200}), "data.pkl has more than 500 bytes")
    refused(tmp_path, legacy({"a": "text" * 200}), "is damaged (")
    refused(tmp_path, safetensors({"a": "text" * 200}), "its header is too long")


def test_entries_that_overlap_are_refused(tmp_path: Path) -> None:
    """Many entries of the directory may point to the same bytes."""
    content = saved({"a": tensor(ramp(1 << 12))})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start, entries = archive.start_dir, len(archive.infolist())
    records = content[start : content.rindex(b"PK\5\6")]
    copies = 50
    end = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, *[copies * entries] * 2, copies * len(records), start, 0
    )
    many = (
        content[:start] + records.replace(b"data.pkl", b"data.pk_") * (copies - 1) + records + end
    )
    refused(tmp_path, many, "zip")


def test_an_entry_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    content = bytearray(saved({"a": tensor(ramp(4))}))
    place = content.rindex(b"PK\1\2", 0, content.rindex(b"weights/data/"))
    struct.pack_into("<2L", content, place + 20, 1 << 30, 1 << 30)
    refused(tmp_path, bytes(content), "zip")


@pytest.mark.parametrize(
    "key",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [0], "data_offsets": [12, 12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [1] * 40, "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [0, HUGE], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0]},
        {"dtype": "F32", "shape": [2]},
        {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]},
        {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]},
        {"dtype": 3, "shape": [2], "data_offsets": [0, 8]},
        [1],
        "text",
        None,
    ],
)
def test_a_safetensors_entry_out_of_bounds_is_refused(tmp_path: Path, key: Any) -> None:
    refused(tmp_path, safetensors({"a": key}, bytes(8)))
    good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    refused(tmp_path, safetensors({"good": good, "a": key}, bytes(8)))
    assert list(read(tmp_path, safetensors({"good": good}, bytes(8)))) == ["good"]


@pytest.mark.parametrize(
    "header", [b"{", b"{}}", b"{" + b'"a":[' * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"{\xff}"]
)
def test_an_invalid_safetensors_header_is_refused(tmp_path: Path, header: bytes) -> None:
    refused(tmp_path, struct.pack("<Q", len(header)) + header, "is damaged")
    refused(tmp_path, struct.pack("<Q", len(header) + 1) + header, "is truncated")


def test_any_failure_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved({"a": tensor(ramp(2))})
    for failure, reason in (
        (OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError(), "MemoryError"),
        (RecursionError("too deep"), "too deep"),
        (ValueError("x" * 5000 + "\n"), "xxx..."),
    ):
        monkeypatch.setattr(checkpoint, "_named", Mock(side_effect=failure))
        refused(tmp_path, content, "is damaged (", reason)
