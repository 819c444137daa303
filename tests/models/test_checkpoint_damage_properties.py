"""Arbitrary bytes of a checkpoint give tensors or one error."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.errors import ModelError
from tests.helpers.torch_files import (
    legacy,
    lightning,
    pickled,
    program,
    ramp,
    read,
    safetensors,
    saved,
    text,
    zipped,
)

TRACTABLE = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def outcome(content: bytes) -> dict[str, NDArray[Any]] | None:
    """The tensors, or None for a ModelError; anything else is a failure."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return read(Path(folder), content)
        except ModelError:
            return None


GOOD = {
    "zip": saved(lightning()),
    "legacy": legacy(lightning()),
    "safetensors": safetensors(
        {"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}, ramp(4).tobytes()
    ),
}
PROGRAM, STORAGES = pickled(lightning())
CONTENTS = {key: item.content for key, item in STORAGES.items()}
FRAGMENTS = [
    *(b"(", b")", b"}", b"]", b"N", b"K\1", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b", b"\x81"),
    *(b"s", b"u", b"a", b"e", b"Q", b"\x93", b"q\0", b"q\1", b"h\0", b"h\1", b"\x90", b"\x8f"),
    *(text("a"), text("storage"), text("0"), text("state_dict"), b"ctorch\nFloatStorage\n"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"),
    *(b"ctorch._utils\n_rebuild_parameter\n", b"cpathlib\nPosixPath\n"),
]


def damage(content: bytes, flips: list[tuple[int, int]], kept: float) -> bytes:
    damaged = bytearray(content)
    for place, value in flips:
        damaged[place % len(damaged)] = value
    return bytes(damaged[: round(kept * len(damaged))])


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), max_size=5)
KEPT = st.just(1.0) | st.floats(0, 1)


@pytest.mark.parametrize("name", GOOD)
@TRACTABLE
@given(flips=FLIPS, kept=KEPT)
def test_a_damaged_file_gives_tensors_or_one_error(
    name: str, flips: list[tuple[int, int]], kept: float
) -> None:
    outcome(damage(GOOD[name], flips, kept))


@TRACTABLE
@given(flips=FLIPS, kept=KEPT)
def test_a_damaged_pickle_with_a_good_checksum_gives_tensors_or_one_error(
    flips: list[tuple[int, int]], kept: float
) -> None:
    outcome(zipped(damage(PROGRAM, flips, kept), CONTENTS))


@TRACTABLE
@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=40))
def test_any_program_gives_tensors_or_one_error(parts: list[bytes]) -> None:
    outcome(zipped(program(*parts), {"0": bytes(16)}))


@TRACTABLE
@given(content=st.binary(max_size=200), start=st.sampled_from([b"", b"PK\3\4", b"\x80\2", b"\x80"]))
def test_any_bytes_give_tensors_or_one_error(content: bytes, start: bytes) -> None:
    outcome(start + content)


def test_the_properties_above_include_valid_files() -> None:
    for content in (*GOOD.values(), zipped(PROGRAM, CONTENTS)):
        assert list(outcome(content) or ()) == ["a"]
