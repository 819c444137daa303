"""The embedding graph as the notes had it: one slice per frame of the filter bank.

Weights and everything behind the filter bank are hocket's own, so that what differs is the shape.
"""

import numpy as np

from bench.errors import BenchError
from bench.sessions import Model

WAVEFORM = "waveform"
SPECTRUM = "/fbank/Conv_output_0"
ENERGIES = "/fbank/Log_output_0"


def sliced(model: Model, samples: int) -> Model:
    """The graph for windows of `samples` samples, its frames cut out one by one.

    The framing convolution becomes a Slice per frame, their concatenation, and a product with the
    convolution's kernel; it computes the same numbers.

    Raises:
        BenchError: the graph does not frame its waveform as the forge writes it.
    """
    from onnx import ModelProto, helper, numpy_helper

    found = ModelProto()
    found.CopyFrom(model)
    nodes = list(found.graph.node)
    places = [index for index, node in enumerate(nodes) if SPECTRUM in node.output]
    if not places or nodes[places[0]].op_type != "Conv":
        raise BenchError(f"the embedding graph has no convolution '{SPECTRUM}'; forge it again")
    place = places[0]
    framing = nodes[place]
    shape = {each.name: each.ints[0] for each in framing.attribute if each.ints}
    step, length = shape["strides"], shape["kernel_shape"]
    starts = range(0, samples - length + 1, step)
    constants = {
        "notes_channel": np.array([1]),
        "notes_axis": np.array([2]),
        **{f"notes_start_{start}": np.array([start]) for start in starts},
        **{f"notes_end_{start}": np.array([start + length]) for start in starts},
    }
    found.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in constants.items()
    )
    frames = [f"notes_frame_{start}" for start in starts]
    cut = [
        helper.make_node(
            "Slice",
            [framing.input[0], f"notes_start_{start}", f"notes_end_{start}", "notes_axis"],
            [frame],
        )
        for start, frame in zip(starts, frames, strict=True)
    ]
    nodes[place : place + 1] = [
        *cut,
        helper.make_node("Concat", frames, ["notes_frames"], axis=1),
        # constant folding leaves one matrix of these two
        helper.make_node("Squeeze", [framing.input[1], "notes_channel"], ["notes_rows"]),
        helper.make_node("Transpose", ["notes_rows"], ["notes_kernel"], perm=[1, 0]),
        helper.make_node("MatMul", ["notes_frames", "notes_kernel"], ["notes_spectrum"]),
        helper.make_node("Transpose", ["notes_spectrum"], [SPECTRUM], perm=[0, 2, 1]),
    ]
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return found


def filter_bank(model: Model) -> Model:
    """Only the filter bank of an embedding graph: waveform to log-mel energies."""
    from onnx import TensorProto, helper, utils

    energies = helper.make_tensor_value_info(ENERGIES, TensorProto.FLOAT, None)
    found = type(model)()
    found.CopyFrom(model)
    found.graph.output.append(energies)
    return utils.Extractor(found).extract_model([WAVEFORM], [ENERGIES])


def count_slices(model: Model) -> int:
    """Number of Slice operations."""
    return sum(node.op_type == "Slice" for node in model.graph.node)
