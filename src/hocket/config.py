"""Settings. `Config` may change results; `Runtime` may change only how fast they come.

Thresholds that depend on the embedding model are not here: they are calibrated with it and live in
the model manifest. A value of None below means "what the manifest says".
"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

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
    """How a recording is cut for the segmentation graph.

    ramp_s: how much of either end of a window counts less than its middle.
    batch: windows per call; here because a runtime may add in another order for another number.
    """

    step_s: float = 5.0
    ramp_s: float = 1.0
    batch: int = 4

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("step_s", "batch"))


@dataclass(frozen=True)
class RunConfig:
    """Where somebody speaks, and where alone.

    min_speech: probability above which somebody speaks.
    min_overlap: probability above which more than one person speaks.
    min_takeover: probability of another person's taking over above which a run is cut in two.
    takeover_s: speech on either side of a possible cut that is compared.
    longest_s: a longer run is cut in two, so that what waits for its end never grows.
    """

    min_speech: float = 0.4
    min_overlap: float = 0.55
    min_takeover: float = 0.5
    takeover_s: float = 0.25
    longest_s: float = 30.0

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("takeover_s", "longest_s"))


@dataclass(frozen=True)
class UnitConfig:
    """Which parts of runs are embedded.

    length_s: length of a unit.
    hop_s: longest distance from one unit to the next.
    min_s: a shorter run has no unit.
    grid_s: what is heard at once is rounded up to a multiple of this, so that lengths recur.
    span_s: longest stretch of a run that is heard at once; None: as the manifest says of the model.
    slab_s: length of what is heard at once if the network can tell several spans apart.
    gap_s: least distance of two spans in it.
    """

    length_s: float = 1.2
    hop_s: float = 0.6
    min_s: float = 0.2
    grid_s: float = 0.25
    span_s: float | None = None
    slab_s: float = 9.6
    gap_s: float = 0.06

    def __post_init__(self) -> None:
        above_zero = ("length_s", "hop_s", "min_s", "grid_s", "span_s", "slab_s")
        _check_numbers(self, above_zero=above_zero)
        if self.min_s > self.length_s or self.hop_s > self.length_s:
            raise ConfigError(
                f"found length_s {self.length_s}, hop_s {self.hop_s} and min_s {self.min_s}; "
                "give a length_s that is the longest of them"
            )


@dataclass(frozen=True)
class ClusterConfig:
    """How voices become speakers; where None, the manifest says, by embedding model.

    method: name of the clusterer: agglomerative, centroid, spectral, mixture or vbx.
    plda: path of the trained PLDA that vbx needs, for embeddings of the same network.
    threshold: cosine distance from which two clusters are two people.
    twin_at_1s, twin_growth, twin_most: how similar a cluster may be to a larger one and be somebody
        else: with one second of speech, more with each doubling of it, and at most.
    min_trusted_s: a shorter unit is given to a speaker but does not make one.
    min_trusted_probability: so is a unit in which one person speaks less probably than this.
    min_speaker_s: a cluster with less speech is a speaker only if it is the largest, or if more are
        asked for.
    """

    method: str = "agglomerative"
    plda: str | None = None
    threshold: float | None = None
    twin_at_1s: float | None = None
    twin_growth: float | None = None
    twin_most: float | None = None
    min_trusted_s: float = 0.5
    min_trusted_probability: float = 0.6
    min_speaker_s: float = 0.9

    def __post_init__(self) -> None:
        _check_numbers(self, infinite=("threshold", "twin_at_1s", "twin_most"))
        if self.method == "vbx" and self.plda is None:
            raise ConfigError("method is 'vbx' but plda is not given; give a trained PLDA's file")


@dataclass(frozen=True)
class TurnConfig:
    """How parts of runs become turns, and which pauses and turns are too short to keep.

    fade_s: time after which what a part of a run says of its slot elsewhere counts less by e.
    min_pause_s: a speaker's pauses shorter than this are closed.
    min_turn_s: turns shorter than this, once pauses are closed, are dropped.
    """

    fade_s: float = 0.1
    min_pause_s: float = 0.3
    min_turn_s: float = 0.2

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("fade_s",))


@dataclass(frozen=True)
class LiveConfig:
    """How a stream is heard; thresholds that are None are the manifest's, by embedding model.

    window_s: what is heard at once, at most the segmentation's own window.
    step_s: from one update to the next, so the longest that speech waits for its first turn.
    delay_s: after which what was heard is final.
    latest_s: a turn that goes on is given out in parts, so that none of it waits longer than this.
    back_s: of what was heard before, embedded again with what is new.
    create_s: speech somebody new needs within a window.
    match, create, update, merge: see `hocket.online.tracker.Limits`; distances, 1 - cosine.
    loyalty: what a slot is nearer to whom earlier windows heard in the same frames.
    max_speakers: more are not made, beside those known before.
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
    loyalty: float = 0.3
    max_speakers: int = 64

    def __post_init__(self) -> None:
        _check_numbers(self, above_zero=("window_s", "step_s", "max_speakers"))
        if self.delay_s + self.step_s > self.latest_s:
            raise ConfigError(
                f"found delay_s {self.delay_s} and step_s {self.step_s}; give a latest_s of at "
                f"least {self.delay_s + self.step_s:g}, not {self.latest_s}"
            )


@dataclass(frozen=True)
class Config:
    """Everything that may change a result, stage by stage; the defaults are the preset balanced."""

    graphs: GraphConfig = field(default_factory=GraphConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    runs: RunConfig = field(default_factory=RunConfig)
    units: UnitConfig = field(default_factory=UnitConfig)
    clusters: ClusterConfig = field(default_factory=ClusterConfig)
    turns: TurnConfig = field(default_factory=TurnConfig)
    live: LiveConfig = field(default_factory=LiveConfig)

    @classmethod
    def preset(cls, name: str) -> Self:
        """Settings that go together, by one of the names in `PRESETS`; ConfigError for others."""
        if name not in PRESETS:
            raise ConfigError(f"preset is '{name}'; give one of {', '.join(PRESETS)}")
        return cls(**PRESETS[name])


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
