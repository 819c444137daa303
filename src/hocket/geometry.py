"""Where frames lie in time: the segmentation graph's own numbers, all integer samples."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Geometry":
        """Read the numbers a graph carries; ModelError if one is missing or not an integer."""
        try:
            return cls(**{name: int(metadata[name]) for name in cls.__dataclass_fields__})
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"segmentation graph: no usable geometry in its metadata ({error}); "
                "rebuild it with 'python -m hocket_forge build'"
            ) from error

    def frame_start(self, frame: int) -> int:
        """First of the samples that frame `frame` stands for; `frame` may lie past the window."""
        return self.receptive_field // 2 - self.frame_step // 2 + frame * self.frame_step

    def frames_of(self, seconds: float) -> int:
        """Nearest whole number of frames to a duration."""
        return round(seconds * self.sample_rate / self.frame_step)

    def seconds_of(self, samples: int) -> float:
        """Duration of `samples` samples."""
        return samples / self.sample_rate
