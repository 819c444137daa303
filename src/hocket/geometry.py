"""Sizes from the graphs' metadata: the frame grid, and the lengths that each network works in.

All metadata is read here, once. Every size is an integer number of samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hocket.errors import ModelError


@dataclass(frozen=True)
class Geometry:
    """Frame grid of a segmentation graph.

    Frame i is centered on sample `receptive_field // 2 + i * frame_step` and stands for the
    `frame_step` samples around that center.
    """

    sample_rate: int
    window_samples: int  # length the network was trained on
    frame_step: int
    receptive_field: int
    window_frames: int  # frames of a window of `window_samples`
    slots: int  # local speakers of a window

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read a graph's metadata; ModelError if a number is missing or not an integer."""
        return cls(**_integers("segmentation", metadata, *cls.__dataclass_fields__))

    def frame_start(self, frame: int) -> int:
        """First of the samples that frame `frame` stands for; the frame may lie past a window."""
        return self.receptive_field // 2 - self.frame_step // 2 + frame * self.frame_step

    def frames_of(self, seconds: float) -> int:
        """Nearest whole number of frames to a duration."""
        return round(seconds * self.sample_rate / self.frame_step)

    def seconds_of(self, samples: int) -> float:
        """Duration of `samples` samples."""
        return samples / self.sample_rate


@dataclass(frozen=True)
class SegmentationInfo:
    """Metadata of a segmentation graph.

    geometry: its frame grid.
    least_samples: length of its shortest valid input.
    """

    geometry: Geometry
    least_samples: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read a graph's metadata; ModelError as in `Geometry.from_metadata`."""
        geometry = Geometry.from_metadata(metadata)
        least = _integers("segmentation", {"least_samples": "1", **metadata}, "least_samples")
        return cls(geometry, max(least["least_samples"], geometry.receptive_field))


@dataclass(frozen=True)
class EmbeddingInfo:
    """Metadata of an embedding graph.

    dimension: length of an embedding.
    least_samples: length of its shortest valid input.
    gate_samples: length of a context gate of the network; None if a gate covers the whole input,
        so that an input may hold only one sound.
    mask_samples: length of a frame of the network's trunk, at whose rate masks are applied; None
        in the same case.
    """

    dimension: int
    least_samples: int
    gate_samples: int | None = None
    mask_samples: int | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read a graph's metadata; ModelError if a number is missing or not an integer."""
        sizes = _integers(
            "embedding", {"least_samples": "1", **metadata}, "dimension", "least_samples"
        )
        if "sound_step" not in metadata:
            return cls(**sizes)
        steps = _integers("embedding", metadata, "sound_step", "mask_step")
        return cls(**sizes, gate_samples=steps["sound_step"], mask_samples=steps["mask_step"])


@dataclass(frozen=True)
class SincInfo:
    """Metadata of a graph of sinc filters.

    step: samples from one pooled sinc frame to the next; the graph calls such a frame a place.
    field: samples that one pooled sinc frame depends on.
    """

    step: int
    field: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read a graph's metadata; ModelError if a number is missing or not an integer."""
        sizes = _integers("sinc", metadata, "place_step", "place_field")
        return cls(sizes["place_step"], sizes["place_field"])


def _integers(graph: str, metadata: Mapping[str, str], *names: str) -> dict[str, int]:
    try:
        return {name: int(metadata[name]) for name in names}
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{graph} graph: no usable sizes in its metadata ({error}); "
            "rebuild it with 'python -m hocket_forge build'"
        ) from error
