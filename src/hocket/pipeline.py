"""The offline engine: a whole recording in, turns out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from hocket import models
from hocket.arrays import (
    Centroids,
    Labels,
    Masks,
    UnitEmbeddings,
    UnitLabels,
    Units,
    Waveform,
    check_array,
)
from hocket.audio import AudioSource, Recording, read_audio
from hocket.clustering import (
    CLUSTERERS,
    Voices,
    assign_slots,
    assign_units,
    centroids_of,
    slot_embeddings,
    unit_length,
)
from hocket.config import Config, Runtime, SpeakerCount
from hocket.embedding import embed, plan_units, unit_frames
from hocket.errors import ConfigError, GraphInputError
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.masks import voice_masks
from hocket.reconstruct import activate, frame_votes, strongest
from hocket.result import Result
from hocket.segmentation import segment
from hocket.timeline import order_of_appearance, speaker_names, tidy, to_turns
from hocket.timing import Stopwatch, totals
from hocket.windows import slice_windows

Listener = Callable[[str, int, int], None]
"""Told of a stage's name, what is done of it, and how much there is in all."""


@dataclass(frozen=True, eq=False)
class Artifacts:
    """All that the graphs have to say about a recording; thresholds come after.

    uri: what the recording is called in outputs.
    samples: length of the recording.
    first_frames: (windows,) first frame of every window on the recording's frame grid.
    masks: (windows, frames, slots).
    units: the stretches of one voice that were embedded.
    unit_seconds: (units,) speech in each.
    embeddings: (units, dimension).
    seconds: time spent per stage.
    """

    uri: str
    samples: int
    geometry: Geometry
    first_frames: NDArray[np.int64]
    masks: Masks
    units: Units
    unit_seconds: NDArray[np.float64]
    embeddings: UnitEmbeddings
    seconds: dict[str, float] = field(repr=False)


class Options(TypedDict, total=False):
    """What may be said of one recording.

    sample_rate: rate of an array of samples, in hertz; only for arrays.
    name: what to call the recording; the file's name otherwise.
    num_speakers: exact number of speakers, if known.
    min_speakers: fewest speakers to find.
    max_speakers: most speakers to find.
    listener: told how far each stage has come.
    """

    sample_rate: int | None
    name: str | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    listener: Listener | None


