"""The operations of MIL that move values: shapes, slices, joins, lookups.

Parameters have MIL's names and defaults, see `coreml_layers`. Nothing here computes with floats, so
these keep their type. Operations that MIL leaves undefined, such as an index outside its axis,
raise ValueError.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hocket_forge.coreml_layers import whole


def identity(x: Tensor) -> Tensor:
    """The same value."""
    return x


def shape(x: Tensor) -> Tensor:
    """Sizes of the axes."""
    return torch.tensor(x.shape, dtype=torch.int64)


def reshape(x: Tensor, shape: Tensor) -> Tensor:
    """The same values in a shape; 0 is the size of x, counted from the last axis, -1 the rest.

    A zero without a counterpart in x is one.
    """
    sizes = whole(shape)
    for position, size in enumerate(reversed(sizes), 1):
        if size == 0:
            sizes[-position] = x.shape[-position] if position <= x.dim() else 1
    return x.reshape(sizes)


def expand_dims(x: Tensor, axes: Tensor) -> Tensor:
    """Inserts axes of size one, at their positions in the result."""
    chosen = whole(axes)
    for axis in sorted(axis % (x.dim() + len(chosen)) for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def squeeze(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Removes all axes of size one, or those that are given."""
    return x.squeeze() if axes is None else x.squeeze(tuple(whole(axes)))


def transpose(x: Tensor, perm: Tensor) -> Tensor:
    """Axes in another order."""
    return x.permute(whole(perm))


