"""Powerset classes to slot masks."""

import torch
from torch import Tensor, nn

from hocket.segmentation.powerset import SLOTS_OF_CLASS

SLOTS = SLOTS_OF_CLASS.shape[1]


class PowersetDecode(nn.Module):
    """(B, F, 7) class scores -> (B, F, 3) masks of zeros and ones.

    A frame's mask is the mapping's row of its best class; the first class wins a tie. Scores may be
    logits or log-probabilities, which have the same best class.
    """

    mapping: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mapping", torch.from_numpy(SLOTS_OF_CLASS))

    def forward(self, scores: Tensor) -> Tensor:
        return self.mapping[scores.argmax(dim=-1)]
