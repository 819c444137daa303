"""The embedding graph in FluidAudio's form: one slice per frame of the filter bank.

The weights and all layers after the filter bank are those of hocket: only the shape differs.
"""

import numpy as np

from bench.errors import BenchError
from bench.speed.sessions import Model

WAVEFORM = "waveform"
SPECTRUM = "/fbank/Conv_output_0"
ENERGIES = "/fbank/Log_output_0"


def sliced(model: Model, samples: int) -> Model:
    """The graph for windows of `samples` samples, with one Slice per frame.

    The framing convolution becomes a Slice per frame, their concatenation, and a product with the
    kernel of the convolution. It computes the same numbers.

    Raises:
        BenchError: the graph does not frame its waveform by the convolution of the forge.
    """
    from onnx import ModelProto, helper, numpy_helper

    found = ModelProto()
    found.CopyFrom(model)
    nodes = list(found.graph.node)
    places = [index for index, node in enumerate(nodes) if SPECTRUM in node.output]
    if not places or nodes[places[0]].op_type != "Conv":
        raise BenchError(
            f"the embedding graph has no convolution '{SPECTRUM}'; build it again with the forge"
        )
    place = places[0]
    framing = nodes[place]
    shape = {each.name: each.ints[0] for each in framing.attribute if each.ints}
    step, length = shape["strides"], shape["kernel_shape"]
    starts = range(0, samples - length + 1, step)
    constants = {
        "sliced_channel": np.array([1]),
        "sliced_axis": np.array([2]),
        **{f"sliced_start_{start}": np.array([start]) for start in starts},
        **{f"sliced_end_{start}": np.array([start + length]) for start in starts},
    }
    found.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items()
    )
    frames = [f"sliced_frame_{start}" for start in starts]
    cut = [
        helper.make_node(
            "Slice",
            [framing.input[0], f"sliced_start_{start}", f"sliced_end_{start}", "sliced_axis"],
            [frame],
        )
        for start, frame in zip(starts, frames, strict=True)
    ]
    nodes[place : place + 1] = [
        *cut,
        helper.make_node("Concat", frames, ["sliced_frames"], axis=1),
        # constant folding turns these two into one matrix
        helper.make_node("Squeeze", [framing.input[1], "sliced_channel"], ["sliced_rows"]),
        helper.make_node("Transpose", ["sliced_rows"], ["sliced_kernel"], perm=[1, 0]),
        helper.make_node("MatMul", ["sliced_frames", "sliced_kernel"], ["sliced_spectrum"]),
        helper.make_node("Transpose", ["sliced_spectrum"], [SPECTRUM], perm=[0, 2, 1]),
    ]
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return found


def filter_bank(model: Model) -> Model:
    """The filter bank of an embedding graph alone: waveform to log-mel energies."""
    from onnx import TensorProto, helper, utils

    energies = helper.make_tensor_value_info(ENERGIES, TensorProto.FLOAT, None)
    found = type(model)()
    found.CopyFrom(model)
    found.graph.output.append(energies)
    return utils.Extractor(found).extract_model([WAVEFORM], [ENERGIES])


def count_slices(model: Model) -> int:
    """Number of Slice nodes."""
    return sum(node.op_type == "Slice" for node in model.graph.node)
