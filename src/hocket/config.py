"""Settings: `Config` may change results, `Runtime` changes only the speed.

Thresholds that depend on the embedding model are calibrated with it and live in the model manifest.
A setting of None below means "use the manifest's value".
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hocket.arguments import check_type
from hocket.concurrency import usable_cores
from hocket.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class GraphConfig:
    """Which graphs run, and on which runtime. Other numerics may lead to other turns.

    embedding: name of the embedding model, as listed by `hocket models list`.
    precision: precision of the trained layers: float32, bfloat16, int8, or auto, the fastest one
        on this machine that costs almost no accuracy.
    backend: name of the runtime, or auto, the fastest one here (see `hocket.backends.choice`).
    """

    embedding: str = "campplus-local"
    precision: str = "auto"
    backend: str = "auto"


@dataclass(frozen=True)
class WindowConfig:
    """How a recording is cut into windows for the segmentation.

    step_s: distance between the starts of consecutive windows.
    ramp_s: length of the ramps at both ends of a window, where frames weigh less.
    batch: windows per call; it may change results, as runtimes may then add in another order.
    """

    step_s: float = 5.0
    ramp_s: float = 1.0
    batch: int = 4

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("step_s", "batch"))


@dataclass(frozen=True)
class RegionConfig:
    """Where there is speech, and where one speaker speaks alone.

    min_speech: probability of speech above which a frame is speech.
    min_overlap: probability of overlap above which several speakers speak in a frame.
    min_change: probability of a speaker change above which a region is split.
    change_s: length of speech compared on either side of a possible speaker change.
    longest_s: longer regions are split, so that memory stays bounded.
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
    hop_s: longest distance between the starts of consecutive subsegments.
    min_s: regions shorter than this have no subsegment.
    grid_s: input lengths are rounded up to a multiple of this, so that they recur.
    crop_s: longest part of a region in one call; None: as calibrated.
    pack_s: length of a pack, for networks that keep several sounds of one call apart.
    gap_s: least distance between two crops in a pack.
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
                "give a length_s no shorter than the other two"
            )


@dataclass(frozen=True, kw_only=True)
class ResolvedSubsegments(SubsegmentConfig):
    """`SubsegmentConfig` with calibrated values filled in."""

    crop_s: float


@dataclass(frozen=True)
class ClusteringConfig:
    """How embeddings become speakers. None: as calibrated for the embedding model.

    method: name of the clusterer: agglomerative, centroid, spectral, mixture or vbx.
    plda: path of the trained PLDA that vbx needs, for embeddings of the same network.
    threshold: clusters at least this cosine distance apart are different speakers.
    duplicate_at_1s, duplicate_growth, duplicate_most: highest cosine similarity to a larger cluster
        at which a cluster is still another speaker, not a duplicate: with one second of speech, its
        growth with every doubling of speech, and its maximum.
    min_trusted_s: a shorter subsegment is assigned to a speaker but does not create one.
    min_trusted_probability: the same holds for a subsegment whose probability of a single speaker
        is lower than this.
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
    """`ClusteringConfig` with calibrated values filled in."""

    threshold: float
    duplicate_at_1s: float
    duplicate_growth: float
    duplicate_most: float


@dataclass(frozen=True)
class TurnConfig:
    """How parts of regions become turns, and which pauses and turns are too short to keep.

    fade_s: time constant with which a part of a region loses its influence on a slot's speaker.
    min_pause_s: shorter pauses between turns of one speaker are closed.
    min_turn_s: shorter turns are dropped after pauses are closed.
    """

    fade_s: float = 0.1
    min_pause_s: float = 0.3
    min_turn_s: float = 0.2

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("fade_s",))


@dataclass(frozen=True)
class StreamConfig:
    """How a stream is processed. None: as calibrated. Distances are 1 - cosine.

    window_s: length of a window, at most that of the segmentation's own windows.
    step_s: time between updates; new speech waits at most this long for its first turn.
    delay_s: age at which frames become final.
    latest_s: a turn that continues is emitted in parts, so that no part waits longer than this.
    back_s: audio before the newest step that is embedded again with it.
    create_s: speech that a new speaker needs within a window.
    match: a slot closer than this to a speaker may be that speaker.
    create: subsegments may be a new speaker if they and their mean are this far from all others.
    update: a subsegment closer than this to its speaker updates that speaker's embedding.
    merge: two speakers closer than this are merged, unless they spoke at the same time.
    name: a speaker at most this far from a known speaker gets that name.
    name_early: the same limit for a speaker with less than `name_s` of speech.
    hold: reduction of a speaker's distance to the known speaker whose name it has.
    crowd: reduction of `name_early` for every doubling of the known speakers beyond five.
    name_s: seconds of subsegments; they overlap, so it is about half as much speech.
    margin: least lead over the second nearest speaker with which a subsegment updates its speaker.
    coherence: least length of the mean of a new speaker's unit vectors.
    continuity_bonus: reduction of a slot's distance to its frames' speaker in earlier windows.
    slot_bonus: reduction of a subsegment's distance to the speaker of its slot.
    most_exemplars: exemplars kept for each speaker.
    max_speakers: most speakers, not counting the known ones.
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
    hold: float = 0.05
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
    """`StreamConfig` with calibrated values filled in."""

    match: float
    create: float
    update: float
    merge: float
    name: float
    name_early: float
    crowd: float


