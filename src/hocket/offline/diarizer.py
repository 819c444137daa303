"""The offline engine: a whole recording in, turns out."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from threading import Event
from typing import Self
from weakref import WeakKeyDictionary

import numpy as np

from hocket import models
from hocket.arguments import check_callable, check_type, known_names_only
from hocket.arrays import Centroids, Parts, Waveform, check_array
from hocket.audio.reading import (
    AudioSource,
    AudioStream,
    Recording,
    open_audio,
    stem_of,
    stream_of,
)
from hocket.clustering import Plda, TwoSpeakers, read_plda
from hocket.confidence.count import count_confidence
from hocket.confidence.turns import (
    Evidence,
    SpeakerEvidence,
    evidence_of,
    uncertain_segments,
    with_confidence,
)
from hocket.config import Config, ResolvedConfig, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint, ConstraintSet, gather
from hocket.corrections.frames import AppliedConstraints, names_of
from hocket.embedding.channels import ChannelModel
from hocket.embedding.embedder import Embedder
from hocket.errors import ConfigError, GraphInputError, one_line
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.offline.artifacts import Artifacts
from hocket.offline.inference import Networks, infer
from hocket.offline.progress import Progress, ProgressCallback
from hocket.offline.speakers import ClusteringModels, FoundSpeakers, find_speakers, warn_of_forced
from hocket.offline.turns import activations_of, apply_constraints, voting_of
from hocket.reconstruct import exclusive_activations, frame_blocks
from hocket.result import EmbeddingModel, Result
from hocket.timeline import order_of_appearance, speaker_names, to_turns
from hocket.timing import Stopwatch, totals

_log = logging.getLogger(__name__)


class Diarizer:
    """Answers "who spoke when".

    Args:
        config: everything that may change a result.
        runtime: how the graphs are run; changes only how fast results come.
        preset: accurate, balanced or fast, in place of a config.

    Graphs are loaded when first needed. One Diarizer serves any number of recordings.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: there is no such preset, or both a preset and a config are given.
    """

    @known_names_only
    def __init__(
        self,
        config: Config | None = None,
        runtime: Runtime | None = None,
        *,
        preset: str | None = None,
    ) -> None:
        check_type("config", config, Config | None)
        check_type("runtime", runtime, Runtime | None)
        check_type("preset", preset, str | None)
        if config is not None and preset is not None:
            raise ConfigError("preset excludes config; give one of them")
        self.config = Config.preset(preset) if preset else config or Config()
        self.runtime = runtime or Runtime()
        # so that corrections of one recording are solved at once
        self._found = WeakKeyDictionary[Artifacts, tuple[SpeakerCount, FoundSpeakers]]()

    @known_names_only
    def __call__(
        self,
        source: AudioSource,
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        constraints: Sequence[Constraint] = (),
        sample_rate: int | None = None,
        name: str | None = None,
        progress: ProgressCallback | None = None,
        cancel: Event | None = None,
    ) -> Result:
        """Diarize a recording.

        Args:
            source: a path, encoded bytes, a binary file object, or an array of samples.
            num_speakers: exact number of speakers, if known. Default: it is estimated.
            min_speakers: fewest speakers to find. Default: 1.
            max_speakers: most speakers to find. Default: no limit.
            constraints: what is known of who speaks where (docs/corrections.md). Default: nothing.
            sample_rate: Hz, of an array of samples; files carry their own.
            name: what the result calls the recording. Default: the file's name.
            progress: called with a stage, what is done of it and how much there is in all.
            cancel: an event that ends the work when it is set, from any thread.

        Raises:
            ArgumentError: an argument is unknown or of the wrong type.
            AudioError: the recording cannot be used.
            ConfigError: the numbers of speakers contradict each other, or constraints do.
            ModelError: a model file is missing or altered.
            BackendError: the runtime is not installed or failed.
            Cancelled: `cancel` was set.
        """
        check_type("sample_rate", sample_rate, int | None)
        check_type("name", name, str | None)
        check_callable("progress", progress)
        check_type("cancel", cancel, Event | None)
        count = SpeakerCount.of(num_speakers, min_speakers, max_speakers)
        gather(constraints).check(count)  # before the slow half
        watch = Stopwatch()
        with watch.stage("load"):
            rate = self.load().geometry.sample_rate
        with open_audio(source, sample_rate=sample_rate, target_rate=rate, name=name) as stream:
            artifacts = self._infer(stream, watch, progress, cancel)
        return self.finish(artifacts, count, constraints)

    def load(self) -> Self:
        """Open the graphs now rather than when first needed; ModelError, BackendError if not."""
        if "segmentation_graph" not in vars(self):  # each takes a core: half the time side by side
            with ThreadPoolExecutor(1, thread_name_prefix="hocket") as pool:
                segmentation = pool.submit(lambda: self.segmentation_graph)
                _ = self.embedding_graph
                segmentation.result()
        _ = self.geometry, self.embedder, self.plda, self.channel_model
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
    def embedder(self) -> Embedder:
        """What calls the embedding graph."""
        return Embedder(self.embedding_graph, self.geometry, self.resolved.subsegments)

    @cached_property
    def geometry(self) -> Geometry:
        """Frame grid of the segmentation graph."""
        return Geometry.from_metadata(self.segmentation_graph.metadata)

    @cached_property
    def calibration(self) -> Mapping[str, float]:
        """Thresholds and weights of the embedding model; ConfigError if there is no such model."""
        catalogue = models.read_catalogue()
        catalogue.check_embedding(self.config.graphs.embedding)
        return catalogue.calibrations[self.config.graphs.embedding]

    @cached_property
    def resolved(self) -> ResolvedConfig:
        """The config with calibrated thresholds in it."""
        return self.config.resolved(self.calibration)

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
        path = self.config.clustering.plda
        return None if path is None else read_plda(Path(path))

    @known_names_only
    def infer(
        self,
        recording: Recording | Waveform,
        *,
        progress: ProgressCallback | None = None,
        cancel: Event | None = None,
    ) -> Artifacts:
        """Run the networks over a recording: the slow half, its result worth caching.

        Args:
            recording: what `read_audio` returned, or float32 mono samples at the graphs' rate.
            progress: as for `Diarizer.__call__`.
            cancel: as for `Diarizer.__call__`.

        Raises:
            GraphInputError: the samples are of another type or rate, or not finite.
            Cancelled: `cancel` was set.
        """
        watch = Stopwatch()
        with watch.stage("load"):
            recording = _checked(recording, self.load().geometry)
        return self._infer(stream_of(recording), watch, progress, cancel)

    def _infer(
        self,
        stream: AudioStream,
        watch: Stopwatch,
        progress: ProgressCallback | None,
        cancel: Event | None,
    ) -> Artifacts:
        advance = Progress(stream.samples, progress)
        found = infer(stream, self._networks, self.resolved, self.runtime, watch, advance, cancel)
        if not found.samples:
            _log.warning("%s: holds no samples", one_line(stream.name))
        return Artifacts(
            uri=stem_of(stream.name),
            samples=found.samples,
            geometry=self.geometry,
            segmentation=found.segmentation,
            regions=found.regions,
            subsegments=found.subsegments,
            embeddings=found.embeddings,
            seconds=watch.seconds,
            copied=watch.copied,
            bands=found.bands,
        )

    @property
    def _networks(self) -> Networks:
        precision = models.choice_of("segmentation", self.config.graphs).precision
        # int8 scales activations by all of a call, and windows must not change each other
        batch = 1 if precision == "int8" else self.config.windows.batch
        return Networks(self.segmentation_graph, self.geometry, batch, self.embedder)

    def finish(
        self,
        artifacts: Artifacts,
        count: SpeakerCount | None = None,
        constraints: Sequence[Constraint] = (),
        on_evidence: Callable[[Evidence], None] | None = None,
    ) -> Result:
        """Artifacts to turns: the fast half, pure, to be replayed with other settings at will.

        Speakers are found once for the same artifacts and count: leave their arrays as they are.

        Args:
            artifacts: what the networks made of a recording.
            count: how many speakers there may be.
            constraints: what is known of who speaks where, in any order; docs/corrections.md.
            on_evidence: called with what confidence rests on; `bench confidence` learns from it.

        Raises:
            ConfigError: constraints contradict each other or the count, or name a SPEAKER_nn who
                is not in the result without them.
        """
        geometry, watch, config = artifacts.geometry, Stopwatch(), self.resolved
        count, constraint_set = count or SpeakerCount(), gather(constraints)
        constraint_set.check(count)
        with watch.stage("clustering"):
            parts, centroids, held, known = self._divide(artifacts, count, constraint_set)
        with watch.stage("reconstruct"):
            windows = artifacts.segmentation
            voting = voting_of(windows, geometry, config, parts, len(centroids), held)
            activations = activations_of(voting, windows, geometry, config, held)
            order = order_of_appearance(activations)
            activations = activations[:, order]
            names = names_of(order, held.names, held.kept) if held else speaker_names(len(order))
            turns = to_turns(activations, names, geometry, artifacts.samples)
            blocks = frame_blocks(len(activations))
            single = [
                exclusive_activations(voting(each), activations[each], order) for each in blocks
            ]
            exclusive = to_turns(np.concatenate(single), names, geometry, artifacts.samples)
            owned = held.known_speakers(order) if held else None
            evidence = evidence_of(
                activations, known.of(order), windows.occupancy, artifacts.subsegments,
                geometry, owned,
            )  # fmt: skip
            rated = partial(with_confidence, names, evidence, self.calibration)
        if on_evidence:
            on_evidence(evidence)
        return Result(
            uri=artifacts.uri,
            turns=rated(turns),
            exclusive_turns=rated(exclusive),
            speakers=names,
            embeddings=centroids[order],
            duration=geometry.seconds_of(artifacts.samples),
            seconds=totals(artifacts.seconds, watch.seconds),
            copied=artifacts.copied,
            embedding_model=self.embedding_model,
            count_confidence=count_confidence(evidence, count, self.calibration),
            uncertain=uncertain_segments(names, evidence, self.calibration),
        )

    def _divide(
        self, artifacts: Artifacts, count: SpeakerCount, constraints: ConstraintSet
    ) -> tuple[Parts, Centroids, AppliedConstraints | None, SpeakerEvidence]:
        """Divide all regions among the speakers, with constraints in place."""
        network = ClusteringModels(TwoSpeakers.of(self.calibration), self.channel_model, self.plda)
        kept = self._found.get(artifacts)
        if kept and kept[0] == count:
            found = kept[1]
        else:
            found = find_speakers(artifacts, self.resolved.clustering, network, count)
            self._found[artifacts] = count, found
            warn_of_forced(found, count, artifacts.uri)
        centroids, odds, held = found.centroids, found.odds, None
        if not constraints.groups and not constraints.nobody:
            parts = found.parts(artifacts)
        else:
            parts, placed, held = apply_constraints(
                artifacts, self.resolved, constraints, found, network.two, count
            )
            centroids, odds = (placed.centroids, None) if placed else (centroids, odds)
        similarity = found.voices.vectors @ centroids.T
        return parts, centroids, held, SpeakerEvidence.gather(similarity, odds)


@known_names_only
def diarize(
    source: AudioSource,
    *,
    preset: str = "balanced",
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    constraints: Sequence[Constraint] = (),
    sample_rate: int | None = None,
    name: str | None = None,
    progress: ProgressCallback | None = None,
    cancel: Event | None = None,
) -> Result:
    """Diarize one recording. For several, one `Diarizer` loads the graphs once.

    Args:
        source: a path, encoded bytes, a binary file object, or an array of samples: floats in -1..1
            or integers, (samples,), (samples, channels) or (channels, samples).
        preset: accurate, balanced or fast. Default: balanced.
        num_speakers: exact number of speakers, if known. Default: it is estimated.
        min_speakers: fewest speakers to find. Default: 1.
        max_speakers: most speakers to find. Default: no limit.
        constraints: what is known of who speaks where (docs/corrections.md). Default: nothing.
        sample_rate: Hz, of an array of samples; files carry their own.
        name: what the result calls the recording. Default: the file's name.
        progress: called with a stage, what is done of it and how much there is in all.
        cancel: an event that ends the work when it is set, from any thread.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioError: the recording cannot be used.
        ConfigError: there is no such preset, or numbers of speakers or constraints contradict.
        Cancelled: `cancel` was set.

    >>> from hocket import diarize
    >>> for turn in diarize("meeting.flac").turns:
    ...     print(turn.start, turn.end, turn.speaker)
    """
    return Diarizer(preset=preset)(
        source,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        constraints=constraints,
        sample_rate=sample_rate,
        name=name,
        progress=progress,
        cancel=cancel,
    )


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
