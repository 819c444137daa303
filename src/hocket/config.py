"""Settings. `Config` may change results; `Runtime` may change only how fast they come.

Thresholds that depend on the embedding model are not here: they are calibrated with it and live in
the model manifest. A value of None below means "what the manifest says".
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hocket.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class GraphConfig:
    """Which graphs, and on what they run: other numbers come out, so other turns may.

    embedding: name of the embedding model, as `hocket models list` shows them.
    precision: what trained layers compute in: float32, bfloat16, int8, or auto, the quickest of
        them here that costs next to no accuracy.
    backend: name of the runtime, or auto, the quickest here; `hocket.backends.choice` decides.
    """

    embedding: str = "campplus-local"
    precision: str = "auto"
    backend: str = "auto"


@dataclass(frozen=True)
class WindowConfig:
    """How a recording is cut into windows for the segmentation.

    step_s: from one window to the next.
    ramp_s: length of either end of a window, which counts less than its middle.
    batch: windows per call; a setting of results because a runtime may add in another order when
        the number differs.
    """

    step_s: float = 5.0
    ramp_s: float = 1.0
    batch: int = 4

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("step_s", "batch"))


@dataclass(frozen=True)
class RegionConfig:
    """Where somebody speaks, and where one speaker speaks alone.

    min_speech: probability above which somebody speaks.
    min_overlap: probability above which several speakers speak.
    min_change: probability of a speaker change above which a region is cut in two.
    change_s: speech on either side of a possible speaker change that is compared.
    longest_s: a longer region is cut, so that memory stays bounded.
    """

    min_speech: float = 0.4
    min_overlap: float = 0.55
    min_change: float = 0.5
    change_s: float = 0.25
    longest_s: float = 30.0

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("change_s", "longest_s"))


@dataclass(frozen=True)
class SubsegmentConfig:
    """Which parts of regions are embedded, and how they are batched.

    length_s: length of a subsegment.
    hop_s: longest distance from one subsegment to the next.
    min_s: a shorter region has no subsegment.
    grid_s: lengths of calls are rounded up to a multiple of this, so that they recur.
    crop_s: longest stretch of a region in one call; None: as calibrated.
    pack_s: length of a pack, for networks that keep several sounds of one call apart.
    gap_s: least distance of two crops in a pack.
    """

    length_s: float = 1.2
    hop_s: float = 0.6
    min_s: float = 0.2
    grid_s: float = 0.25
    crop_s: float | None = None
    pack_s: float = 9.6
    gap_s: float = 0.06

    def __post_init__(self) -> None:
        above_zero = ("length_s", "hop_s", "min_s", "grid_s", "crop_s", "pack_s")
        _check_numbers(self, above_zero=above_zero)
        if self.min_s > self.length_s or self.hop_s > self.length_s:
            raise ConfigError(
                f"found length_s {self.length_s}, hop_s {self.hop_s} and min_s {self.min_s}; "
                "give a length_s that is the longest of them"
            )


@dataclass(frozen=True, kw_only=True)
class ResolvedSubsegments(SubsegmentConfig):
    """`SubsegmentConfig` in which nothing is left open."""

    crop_s: float


@dataclass(frozen=True)
class ClusteringConfig:
    """How embeddings become speakers. None: as calibrated for the embedding model.

    method: name of the clusterer: agglomerative, centroid, spectral, mixture or vbx.
    plda: path of the trained PLDA that vbx needs, for embeddings of the same network.
    threshold: cosine distance from which two clusters are two speakers.
    duplicate_at_1s, duplicate_growth, duplicate_most: cosine up to which a cluster may resemble a
        larger one and still be another speaker: with one second of speech, more with each doubling
        of it, and at most.
    min_trusted_s: a shorter subsegment is assigned to a speaker but does not create one.
    min_trusted_probability: the same for a subsegment in which one speaker speaks alone with a lower
        probability than this.
    min_speaker_s: a cluster with less speech is a speaker only if it is the largest, or if more
        speakers are requested.
    """

    method: str = "agglomerative"
    plda: str | None = None
    threshold: float | None = None
    duplicate_at_1s: float | None = None
    duplicate_growth: float | None = None
    duplicate_most: float | None = None
    min_trusted_s: float = 0.5
    min_trusted_probability: float = 0.6
    min_speaker_s: float = 0.9

    def __post_init__(self) -> None:
        _check_numbers(self, infinite=("threshold", "duplicate_at_1s", "duplicate_most"))
        if self.method == "vbx" and self.plda is None:
            raise ConfigError("method is 'vbx' but plda is not given; give a trained PLDA's file")


@dataclass(frozen=True, kw_only=True)
class ResolvedClustering(ClusteringConfig):
    """`ClusteringConfig` in which nothing is left open."""

    threshold: float
    duplicate_at_1s: float
    duplicate_growth: float
    duplicate_most: float


@dataclass(frozen=True)
class TurnConfig:
    """How parts of regions become turns, and which pauses and turns are too short to keep.

    fade_s: time constant with which a part of a region loses its influence on a slot's speaker.
    min_pause_s: shorter pauses of a speaker are closed.
    min_turn_s: shorter turns are dropped, once pauses are closed.
    """

    fade_s: float = 0.1
    min_pause_s: float = 0.3
    min_turn_s: float = 0.2

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("fade_s",))


@dataclass(frozen=True)
class StreamConfig:
    """How a stream is processed. None: as calibrated for the embedding model.

    Distances are 1 - cosine.

    window_s: length of a window, at most the segmentation's own.
    step_s: from one update to the next; the longest wait of speech for its first turn.
    delay_s: age at which frames become final.
    latest_s: a turn that continues is given out in parts, so that no part waits longer than this.
    back_s: sound before the newest step that is embedded again with it.
    create_s: speech that a new speaker needs within a window.
    match: a slot nearer than this to a speaker may be that speaker.
    create: subsegments at least this far from all speakers, and their mean, may be a new speaker.
    update: a subsegment nearer than this updates its speaker's embedding.
    merge: two speakers nearer than this are one, unless they spoke at the same time.
    name: a speaker no farther than this from a known speaker gets that name.
    name_early: the same, with less than `name_s` of speech.
    crowd: reduction of `name_early` for every doubling of the known speakers beyond five.
    name_s: seconds of subsegments, which overlap; about half as much speech.
    margin: least lead over the second nearest speaker with which a subsegment updates its speaker.
    coherence: least length of the mean of a new speaker's unit vectors.
    continuity_bonus: what a slot is nearer to the speaker that earlier windows gave its frames to.
    slot_bonus: what a subsegment is nearer to the speaker of its slot.
    most_exemplars: exemplars kept of each speaker.
    max_speakers: most speakers, beside the known ones.
    """

    window_s: float = 7.5
    step_s: float = 1.8
    delay_s: float = 4.0
    latest_s: float = 10.0
    back_s: float = 0.59
    create_s: float = 1.6
    match: float | None = None
    create: float | None = None
    update: float | None = None
    merge: float | None = None
    name: float | None = None
    name_early: float | None = None
    crowd: float | None = None
    name_s: float = 8.0
    margin: float = 0.1
    coherence: float = 0.7
    continuity_bonus: float = 0.3
    slot_bonus: float = 0.1
    most_exemplars: int = 4
    max_speakers: int = 64

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("window_s", "step_s", "max_speakers"))
        if self.delay_s + self.step_s > self.latest_s:
            raise ConfigError(
                f"found delay_s {self.delay_s} and step_s {self.step_s}; give a latest_s of at "
                f"least {self.delay_s + self.step_s:g}, not {self.latest_s}"
            )


@dataclass(frozen=True, kw_only=True)
class ResolvedStream(StreamConfig):
    """`StreamConfig` in which nothing is left open."""

    match: float
    create: float
    update: float
    merge: float
    name: float
    name_early: float
    crowd: float


@dataclass(frozen=True)
class Config:
    """Everything that may change a result, stage by stage; the defaults are the preset balanced."""

    graphs: GraphConfig = field(default_factory=GraphConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    regions: RegionConfig = field(default_factory=RegionConfig)
    subsegments: SubsegmentConfig = field(default_factory=SubsegmentConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    turns: TurnConfig = field(default_factory=TurnConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)

    @classmethod
    def preset(cls, name: str) -> Self:
        """Settings that go together, by one of the names in `PRESETS`; ConfigError for others."""
        if name not in PRESETS:
            raise ConfigError(f"preset is '{name}'; give one of {', '.join(PRESETS)}")
        return cls(**PRESETS[name])

    def resolved(self, calibration: Mapping[str, float]) -> "ResolvedConfig":
        """The same, with the calibrated value wherever a threshold is None.

        Args:
            calibration: of the embedding model, from the model manifest.
        """
        return ResolvedConfig(
            graphs=self.graphs,
            windows=self.windows,
            regions=self.regions,
            subsegments=_filled(self.subsegments, ResolvedSubsegments, calibration, {}),
            clustering=_filled(self.clustering, ResolvedClustering, calibration, {}),
            turns=self.turns,
            stream=_filled(self.stream, ResolvedStream, calibration, STREAM_CALIBRATION),
        )


@dataclass(frozen=True, kw_only=True)
class ResolvedConfig(Config):
    """`Config` in which nothing is left open."""

    subsegments: ResolvedSubsegments
    clustering: ResolvedClustering
    stream: ResolvedStream


STREAM_CALIBRATION: Mapping[str, str] = {
    **{name: f"stream_{name}" for name in ("match", "create", "update", "merge", "crowd")},
    "name": "name_distance",
    "name_early": "stream_name",
}
"""Names in the model manifest of a stream's thresholds; of all others the names are equal."""

