"""What the networks computed for a recording: the slow half of diarization, worth caching."""

from dataclasses import dataclass, field

from hocket.arrays import Bands, Regions, SubsegmentEmbeddings, Subsegments
from hocket.geometry import Geometry
from hocket.notices import Notice
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
    notices: what was lost, altered or guessed while the recording was read.
    audible_s: length of what is not silent, in seconds.
    start_s: where it begins in the recording, in seconds, if it is a part of it.
    channel: number of the channel, from 1, if channels are diarized each by itself. One voice is
        then expected in it.
    pauses: where nobody speaks in that channel, in seconds of the recording.
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
    notices: tuple[Notice, ...] = field(repr=False, default=())
    audible_s: float = field(repr=False, default=0.0)
    start_s: float = field(repr=False, default=0.0)
    channel: int | None = field(repr=False, default=None)
    pauses: tuple[tuple[float, float], ...] = field(repr=False, default=())
