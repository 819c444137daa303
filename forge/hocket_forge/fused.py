"""A whole window in one graph: its masks, and an embedding of each slot."""

from typing import Protocol, cast

import onnx
from onnx import ModelProto
from torch import Tensor, nn

from hocket_forge.embedding_inputs import clean
from hocket_forge.powerset import PowersetDecode
from hocket_forge.pyannet import PyanNet


class Segmentation(nn.Module):
    """(B, 1, T) waveform -> (B, F, 7) log-probabilities of the powerset classes."""

    def __init__(self, network: PyanNet) -> None:
        super().__init__()
        self.network = network
        self.log_softmax = nn.LogSoftmax(dim=-1)

    def forward(self, waveform: Tensor) -> Tensor:
        log_probs: Tensor = self.log_softmax(self.network(waveform))
        return log_probs


class SegmentationMasks(nn.Module):
    """(B, 1, T) waveform -> (B, F, 3) masks: the network, and the decoding of its classes."""

    def __init__(self, network: PyanNet) -> None:
        super().__init__()
        self.network = network
        self.decode = PowersetDecode()

    def forward(self, waveform: Tensor) -> Tensor:
        masks: Tensor = self.decode(self.network(waveform))
        return masks


class CleanMasks(nn.Module):
    """(B, F, 3) masks -> (B, 3, F), one where a slot speaks alone."""

    def forward(self, masks: Tensor) -> Tensor:
        return clean(masks).transpose(1, 2)


class Fused(nn.Module):
    """(B, 1, T) waveform -> (B, F, 3) masks and (B, 3, D) embeddings of the clean masks.

    The embedding network's trunk runs once per window; a slot that is never alone has a zero
    embedding.
    """

    def __init__(self, segmentation: SegmentationMasks, embedding: nn.Module) -> None:
        super().__init__()
        self.segmentation = segmentation
        self.clean = CleanMasks()
        self.embedding = embedding

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        masks = self.segmentation(waveform)
        return masks, self.embedding(waveform, self.clean(masks))


class Named(Protocol):
    """Anything in an ONNX file that has names of values."""

    input: list[str]
    output: list[str]


def fuse(segmentation: ModelProto, cleaning: ModelProto, embedding: ModelProto) -> ModelProto:
    """The ONNX graph of `Fused`, joined from its parts so that their weights stay the same.

    Args:
        segmentation: waveform -> masks.
        cleaning: masks -> clean_masks.
        embedding: waveform, masks -> embeddings.
    """
    parts = {"segmentation/": segmentation, "cleaning/": cleaning, "embedding/": embedding}
    joints = {
        "segmentation/waveform": "waveform",
        "segmentation/masks": "masks",
        "cleaning/masks": "masks",
        "cleaning/clean_masks": "clean_masks",
        "embedding/waveform": "waveform",
        "embedding/masks": "clean_masks",
        "embedding/embeddings": "embeddings",
    }
    fused = ModelProto()
    fused.CopyFrom(segmentation)
    for repeated in (fused.graph.node, fused.graph.initializer, fused.graph.value_info):
        del repeated[:]
    for prefix, part in parts.items():
        prefixed = onnx.compose.add_prefix(part, prefix)
        for node in prefixed.graph.node:
            _rename(cast("Named", node), joints)
        fused.graph.node.extend(prefixed.graph.node)
        fused.graph.initializer.extend(prefixed.graph.initializer)
    fused.graph.output.append(embedding.graph.output[0])
    fused.graph.name = "fused"
    return fused


def _rename(node: Named, joints: dict[str, str]) -> None:
    node.input[:] = [joints.get(name, name) for name in node.input]
    node.output[:] = [joints.get(name, name) for name in node.output]
