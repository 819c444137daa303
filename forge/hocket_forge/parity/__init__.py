"""Checks that a graph must pass before it is written, and again in CI.

Each compares with an independent source: arrays recorded from the reference implementations,
kaldi-native-fbank, or a NumPy loop. Then the exported file is compared with the module, on batches
and lengths with which it was not traced.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from onnx import ModelProto

from hocket_forge.graphs import RECIPES
from hocket_forge.parity import embedding, peaks, segmentation, variants, windows
from hocket_forge.parity.common import EXACT, Check

__all__ = ["Check", "all_checks", "checks"]

_CHECKS: dict[str, Callable[[ModelProto], Iterator[Check]]] = {
    "segmentation": segmentation.segmentation,
    "powerset_decode": segmentation.powerset_decode,
    "segmentation_masks": segmentation.segmentation_masks,
    "sinc_peaks": peaks.sinc_peaks,
    "segmentation_from_peaks": peaks.segmentation_from_peaks,
    "embedding_inputs": windows.embedding_inputs,
    "post_embedding": windows.post_embedding,
    "embedding-campplus": embedding.campplus,
    "embedding-campplus-local": embedding.campplus_local,
    "fused-campplus": partial(windows.fused, "fused-campplus"),
    "embedding-wespeaker-resnet34": embedding.resnet34,
    "fused-wespeaker-resnet34": partial(windows.fused, "fused-wespeaker-resnet34"),
}
assert set(_CHECKS) == set(RECIPES), "no graph without parity"


def checks(name: str, model: ModelProto) -> Iterator[Check]:
    """All checks of a graph; an exception counts as a failed check."""
    try:
        yield from _CHECKS[name](model) if name in _CHECKS else variants.variant(name, model)
    except Exception as error:  # a broken graph may raise any error
        yield Check(f"stopped by {type(error).__name__}: {error}", np.inf, EXACT)


def all_checks(name: str, model: ModelProto) -> list[Check]:
    """All checks of a graph as a list, which a process can return to another."""
    return list(checks(name, model))
