"""The larger operations of MIL: convolutions, pools, norms, recurrence, resizing.

Parameters have MIL's names and defaults, because programs pass arguments by name. Operands are
float32 or int64; the caller rounds the results. Operations that MIL leaves undefined, or that are
not supported here, raise ValueError.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Spatial = list[tuple[int, int]]  # cells added before and after each spatial axis

# MIL also allows hard_sigmoid and scaled_tanh, but does not state their slopes
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_MAXIMA: dict[int, Callable[..., Tensor]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
_MEANS: dict[int, Callable[..., Tensor]] = {
    1: functional.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}


def whole(values: Tensor) -> list[int]:
    """An integer argument, of one number or several, as a list."""
    if values.dtype != torch.int64:
        raise ValueError(f"whole numbers expected, found {values.dtype}")
    return [int(value) for value in values.flatten().tolist()]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Products of (..., I) with weight (O, I), (..., O)."""
    product = x @ weight.transpose(0, 1)
    return product if bias is None else product + bias


def matmul(
    x: Tensor, y: Tensor, transpose_x: Tensor | bool = False, transpose_y: Tensor | bool = False
) -> Tensor:
    """Matrix products over the last two axes; the other axes are broadcast."""
    if bool(transpose_x) and x.dim() > 1:
        x = x.transpose(-1, -2)
    if bool(transpose_y) and y.dim() > 1:
        y = y.transpose(-1, -2)
    return torch.matmul(x, y)


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Tensor | None = None,
    pad_type: str = "valid",
    pad: Tensor | None = None,
    dilations: Tensor | None = None,
    groups: Tensor | int = 1,
) -> Tensor:
    """Convolution of (N, C, ...) along one to three axes with weight (O, C / groups, ...)."""
    axes = x.dim() - 2
    steps = [1] * axes if strides is None else whole(strides)
    spread = [1] * axes if dilations is None else whole(dilations)
    reach = [(size - 1) * d + 1 for size, d in zip(weight.shape[2:], spread, strict=True)]
    pads = _pads(pad_type, pad, x.shape[2:], reach, steps)
    if all(before == after for before, after in pads):
        padding = [before for before, _ in pads]  # avoids a copy of the input
    else:
        x, padding = _padded(x, pads, 0.0), [0] * axes
    return _CONVOLUTIONS[axes](
        x, weight, bias, stride=steps, padding=padding, dilation=spread, groups=int(groups)
    )


def max_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    ceil_mode: Tensor | bool = False,
) -> Tensor:
    """Largest value of each window, without the padding."""
    kernel, steps, pads, beyond = _windows(x, kernel_sizes, pad_type, strides, pad, bool(ceil_mode))
    filled = _padded(_padded(x, pads, -math.inf), beyond, -math.inf)
    return _MAXIMA[len(kernel)](filled, kernel, stride=steps)


def avg_pool(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None = None,
    pad: Tensor | None = None,
    exclude_padding_from_average: Tensor | bool = False,
    ceil_mode: Tensor | bool = False,
) -> Tensor:
    """Mean of each window; padding counts as zeros, or not at all if it is excluded.

    Cells that `ceil_mode` adds after the padding never count, as in PyTorch.
    """
    kernel, steps, pads, beyond = _windows(x, kernel_sizes, pad_type, strides, pad, bool(ceil_mode))
    mean = _MEANS[len(kernel)]
    counted = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype)
    counted = _padded(counted, pads, 0.0 if bool(exclude_padding_from_average) else 1.0)
    total = mean(_padded(_padded(x, pads, 0.0), beyond, 0.0), kernel, stride=steps)
    return total / mean(_padded(counted, beyond, 0.0), kernel, stride=steps)


