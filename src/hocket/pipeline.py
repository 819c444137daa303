"""The offline engine: a whole recording in, turns out."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from hocket import models
from hocket.arrays import Centroids, Parts, Runs, UnitEmbeddings, Units, Waveform, check_array
from hocket.audio import AudioSource, AudioStream, Recording, open_audio, stem_of, stream_of
from hocket.clustering import (
    CLUSTERERS,
    Plda,
    Request,
    TwinLimit,
    Voices,
    centroids_of,
    claims,
    divide_runs,
    read_plda,
    select_speakers,
    unit_length,
)
from hocket.config import Config, Runtime, SpeakerCount
from hocket.embedding import unit_seconds
from hocket.errors import ConfigError, GraphInputError, one_line
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.inference import Ears, Listener, hear
from hocket.reconstruct import activate, cluster_votes, frame_blocks, strongest
from hocket.result import EmbeddingModel, Result
from hocket.runs import count_people
from hocket.segmentation import Segmentation
from hocket.timeline import order_of_appearance, speaker_names, tidy, to_turns
from hocket.timing import Stopwatch, totals

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Artifacts:
    """All that the graphs have to say about a recording; thresholds come after.

    uri: what the recording is called in outputs.
    samples: length of the recording.
    segmentation: who speaks in every window, and how many people do.
    runs: where one person speaks alone.
    units: the parts of runs that were embedded.
    embeddings: (units, dimension).
    seconds: busy time per stage, added up over workers.
    copied: bytes of samples moved per stage.
    """

    uri: str
    samples: int
    geometry: Geometry
    segmentation: Segmentation
    runs: Runs
    units: Units
    embeddings: UnitEmbeddings
    seconds: dict[str, float] = field(repr=False)
    copied: dict[str, int] = field(repr=False, default_factory=dict)


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
        rate_of_array = options.get("sample_rate")
        with open_audio(
            source, sample_rate=rate_of_array, target_rate=rate, name=options.get("name")
        ) as stream:
            artifacts = self._hear(stream, watch, options.get("listener"))
        return self.finish(artifacts, count)

    def load(self) -> Self:
        """Open the graphs now rather than when first needed; ModelError, BackendError if not."""
        if "segmentation_graph" not in vars(self):  # each takes a core: half the time side by side
            with ThreadPoolExecutor(1, thread_name_prefix="hocket") as pool:
                segmentation = pool.submit(lambda: self.segmentation_graph)
                _ = self.embedding_graph
                segmentation.result()
        _ = self.geometry, self.embedding_graph, self.plda
        return self

    @cached_property
    def segmentation_graph(self) -> Graph:
        """Waveform to probabilities of power-set classes."""
        return models.load("segmentation", self.config.graphs, self.runtime)

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

    @cached_property
    def embedding_model(self) -> EmbeddingModel:
        """What the embeddings are, for those who keep them."""
        return models.embedding_model(self.config.graphs.embedding)

    @cached_property
    def plda(self) -> Plda | None:
        """What the user placed for the clusterer that needs it; ModelError if it is unusable."""
        path = self.config.clusters.plda
        return None if path is None else read_plda(Path(path))

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
            recording = _checked(recording, self.load().geometry)
        return self._hear(stream_of(recording), watch, listener)

    def _hear(self, stream: AudioStream, watch: Stopwatch, listener: Listener | None) -> Artifacts:
        ears = Ears(
            self.segmentation_graph,
            self.embedding_graph,
            # int8 scales activations by all of a call, and windows must not change each other
            1
            if models.choice_of("segmentation", self.config.graphs).precision == "int8"
            else self.config.windows.batch,
            self._calibrated("span_s", self.config.units.span_s),
            self.config,
            self.runtime,
        )
        heard = hear(stream, ears, watch, listener)
        if not heard.samples:
            _log.warning("%s: holds no samples", one_line(stream.name))
        return Artifacts(
            uri=stem_of(stream.name),
            samples=heard.samples,
            geometry=self.geometry,
            segmentation=heard.segmentation,
            runs=heard.runs,
            units=heard.units,
            embeddings=heard.embeddings,
            seconds=watch.seconds,
            copied=watch.copied,
        )

    def finish(self, artifacts: Artifacts, count: SpeakerCount | None = None) -> Result:
        """Artifacts to turns: the fast half, pure, to be replayed with other settings at will."""
        config, geometry, watch = self.config, artifacts.geometry, Stopwatch()
        with watch.stage("clustering"):
            parts, centroids = self._cluster(artifacts, count or SpeakerCount())
        with watch.stage("reconstruct"):
            starts, activity, occupancy = artifacts.segmentation
            fade = config.turns.fade_s * geometry.sample_rate / geometry.frame_step
            ramp = geometry.frames_of(config.windows.ramp_s)
            # asked twice for every block: held, the votes of hours would be most of the memory
            voting = partial(cluster_votes, activity, starts, parts, len(centroids), fade, ramp)
            counts = count_people(occupancy, config.runs)
            blocks = frame_blocks(len(counts))
            activations = tidy(
                np.concatenate([activate(voting(block), counts[block]) for block in blocks]),
                geometry.frames_of(config.turns.min_pause_s),
                geometry.frames_of(config.turns.min_turn_s),
            )
            order = order_of_appearance(activations)
            activations = activations[:, order]
            names = speaker_names(len(order))
            turns = to_turns(activations, names, geometry, artifacts.samples)
            exclusive = np.concatenate(
                [strongest(voting(block), activations[block], order) for block in blocks]
            )
            exclusive_turns = to_turns(exclusive, names, geometry, artifacts.samples)
        return Result(
            uri=artifacts.uri,
            turns=turns,
            exclusive_turns=exclusive_turns,
            speakers=names,
            embeddings=centroids[order],
            duration_s=geometry.seconds_of(artifacts.samples),
            seconds=totals(artifacts.seconds, watch.seconds),
            copied=artifacts.copied,
            embedding_model=self.embedding_model,
        )

    def _cluster(self, artifacts: Artifacts, count: SpeakerCount) -> tuple[Parts, Centroids]:
        """Find the speakers among the units to be trusted, then divide all runs among them.

        Where no embedding is usable there is one speaker, with a zero embedding.
        """
        config, runs, units = self.config.clusters, artifacts.runs, artifacts.units
        if config.method not in CLUSTERERS:
            raise ConfigError(f"method is '{config.method}'; give one of {', '.join(CLUSTERERS)}")
        found = artifacts.embeddings
        finite = np.asarray(np.isfinite(found).all(axis=1))
        vectors = unit_length(np.where(finite[:, None], found, np.float32(0)))
        usable = np.asarray(vectors.any(axis=1))
        seconds = unit_seconds(runs, units, artifacts.geometry)
        trusted: NDArray[np.bool_] = usable & self._trusted(artifacts)
        if np.count_nonzero(trusted) < count.minimum:  # better a guess than nobody
            trusted = usable
        voices = Voices(vectors[trusted], found[trusted], seconds[trusted])
        request = Request(self._threshold("threshold"), count.minimum, self.plda)
        labels = CLUSTERERS[config.method](voices, request)
        limit = TwinLimit(*(self._threshold(f"twin_{name}") for name in TwinLimit._fields))
        chosen = select_speakers(voices, labels, limit, config.min_speaker_s, count)
        speakers = np.full(len(vectors), -1, np.int32)
        speakers[trusted] = chosen.labels
        centroids, doubts = centroids_of(Voices(vectors, found, seconds), speakers), chosen.doubts
        if not usable.any():
            centroids, doubts = np.zeros_like(vectors[:1]), np.zeros(len(vectors[:1]))
        strength = claims(vectors, speakers, centroids, doubts)
        return divide_runs(runs, units, strength), centroids

    def _trusted(self, artifacts: Artifacts) -> NDArray[np.bool_]:
        """Units long enough, and surely enough of one person, to make a speaker, (units,)."""
        config, units = self.config.clusters, artifacts.units
        lengths = units.last - units.first
        alone = np.concatenate([[0.0], np.cumsum(artifacts.segmentation.occupancy[:, 1])])
        probability = (alone[units.last] - alone[units.first]) / lengths
        long_enough = lengths >= artifacts.geometry.frames_of(config.min_trusted_s)
        trusted: NDArray[np.bool_] = long_enough & (probability >= config.min_trusted_probability)
        return trusted

    def _threshold(self, name: str) -> float:
        """A setting of `ClusterConfig`, or what the manifest says for the embedding model."""
        return self._calibrated(name, getattr(self.config.clusters, name))

    def _calibrated(self, name: str, value: float | None) -> float:
        return self.calibration[name] if value is None else value


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
