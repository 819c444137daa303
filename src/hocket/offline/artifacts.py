"""What the graphs have to say about a recording, worth keeping."""

from dataclasses import dataclass, field

from hocket.arrays import Bands, Regions, SubsegmentEmbeddings, Subsegments
from hocket.geometry import Geometry
from hocket.segmentation.aggregation import Segmentation


@dataclass(frozen=True, eq=False)
class Artifacts:
    """All that the graphs have to say about a recording; thresholds come after.

    uri: what the recording is called in outputs.
    samples: length of the recording.
    segmentation: who speaks in every window, and how many people do.
    regions: where one person speaks alone.
    subsegments: the parts of runs that were embedded.
    embeddings: (units, dimension), as the network gave them.
    bands: which bands the sound of the units has; None: it is taken for full band.
    seconds: busy time per stage, added up over workers.
    copied: bytes of samples moved per stage.
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
