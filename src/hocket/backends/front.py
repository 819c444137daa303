"""Where a graph may start to compute in bfloat16.

A log-mel spectrum near the logarithm's floor is a small difference of large products, and with 8
bits of mantissa it is noise: CAM++ in bfloat16 throughout has a cosine of 0.90 to float32, behind a
float32 filter bank 0.9997. The segmentation's front, the norm of the waveform and the sinc filters,
is kept for the same reason. OpenVINO has a precision for a whole graph, so the graph is cut in two.
"""

from collections.abc import Mapping
from typing import Any

from hocket.errors import ModelError

FRONT = "front"
"""Name of the tensor between the two parts."""

METADATA_KEY = "float32_until"
"""Metadata that names the last tensor of the front."""


def cut(name: str, model: Any, metadata: Mapping[str, str], openvino: Any) -> tuple[Any, Any]:
    """Divide an `openvino.Model` where its float32 front ends.

    Args:
        name: the graph's name in `hocket.graph.SPECS`.
        model: the whole graph; it is not changed.
        metadata: what the forge wrote into its file.
        openvino: the imported library.

    Returns:
        The front, inputs to an output `FRONT`, and the rest, which takes that and what it needs of
        the inputs.

    Raises:
        ModelError: the graph has no such place.
    """
    whole = model.clone()
    features = _last_of_front(name, whole, metadata)
    front = openvino.Model([features], _heard(features, whole), f"{name} front").clone()
    front.output(0).set_names({FRONT})
    received = openvino.opset13.parameter(features.get_partial_shape(), features.get_element_type())
    received.output(0).set_names({FRONT})
    for taker in features.get_target_inputs():
        taker.replace_source_output(received.output(0))
    ends = whole.get_results()
    others = [node for end in ends for node in _heard(end.output(0), whole)]
    rest = openvino.Model(ends, [received, *others], f"{name} rest")
    return front, rest


def _heard(output: Any, model: Any) -> list[Any]:
    """The model's parameters that an output depends on."""
    found, ahead = set(), [output]
    while ahead:
        node = ahead.pop().get_node()
        if node.get_friendly_name() not in found:
            found.add(node.get_friendly_name())
            ahead += [taken.get_source_output() for taken in node.inputs()]
    return [node for node in model.get_parameters() if node.get_friendly_name() in found]


def _last_of_front(name: str, model: Any, metadata: Mapping[str, str]) -> Any:
    """The output whose takers may compute in bfloat16."""
    outputs = [output for node in model.get_ordered_ops() for output in node.outputs()]
    tensor = metadata.get(METADATA_KEY)
    if tensor is not None:
        found = [output for output in outputs if tensor in output.get_names()]
    elif name == "embedding":  # the logarithm's mean over time is taken away
        logs = [output for output in outputs if _type(output) == "Log"]
        found = [o for log in logs for o in _takers(log, "Subtract")]
    else:  # sinc filters, absolute value, pooling
        magnitudes = [output for output in outputs if _type(output) == "Abs"]
        found = [o for magnitude in magnitudes for o in _takers(magnitude, "MaxPool")]
    if len(found) != 1:
        raise ModelError(
            f"graph '{name}': found {len(found)} places to end its float32 front, expected 1; "
            "give precision float32"
        )
    return found[0]


def _type(output: Any) -> str:
    return str(output.get_node().get_type_name())


def _takers(output: Any, kind: str) -> list[Any]:
    """First outputs of the nodes of a kind that take an output."""
    nodes = [taker.get_node() for taker in output.get_target_inputs()]
    return [node.output(0) for node in nodes if node.get_type_name() == kind]
