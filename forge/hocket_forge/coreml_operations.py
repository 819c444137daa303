"""The MIL operations, as a table by type.

Semantics are those of opset CoreML7 (iOS 17), from the definitions that coremltools publishes;
parameters have MIL's names and defaults. A function receives floats as float32 and integers as
int64. The caller rounds its result to the operation's own type, and checks that arguments which
must share a type in MIL do.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from hocket_forge import coreml_layers as layers
from hocket_forge import coreml_tensors as tensors
from hocket_forge.coreml_layers import whole

Result = Tensor | tuple[Tensor, ...]

FLOATS = frozenset({"float16", "float32"})
NUMBERS = FLOATS | {"int32"}
INTEGERS = frozenset({"int32", "int16", "uint16", "int8", "uint8"})
TRUTHS = frozenset({"bool"})
BASIC = NUMBERS | TRUTHS
ANY = FLOATS | INTEGERS | TRUTHS
# names of types in arguments such as `dtype`, where they differ from NumPy's
DTYPES = {"fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True)
class Implementation:
    """The implementation of a type of operation.

    domain: the types that the arguments in `alike` may have; all must have the same type.
    result: the argument whose type the result has, or which names that type; or the type itself.
    moves: it only moves values, so float16 need not be widened.
    """

    run: Callable[..., Result]
    domain: frozenset[str] = FLOATS
    alike: tuple[str, ...] = ("x",)
    result: str = "x"
    moves: bool = False

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The arguments that it accepts, with their defaults."""
        return inspect.signature(self.run).parameters


def _unary(function: Callable[[Tensor], Tensor], domain: frozenset[str] = FLOATS) -> Implementation:
    def run(x: Tensor) -> Tensor:
        return function(x)

    return Implementation(run, domain)


