"""Inputs of an embedding network that takes one slot per row: FluidAudio's preprocessor."""

from torch import Tensor, nn

from hocket_forge.powerset import SLOTS


def clean(masks: Tensor) -> Tensor:
    """Masks (B, F, S) without the frames in which two or more slots speak."""
    alone = masks.sum(-1, keepdim=True) < 2
    return masks * alone.to(masks.dtype)


class EmbeddingInputs(nn.Module):
    """Audio (1, 1, T) and masks (1, F, 3) -> waveforms (3, T) and clean masks (3, F)."""

    def forward(self, audio: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        return audio[0].repeat(SLOTS, 1), clean(masks)[0].transpose(0, 1)
