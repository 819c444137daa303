"""The offline engine: a whole recording in, turns out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple, Self, TypedDict, Unpack
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hocket import models
from hocket.arrays import (
    Centroids,
    Parts,
    Waveform,
    check_array,
    unit_length,
)
from hocket.audio.reading import AudioSource, AudioStream, Recording, open_audio, stem_of, stream_of
from hocket.clustering import (
    CLUSTERERS,
    Odds,
    Plda,
    Request,
    Selection,
    TwinLimit,
    TwoSpeakers,
    Voices,
    centroids_of,
    claims,
    divide_runs,
    find_speakers,
    read_plda,
    tracks_of,
)
from hocket.confidence import turns as confidence
from hocket.confidence.count import count_confidence
from hocket.config import Config, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint, Wishes, gather
from hocket.corrections.frames import Held, names_of
from hocket.embedding.channels import ChannelModel, free_units
from hocket.embedding.subsegments import unit_seconds
from hocket.errors import ConfigError, GraphInputError, one_line
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.offline.artifacts import Artifacts
from hocket.offline.inference import Ears, Listener, hear
from hocket.offline.turns import activations_of, hold, voting_of
from hocket.reconstruct import frame_blocks, strongest
from hocket.result import EmbeddingModel, Result
from hocket.timeline import order_of_appearance, speaker_names, to_turns
from hocket.timing import Stopwatch, totals

_log = logging.getLogger(__name__)


class Options(TypedDict, total=False):
    """What may be said of one recording.

    sample_rate: rate of an array of samples, in hertz; only for arrays.
    name: what to call the recording; the file's name otherwise.
    num_speakers: exact number of speakers, if known.
    min_speakers: fewest speakers to find.
    max_speakers: most speakers to find.
    constraints: what is known of who speaks where, as `Diarizer.finish` takes it.
    listener: told how far each stage has come.
    """

    sample_rate: int | None
    name: str | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    constraints: Sequence[Constraint]
    listener: Listener | None


class _Found(NamedTuple):
    """Speakers without constraints.

    voices: all units.
    speakers: of all units.
    centroids: of the speakers.
    odds: of splits and merges that were not made.
    """

    voices: Voices
    speakers: Selection
    centroids: Centroids
    odds: Odds | None


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
        # so that corrections of one recording are solved at once
        self._found = WeakKeyDictionary[Artifacts, tuple[SpeakerCount, _Found]]()

    def __call__(self, source: AudioSource, **options: Unpack[Options]) -> Result:
        """Diarize a recording: a path, encoded bytes, a binary file object, or an array of samples.

        Raises:
            AudioError: the recording cannot be used.
            ConfigError: the numbers of speakers contradict each other, or constraints do.
            ModelError: a model file is missing or altered.
            BackendError: the runtime is not installed or failed.
        """
        count = SpeakerCount.of(
            options.get("num_speakers"), options.get("min_speakers"), options.get("max_speakers")
        )
        constraints = options.get("constraints", ())
        gather(constraints).check(count)  # before the slow half
        watch = Stopwatch()
        with watch.stage("load"):
            rate = self.load().geometry.sample_rate
        rate_of_array = options.get("sample_rate")
        with open_audio(
            source, sample_rate=rate_of_array, target_rate=rate, name=options.get("name")
        ) as stream:
            artifacts = self._hear(stream, watch, options.get("listener"))
        return self.finish(artifacts, count, constraints)

    def load(self) -> Self:
        """Open the graphs now rather than when first needed; ModelError, BackendError if not."""
        if "segmentation_graph" not in vars(self):  # each takes a core: half the time side by side
            with ThreadPoolExecutor(1, thread_name_prefix="hocket") as pool:
                segmentation = pool.submit(lambda: self.segmentation_graph)
                _ = self.embedding_graph
                segmentation.result()
        _ = self.geometry, self.embedding_graph, self.plda, self.channel_model
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
    def channel_model(self) -> ChannelModel | None:
        """What channels add to embeddings; ModelError if its file is missing or altered."""
        return models.channel_model(self.config.graphs.embedding)

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
            bands=heard.bands,
        )

    def finish(
        self,
        artifacts: Artifacts,
        count: SpeakerCount | None = None,
        constraints: Sequence[Constraint] = (),
        told: Callable[[confidence.Evidence], None] | None = None,
    ) -> Result:
        """Artifacts to turns: the fast half, pure, to be replayed with other settings at will.

        Speakers are found once for the same artifacts and count: leave their arrays as they are.

        Args:
            artifacts: what the graphs said.
            count: how many speakers there may be.
            constraints: what is known of who speaks where, in any order; docs/corrections.md.
            told: given what confidence rests on; `bench confidence` learns from it.

        Raises:
            ConfigError: constraints contradict each other or the count, or name a SPEAKER_nn who
                is not in the result without them.
        """
        geometry, watch = artifacts.geometry, Stopwatch()
        count, wishes = count or SpeakerCount(), gather(constraints)
        wishes.check(count)
        with watch.stage("clustering"):
            parts, centroids, held, known = self._cluster(artifacts, count, wishes)
        with watch.stage("reconstruct"):
            windows = artifacts.segmentation
            voting = voting_of(windows, geometry, self.config, parts, len(centroids), held)
            activations = activations_of(voting, windows, geometry, self.config, held)
            order = order_of_appearance(activations)
            activations = activations[:, order]
            names = names_of(order, held.names, held.kept) if held else speaker_names(len(order))
            turns = to_turns(activations, names, geometry, artifacts.samples)
            blocks = frame_blocks(len(activations))
            single = [strongest(voting(each), activations[each], order) for each in blocks]
            exclusive = np.concatenate(single)
            exclusive_turns = to_turns(exclusive, names, geometry, artifacts.samples)
            owned = held.told_of(order) if held else None
            evidence = confidence.evidence_of(
                activations, known.of(order), windows.occupancy, artifacts.units, geometry, owned
            )
            said = partial(confidence.with_confidence, names, evidence, self.calibration)
        if told:
            told(evidence)
        return Result(
            uri=artifacts.uri,
            turns=said(turns),
            exclusive_turns=said(exclusive_turns),
            speakers=names,
            embeddings=centroids[order],
            duration_s=geometry.seconds_of(artifacts.samples),
            seconds=totals(artifacts.seconds, watch.seconds),
            copied=artifacts.copied,
            embedding_model=self.embedding_model,
            count_confidence=count_confidence(evidence, count, self.calibration),
            doubts=confidence.doubts_of(names, evidence, self.calibration),
        )

    def _cluster(
        self, artifacts: Artifacts, count: SpeakerCount, wishes: Wishes
    ) -> tuple[Parts, Centroids, Held | None, confidence.SpeakerEvidence]:
        """Divide all runs among the speakers, with constraints in place."""
        kept = self._found.get(artifacts)
        found = kept[1] if kept and kept[0] == count else self._find(artifacts, count)
        self._found[artifacts] = count, found
        voices, speakers, centroids, odds = found
        if not wishes.groups and not wishes.nobody:
            known = confidence.SpeakerEvidence.gather(voices.vectors @ centroids.T, odds)
            strength = claims(voices.vectors, speakers.labels, centroids, speakers.doubts)
            return divide_runs(artifacts.runs, artifacts.units, strength), centroids, None, known
        parts, placed, held = hold(
            artifacts,
            self.config,
            wishes,
            voices,
            speakers,
            centroids,
            self._twin_limit(),
            TwoSpeakers.of(self.calibration),
            count,
        )
        centroids, odds = (placed.centroids, None) if placed else (centroids, odds)
        known = confidence.SpeakerEvidence.gather(voices.vectors @ centroids.T, odds)
        return parts, centroids, held, known

    def _find(self, artifacts: Artifacts, count: SpeakerCount) -> _Found:
        """Find the speakers among the units to be trusted.

        Where no embedding is usable there is one speaker, with a zero embedding.
        """
        config, units = self.config.clusters, artifacts.units
        if config.method not in CLUSTERERS:
            raise ConfigError(f"method is '{config.method}'; give one of {', '.join(CLUSTERERS)}")
        found = artifacts.embeddings
        finite = np.asarray(np.isfinite(found).all(axis=1))
        vectors = unit_length(np.where(finite[:, None], found, np.float32(0)))
        vectors, narrow, telephone = free_units(vectors, artifacts.bands, self.channel_model)
        usable = np.asarray(vectors.any(axis=1))
        seconds = unit_seconds(artifacts.runs, units, artifacts.geometry)
        trusted: NDArray[np.bool_] = usable & self._trusted(artifacts)
        if np.count_nonzero(trusted) < count.minimum:  # better a guess than nobody
            trusted = usable
        said = artifacts.segmentation
        # elsewhere nothing goes by them
        tracks = tracks_of(said.activity, said.first_frames, units) if telephone.any() else None
        every = Voices(vectors, found, seconds, narrow, telephone, tracks)
        threshold, clusterer = self._threshold("threshold"), CLUSTERERS[config.method]
        voices = every.at(trusted)
        chosen = find_speakers(
            voices,
            units.run[trusted],
            lambda at_least: clusterer(voices, Request(threshold, at_least, self.plda)),
            self._twin_limit(),
            TwoSpeakers.of(self.calibration),
            config.min_speaker_s,
            count,
        )
        speakers = np.full(len(vectors), -1, np.int32)
        speakers[trusted] = chosen.labels
        centroids, doubts = centroids_of(every, speakers), chosen.doubts
        if not usable.any():
            centroids, doubts = np.zeros_like(vectors[:1]), np.zeros(len(vectors[:1]))
        return _Found(every, Selection(speakers, doubts), centroids, chosen.odds)

    def _twin_limit(self) -> TwinLimit:
        return TwinLimit(*(self._threshold(f"twin_{name}") for name in TwinLimit._fields))

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