def _windows(
    x: Tensor,
    kernel_sizes: Tensor,
    pad_type: str,
    strides: Tensor | None,
    pad: Tensor | None,
    ceil_mode: bool,
) -> tuple[list[int], list[int], Spatial, Spatial]:
    """Kernel, strides, padding, and the cells that the last window needs after the padding."""
    kernel = whole(kernel_sizes)
    steps = [1] * len(kernel) if strides is None else whole(strides)
    pads = _pads(pad_type, pad, x.shape[2:], kernel, steps)
    beyond = []
    for size, window, step, (before, after) in zip(x.shape[2:], kernel, steps, pads, strict=True):
        room = size + before + after
        count = (room - window + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and before + after and (count - 1) * step >= size + before:
            count -= 1
        if count < 1 or (count - 1) * step >= size + before:
            raise ValueError("a window that lies outside its input")
        beyond.append((0, max(0, (count - 1) * step + window - room)))
    return kernel, steps, pads, beyond


def _pads(
    pad_type: str, pad: Tensor | None, sizes: Sequence[int], reach: list[int], steps: list[int]
) -> Spatial:
    given = [0] * (2 * len(reach)) if pad is None else whole(pad)
    if pad_type == "custom":
        return list(zip(given[::2], given[1::2], strict=True))
    if any(given):
        raise ValueError(f"pad {given} with pad_type {pad_type}")
    if pad_type == "valid":
        return [(0, 0)] * len(reach)
    if pad_type not in {"same", "same_lower"}:
        raise ValueError(f"pad_type {pad_type} is not known")
    pads = []
    for size, window, step in zip(sizes, reach, steps, strict=True):
        total = max(0, step * math.ceil(size / step) - size + window - step)
        less, more = total // 2, total - total // 2
        pads.append((less, more) if pad_type == "same" else (more, less))
    return pads


def _padded(x: Tensor, pads: Spatial, value: float) -> Tensor:
    if not any(before or after for before, after in pads):
        return x
    last_first = [cells for axis in reversed(pads) for cells in axis]
    return functional.pad(x, last_first, value=value)


def batch_norm(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | float = 1e-5,
) -> Tensor:
    """Channels of (N, C, ...), normalized by given means and variances."""
    scale = torch.rsqrt(variance + epsilon)
    if gamma is not None:
        scale = scale * gamma
    column = [-1] + [1] * (x.dim() - 2)
    normed = (x - mean.reshape(column)) * scale.reshape(column)
    return normed if beta is None else normed + beta.reshape(column)


def instance_norm(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | float = 1e-5,
) -> Tensor:
    """Every channel of (N, C, ...), normalized by its own mean and biased variance."""
    column = [-1] + [1] * (x.dim() - 2)
    normed = _normed(x, list(range(2, x.dim())), epsilon)
    normed = normed if gamma is None else normed * gamma.reshape(column)
    return normed if beta is None else normed + beta.reshape(column)


def layer_norm(
    x: Tensor,
    axes: Tensor | None = None,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    epsilon: Tensor | float = 1e-5,
) -> Tensor:
    """Normalization over the axes, by default all; gamma and beta have the shape of these axes."""
    chosen = sorted(axis % x.dim() for axis in (range(x.dim()) if axes is None else whole(axes)))
    shape = [size if axis in chosen else 1 for axis, size in enumerate(x.shape)]
    normed = _normed(x, chosen, epsilon)
    normed = normed if gamma is None else normed * gamma.reshape(shape)
    return normed if beta is None else normed + beta.reshape(shape)


def _normed(x: Tensor, axes: list[int], epsilon: Tensor | float) -> Tensor:
    centered = x - x.mean(axes, keepdim=True)
    return centered / torch.sqrt(centered.square().mean(axes, keepdim=True) + epsilon)


def l2_norm(x: Tensor, epsilon: Tensor | float = 1e-6) -> Tensor:
    """The last three axes of (..., A, B, C), normalized together to unit length."""
    if x.dim() < 3:
        raise ValueError(f"needs three axes, has {x.dim()}")
    return x / torch.sqrt(x.square().sum((-3, -2, -1), keepdim=True) + epsilon)


def lstm(
    x: Tensor,
    initial_h: Tensor,
    initial_c: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    precision: torch.dtype,
    bias: Tensor | None = None,
    weight_ih_back: Tensor | None = None,
    weight_hh_back: Tensor | None = None,
    bias_back: Tensor | None = None,
    direction: str = "forward",
    output_sequence: Tensor | bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
) -> tuple[Tensor, Tensor, Tensor]:
    """Recurrence over x (S, B, I) from states (B, D * H), D two if bidirectional.

    Rows of the weights (4H, I), (4H, H) and of the bias (4H) are the input, forget and output
    gates, then the cell's candidate. The states are rounded to `precision` after every step.
    A peephole and a clip are not supported, because MIL does not define where they apply.

    Returns:
        Hidden states of all steps (S, B, D * H) or of the last one (1, B, D * H); and the last
        hidden state and memory (B, D * H), which in the reverse direction are those of step 0.
    """
    names = (recurrent_activation, cell_activation, activation)
    if direction not in {"forward", "reverse", "bidirectional"} or set(names) - set(_ACTIVATIONS):
        raise ValueError(f"direction {direction} with activations {names} is not supported")
    if direction == "bidirectional" and (weight_ih_back is None or weight_hh_back is None):
        raise ValueError("bidirectional without weights of the backward direction")
    directions = [(direction == "reverse", weight_ih, weight_hh, bias)]
    if direction == "bidirectional" and weight_ih_back is not None and weight_hh_back is not None:
        directions.append((True, weight_ih_back, weight_hh_back, bias_back))
    number = len(directions)
    states = zip(initial_h.chunk(number, 1), initial_c.chunk(number, 1), strict=True)
    results = [
        _recurrence(linear(x, ih, offset), hh, state, names, precision, backwards)
        for (backwards, ih, hh, offset), state in zip(directions, states, strict=True)
    ]
    sequence, hidden, memory = (torch.cat(parts, -1) for parts in zip(*results, strict=True))
    return (sequence if bool(output_sequence) else hidden[None]), hidden, memory


def _recurrence(
    projected: Tensor,
    weight: Tensor,
    state: tuple[Tensor, Tensor],
    activations: tuple[str, str, str],
    precision: torch.dtype,
    backwards: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """One direction over the projected inputs (S, B, 4H): (S, B, H), (B, H) and (B, H)."""
    gate, candidate, output = (_ACTIVATIONS[name] for name in activations)
    steps, _, rows = projected.shape
    size = rows // 4
    hidden, memory = state
    transposed = weight.t().contiguous()
    sequence = projected.new_empty(steps, projected.shape[1], size)
    for step in reversed(range(steps)) if backwards else range(steps):
        raw = torch.addmm(projected[step], hidden, transposed)
        enter, forget, leave = gate(raw[:, : 3 * size]).chunk(3, 1)
        memory = _rounded(forget * memory + enter * candidate(raw[:, 3 * size :]), precision)
        hidden = _rounded(leave * output(memory), precision)
        sequence[step] = hidden
    return sequence, hidden, memory


def _rounded(x: Tensor, precision: torch.dtype) -> Tensor:
    return x.to(precision).to(torch.float32)


def upsample_nearest_neighbor(
    x: Tensor, scale_factor_height: Tensor | int = 1, scale_factor_width: Tensor | int = 1
) -> Tensor:
    """The last two axes with every cell repeated an integer number of times."""
    height, width = float(scale_factor_height), float(scale_factor_width)
    if not (height.is_integer() and width.is_integer()):
        raise ValueError(f"factors {height} and {width}: only integers are supported")
    return x.repeat_interleave(int(height), -2).repeat_interleave(int(width), -1)


def resize_nearest_neighbor(
    x: Tensor, target_size_height: Tensor, target_size_width: Tensor
) -> Tensor:
    """The last two axes resized; cell i is taken from cell floor(i * size / target)."""
    for axis, target in ((-2, int(target_size_height)), (-1, int(target_size_width))):
        x = x.index_select(axis, torch.arange(target) * x.shape[axis] // target)
    return x


def upsample_bilinear(
    x: Tensor,
    scale_factor_height: Tensor | int = 1,
    scale_factor_width: Tensor | int = 1,
    align_corners: Tensor | bool = True,
    half_pixel_centers: Tensor | bool | None = None,
) -> Tensor:
    """The last two axes resized to floor(size * factor), see `resize_bilinear`."""
    corners = bool(align_corners)
    halves = not corners if half_pixel_centers is None else bool(half_pixel_centers)
    if corners and halves:
        raise ValueError("aligned corners with half-pixel centers")
    mode = "UNALIGN_CORNERS" if halves else "STRICT_ALIGN_CORNERS" if corners else "DEFAULT"
    height = math.floor(float(scale_factor_height) * x.shape[-2])
    width = math.floor(float(scale_factor_width) * x.shape[-1])
    return resize_bilinear(x, height, width, mode)


def resize_bilinear(
    x: Tensor,
    target_size_height: Tensor | int = 1,
    target_size_width: Tensor | int = 1,
    sampling_mode: str = "DEFAULT",
) -> Tensor:
    """The last two axes resized by interpolation on one of MIL's grids."""
    for axis, target in ((-2, int(target_size_height)), (-1, int(target_size_width))):
        last = x.shape[axis] - 1
        points = _grid(last + 1, target, sampling_mode).clamp(0, last)
        lower = points.floor().long()
        shape = [1] * x.dim()
        shape[axis] = target
        share = (points - lower).reshape(shape).to(x.dtype)
        upper = (lower + 1).clamp_max(last)
        x = x.index_select(axis, lower) * (1 - share) + x.index_select(axis, upper) * share
    return x


def _grid(size: int, target: int, mode: str) -> Tensor:
    """Position of each of the `target` cells on an axis of `size` cells, float64."""
    index = torch.arange(target, dtype=torch.float64)
    if mode == "UNALIGN_CORNERS":
        return (index + 0.5) * size / target - 0.5
    if mode == "DEFAULT":
        return index * size / target
    if mode == "OFFSET_CORNERS":
        return (index + 0.5) * max(1, size - 1) / target
    if mode not in {"STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"}:
        raise ValueError(f"sampling_mode {mode} is not known")
    if target == 1:
        return index + ((size - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0)
    return index * (size - 1) / (target - 1)
