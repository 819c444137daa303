"""Where a graph may start to compute in bfloat16, whose numbers have 8 bits.

A log-mel spectrum near the logarithm's floor is a small difference of large products, and with 8
bits it is noise: CAM++ in bfloat16 throughout has a cosine of 0.90 to float32, behind a float32
filter bank 0.9997. So is what the sinc filters of the segmentation hear where a recording holds
next to nothing, above 4 kHz of a phone call, and the norm behind them makes it as loud as speech:
4.5 % of frames change. Filters and sound as sums of two numbers in bfloat16 are as good as float32,
0.14 % of frames for 0.13 %: three products for one, which is quicker on matrix units alone.
OpenVINO has a precision for a whole graph, so the graph is cut in two
(docs/decisions/011-backends.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ModelError

FRONT = "front"
"""Name of the tensor between the two parts."""

SINC = "/network/sincnet/conv1d.0/Conv/WithoutBiases"
"""Name of the sinc filters: the forge's, and OpenVINO's for a convolution apart from its bias."""

SPECTRUM = "/normalisation/Sub"
"""The forge's name of the log-mel spectrum less its mean."""

LEVELLED = "/levelling/Max"
"""The forge's name of what the sinc filters hear, levelled."""

_PLACES = {"segmentation": SINC, "segmentation_from_peaks": LEVELLED, "embedding": SPECTRUM}

_SPLITTER = np.float32(2**16 + 1)  # Dekker 1971: leaves the upper 8 of float32's 24 bits


def cut(name: str, model: Any, openvino: Any, *, halves: bool) -> tuple[Any, Any]:
    """Divide an `openvino.Model` where its float32 front ends.

    Args:
        name: the graph's name in `hocket.graph.SPECS`.
        model: the whole graph; it is not changed.
        openvino: the imported library.
        halves: whether sinc filters are taken into the rest, as sums of two numbers.

    Returns:
        The front, inputs to an output `FRONT`, and the rest, which takes that and what it needs of
        the inputs.

    Raises:
        ModelError: the graph has no such place.
    """
    whole, operations = model.clone(), openvino.opset13
    place = _PLACES[name]
    found = [node for node in whole.get_ordered_ops() if node.get_friendly_name() == place]
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} nodes '{place}' to end its float32 front, expected 1; "
            "give precision float32"
        )
    last, halves = found[0].output(0), halves and place == SINC
    handed = _split(found[0].input_value(0), operations) if halves else last
    front = openvino.Model([handed], _heard(handed, whole), "front").clone()
    front.output(0).set_names({FRONT})
    received = operations.parameter(handed.get_partial_shape(), handed.get_element_type())
    received.output(0).set_names({FRONT})
    source = _split_filters(received, found[0], operations) if halves else received.output(0)
    for taker in last.get_target_inputs():
        taker.replace_source_output(source)
    ends = whole.get_results()
    others = [node for end in ends for node in _heard(end.output(0), whole)]
    return front, openvino.Model(ends, [received, *others], "rest")


def _split(sound: Any, operations: Any) -> Any:
    """Sound (windows, 1, samples) as its upper bits, the rest, and its upper bits again."""
    scaled = operations.multiply(sound, operations.constant(_SPLITTER))
    upper = operations.subtract(scaled, operations.subtract(scaled, sound))
    return operations.concat([upper, operations.subtract(sound, upper), upper], 1).output(0)


def _split_filters(sound: Any, filters: Any, operations: Any) -> Any:
    """The output of a convolution with what `_split` made: all products but of rest and rest."""
    weights: NDArray[np.float32] = np.array(filters.input_value(1).get_node().data, np.float32)
    scaled = weights * _SPLITTER
    upper = scaled - (scaled - weights)
    parts = np.concatenate([upper, upper, weights - upper], axis=1)
    how = filters.get_attributes()
    between = (how[name] for name in ("strides", "pads_begin", "pads_end", "dilations"))
    return operations.convolution(sound, operations.constant(parts), *between).output(0)


def _heard(output: Any, model: Any) -> list[Any]:
    """The model's parameters that an output depends on."""
    found, ahead = set(), [output]
    while ahead:
        node = ahead.pop().get_node()
        if node.get_friendly_name() not in found:
            found.add(node.get_friendly_name())
            ahead += [taken.get_source_output() for taken in node.inputs()]
    return [node for node in model.get_parameters() if node.get_friendly_name() in found]
