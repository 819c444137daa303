"""Trained tensors in separate files, which graphs share.

A graph's ONNX file holds its structure and refers to `NAME.weights` (ONNX external data). So seven
graphs ship in the size of two networks, and graphs whose weights the user places ship without any.
"""

from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, TensorProto, external_data_helper

from hocket_forge.export import LARGE
from hocket_forge.graphs import Recipe, resnet34_network
from hocket_forge.sources import WEIGHTS, ForgeError

ALIGNMENT = 64  # bytes; a cache line


@dataclass
class Pool:
    """The content of a file of weights, and the position of each tensor in it.

    grows: new tensors may be added; the layout of a pool for placed weights is fixed.
    computed: large tensors that the forge computes; they stay in the files of their graphs.
    """

    name: str
    grows: bool = True
    content: bytearray = field(default_factory=bytearray)
    offsets: dict[bytes, int] = field(default_factory=dict)
    computed: set[bytes] = field(default_factory=set)

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{self.name}.weights"

    def add(self, raw: bytes) -> int:
        """Offset of a tensor's bytes, which are added if they are new."""
        if raw not in self.offsets:
            self.content.extend(bytes(-len(self.content) % ALIGNMENT))
            self.offsets[raw] = len(self.content)
            self.content.extend(raw)
        return self.offsets[raw]


@dataclass(frozen=True)
class Place:
    """Position of a tensor of a placed checkpoint in its file of weights."""

    name: str
    shape: tuple[int, ...]
    offset: int


def take_out(model: ModelProto, recipe: Recipe, pools: dict[str, Pool]) -> ModelProto:
    """The graph without its large tensors, which are moved to the pools.

    Raises:
        ForgeError: a tensor of a joined graph is in none of the pools of its parts.
    """
    lean = ModelProto()
    lean.CopyFrom(model)
    available = [pools[name] for name in recipe.weights]
    for tensor in lean.graph.initializer:
        raw = tensor.raw_data
        if pool := _pool_of(raw, available, recipe):
            _point(tensor, pool.file, pool.add(raw), len(raw))
    return lean


def _pool_of(raw: bytes, pools: list[Pool], recipe: Recipe) -> Pool | None:
    """The pool of a tensor; None if it stays in the graph's own file."""
    for pool in pools:
        if (
            raw in pool.offsets
        ):  # also a small one of placed weights: its values are not the real ones
            return pool
    if len(raw) < LARGE or not pools:
        return None
    if recipe.graph != "fused" and pools[0].grows:
        return pools[0]
    for pool in pools:  # the filter bank of a graph with placed weights is not in the checkpoint
        if not pool.grows and (recipe.graph != "fused" or raw in pool.computed):
            pool.computed.add(raw)
            return None
    raise ForgeError(f"{recipe.graph}: a tensor of {len(raw)} bytes is in none of its parts")


def _point(tensor: TensorProto, file: str, offset: int, length: int) -> None:
    external_data_helper.set_external_data(tensor, location=file, offset=offset, length=length)
    tensor.ClearField("raw_data")


def empty_pools() -> dict[str, Pool]:
    """A pool for each file of weights."""
    pools = {name: Pool(name) for name in WEIGHTS}
    placed = pools["wespeaker-resnet34"]
    for place, raw in _placed():
        assert placed.add(raw) == place.offset
    placed.grows = False
    return pools


def placed_layout() -> list[Place]:
    """Where the tensors of a checkpoint for `wespeaker-resnet34` go, by name."""
    return [place for place, _ in _placed()]


def _placed() -> list[tuple[Place, bytes]]:
    placed, end = [], 0
    state = resnet34_network().state_dict()
    for name in sorted(key for key in state if not key.endswith("num_batches_tracked")):
        values = state[name].numpy().astype(np.float32)
        offset = end + -end % ALIGNMENT
        placed.append((Place(name, values.shape, offset), values.tobytes()))
        end = offset + values.nbytes
    return placed
