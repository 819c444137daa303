"""The float32 front of a graph whose rest computes in bfloat16, with 8 bits per number.

A log-mel spectrum near the floor of the logarithm is a small difference of large products. With 8
bits it is noise: CAM++ entirely in bfloat16 has a cosine of 0.90 to float32, but 0.9997 behind a
float32 filter bank. The same holds for the segmentation's sinc filters where a recording has almost
no energy, such as above 4 kHz in a phone call: the norm after them makes the noise as loud as
speech, and 4.5 % of frames change. Filters and waveform written as sums of two bfloat16 numbers are
as good as float32: 0.14 % of frames change instead of 0.13 %. That takes three products instead of
one, which is faster only on matrix units. OpenVINO sets the precision of a whole graph, so the
graph is cut in two (docs/decisions/011-backends.md).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ModelError

FRONT = "front"
"""Name of the tensor between the two parts."""

SINC = "/network/sincnet/conv1d.0/Conv/WithoutBiases"
"""Node of the sinc filters. The suffix is OpenVINO's, for a convolution split from its bias."""

SPECTRUM = "/normalisation/Sub"
"""Node of the mean-normalized log-mel spectrum."""

NORMALIZED = "/levelling/Max"
"""Node of the normalized sinc features."""

_LAST_NODES = {"segmentation": SINC, "segmentation_from_peaks": NORMALIZED, "embedding": SPECTRUM}

_SPLITTER = np.float32(2**16 + 1)  # Dekker 1971: keeps the upper 8 of float32's 24 bits


def cut(name: str, model: Any, openvino: Any, *, halves: bool) -> tuple[Any, Any]:
    """Cut an `openvino.Model` in two where its float32 front ends.

    Args:
        name: the graph's name in `hocket.graph.SPECS`.
        model: the whole graph; it is not changed.
        openvino: the imported library.
        halves: move the sinc filters into the rest, as sums of two bfloat16 numbers.

    Returns:
        The front, from inputs to an output `FRONT`; and the rest, which takes `FRONT` and the
        inputs that it needs.

    Raises:
        ModelError: the graph has no node at which to cut.
    """
    whole, operations = model.clone(), openvino.opset13
    node_name = _LAST_NODES[name]
    found = [node for node in whole.get_ordered_ops() if node.get_friendly_name() == node_name]
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} nodes '{node_name}' to end its float32 front, expected 1; "
            "give precision float32"
        )
    last, halves = found[0].output(0), halves and node_name == SINC
    passed = _split(found[0].input_value(0), operations) if halves else last
    front = openvino.Model([passed], _parameters_of(passed, whole), "front").clone()
    front.output(0).set_names({FRONT})
    received = operations.parameter(passed.get_partial_shape(), passed.get_element_type())
    received.output(0).set_names({FRONT})
    source = _split_filters(received, found[0], operations) if halves else received.output(0)
    for consumer in last.get_target_inputs():
        consumer.replace_source_output(source)
    results = whole.get_results()
    others = [node for result in results for node in _parameters_of(result.output(0), whole)]
    return front, openvino.Model(results, [received, *others], "rest")


def _split(waveform: Any, operations: Any) -> Any:
    """A waveform (windows, 1, samples) as its upper bits, the rest, and its upper bits again."""
    scaled = operations.multiply(waveform, operations.constant(_SPLITTER))
    upper = operations.subtract(scaled, operations.subtract(scaled, waveform))
    return operations.concat([upper, operations.subtract(waveform, upper), upper], 1).output(0)


def _split_filters(split: Any, filters: Any, operations: Any) -> Any:
    """Convolution of the output of `_split`: the sum of all products except rest by rest."""
    weights: NDArray[np.float32] = np.array(filters.input_value(1).get_node().data, np.float32)
    scaled = weights * _SPLITTER
    upper = scaled - (scaled - weights)
    parts = np.concatenate([upper, upper, weights - upper], axis=1)
    attributes = filters.get_attributes()
    settings = (attributes[name] for name in ("strides", "pads_begin", "pads_end", "dilations"))
    return operations.convolution(split, operations.constant(parts), *settings).output(0)


def _parameters_of(output: Any, model: Any) -> list[Any]:
    """The model's parameters that an output depends on."""
    found, pending = set(), [output]
    while pending:
        node = pending.pop().get_node()
        if node.get_friendly_name() not in found:
            found.add(node.get_friendly_name())
            pending += [port.get_source_output() for port in node.inputs()]
    return [node for node in model.get_parameters() if node.get_friendly_name() in found]