def reverse(x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Reversed along axes, by default all."""
    return x.flip(list(range(x.dim())) if axes is None else whole(axes))


def tile(x: Tensor, reps: Tensor) -> Tensor:
    """Repeated along every axis."""
    counts = whole(reps)
    if len(counts) != x.dim():
        raise ValueError(f"{len(counts)} repeats for {x.dim()} axes")
    return x.repeat(counts)


def concat(values: tuple[Tensor, ...], axis: Tensor, interleave: Tensor | bool = False) -> Tensor:
    """Concatenated along an axis, or interleaved cell by cell."""
    if bool(interleave):
        along = int(axis) % values[0].dim()
        return torch.stack(values, along + 1).flatten(along, along + 1)
    return torch.cat(
        [value.reshape(1) if value.dim() == 0 else value for value in values], int(axis)
    )


def stack(values: tuple[Tensor, ...], axis: Tensor) -> Tensor:
    """Stacked along a new axis."""
    return torch.stack(values, int(axis))


def split(
    x: Tensor,
    axis: Tensor,
    num_splits: Tensor | int | None = None,
    split_sizes: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Parts along an axis: equal ones, or of given sizes."""
    size = x.shape[int(axis)]
    if split_sizes is not None:
        sizes = whole(split_sizes)
    elif num_splits is not None and size % int(num_splits) == 0:
        sizes = [size // int(num_splits)] * int(num_splits)
    else:
        raise ValueError(f"an axis of {size} cells has no {num_splits} equal parts")
    if num_splits is not None and len(sizes) != int(num_splits):
        raise ValueError(f"{len(sizes)} sizes for {int(num_splits)} parts")
    return torch.split(x, sizes, int(axis))


def slice_by_index(
    x: Tensor,
    begin: Tensor,
    end: Tensor,
    stride: Tensor | None = None,
    begin_mask: Tensor | None = None,
    end_mask: Tensor | None = None,
    squeeze_mask: Tensor | None = None,
) -> Tensor:
    """NumPy's slice of every axis; masks leave bounds open, or take one cell and drop the axis."""
    steps = [1] * x.dim() if stride is None else whole(stride)
    opened, closed, single = (_mask(m, x.dim()) for m in (begin_mask, end_mask, squeeze_mask))
    if len(whole(begin)) != x.dim() or len(whole(end)) != x.dim():
        raise ValueError(f"bounds for other than {x.dim()} axes")
    # from the last axis, because dropping one moves those after it
    for axis in reversed(range(x.dim())):
        first = None if opened[axis] else whole(begin)[axis]
        last = None if closed[axis] else whole(end)[axis]
        if single[axis]:
            x = x.select(axis, first or 0)
        elif steps[axis] > 0:
            x = x[(slice(None),) * axis + (slice(first, last, steps[axis]),)]
        else:
            cells = range(x.shape[axis])[slice(first, last, steps[axis])]
            x = x.index_select(axis, torch.tensor(list(cells), dtype=torch.int64))
    return x


def _mask(mask: Tensor | None, axes: int) -> list[bool]:
    return [False] * axes if mask is None else [bool(value) for value in mask.tolist()]


def slice_by_size(x: Tensor, begin: Tensor, size: Tensor) -> Tensor:
    """A number of cells of every axis, from a first one; -1 takes the rest."""
    for axis, (first, count) in enumerate(zip(whole(begin), whole(size), strict=True)):
        start = first + x.shape[axis] if first < 0 else first
        x = x.narrow(axis, start, x.shape[axis] - start if count == -1 else count)
    return x


def pad(
    x: Tensor, pad: Tensor, mode: str = "constant", constant_val: Tensor | float = 0.0
) -> Tensor:
    """Cells added before and after the last axes: a constant, a reflection, or the edge."""
    counts = whole(pad)
    pads = list(zip(counts[::2], counts[1::2], strict=True))
    if mode == "constant":
        last_first = [count for axis in reversed(pads) for count in axis]
        return functional.pad(x, last_first, value=float(constant_val))
    if mode not in {"reflect", "replicate"}:
        raise ValueError(f"mode {mode} is not known")
    for axis, (before, after) in enumerate(pads, x.dim() - len(pads)):
        size = x.shape[axis]
        if max(before, after) > (size - 1 if mode == "reflect" else size):
            raise ValueError(f"{before} and {after} cells of mode {mode} around {size}")
        cells = np.arange(size)
        source = (
            np.pad(cells, (before, after), mode="reflect")
            if mode == "reflect"
            else np.pad(cells, (before, after), mode="edge")
        )
        x = x.index_select(axis, torch.from_numpy(source))
    return x


def gather(
    x: Tensor,
    indices: Tensor,
    axis: Tensor | int = 0,
    batch_dims: Tensor | int = 0,
    validate_indices: Tensor | bool = False,  # noqa: ARG001  # all indices are checked
) -> Tensor:
    """Cells of an axis by index; the shape of the indices replaces the axis.

    The first `batch_dims` axes are shared by x and the indices.
    """
    along, shared = int(axis) % x.dim(), int(batch_dims)
    _check_indices(indices, x.shape[along])
    if shared == 0:
        taken = x.index_select(along, indices.flatten())
        return taken.reshape(_joined(x, indices.shape, along))
    if x.shape[:shared] != indices.shape[:shared] or along < shared:
        raise ValueError(f"batch axes of {tuple(x.shape)} and {tuple(indices.shape)}")
    items = zip(x.flatten(0, shared - 1), indices.flatten(0, shared - 1), strict=True)
    taken = torch.stack([item.index_select(along - shared, own.flatten()) for item, own in items])
    return taken.reshape(_joined(x, indices.shape[shared:], along))


def _joined(x: Tensor, inner: Sequence[int], axis: int) -> list[int]:
    return [*x.shape[:axis], *inner, *x.shape[axis + 1 :]]


def gather_along_axis(
    x: Tensor,
    indices: Tensor,
    axis: Tensor | int = 0,
    validate_indices: Tensor | bool = False,  # noqa: ARG001  # all indices are checked
) -> Tensor:
    """For every cell of the indices, the cell of x at the same position except on the axis."""
    along = int(axis) % x.dim()
    if _joined(x, (1,), along) != _joined(indices, (1,), along):
        raise ValueError(f"indices {tuple(indices.shape)} into {tuple(x.shape)}")
    _check_indices(indices, x.shape[along])
    return x.gather(along, indices)


def _check_indices(indices: Tensor, size: int) -> None:
    if indices.numel() and not 0 <= int(indices.min()) <= int(indices.max()) < size:
        raise ValueError(
            f"indices {int(indices.min())} to {int(indices.max())} into {size} cells: undefined"
        )
