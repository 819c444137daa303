"""Alterations of a graph, and assertions that its checks fail."""

from collections.abc import Callable

import numpy as np
import onnx
from hocket_forge import parity
from hocket_forge.export import OPSET
from hocket_forge.parity import Check
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Alteration = Callable[[ModelProto], None]


def first_failure(name: str, model: ModelProto) -> Check | None:
    """The first failed check; the checks after it do not run."""
    with np.errstate(all="ignore"):
        checks = parity.checks(name, model)
        return next((check for check in checks if not check.passed), None)


def assert_noticed(name: str, model: ModelProto, check: str = "") -> None:
    """Assert that a comparison of that name found a difference, and did not just raise an error."""
    failure = first_failure(name, model)
    assert failure is not None
    assert not failure.name.startswith("stopped by")
    assert check in failure.name


# initializers are found through the nodes that read them, because exporters number them freely


def nodes(model: ModelProto, kind: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def stored(model: ModelProto, name: str) -> TensorProto:
    """The initializer of that name, or the float16 one that is cast to it."""
    names = {name, f"{name}.half"}
    tensor: TensorProto = next(t for t in model.graph.initializer if t.name in names)
    return tensor


def negate_largest(tensor: TensorProto) -> None:
    values = numpy_helper.to_array(tensor).copy()
    largest = np.unravel_index(np.abs(values.astype(np.float64)).argmax(), values.shape)
    values[largest] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def negated(kind: str, index: int, port: int) -> Alteration:
    """Negates the largest value of an input of the index-th node of a type."""

    def alter(model: ModelProto) -> None:
        negate_largest(stored(model, nodes(model, kind)[index].input[port]))

    return alter


def renamed(kind: str, index: int, other: str) -> Alteration:
    def alter(model: ModelProto) -> None:
        node = nodes(model, kind)[index]
        node.op_type = other
        allowed = onnx.defs.get_schema(other, OPSET).attributes
        kept = [attribute for attribute in node.attribute if attribute.name in allowed]
        del node.attribute[:]
        node.attribute.extend(kept)

    return alter


def append(model: ModelProto, output: int, kind: str, *constants: NDArray[np.generic]) -> None:
    """Append an operation to an output of the graph."""
    name = model.graph.output[output].name
    for node in model.graph.node:
        for position, produced in enumerate(node.output):
            if produced == name:
                node.output[position] = f"{name}.before"
    for number, value in enumerate(constants):
        model.graph.initializer.append(numpy_helper.from_array(value, f"{name}.extra.{number}"))
    extra = [f"{name}.extra.{number}" for number in range(len(constants))]
    model.graph.node.append(helper.make_node(kind, [f"{name}.before", *extra], [name]))
