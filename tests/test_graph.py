"""Inputs of a graph must fit its specification; errors state what was found and expected."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.arrays import check_array
from hocket.errors import GraphInputError
from hocket.graph import SPECS, GraphSpec, Port, least_lengths

PAIR = GraphSpec(
    inputs=(Port("sound", ("batch", "1", "samples")), Port("mask", ("batch", "frames"))),
    outputs=(Port("voice", ("batch", "dimension")),),
)


def inputs(**changed: Any) -> dict[str, NDArray[np.float32]]:
    """Arrays that PAIR accepts, some of them replaced."""
    good = {"sound": np.zeros((2, 1, 8), np.float32), "mask": np.zeros((2, 5), np.float32)}
    return good | changed


def refusal(arrays: dict[str, Any], spec: GraphSpec = PAIR) -> str:
    with pytest.raises(GraphInputError) as caught:
        spec.check_inputs(arrays)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_arrays_that_fit_are_accepted_in_any_order() -> None:
    PAIR.check_inputs(inputs())
    PAIR.check_inputs(dict(reversed(inputs().items())))
    PAIR.check_inputs(
        {"sound": np.ones((1, 1, 1), np.float32), "mask": np.ones((1, 1), np.float32)}
    )


def test_views_are_accepted() -> None:
    PAIR.check_inputs(inputs(sound=np.zeros((4, 1, 16), np.float32)[::2, :, ::2]))


@pytest.mark.parametrize(
    "names", [[], ["sound"], ["mask"], ["sound", "masks"], ["sound", "mask", "extra"]]
)
def test_wrong_names_are_listed_beside_the_right_ones(names: list[str]) -> None:
    arrays = {name: np.zeros((2, 1, 8), np.float32) for name in names}
    message = refusal(arrays)
    assert f"found {sorted(names)}" in message
    assert "['mask', 'sound']" in message


def test_a_foreign_name_stays_on_one_line() -> None:
    assert "so\\nund" in refusal({"so\nund": np.zeros(1, np.float32)})


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8, np.bool_])
def test_another_dtype_is_refused(dtype: type[np.generic]) -> None:
    message = refusal(inputs(mask=np.zeros((2, 5), dtype)))
    assert message.startswith("mask: ")
    assert f"found {np.dtype(dtype).name} (2, 5)" in message
    assert "float32 array (batch, frames)" in message


@pytest.mark.parametrize("shape", [(), (8,), (2, 8), (2, 1, 8, 1)])
def test_another_number_of_axes_is_refused(shape: tuple[int, ...]) -> None:
    message = refusal(inputs(sound=np.zeros(shape, np.float32)))
    assert message.startswith("sound: ")
    assert f"found float32 {shape}" in message
    assert "float32 array (batch, 1, samples)" in message


@pytest.mark.parametrize("value", [None, [[0.0]], 1.0, "sound"])
def test_an_object_that_is_no_array_is_refused(value: object) -> None:
    message = refusal(inputs(sound=value))
    assert f"found {type(value).__name__}" in message
    assert "float32 array" in message


@pytest.mark.parametrize("channels", [0, 2])
def test_a_fixed_axis_has_its_length(channels: int) -> None:
    message = refusal(inputs(sound=np.zeros((2, channels, 8), np.float32)))
    assert f"found shape (2, {channels}, 8)" in message
    assert "axis '1' must be 1" in message


def test_an_axis_has_one_length_in_all_inputs() -> None:
    message = refusal(inputs(mask=np.zeros((3, 5), np.float32)))
    assert message.startswith("mask: found shape (3, 5)")
    assert "axis 'batch' must be 2" in message


def test_an_axis_has_one_length_within_an_input() -> None:
    square = GraphSpec(inputs=(Port("matrix", ("side", "side")),), outputs=())
    square.check_inputs({"matrix": np.zeros((3, 3), np.float32)})
    assert "axis 'side' must be 3" in refusal({"matrix": np.zeros((3, 4), np.float32)}, square)


def test_lengths_are_forgotten_between_calls() -> None:
    PAIR.check_inputs(inputs())
    PAIR.check_inputs(
        {"sound": np.ones((7, 1, 3), np.float32), "mask": np.ones((7, 2), np.float32)}
    )


@pytest.mark.parametrize("shape", [(0, 1, 8), (2, 1, 0), (0, 1, 0)])
def test_an_empty_axis_is_refused(shape: tuple[int, ...]) -> None:
    message = refusal(inputs(sound=np.zeros(shape, np.float32)))
    assert message.startswith(f"sound: found shape {shape}")
    assert message.endswith("must be 1 or more")


def test_the_database_may_be_empty() -> None:
    crowd = GraphSpec(inputs=(Port("database", ("speakers", "dimension")),), outputs=())
    crowd.check_inputs({"database": np.zeros((0, 4), np.float32)})
    assert "axis 'dimension' must be 1 or more" in refusal(
        {"database": np.zeros((0, 0), np.float32)}, crowd
    )


def test_a_graph_may_need_a_longer_axis() -> None:
    PAIR.check_inputs(inputs(), {"samples": 8, "frames": 5})
    with pytest.raises(GraphInputError, match=r"^sound: .* axis 'samples' must be 9 or more$"):
        PAIR.check_inputs(inputs(), {"samples": 9})


def test_least_lengths_are_read_from_metadata() -> None:
    metadata = {"least_samples": "400", "least_frames": "2", "samples": "7", "at_least_one": "1"}
    assert least_lengths(metadata) == {"samples": 400, "frames": 2}
    assert least_lengths({}) == {}


def test_nan_and_infinite_numbers_are_counted() -> None:
    sound = np.zeros((2, 1, 8), np.float32)
    sound[0, 0, :3] = np.nan, np.inf, -np.inf
    message = refusal(inputs(sound=sound))
    assert message == "sound: found 1 NaN and 2 infinite numbers; pass finite numbers"


def test_large_numbers_are_finite() -> None:
    PAIR.check_inputs(inputs(sound=np.full((2, 1, 8), 3.4e38, np.float32)))


SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "segmentation": {"waveform": (4, 1, 160_000)},
    "sinc_peaks": {"waveform": (4, 1, 28_800)},
    "segmentation_from_peaks": {"waveform": (4, 1, 160_000), "peaks": (4, 160, 5_325)},
    "powerset_decode": {"log_probs": (4, 589, 7)},
    "segmentation_masks": {"waveform": (4, 1, 160_000)},
    "embedding_inputs": {"audio": (1, 1, 160_000), "masks": (1, 589, 3)},
    "embedding": {"waveform": (4, 1, 8_000), "masks": (4, 1, 1)},
    "post_embedding": {"embeddings": (5, 192), "database": (2, 192), "segments": (1, 589, 5)},
    "fused": {"waveform": (4, 1, 160_000)},
}


@pytest.mark.parametrize("name", SPECS)
def test_every_graph_accepts_what_its_specification_states(name: str) -> None:
    arrays = {port: np.zeros(shape, np.float32) for port, shape in SHAPES[name].items()}
    SPECS[name].check_inputs(arrays)


@pytest.mark.parametrize(
    ("name", "port", "shape", "axis"),
    [
        ("segmentation_masks", "waveform", (4, 2, 160_000), "1"),
        ("powerset_decode", "log_probs", (4, 589, 3), "7"),
        ("segmentation_from_peaks", "peaks", (3, 160, 5_325), "windows"),
        ("segmentation_from_peaks", "peaks", (4, 80, 5_325), "160"),
        ("embedding_inputs", "audio", (4, 1, 160_000), "1"),
        ("embedding_inputs", "masks", (1, 589, 4), "3"),
        ("embedding", "masks", (3, 1, 1), "windows"),
        ("post_embedding", "database", (2, 256), "dimension"),
        ("post_embedding", "segments", (1, 589, 4), "slots"),
        ("post_embedding", "segments", (2, 589, 5), "1"),
    ],
)
def test_every_graph_refuses_arrays_that_do_not_match(
    name: str, port: str, shape: tuple[int, ...], axis: str
) -> None:
    shapes = SHAPES[name] | {port: shape}
    arrays = {key: np.zeros(value, np.float32) for key, value in shapes.items()}
    message = refusal(arrays, SPECS[name])
    assert message.startswith(f"{port}: found shape {shape}")
    assert f"axis '{axis}'" in message


def test_ports_have_distinct_names() -> None:
    for spec in SPECS.values():
        names = [port.name for port in (*spec.inputs, *spec.outputs)]
        assert len(set(names)) == len(names)


def test_check_array_checks_type_dtype_and_axes() -> None:
    check_array("waveform", np.zeros(3, np.float32), np.float32, ("samples",))
    for wrong, found in [
        ([0.0], "found list"),
        (np.zeros(3), r"found float64 \(3,\)"),
        (np.zeros((3, 1), np.float32), r"found float32 \(3, 1\)"),
    ]:
        with pytest.raises(GraphInputError, match=rf"^waveform: {found}.*float32 array \(samples"):
            check_array("waveform", wrong, np.float32, ("samples",))
