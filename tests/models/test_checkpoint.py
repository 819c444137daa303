"""Checkpoints give their tensors, of every type and by name; known metadata is skipped."""

import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tests.helpers.torch_files import (
    CODES,
    UNKNOWN,
    UNTYPED_STORAGE,
    Parameter,
    Storage,
    Tensor,
    legacy,
    lightning,
    ramp,
    read,
    refused,
    safetensors,
    saved,
    storage,
    tensor,
)


@pytest.mark.parametrize("write", [saved, legacy])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("code", CODES.values())
def test_every_type(
    tmp_path: Path, code: str, protocol: int, write: Callable[[Any, int], bytes]
) -> None:
    values = {
        "b.weight": ramp(2, 3, code=code),
        "a": ramp(code=code),
        "none": ramp(0, 3, code=code),
    }
    found = read(tmp_path, write({name: tensor(array) for name, array in values.items()}, protocol))
    assert list(found) == list(values)
    for name, array in values.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("shape", [(), (6,), (2, 3), (0, 2)])
def test_bfloat16_becomes_float32(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.resize(np.array([0, -0.0, 1, -2.5, np.inf, 3e38], np.float32), shape)
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    expected = (halves.astype(np.uint32) << 16).view(np.float32)
    entry = {"dtype": "BF16", "shape": shape, "data_offsets": [0, halves.nbytes]}
    for content in (
        saved({"a": tensor(halves, "BFloat16")}),
        legacy({"a": tensor(halves, "BFloat16")}),
        safetensors({"a": entry}, halves.tobytes()),
    ):
        found = read(tmp_path, content)["a"]
        assert found.dtype == np.float32
        assert found.shape == shape
        np.testing.assert_array_equal(found, expected)


def test_any_byte_is_a_bool(tmp_path: Path) -> None:
    whole = storage(np.array([0, 1, 2, 255], np.uint8), "Bool")
    found = read(tmp_path, saved({"a": Tensor(whole, 0, (4,), (1,))}))["a"]
    assert found.view(np.uint8).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("write", [saved, legacy])
def test_views_of_one_storage_are_separate_arrays(
    tmp_path: Path, write: Callable[[Any], bytes]
) -> None:
    values = ramp(24)
    shared = storage(values)
    found = read(
        tmp_path,
        write(
            {
                "whole": Tensor(shared, 0, (24,), (1,)),
                "transposed": Tensor(shared, 0, (6, 4), (1, 6)),
                "other": tensor(ramp(2)),
                "last": Tensor(shared, 23, (), ()),
                "columns": Tensor(shared, 2, (4, 2), (6, 3)),
                "repeated": Tensor(shared, 5, (3, 2), (0, 1)),
            }
        ),
    )
    assert list(found) == ["whole", "transposed", "other", "last", "columns", "repeated"]
    np.testing.assert_array_equal(found["transposed"], values.reshape(4, 6).T)
    np.testing.assert_array_equal(found["columns"], values.reshape(4, 6)[:, 2::3])
    assert found["repeated"].tolist() == [[5, 6]] * 3
    assert found["last"] == 23
    found["whole"][:] = 0
    assert found["transposed"].any(), "arrays must not share memory"


def test_each_storage_is_read_once(tmp_path: Path) -> None:
    shared = [storage(ramp(4)) for _ in range(3)]
    views = {f"{place}": Tensor(shared[place % 3], 0, (4,), (1,)) for place in range(12)}
    with patch.object(
        zipfile.ZipFile, "read", autospec=True, side_effect=zipfile.ZipFile.read
    ) as asked:
        assert len(read(tmp_path, saved(views))) == 12
    assert asked.call_count == 2 + 3  # besides the byte order and the pickle


def test_parameters_are_tensors_and_storages_are_skipped(tmp_path: Path) -> None:
    untyped = Storage(b"\1\2", UNTYPED_STORAGE, "bytes", 2)
    content = saved(
        {
            "a": Parameter(tensor(ramp(3))),
            "storage": storage(ramp(2)),
            "b": Tensor(untyped, 1, (1,), (1,)),
        }
    )
    found = read(tmp_path, content)
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == [2]


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
def test_wrapped_tensors_are_preferred(tmp_path: Path, wrapper: str) -> None:
    inner: Any = {
        "a": tensor(ramp(3)),
        "epoch": 4,
        "nested": {"b": tensor(ramp(1))},
        5: tensor(ramp(1)),
    }
    assert list(read(tmp_path, saved({"other": tensor(ramp(2)), wrapper: inner}))) == ["a"]
    # the name of a wrapper may also be that of a tensor, or hold nothing
    for value in (tensor(ramp(2)), {}, {"a": 1}, [tensor(ramp(1))], None):
        content = saved({wrapper: value, "other": tensor(ramp(2))})
        assert "other" in read(tmp_path, content)


def test_a_module_leaves_an_attribute_on_its_state_dict(tmp_path: Path) -> None:
    state: Any = OrderedDict(a=tensor(ramp(3)))
    state._metadata = OrderedDict({"": {"version": 1}})
    assert list(read(tmp_path, saved(state))) == ["a"]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("write", [saved, legacy])
def test_known_metadata_is_skipped(
    tmp_path: Path, write: Callable[[Any, int], bytes], protocol: int
) -> None:
    found = read(tmp_path, write(lightning(), protocol))
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], ramp(2, 3))


def test_unknown_metadata_is_named(tmp_path: Path) -> None:
    content = saved({"a": tensor(ramp(1)), "b": UNKNOWN()})
    wanted = "pyannote.audio.core.task.Unknown, which is not data; get the file"
    refused(tmp_path, content, f"refused: the pickle asks for {wanted}")


def test_safetensors(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [4, 28]},
        "a": {"dtype": "I16", "shape": [2], "data_offsets": [0, 4]},
        "one": {"dtype": "F64", "shape": [], "data_offsets": [28, 36]},
        "none": {"dtype": "BOOL", "shape": [0, 2], "data_offsets": [36, 36]},
    }
    values = [ramp(2, code="i2"), ramp(2, 3), np.float64(7)]
    found = read(tmp_path, safetensors(header, b"".join(value.tobytes() for value in values)))
    assert list(found) == ["b", "a", "one", "none"]
    np.testing.assert_array_equal(found["b"], ramp(2, 3))
    assert found["a"].tolist() == [0, 1]
    assert found["one"] == 7
    assert found["one"].shape == ()
    assert found["none"].shape == (0, 2)