class Diarizer:
    """Answers "who spoke when".

    Args:
        config: everything that may change a result.
        runtime: how the graphs are run; changes only how fast results come.

    Graphs are loaded when first needed. One Diarizer serves any number of recordings.
    """

    def __init__(self, config: Config | None = None, runtime: Runtime | None = None) -> None:
        self.config = config or Config()
        self.runtime = runtime or Runtime()

    def __call__(self, source: AudioSource, **options: Unpack[Options]) -> Result:
        """Diarize a recording: a path, encoded bytes, a binary file object, or an array of samples.

        Raises:
            AudioError: the recording cannot be used.
            ConfigError: the numbers of speakers contradict each other.
            ModelError: a model file is missing or altered.
            BackendError: the runtime is not installed or failed.
        """
        count = SpeakerCount.of(
            options.get("num_speakers"), options.get("min_speakers"), options.get("max_speakers")
        )
        watch = Stopwatch()
        with watch.stage("load"):
            rate = self.load().geometry.sample_rate
        with watch.stage("decode"):
            recording = read_audio(
                source,
                sample_rate=options.get("sample_rate"),
                target_rate=rate,
                name=options.get("name"),
            )
        result = self.finish(self.infer(recording, options.get("listener")), count)
        return replace(result, seconds=totals(watch.seconds, result.seconds))

    def load(self) -> Self:
        """Open the graphs now rather than when first needed; ModelError, BackendError if not."""
        _ = self.geometry, self.embedding_graph
        return self

    @cached_property
    def segmentation_graph(self) -> Graph:
        """Waveform to masks."""
        return models.load("segmentation_masks", self.config.graphs, self.runtime)

    @cached_property
    def embedding_graph(self) -> Graph:
        """Waveform and masks to embeddings."""
        return models.load("embedding", self.config.graphs, self.runtime)

    @cached_property
    def geometry(self) -> Geometry:
        """Frame grid of the segmentation graph."""
        return Geometry.from_metadata(self.segmentation_graph.metadata)

    @cached_property
    def calibration(self) -> Mapping[str, float]:
        """Thresholds calibrated for the embedding graph."""
        return models.read_catalogue().calibrations[self.config.graphs.embedding]

    def infer(self, recording: Recording | Waveform, listener: Listener | None = None) -> Artifacts:
        """Run the graphs over a recording: the slow half, its result worth caching.

        Args:
            recording: what `read_audio` returned, or float32 mono samples at the graphs' rate.
            listener: told how far each stage has come.

        Raises:
            GraphInputError: the samples are of another type or rate, or not finite.
        """
        watch = Stopwatch()
        with watch.stage("load"):
            geometry, embedding_graph = self.geometry, self.embedding_graph
        recording = _checked(recording, geometry)
        config, waveform = self.config, recording.samples
        windows = slice_windows(waveform, geometry, config.windows.step_s)
        with watch.stage("segmentation"):
            advance = _counter("segmentation", len(windows), listener)
            # int8 scales activations by all of a call, and windows must not change each other
            batch = self.runtime.batch_windows if config.graphs.precision == "float32" else 1
            masks = segment(windows, self.segmentation_graph, geometry, batch, advance)
        with watch.stage("embedding"):
            units = plan_units(masks, geometry, config.units)
            voices = voice_masks(masks, geometry.frames_of(config.units.min_clean_s))
            advance = _counter("embedding", len(units.window), listener)
            starts, lengths = windows.first_frames, config.units
            embeddings = embed(
                waveform, starts, voices, units, embedding_graph, geometry, lengths, advance
            )
        return Artifacts(
            uri=recording.stem,
            samples=len(waveform),
            geometry=geometry,
            first_frames=windows.first_frames,
            masks=masks,
            units=units,
            unit_seconds=unit_frames(voices, units) * geometry.frame_step / geometry.sample_rate,
            embeddings=embeddings,
            seconds=watch.seconds,
        )

    def finish(self, artifacts: Artifacts, count: SpeakerCount | None = None) -> Result:
        """Artifacts to turns: the fast half, pure, to be replayed with other settings at will."""
        config, geometry, watch = self.config, artifacts.geometry, Stopwatch()
        with watch.stage("clustering"):
            slot_labels, unit_labels, centroids = self._cluster(artifacts, count or SpeakerCount())
        with watch.stage("reconstruct"):
            votes, counts = frame_votes(
                artifacts.masks,
                artifacts.first_frames,
                slot_labels,
                artifacts.units,
                unit_labels,
                len(centroids),
            )
            activations = tidy(
                activate(votes, counts),
                geometry.frames_of(config.turns.min_pause_s),
                geometry.frames_of(config.turns.min_turn_s),
            )
            order = order_of_appearance(activations)
            activations, votes = activations[:, order], votes[:, order]
            names = speaker_names(len(order))
            turns = to_turns(activations, names, geometry, artifacts.samples)
            exclusive = strongest(votes, activations)
            exclusive_turns = to_turns(exclusive, names, geometry, artifacts.samples)
        return Result(
            uri=artifacts.uri,
            turns=turns,
            exclusive_turns=exclusive_turns,
            speakers=names,
            embeddings=centroids[order],
            labels=_renumber(slot_labels, order, len(centroids)),
            duration_s=geometry.seconds_of(artifacts.samples),
            seconds=totals(artifacts.seconds, watch.seconds),
        )

    def _cluster(
        self, artifacts: Artifacts, count: SpeakerCount
    ) -> tuple[Labels, UnitLabels, Centroids]:
        """Cluster the units with enough speech, then give every slot and every unit its cluster."""
        config = self.config.clusters
        voices = Voices(unit_length(artifacts.embeddings), artifacts.unit_seconds)
        present = np.any(voices.vectors != 0, axis=1)
        trusted = present & (voices.seconds >= config.min_trusted_s)
        if not trusted.any():  # a few words in all: better a guess from them than none
            trusted = present
        # windows overlap: each second of the recording is counted once, whatever the step
        seconds = voices.seconds / _overlap(artifacts)
        clustered = Voices(voices.vectors[trusted], seconds[trusted])
        threshold = config.threshold
        if threshold is None:
            threshold = self.calibration["threshold"]
        if config.method not in CLUSTERERS:
            raise ConfigError(f"method is '{config.method}'; give one of {', '.join(CLUSTERERS)}")
        labels = CLUSTERERS[config.method](clustered, threshold, config.min_cluster_s, count)
        centroids = centroids_of(clustered, labels)
        slots = slot_embeddings(artifacts.masks, artifacts.units, voices)
        slot_labels = assign_slots(slots, centroids)
        unit_labels = assign_units(
            voices.vectors, artifacts.units, slot_labels, centroids, config.loyalty
        )
        return slot_labels, unit_labels, centroids


def diarize(source: AudioSource, **options: Unpack[Options]) -> Result:
    """Diarize one recording with default settings; see `Diarizer.__call__`."""
    return Diarizer()(source, **options)


def _checked(recording: Recording | Waveform, geometry: Geometry) -> Recording:
    """The recording as the graphs need it, or GraphInputError."""
    if not isinstance(recording, Recording):
        check_array("waveform", recording, np.float32, ("samples",))
        if not np.isfinite(recording).all():
            raise GraphInputError("waveform: found NaN or infinite samples; use read_audio")
        return Recording(recording, geometry.sample_rate, "audio")
    if recording.sample_rate != geometry.sample_rate:
        raise GraphInputError(
            f"{recording.name}: found {recording.sample_rate} Hz; "
            f"read it with target_rate={geometry.sample_rate}"
        )
    return recording


def _overlap(artifacts: Artifacts) -> NDArray[np.int64]:
    """Number of windows over the middle of every unit, (units,)."""
    starts, length = artifacts.first_frames, artifacts.masks.shape[1]
    units = artifacts.units
    middle = starts[units.window] + (units.first + units.last) // 2
    begun = np.searchsorted(starts, middle, side="right")
    ended = np.searchsorted(starts + length, middle, side="right")
    return begun - ended


def _counter(stage: str, total: int, listener: Listener | None) -> Callable[[int], None]:
    """A function that adds to what is done of a stage and tells the listener, if any."""
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        done += number
        if listener:
            listener(stage, done, total)

    return advance


def _renumber(labels: Labels, order: NDArray[np.int64], clusters: int) -> Labels:
    """Labels of clusters to indices into `order`; clusters that are not in it become -1."""
    index = np.full(clusters + 1, -1, np.int32)  # the last entry serves label -1
    index[order] = np.arange(len(order), dtype=np.int32)
    return index[labels]
