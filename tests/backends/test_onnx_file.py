"""Weights inserted into an ONNX file are the verified ones, and nothing else changes."""

import contextlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hocket import models
from hocket.backends.openvino.onnx_file import read_metadata, with_weights
from hocket.errors import ModelError

SHIPPED = sorted(path.name for path in models.FOLDER.glob("*.onnx") if "wespeaker" not in path.name)
WEIGHTS = {path.name: path.read_bytes() for path in models.FOLDER.glob("*.weights")}


def example(values: np.ndarray, name: str = "w.weights", **place: int) -> bytes:
    """A graph that adds numbers from a file to its input."""
    tensor = numpy_helper.from_array(values, "b")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": name, "length": values.nbytes, **place}.items():
        tensor.external_data.add(key=key, value=str(value))
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(values.shape)) for n in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "b"], ["y"])], "g", ports[:1], ports[1:], [tensor]
    )
    model = helper.make_model(graph)
    helper.set_model_props(model, {"graph": "g", "empty": "", "ä": "ö"})
    return model.SerializeToString()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_with_its_weights_is_what_onnx_reads_from_disk(name: str) -> None:
    content = (models.FOLDER / name).read_bytes()
    found = onnx.load_from_string(with_weights(content, WEIGHTS))
    expected = onnx.load(models.FOLDER / name)
    for model in (found, expected):
        for tensor in model.graph.initializer:
            assert not tensor.external_data
            tensor.ClearField("data_location")
    assert found == expected
    assert read_metadata(content) == {p.key: p.value for p in expected.metadata_props}


@given(st.integers(0, 40), st.integers(0, 300))
def test_values_come_from_their_offset_in_the_file(offset: int, count: int) -> None:
    values = np.arange(count, dtype=np.float32)
    raw = b"\xff" * offset + values.tobytes() + b"\xff" * 3
    model = onnx.load_from_string(with_weights(example(values, offset=offset), {"w.weights": raw}))
    assert numpy_helper.to_array(model.graph.initializer[0]).tolist() == values.tolist()
    assert read_metadata(model.SerializeToString()) == {"graph": "g", "empty": "", "ä": "ö"}


def test_a_file_that_was_not_verified_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = np.zeros(3, np.float32)
    for name in ("other.weights", "../other.weights", str(tmp_path / "other.weights")):
        Path(tmp_path / "other.weights").write_bytes(values.tobytes())
        with pytest.raises(ModelError, match="cannot be read"):
            with_weights(example(values, name), {"w.weights": values.tobytes()})


def test_weights_that_end_too_early_are_refused() -> None:
    values = np.zeros(3, np.float32)
    with pytest.raises(ModelError, match="ends before byte 12"):
        with_weights(example(values), {"w.weights": b"\0" * 11})


@given(st.binary(max_size=80))
def test_random_bytes_are_refused_or_do_not_grow(content: bytes) -> None:
    for read in (lambda raw: with_weights(raw, {}), read_metadata):
        with contextlib.suppress(ModelError):
            assert len(read(content)) <= len(content)


def test_a_truncated_file_is_refused_wherever_it_ends() -> None:
    values = np.zeros(3, np.float32)
    content = example(values)
    graph = content.index(b"Add")
    for end in range(graph, len(content) - 30, 5):
        with pytest.raises(ModelError):
            with_weights(content[:end], {"w.weights": values.tobytes()})
