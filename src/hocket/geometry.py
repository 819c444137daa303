"""What the graphs' metadata state: the frame grid, and the sizes that each network works in.

Everything is read here, once, and in integer samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from hocket.errors import ModelError


@dataclass(frozen=True)
class Geometry:
    """Frame grid of a segmentation graph.

    Frame i is centred on sample `receptive_field // 2 + i * frame_step` and stands for the
    `frame_step` samples around that centre.
    """

    sample_rate: int
    window_samples: int  # length the network was trained on
    frame_step: int
    receptive_field: int
    window_frames: int  # frames of a window of `window_samples`
    slots: int  # local speakers of a window

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read the numbers a graph carries; ModelError if one is missing or not an integer."""
        return cls(**_integers("segmentation", metadata, *cls.__dataclass_fields__))

    def frame_start(self, frame: int) -> int:
        """First of the samples that frame `frame` stands for; `frame` may lie past the window."""
        return self.receptive_field // 2 - self.frame_step // 2 + frame * self.frame_step

    def frames_of(self, seconds: float) -> int:
        """Nearest whole number of frames to a duration."""
        return round(seconds * self.sample_rate / self.frame_step)

    def seconds_of(self, samples: int) -> float:
        """Duration of `samples` samples."""
        return samples / self.sample_rate


@dataclass(frozen=True)
class SegmentationInfo:
    """What a segmentation graph states of itself.

    geometry: its frame grid.
    least_samples: the shortest sound it takes.
    """

    geometry: Geometry
    least_samples: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read the numbers a graph carries; ModelError as for `Geometry`."""
        geometry = Geometry.from_metadata(metadata)
        least = _integers("segmentation", {"least_samples": "1", **metadata}, "least_samples")
        return cls(geometry, max(least["least_samples"], geometry.receptive_field))


@dataclass(frozen=True)
class EmbeddingInfo:
    """What an embedding graph states of itself.

    dimension: numbers of an embedding.
    least_samples: the shortest sound it takes.
    gate_samples: length of a context gate of the network; None if gates span the whole input, so
        that one input holds one sound.
    mask_samples: length of a frame of the network's trunk, the unit of its masks; None likewise.
    """

    dimension: int
    least_samples: int
    gate_samples: int | None = None
    mask_samples: int | None = None

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read the numbers a graph carries; ModelError if one is missing or not an integer."""
        sizes = _integers(
            "embedding", {"least_samples": "1", **metadata}, "dimension", "least_samples"
        )
        if "sound_step" not in metadata:
            return cls(**sizes)
        steps = _integers("embedding", metadata, "sound_step", "mask_step")
        return cls(**sizes, gate_samples=steps["sound_step"], mask_samples=steps["mask_step"])


@dataclass(frozen=True)
class SincInfo:
    """What a graph of sinc filters states of itself.

    step: samples from one pooled sinc frame to the next.
    field: samples that one pooled sinc frame depends on.
    """

    step: int
    field: int

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Read the numbers a graph carries; ModelError if one is missing or not an integer."""
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
