"""Evaluation of the program of a Core ML package on any machine, operation by operation.

The evaluator follows this contract in place of a device:

- An operation on float16 takes float16 operands, computes in float32, and rounds its result to
  float16, ties to even, overflow to infinity. `lstm` rounds both states after every step.
- An operation on float32 computes in float32. Casts happen only where the program has them.
- Integers never wrap: a result outside the range of its type is an error, as MIL leaves it
  undefined.

A device may add in another order, keep more digits between operations, or flush subnormal numbers.
The contract defines the meaning of the program, not the result of a particular chip.

Nothing is ignored: an operation that is not implemented, an unknown argument, and a result whose
type or shape differs from the program's declaration are errors.
"""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hocket_forge.coreml_operations import ANY, DTYPES, OPERATIONS, Implementation
from hocket_forge.coreml_program import Argument, Array, Feature, Operation, Program
from hocket_forge.sources import ForgeError

Stored = Tensor | str  # a value in its own type; strings are names of modes and types
Operand = Stored | tuple[Tensor, ...]

OPSET = "CoreML7"  # iOS 17; other sets give some operations other meanings
JOINED = "values"  # the one argument that is a list of values


def evaluate(program: Program, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs by name, in the types that the program declares.

    Values are dropped after their last use, to limit the memory that a batch needs.

    Args:
        program: from `read_program`.
        inputs: an array for each of the program's inputs, of its type and of a shape that the
            model's description allows.

    Raises:
        ForgeError: an input does not match the description, or an operation cannot be computed;
            the message names the operation.
    """
    if program.opset != OPSET:
        raise ForgeError(f"opset {program.opset}: only {OPSET} is known; convert for iOS 17")
    values: dict[str, Stored] = dict(_accepted(program, inputs))
    last_uses = _last_uses(program)
    with torch.inference_mode():
        for index, operation in enumerate(program.operations):
            values.update(_executed(operation, values))
            for name in last_uses.get(index, ()):
                del values[name]
    return {feature.name: _given(feature, values[feature.name]) for feature in program.outputs}


def _accepted(program: Program, inputs: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, Tensor]]:
    wanted = {feature.name for feature in program.inputs}
    if set(inputs) != wanted:
        raise ForgeError(f"inputs {sorted(inputs)}, where the model takes {sorted(wanted)}")
    for feature in program.inputs:
        array = inputs[feature.name]
        if array.dtype.name != feature.dtype or not feature.fits(array.shape):
            raise ForgeError(f"{array.dtype.name} {array.shape} does not fit input {feature}")
        # a copy: PyTorch does not accept read-only memory, and an output may be the input itself
        yield feature.name, torch.from_numpy(np.array(array))


def _last_uses(program: Program) -> dict[int, list[str]]:
    """Names of values by the operation that uses them last.

    Raises:
        ForgeError: a value is made twice, or used before it is made.
    """
    made = {feature.name: -1 for feature in program.inputs}
    for index, operation in enumerate(program.operations):
        needed = [argument for group in operation.inputs.values() for argument in group]
        for name in (argument for argument in needed if isinstance(argument, str)):
            if name not in made:
                raise ForgeError(f"{operation}: {name} is not made before")
            made[name] = index
        for value in operation.outputs:
            if value.name in made:
                raise ForgeError(f"{operation}: {value.name} is made a second time")
            made[value.name] = index
    for feature in program.outputs:
        if made.pop(feature.name, None) is None:
            raise ForgeError(f"output {feature.name} is never made")
    last: dict[int, list[str]] = {}
    for name, index in made.items():
        last.setdefault(index, []).append(name)
    return last


def _executed(operation: Operation, values: Mapping[str, Stored]) -> Iterator[tuple[str, Stored]]:
    """Results by name, checked against their declarations."""
    if operation.type == "const":
        results: tuple[Stored, ...] = (_stored(operation.inputs["val"][0], values),)
    else:
        results = _computed(operation, values)
    if len(results) != len(operation.outputs):
        raise ForgeError(f"{operation}: {len(results)} results, {len(operation.outputs)} declared")
    for declared, result in zip(operation.outputs, results, strict=True):
        dtype, shape = _dtype(result), _shape(result)
        if dtype != declared.type.dtype or not declared.type.fits(shape):
            raise ForgeError(
                f"{operation}: gives {dtype} {shape}, "
                f"declared is {declared.type.dtype} {declared.type.shape}"
            )
        yield declared.name, result


def _computed(operation: Operation, values: Mapping[str, Stored]) -> tuple[Tensor, ...]:
    implementation = OPERATIONS.get(operation.type)
    if implementation is None:
        raise ForgeError(f"{operation}: operations of type {operation.type} are not implemented")
    arguments = {
        name: _argument(operation, name, group, values) for name, group in operation.inputs.items()
    }
    _check_arguments(operation, implementation, arguments)
    dtype = _result_dtype(implementation, arguments)
    operands = {
        name: _widened(value, implementation.moves) for name, value in arguments.items()
    } | _defaults(implementation, arguments, dtype)
    try:
        result = implementation.run(**operands)
        results = result if isinstance(result, tuple) else (result,)
        return tuple(_narrowed(value, dtype) for value in results)
    except Exception as error:  # PyTorch raises many types of errors for invalid operands
        message = str(error).partition("\n")[0]
        raise ForgeError(f"{operation}: {message}") from error


def _argument(
    operation: Operation, name: str, group: tuple[Argument, ...], values: Mapping[str, Stored]
) -> Operand:
    found = tuple(_stored(argument, values) for argument in group)
    tensors = tuple(value for value in found if isinstance(value, Tensor))
    if name == JOINED and len(tensors) == len(found):
        return tensors
    if name == JOINED or len(found) != 1:
        raise ForgeError(f"{operation}: argument {name} is {len(found)} values")
    return found[0]


def _stored(argument: Argument, values: Mapping[str, Stored]) -> Stored:
    if isinstance(argument, str):
        return values[argument]
    if argument.dtype.kind == "U":
        return str(argument.item())
    return torch.from_numpy(np.array(argument))


def _check_arguments(
    operation: Operation, implementation: Implementation, arguments: Mapping[str, Operand]
) -> None:
    parameters = implementation.parameters
    unknown = sorted(set(arguments) - set(parameters) | set(arguments) & {"precision"})
    if unknown:
        raise ForgeError(f"{operation}: arguments {unknown} are not implemented")
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in {*arguments, "precision"}
    ]
    if missing:
        raise ForgeError(f"{operation}: arguments {missing} are missing")
    typed = [value for name in implementation.alike for value in _several(arguments.get(name))]
    dtypes = {_dtype(value) for value in typed}
    if len(dtypes) > 1 or not dtypes <= implementation.domain:
        raise ForgeError(
            f"{operation}: {' and '.join(implementation.alike)} are {sorted(dtypes)}, "
            f"which must be one of {sorted(implementation.domain)}"
        )


def _several(value: Operand | None) -> tuple[Stored, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _result_dtype(implementation: Implementation, arguments: Mapping[str, Operand]) -> str:
    """The type of an operation's results: that of an argument, named by an argument, or fixed."""
    name = implementation.result
    if name not in implementation.parameters:
        return name
    source = arguments.get(name, implementation.parameters[name].default)
    if isinstance(source, str):
        return DTYPES.get(source, source)
    if isinstance(source, int | float):
        return "int32" if isinstance(source, int) else "float32"
    return _dtype(_several(source)[0])


def _defaults(
    implementation: Implementation, arguments: Mapping[str, Operand], dtype: str
) -> dict[str, Any]:
    """Defaults of omitted arguments; numbers are rounded to the operation's type, as in MIL."""
    left = {
        name: float(torch.tensor(parameter.default, dtype=getattr(torch, dtype)))
        for name, parameter in implementation.parameters.items()
        if name not in arguments and isinstance(parameter.default, float)
    }
    if "precision" in implementation.parameters:
        return left | {"precision": getattr(torch, dtype)}
    return left


def _widened(value: Operand, moved: bool) -> Operand:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return tuple(_wide(part, moved) for part in value)
    return _wide(value, moved)


def _wide(value: Tensor, moved: bool) -> Tensor:
    if value.dtype == torch.bool or (moved and value.is_floating_point()):
        return value
    return value.to(torch.float32 if value.is_floating_point() else torch.int64)


def _narrowed(value: Tensor, dtype: str) -> Tensor:
    """A result converted to its own type.

    Raises:
        ValueError: the kinds of both types differ, or an integer is out of range.
    """
    target: torch.dtype | None = getattr(torch, dtype, None)
    if dtype not in ANY or target is None:
        raise ValueError(f"type {dtype} is not known")
    if (value.is_floating_point(), value.dtype == torch.bool) != (
        target.is_floating_point,
        target == torch.bool,
    ):
        raise ValueError(f"a result of {_dtype(value)} where {dtype} is due")
    if not target.is_floating_point and target != torch.bool and value.numel():
        bounds = torch.iinfo(target)
        if int(value.min()) < bounds.min or int(value.max()) > bounds.max:
            raise ValueError(f"a result outside {dtype}, which MIL does not define")
    return value.to(target)


def _dtype(value: Stored) -> str:
    return "string" if isinstance(value, str) else str(value.dtype).removeprefix("torch.")


def _shape(value: Stored) -> tuple[int, ...]:
    return () if isinstance(value, str) else tuple(value.shape)


def _given(feature: Feature, value: Stored) -> Array:
    if isinstance(value, str) or _dtype(value) != feature.dtype:
        raise ForgeError(f"output {feature} is {_dtype(value)} in the program")
    if feature.shape and not feature.fits(tuple(value.shape)):
        raise ForgeError(f"output {feature} has shape {tuple(value.shape)}")
    array: Array = value.contiguous().numpy()
    return array
