"""Power-set classes to slot masks."""

import torch
from torch import Tensor, nn

# classes in the network's order: nobody, each of three slots, each pair of slots
MAPPING = (
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (1, 1, 0),
    (1, 0, 1),
    (0, 1, 1),
)
SLOTS = len(MAPPING[0])


class PowersetDecode(nn.Module):
    """(B, F, 7) class scores -> (B, F, 3) masks of zeros and ones.

    The best class's row of the mapping, as one look-up; the first class wins a tie. Scores may be
    logits or log-probabilities: the best class is the same.
    """

    mapping: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mapping", torch.tensor(MAPPING, dtype=torch.float32))

    def forward(self, scores: Tensor) -> Tensor:
        return self.mapping[scores.argmax(dim=-1)]