@dataclass(frozen=True)
class Config:
    """Everything that may change a result, by stage. The defaults are the balanced preset."""

    graphs: GraphConfig = field(default_factory=GraphConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    regions: RegionConfig = field(default_factory=RegionConfig)
    subsegments: SubsegmentConfig = field(default_factory=SubsegmentConfig)
    clustering: ClusteringConfig = field(default_factory=ClusteringConfig)
    turns: TurnConfig = field(default_factory=TurnConfig)
    stream: StreamConfig = field(default_factory=StreamConfig)

    @classmethod
    def preset(cls, name: str) -> Self:
        """The settings of a preset, one of `PRESETS`; ConfigError if there is no such preset."""
        if name not in PRESETS:
            raise ConfigError(f"preset is '{name}'; give one of {', '.join(PRESETS)}")
        return cls(**PRESETS[name])

    def resolved(self, calibration: Mapping[str, float]) -> "ResolvedConfig":
        """The same config, with None replaced by values from the embedding model's calibration."""
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
    """`Config` with calibrated values filled in."""

    subsegments: ResolvedSubsegments
    clustering: ResolvedClustering
    stream: ResolvedStream


STREAM_CALIBRATION: Mapping[str, str] = {
    **{name: f"stream_{name}" for name in ("match", "create", "update", "merge", "crowd")},
    "name": "name_distance",
    "name_early": "stream_name",
}
"""Manifest names of a stream's thresholds. All other settings have the same name in both."""

Resolved = TypeVar("Resolved", ResolvedSubsegments, ResolvedClustering, ResolvedStream)


def _filled(
    settings: SubsegmentConfig | ClusteringConfig | StreamConfig,
    kind: type[Resolved],
    calibration: Mapping[str, float],
    names: Mapping[str, str],
) -> Resolved:
    """Settings of the resolved kind; `names` maps settings to manifest names where they differ."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    for name in kind.__annotations__:
        if values[name] is None:
            values[name] = calibration[names.get(name, name)]
    return kind(**values)


@dataclass(frozen=True)
class SpeakerCount:
    """How many speakers the result may have. A maximum of None is no limit."""

    minimum: int = 1
    maximum: int | None = None

    def __post_init__(self) -> None:
        if self.minimum < 1:
            raise ConfigError(f"min_speakers is {self.minimum}; give 1 or more")
        if self.maximum is not None and self.maximum < self.minimum:
            raise ConfigError(
                f"min_speakers is {self.minimum} but max_speakers is {self.maximum}; "
                "give a minimum no greater than the maximum"
            )

    @classmethod
    def of(
        cls,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
    ) -> Self:
        """From the three numbers a user may give; an exact number excludes the other two."""
        check_type("num_speakers", num_speakers, int | None)
        check_type("min_speakers", min_speakers, int | None)
        check_type("max_speakers", max_speakers, int | None)
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

    threads: graph calls that may run at once, each on one processor thread; None: one for every
        core that this process may use.
    """

    threads: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("threads",))

    @property
    def workers(self) -> int:
        """`threads`, or the number of cores this process may use."""
        return self.threads or usable_cores()


def _check_numbers(
    settings: "DataclassInstance", above_zero: tuple[str, ...] = (), infinite: tuple[str, ...] = ()
) -> None:
    """Raise ConfigError if a number is NaN, infinite or negative, ArgumentError if it is none.

    Settings named in `above_zero` may not be 0 either; those named in `infinite` may be infinite.
    """
    for setting in fields(settings):
        name, value = setting.name, getattr(settings, setting.name)
        check_type(name, value, setting.type)
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
"""Settings of each preset; README.md has their DER and speed (docs/decisions/012-spans.md).

accurate: every sample in four windows, a call for each subsegment, no rounding. balanced: every
sample in two windows, regions embedded once, low precision where the processor is fast at it.
fast: every sample in one window, or in two at window edges.
"""
