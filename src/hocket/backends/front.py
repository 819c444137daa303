"""Where a graph may start to compute in bfloat16.

A log-mel spectrum near the logarithm's floor is a small difference of large products, and with 8
bits of mantissa it is noise: CAM++ in bfloat16 throughout has a cosine of 0.90 to float32, behind a
float32 filter bank 0.9997. So is what the sinc filters of the segmentation hear where a recording
holds next to nothing, above 4 kHz of a phone call, and the norm behind them makes it as loud as
speech: 4.5 % of frames change, 0.13 % with float32 filters. OpenVINO has a precision for a whole
graph, so the graph is cut in two.
"""

from typing import Any

from hocket.errors import ModelError

FRONT = "front"
"""Name of the tensor between the two parts."""

LAST = {
    "segmentation": "/network/sincnet/MaxPool_output_0",
    "embedding": "/normalisation/Sub_output_0",
}
"""Names that the forge gives to the last of the front: what the sinc filters hear, pooled, and the
log-mel spectrum less its mean."""


def cut(name: str, model: Any, openvino: Any) -> tuple[Any, Any]:
    """Divide an `openvino.Model` where its float32 front ends.

    Args:
        name: the graph's name in `hocket.graph.SPECS`.
        model: the whole graph; it is not changed.
        openvino: the imported library.

    Returns:
        The front, inputs to an output `FRONT`, and the rest, which takes that and what it needs of
        the inputs.

    Raises:
        ModelError: the graph has no such place.
    """
    whole = model.clone()
    outputs = [output for node in whole.get_ordered_ops() for output in node.outputs()]
    found = [output for output in outputs if LAST[name] in output.get_names()]
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} outputs '{LAST[name]}' to end its float32 front, expected 1; "
            "give precision float32"
        )
    features = found[0]
    front = openvino.Model([features], _heard(features, whole), "front").clone()
    front.output(0).set_names({FRONT})
    received = openvino.opset13.parameter(features.get_partial_shape(), features.get_element_type())
    received.output(0).set_names({FRONT})
    for taker in features.get_target_inputs():
        taker.replace_source_output(received.output(0))
    ends = whole.get_results()
    others = [node for end in ends for node in _heard(end.output(0), whole)]
    rest = openvino.Model(ends, [received, *others], "rest")
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