Resolved = TypeVar("Resolved", ResolvedSubsegments, ResolvedClustering, ResolvedStream)


def _filled(
    settings: SubsegmentConfig | ClusteringConfig | StreamConfig,
    kind: type[Resolved],
    calibration: Mapping[str, float],
    names: Mapping[str, str],
) -> Resolved:
    """Settings of the resolved kind; `names` are those in the manifest, where they differ."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    for name in kind.__annotations__:
        if values[name] is None:
            values[name] = calibration[names.get(name, name)]
    return kind(**values)


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

    threads: how many calls of the graphs may run at once, each on one processor thread; None is one
        for every core this process may use.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("threads",))

    @property
    def workers(self) -> int:
        """`threads`, or the number of cores this process may use."""
        return self.threads or _usable_cores()


def _usable_cores() -> int:
    """Cores that the system's scheduler gives this process, which may be fewer than there are."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on; heeds -X cpu_count too
        return int(os.process_cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_numbers(
    settings: "DataclassInstance", above_zero: tuple[str, ...] = (), infinite: tuple[str, ...] = ()
) -> None:
    """Raise ConfigError unless every number of `settings` is one, and none is below 0.

    Args:
        settings: what to check.
        above_zero: names of those that may not be 0 either.
        infinite: names of those that may be infinite.
    """
    for setting in fields(settings):
        name, value = setting.name, getattr(settings, setting.name)
        if value is None or isinstance(value, str):
            continue
        if math.isnan(value) or (math.isinf(value) and name not in infinite):
            raise ConfigError(f"{name} is {value}; give a finite number")
        if value < 0 or (value == 0 and name in above_zero):
            least = "more than 0" if name in above_zero else "0 or more"
            raise ConfigError(f"{name} is {value}; give {least}")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "accurate": {
        "graphs": GraphConfig(embedding="campplus", precision="float32"),
        "windows": WindowConfig(step_s=2.5),
    },
    "balanced": {},
    "fast": {"windows": WindowConfig(step_s=8.0)},
}
"""What each preset sets; DER and speed of all are on the front page (docs/decisions/012-spans.md).

accurate: every sample in four windows, every unit heard by itself, nothing rounded. balanced: every
sample in two windows, runs heard once, numbers rounded where the processor is quick at it. fast:
every sample in one window, or two at its edges.
"""
