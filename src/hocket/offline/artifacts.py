"""What the networks computed for a recording: the slow half of diarization, worth caching."""

from dataclasses import dataclass, field

from hocket.arrays import Bands, Regions, SubsegmentEmbeddings, Subsegments
from hocket.geometry import Geometry
from hocket.segmentation.aggregation import Segmentation


@dataclass(frozen=True, eq=False)
class Artifacts:
    """What the networks computed for a recording, before clustering.

    uri: name of the recording in outputs.
    samples: length of the recording.
    geometry: frame grid.
    segmentation: slot activity in every window, and how many speakers speak in every frame.
    regions: (regions, 2), single-speaker regions.
    subsegments: parts of regions that were embedded.
    embeddings: (subsegments, dimension), raw network output.
    seconds: busy time per stage, summed over workers.
    copied: bytes of samples copied per stage.
    bands: band levels of the audio of the subsegments; None: it counts as full band.
    """

    uri: str
    samples: int
    geometry: Geometry
    segmentation: Segmentation
    regions: Regions
    subsegments: Subsegments
    embeddings: SubsegmentEmbeddings
    seconds: dict[str, float] = field(repr=False)
    copied: dict[str, int] = field(repr=False, default_factory=dict)
    bands: Bands | None = field(repr=False, default=None)
