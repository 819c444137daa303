"""Trained tensors in files of their own, shared by every graph that needs them.

Each graph's ONNX file holds its structure and points into `NAME.weights` (ONNX external data), so
seven graphs ship for the size of two networks, and a graph whose weights the user places ships
without any.
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
    """The content of one file of weights, and where each tensor lies in it.

    grows: tensors not yet in it may be added; a pool for placed weights is laid out beforehand.
    computed: large tensors of its graphs that the forge computes, and that stay in their files.
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
        """Offset of a tensor's bytes, added if they are new."""
        if raw not in self.offsets:
            self.content.extend(bytes(-len(self.content) % ALIGNMENT))
            self.offsets[raw] = len(self.content)
            self.content.extend(raw)
        return self.offsets[raw]


@dataclass(frozen=True)
class Place:
    """Where a tensor of a placed checkpoint belongs in its file of weights."""

    name: str
    shape: tuple[int, ...]
    offset: int


def take_out(model: ModelProto, recipe: Recipe, pools: dict[str, Pool]) -> ModelProto:
    """The graph without its large tensors, which the pools then hold.

    Raises:
        ForgeError: a tensor of a joined graph is in none of the pools of its parts.
    """
    lean = ModelProto()
    lean.CopyFrom(model)
    available = [pools[name] for name in recipe.weights]
    for tensor in lean.graph.initializer:
        raw = tensor.raw_data
        if pool := _home(raw, available, recipe):
            _point(tensor, pool.file, pool.add(raw), len(raw))
    return lean


def _home(raw: bytes, pools: list[Pool], recipe: Recipe) -> Pool | None:
    """The pool a tensor belongs in; None where it stays in the graph's own file."""
    for pool in pools:
        if raw in pool.offsets:  # a placed one however small: its values here are made up
            return pool
    if len(raw) < LARGE or not pools:
        return None
    if recipe.graph != "fused" and pools[0].grows:
        return pools[0]
    for pool in pools:  # the filter bank of a graph with placed weights is in no checkpoint
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
