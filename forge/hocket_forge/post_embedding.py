"""Everything after the embeddings of a window in one graph: FluidAudio's unified model."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hocket.backends.reference import MIN_ACTIVITY, MIN_NORM, MIN_SEGMENT

HUGE = 1e38  # its square overflows float32


class PostEmbedding(nn.Module):
    """Distances to known speakers, activity, validity, and segments without the short ones.

    Inputs: embeddings (S, D), database (N, D), segments (1, F, S) of zeros and ones; N may be 0.
    Outputs: distances (S, N) = 1 - cosine, +inf where either side is zero, NaN or infinite;
    activity (S,) in frames; valid (S,) as ones and zeros; filtered (1, F, S) without segments
    shorter than MIN_SEGMENT.
    """

    def forward(
        self, embeddings: Tensor, database: Tensor, segments: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        directions, norms, usable = _normalized(embeddings)
        known, _, known_usable = _normalized(database)
        cosine = directions @ known.transpose(0, 1)
        comparable = usable[:, None] & known_usable[None]
        # zero or infinity; coremltools would write a constant infinity as the largest float
        excluded = (1 - comparable.to(cosine.dtype)) * HUGE
        distances = 1 - cosine + excluded * excluded
        activity = segments.sum(dim=(0, 1))
        valid = (activity > MIN_ACTIVITY) & usable & (norms > MIN_NORM)
        return distances, activity, valid.to(embeddings.dtype), _opening(segments)


def _normalized(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (R, D) scaled to unit length, their lengths, and whether each has a direction."""
    finite = (vectors.abs() < torch.inf).all(dim=1)  # false for NaN too
    clean = torch.where(finite[:, None], vectors, 0.0)
    # scaled by the largest entry first: squares of very large or small entries may overflow float32
    largest = clean.abs().amax(dim=1, keepdim=True)
    scaled = clean / torch.where(largest > 0, largest, 1.0)
    length = scaled.square().sum(dim=1, keepdim=True).sqrt()
    usable = largest[:, 0] > 0
    return scaled / length.clamp_min(1.0), (length * largest)[:, 0], usable


def _opening(segments: Tensor) -> Tensor:
    """Binary opening along the frames: erosion, then dilation, by MIN_SEGMENT frames."""
    padded = functional.pad(segments.transpose(1, 2), (MIN_SEGMENT - 1, MIN_SEGMENT - 1))
    eroded = -functional.max_pool1d(-padded, MIN_SEGMENT, stride=1)
    return functional.max_pool1d(eroded, MIN_SEGMENT, stride=1).transpose(1, 2)
