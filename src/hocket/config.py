"""Settings. `Config` may change results; `Runtime` may change only how fast they come.

Thresholds that depend on the embedding model are not here: they are calibrated with it and live in
the model manifest. A value of None below means "what the manifest says".
"""

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self

from hocket.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class GraphConfig:
    """Which graphs, and on what they run: other numbers come out, so other turns may.

    embedding: name of the embedding model, as `hocket models list` shows them.
    precision: what trained layers compute in, float32 or int8.
    backend: name of the runtime.
    """

    embedding: str = "campplus"
    precision: str = "float32"
    backend: str = "onnxruntime"


@dataclass(frozen=True)
class WindowConfig:
    """How a recording is cut for the segmentation graph."""

    step_s: float = 2.5

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("step_s",))


@dataclass(frozen=True)
class UnitConfig:
    """Which stretches of a slot are embedded.

    min_run_s: a run at least this long is embedded by itself.
    max_piece_s: longer runs are cut into equal pieces; nothing longer is heard at once.
    min_clean_s: a slot without such a run is embedded from the frames it has to itself, or from all
        its frames if those are fewer than this.
    min_voice_s: with less speech than this, overlapped or not, there is no embedding.
    grid_s: lengths are rounded up to multiples of this, so that equal lengths share a call.
    """

    min_run_s: float = 0.8
    max_piece_s: float = 3.0
    min_clean_s: float = 0.5
    min_voice_s: float = 0.2
    grid_s: float = 0.5

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("min_run_s", "max_piece_s", "min_voice_s", "grid_s"))
        if self.max_piece_s < 2 * self.min_voice_s:  # halves of a long run would all be too short
            raise ConfigError(
                f"max_piece_s is {self.max_piece_s}; give at least twice min_voice_s, "
                f"{2 * self.min_voice_s}"
            )


@dataclass(frozen=True)
class ClusterConfig:
    """How voices become speakers.

    method: name of the clusterer.
    threshold: cosine distance from which two clusters are two speakers; None: the manifest's.
    min_trusted_s: a unit with less speech is assigned to a cluster but does not make one.
    min_cluster_s: a cluster with less speech is an outlier, not a speaker.
    loyalty: how much more similar another cluster must be, in cosine, before a run leaves the
        cluster of its slot.
    """

    method: str = "agglomerative"
    threshold: float | None = None
    min_trusted_s: float = 1.0
    min_cluster_s: float = 1.0
    loyalty: float = 0.1

    def __post_init__(self) -> None:
        _check_numbers(self, finite=False)


@dataclass(frozen=True)
class TurnConfig:
    """Which pauses and turns are too short to keep.

    min_pause_s: a speaker's pauses shorter than this are closed.
    min_turn_s: turns shorter than this, once pauses are closed, are dropped.
    """

    min_pause_s: float = 0.3
    min_turn_s: float = 0.2

    def __post_init__(self) -> None:
        _check_numbers(self)


@dataclass(frozen=True)
class Config:
    """Everything that may change a result, stage by stage."""

    graphs: GraphConfig = field(default_factory=GraphConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    units: UnitConfig = field(default_factory=UnitConfig)
    clusters: ClusterConfig = field(default_factory=ClusterConfig)
    turns: TurnConfig = field(default_factory=TurnConfig)


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers the result may have; None leaves that end open."""

    minimum: int = 1
    maximum: int | None = None

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise ConfigError(f"min_speakers is {self.minimum}; give 1 or more")
        if self.maximum is not None and self.maximum < self.minimum:
            raise ConfigError(
                f"min_speakers is {self.minimum} but max_speakers is {self.maximum}; "
                "give a minimum that is not above the maximum"
            )

    @classmethod
    def of(
        cls,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
    ) -> Self:
        """From the three numbers a user may give; an exact number excludes the other two."""
        if num_speakers is None:
            if max_speakers is not None and max_speakers < 1:
                raise ConfigError(f"max_speakers is {max_speakers}; give 1 or more")
            return cls(1 if min_speakers is None else min_speakers, max_speakers)
        if min_speakers is not None or max_speakers is not None:
            raise ConfigError("num_speakers excludes min_speakers and max_speakers; give one kind")
        if num_speakers < 1:
            raise ConfigError(f"num_speakers is {num_speakers}; give 1 or more")
        return cls(num_speakers, num_speakers)


@dataclass(frozen=True)
class Runtime:
    """How the graphs are run. Nothing here changes a turn.

    threads: processor threads for the graphs; None leaves it to the runtime (all cores).
    batch_windows: windows per call of the segmentation graph.
    """

    threads: int | None = None
    batch_windows: int = 16

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("threads", "batch_windows"))


def _check_numbers(
    settings: "DataclassInstance", above_zero: tuple[str, ...] = (), *, finite: bool = True
) -> None:
    """Raise ConfigError unless every number of `settings` is one, and none is below 0."""
    for setting in fields(settings):
        name, value = setting.name, getattr(settings, setting.name)
        if value is None or isinstance(value, str):
            continue
        if math.isnan(value) or (finite and math.isinf(value)):
            raise ConfigError(f"{name} is {value}; give a finite number")
        if value < 0 or (value == 0 and name in above_zero):
            least = "more than 0" if name in above_zero else "0 or more"
            raise ConfigError(f"{name} is {value}; give {least}")