def _binary(
    function: Callable[[Tensor, Tensor], Tensor],
    domain: frozenset[str] = NUMBERS,
    result: str = "x",
) -> Implementation:
    def run(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    return Implementation(run, domain, ("x", "y"), result)


def _reduction(
    function: Callable[[Tensor, list[int], bool], Tensor], domain: frozenset[str] = NUMBERS
) -> Implementation:
    def run(x: Tensor, axes: Tensor | None = None, keep_dims: Tensor | bool = False) -> Tensor:
        return function(x, list(range(x.dim())) if axes is None else whole(axes), bool(keep_dims))

    return Implementation(run, domain)


def _chosen(function: Callable[[Tensor, int, bool], Tensor]) -> Implementation:
    def run(
        x: Tensor,
        axis: Tensor | int = -1,
        keep_dims: Tensor | bool = False,
        output_dtype: str = "int32",  # noqa: ARG001  # the caller rounds to it
    ) -> Tensor:
        return function(x, int(axis), bool(keep_dims))

    return Implementation(run, NUMBERS, result="output_dtype")


def _moving(
    run: Callable[..., Result],
    alike: tuple[str, ...] = ("x",),
    domain: frozenset[str] = ANY,
    result: str | None = None,
) -> Implementation:
    return Implementation(run, domain, alike, result or alike[0], moves=True)


def _product(x: Tensor, axes: list[int], keep_dims: bool) -> Tensor:
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = x.prod(axis, keepdim=keep_dims)
    return x


def _first_maximum(x: Tensor, axis: int, keep_dims: bool) -> Tensor:
    # for ties, MIL defines nothing, and PyTorch returns the first
    return x.argmax(axis, keepdim=keep_dims)


def log(x: Tensor, epsilon: Tensor | float = 1e-45) -> Tensor:
    """Logarithm of x + epsilon."""
    return torch.log(x + epsilon)


def rsqrt(x: Tensor, epsilon: Tensor | float = 1e-12) -> Tensor:
    """The reciprocal of the square root of x + epsilon."""
    return 1 / torch.sqrt(x + epsilon)


def inverse(x: Tensor, epsilon: Tensor | float = 1e-4) -> Tensor:
    """The reciprocal of x + epsilon."""
    return 1 / (x + epsilon)


def clip(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Values between alpha and beta."""
    return torch.minimum(torch.maximum(x, alpha), beta)


def leaky_relu(x: Tensor, alpha: Tensor) -> Tensor:
    """Negative values times alpha."""
    return torch.where(x < 0, x * alpha, x)


def elu(x: Tensor, alpha: Tensor) -> Tensor:
    """Negative values as alpha * (exp(x) - 1)."""
    return torch.where(x < 0, alpha * torch.expm1(x), x)


def gelu(x: Tensor, mode: str = "EXACT") -> Tensor:
    """Gaussian error linear unit."""
    if mode == "SIGMOID_APPROXIMATION":
        return x * torch.sigmoid(1.702 * x)
    approximation = {"EXACT": "none", "TANH_APPROXIMATION": "tanh"}.get(mode)
    if approximation is None:
        raise ValueError(f"mode {mode} is not known")
    return functional.gelu(x, approximate=approximation)


def softmax(x: Tensor, axis: Tensor | int = -1) -> Tensor:
    """Exponentials along an axis that sum to one."""
    return torch.softmax(x, int(axis))


def select(cond: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Values of a where the condition holds, else of b."""
    return torch.where(cond, a, b)


def cast(x: Tensor, dtype: str) -> Tensor:
    """Conversion to another type; floats are truncated to integers, nonzero values are true."""
    name = DTYPES.get(dtype, dtype)
    if name not in ANY:
        raise ValueError(f"type {dtype} is not known")
    if name in FLOATS:
        return x.to(torch.float32)
    return x != 0 if name in TRUTHS else x.to(torch.int64)


def cumsum(
    x: Tensor,
    axis: Tensor | int = 0,
    exclusive: Tensor | bool = False,
    reverse: Tensor | bool = False,
) -> Tensor:
    """Cumulative sums; without the own value if exclusive, from the end if reverse."""
    along = int(axis)
    ordered = x.flip(along) if bool(reverse) else x
    total = ordered.cumsum(along)
    if bool(exclusive):
        rest = total.narrow(along, 0, x.shape[along] - 1)
        total = torch.cat([torch.zeros_like(total.narrow(along, 0, 1)), rest], along)
    return total.flip(along) if bool(reverse) else total


def fill(shape: Tensor, value: Tensor | float = 0.0) -> Tensor:
    """An array of one value."""
    return torch.as_tensor(value).expand(whole(shape)).clone()


def range_1d(start: Tensor, end: Tensor, step: Tensor) -> Tensor:
    """Numbers from start, excluding end."""
    first, last, by = start.item(), end.item(), step.item()
    return start + step * torch.arange(max(0, math.ceil((last - first) / by)))


def one_hot(
    indices: Tensor,
    one_hot_vector_size: Tensor,
    axis: Tensor | int = -1,
    on_value: Tensor | int = 1,
    off_value: Tensor | int = 0,
) -> Tensor:
    """A new axis with on_value at the index, and off_value elsewhere."""
    along = int(axis) % (indices.dim() + 1)
    column = [-1] + [1] * (indices.dim() - along)
    hits = indices.unsqueeze(along) == torch.arange(int(one_hot_vector_size)).reshape(column)
    return torch.where(hits, torch.as_tensor(on_value), torch.as_tensor(off_value))


def constexpr_affine_dequantize(
    quantized_data: Tensor, zero_point: Tensor, scale: Tensor, axis: Tensor
) -> Tensor:
    """8-bit weights: scale * (data - zero point), both one number, or one per cell of the axis."""
    column = [1] * quantized_data.dim()
    column[int(axis)] = -1
    centered = quantized_data - (zero_point.reshape(column) if zero_point.dim() else zero_point)
    return centered * (scale.reshape(column) if scale.dim() else scale)


def constexpr_lut_to_dense(indices: Tensor, lut: Tensor, shape: Tensor) -> Tensor:
    """Weights from a table of 2 ** b values by packed b-bit indices, lowest bits first."""
    bits = int(math.log2(len(lut)))
    size = math.prod(whole(shape))
    if 1 << bits != len(lut) or len(indices) != math.ceil(bits * size / 8):
        raise ValueError(f"{len(indices)} bytes of indices into {len(lut)} values for {size}")
    single = (indices[:, None] >> torch.arange(8)) & 1
    digits = single.flatten()[: bits * size].reshape(size, bits)
    return lut[(digits << torch.arange(bits)).sum(1)].reshape(whole(shape))


OPERATIONS: dict[str, Implementation] = {
    "abs": _unary(torch.abs, NUMBERS),
    "add": _binary(torch.add),
    "avg_pool": Implementation(layers.avg_pool),
    "batch_norm": Implementation(layers.batch_norm),
    "cast": Implementation(cast, ANY, result="dtype"),
    "ceil": _unary(torch.ceil),
    "clip": Implementation(clip),
    "concat": _moving(tensors.concat, ("values",)),
    "constexpr_affine_dequantize": Implementation(
        constexpr_affine_dequantize, alike=("scale",), result="scale"
    ),
    "constexpr_lut_to_dense": Implementation(
        constexpr_lut_to_dense, FLOATS | {"int8", "uint8"}, ("lut",), "lut"
    ),
    "conv": Implementation(layers.conv),
    "cos": _unary(torch.cos),
    "cumsum": Implementation(cumsum, NUMBERS),
    "elu": Implementation(elu),
    "equal": _binary(torch.eq, result="bool"),
    "erf": _unary(torch.erf),
    "exp": _unary(torch.exp),
    "exp2": _unary(torch.exp2),
    "expand_dims": _moving(tensors.expand_dims),
    "fill": Implementation(fill, BASIC, ("value",), "value"),
    "floor": _unary(torch.floor),
    "floor_div": _binary(torch.floor_divide),
    "gather": _moving(tensors.gather, domain=ANY - TRUTHS),
    "gather_along_axis": _moving(tensors.gather_along_axis, domain=ANY - TRUTHS),
    "gelu": Implementation(gelu),
    "greater": _binary(torch.gt, result="bool"),
    "greater_equal": _binary(torch.ge, result="bool"),
    "identity": _moving(tensors.identity),
    "instance_norm": Implementation(layers.instance_norm),
    "inverse": Implementation(inverse),
    "l2_norm": Implementation(layers.l2_norm),
    "layer_norm": Implementation(layers.layer_norm),
    "leaky_relu": Implementation(leaky_relu),
    "less": _binary(torch.lt, result="bool"),
    "less_equal": _binary(torch.le, result="bool"),
    "linear": Implementation(layers.linear, NUMBERS),
    "log": Implementation(log),
    "logical_and": _binary(torch.logical_and, TRUTHS, "bool"),
    "logical_not": _unary(torch.logical_not, TRUTHS),
    "logical_or": _binary(torch.logical_or, TRUTHS, "bool"),
    "logical_xor": _binary(torch.logical_xor, TRUTHS, "bool"),
    "lstm": Implementation(layers.lstm, FLOATS, ("x", "initial_h", "initial_c")),
    "matmul": Implementation(layers.matmul, NUMBERS),
    "max_pool": Implementation(layers.max_pool),
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mod": _binary(torch.remainder),
    "mul": _binary(torch.mul),
    "not_equal": _binary(torch.ne, result="bool"),
    "one_hot": Implementation(one_hot, BASIC, ("on_value", "off_value"), "on_value"),
    "pad": _moving(tensors.pad, domain=FLOATS),
    "pow": _binary(torch.pow),
    "range_1d": Implementation(range_1d, NUMBERS, ("start", "end", "step"), "start"),
    "real_div": _binary(torch.div, FLOATS),
    "reduce_argmax": _chosen(_first_maximum),
    "reduce_argmin": _chosen(lambda x, axis, keep: x.argmin(axis, keepdim=keep)),
    "reduce_l2_norm": _reduction(
        lambda x, axes, keep: x.square().sum(axes, keepdim=keep).sqrt(), FLOATS
    ),
    "reduce_log_sum_exp": _reduction(lambda x, axes, keep: x.logsumexp(axes, keepdim=keep), FLOATS),
    "reduce_max": _reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep)),
    "reduce_mean": _reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep), FLOATS),
    "reduce_min": _reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep)),
    "reduce_prod": _reduction(_product),
    "reduce_sum": _reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep)),
    "reduce_sum_square": _reduction(lambda x, axes, keep: x.square().sum(axes, keepdim=keep)),
    "relu": _unary(torch.relu),
    "relu6": _unary(functional.relu6),
    "reshape": _moving(tensors.reshape),
    "resize_bilinear": Implementation(layers.resize_bilinear),
    "resize_nearest_neighbor": _moving(layers.resize_nearest_neighbor, domain=FLOATS),
    "reverse": _moving(tensors.reverse),
    "round": _unary(torch.round),
    "rsqrt": Implementation(rsqrt),
    "select": Implementation(select, BASIC, ("a", "b"), "a"),
    "shape": _moving(tensors.shape, domain=BASIC, result="int32"),
    "sigmoid": _unary(torch.sigmoid),
    "sign": _unary(torch.sign, NUMBERS),
    "silu": _unary(functional.silu),
    "sin": _unary(torch.sin),
    "slice_by_index": _moving(tensors.slice_by_index),
    "slice_by_size": _moving(tensors.slice_by_size),
    "softmax": Implementation(softmax),
    "softplus": _unary(functional.softplus),
    "split": _moving(tensors.split, domain=BASIC),
    "sqrt": _unary(torch.sqrt),
    "square": _unary(torch.square, NUMBERS),
    "squeeze": _moving(tensors.squeeze),
    "stack": _moving(tensors.stack, ("values",)),
    "sub": _binary(torch.sub),
    "tanh": _unary(torch.tanh),
    "tile": _moving(tensors.tile, domain=BASIC),
    "transpose": _moving(tensors.transpose),
    "upsample_bilinear": Implementation(layers.upsample_bilinear),
    "upsample_nearest_neighbor": _moving(layers.upsample_nearest_neighbor, domain=FLOATS),
}
