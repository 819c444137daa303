"""Limits on the differences of published variants from the float32 module."""

from collections.abc import Iterator

from onnx import ModelProto

from hocket.backends import open_onnx
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.common import Check

# share of frames whose best class may differ; seen: 0.002, and 0.011 on a processor without VNNI,
# where pairs of 8-bit products saturate
FRAMES = 0.02
COSINE_MEAN, COSINE_WORST = 0.01, 0.04  # from 1; seen: 0.005 and 0.02


def variant(name: str, model: ModelProto) -> Iterator[Check]:
    """A graph called NAME-PRECISION against the module of NAME, on real speech."""
    from hocket_forge.rows import differences  # imported here: it imports this package

    base, _, _ = name.rpartition("-")
    content = model.SerializeToString()
    found = differences(base, open_onnx(RECIPES[base].graph, content, {}))
    if "differing" in found:
        yield Check("frames that differ from PyTorch's", found["differing"], FRAMES)
    if "cosine_mean" in found:
        yield Check("cosine to PyTorch, mean", 1 - found["cosine_mean"], COSINE_MEAN)
        yield Check("cosine to PyTorch, worst", 1 - found["cosine_worst"], COSINE_WORST)
