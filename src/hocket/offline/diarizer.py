"""The offline engine: a whole recording in, turns out."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from threading import Event, Lock
from typing import Self
from weakref import WeakKeyDictionary

from hocket import models
from hocket.arguments import check_callable, check_type, known_names_only
from hocket.arrays import Centroids, Parts, Waveform
from hocket.audio.excerpts import Regions
from hocket.audio.reading import (
    MIX,
    AudioSource,
    AudioStream,
    Recording,
    Source,
    name_of,
    select,
    stem_of,
    stream_of,
)
from hocket.clustering import Plda, TwoSpeakers, read_plda
from hocket.concurrency import keep_forever
from hocket.confidence.count import count_confidence
from hocket.confidence.turns import (
    Evidence,
    SpeakerEvidence,
    evidence_of,
    uncertain_segments,
    with_confidence,
)
from hocket.config import Config, ResolvedConfig, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint
from hocket.corrections.frames import AppliedConstraints
from hocket.corrections.gathering import ConstraintSet, gather
from hocket.embedding.channels import ChannelModel
from hocket.embedding.embedder import Embedder
from hocket.errors import ConfigError
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.notices import Notices
from hocket.offline.artifacts import Artifacts
from hocket.offline.inference import Networks, checked_recording, infer
from hocket.offline.joining import diarize_each
from hocket.offline.origin import models_of, origin_of
from hocket.offline.progress import Progress, ProgressCallback
from hocket.offline.speakers import (
    ONE_VOICE_A_CHANNEL,
    ClusteringModels,
    FoundSpeakers,
    find_speakers,
    note_forced,
    note_nobody,
)
from hocket.offline.turns import apply_constraints, reconstruct
from hocket.result import EmbeddingModel, Result, moved
from hocket.timing import Stopwatch, totals


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
        self._loading, self._process = Lock(), os.getpid()
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
        track: int | None = None,
        channels: int | str = MIX,
        join_voices: bool = False,
        start: float | None = None,
        end: float | None = None,
        regions: Regions | None = None,
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
            track: number of the audio track, from 1. Default: the one marked as default.
            channels: mix, each by itself (each), or the number of one, from 1. Default: mix.
            join_voices: with each, one name for a voice in several channels. Default: no.
            start: where to begin, in seconds. Default: 0.
            end: where to end, in seconds. Default: the end of the recording.
            regions: what to use, as (start, end) in seconds or as a UEM file. Default: all.
            sample_rate: Hz, of an array of samples; files carry their own.
            name: what the result calls the recording. Default: the file's name.
            progress: called with a stage, what is done of it and how much there is in all.
            cancel: an event that ends the work when it is set, from any thread.

        Raises:
            ArgumentError: an argument is unknown or of the wrong type.
            AudioError: the recording cannot be used.
            ConfigError: the numbers of speakers contradict each other, or constraints do.
            ModelError, BackendError: as for `load`.
            Cancelled: `cancel` was set.
        """
        _check(sample_rate, join_voices, progress, cancel)
        count = SpeakerCount.of(num_speakers, min_speakers, max_speakers)
        gather(constraints).check(count)  # before the slow half
        selection = select(source, name, track, channels, start, end, regions, bool(constraints))
        watch = Stopwatch()
        with watch.stage("load"):
            rate = self.load().geometry.sample_rate
        recording = Source(source, sample_rate, rate, name_of(source) if name is None else name)
        infer = partial(self._infer, progress=progress, cancel=cancel)
        if selection.each:
            finish = partial(self.finish, count=count, constraints=constraints)
            return diarize_each(recording, selection, infer, finish, watch, join_voices)
        with recording.opened(selection) as stream:
            artifacts = infer(stream, watch)
        return self.finish(artifacts, count, constraints)

    def load(self) -> Self:
        """Open the graphs now rather than when first needed; ModelError, BackendError if not."""
        if self._process != os.getpid():  # a fork has the graphs, but not the threads that run them
            keep_forever(dict(vars(self)))  # to be freed, they would wait for those threads
            self.__setstate__(self.__getstate__())
        with self._loading:
            self._open()
        return self

    def _open(self) -> None:
        if "segmentation_graph" not in vars(self):  # each takes a core: half the time side by side
            with ThreadPoolExecutor(1, thread_name_prefix="hocket") as pool:
                segmentation = pool.submit(lambda: self.segmentation_graph)
                _ = self.embedding_graph
                segmentation.result()
        _ = self.geometry, self.embedder, self.plda, self.channel_model

    def __getstate__(self) -> tuple[Config, Runtime]:
        """What a copy in this or another process needs; it opens graphs of its own."""
        return self.config, self.runtime

    def __setstate__(self, state: tuple[Config, Runtime]) -> None:
        vars(self).clear()
        Diarizer.__init__(self, *state)

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
    def _models(self) -> dict[str, dict[str, str]]:
        return models_of(self.resolved, self.embedding_model)

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
        recording: Recording | AudioStream | Waveform,
        *,
        progress: ProgressCallback | None = None,
        cancel: Event | None = None,
    ) -> Artifacts:
        """Run the networks over a recording: the slow half, its result worth caching.

        Args:
            recording: what `read_audio` returned, an open stream of `open_audio`, whose memory does
                not grow with it, or float32 mono samples; all at the graphs' rate.
            progress: as for `Diarizer.__call__`.
            cancel: as for `Diarizer.__call__`.

        Raises:
            GraphInputError: the samples are of another type or rate, or not finite.
            Cancelled: `cancel` was set.
        """
        watch = Stopwatch()
        with watch.stage("load"):
            geometry = self.load().geometry
            if not isinstance(recording, AudioStream):
                recording = stream_of(checked_recording(recording, geometry))
        return self._infer(recording, watch, progress, cancel)

    def _infer(
        self,
        stream: AudioStream,
        watch: Stopwatch,
        progress: ProgressCallback | None,
        cancel: Event | None,
        part: tuple[int, int] = (1, 1),
    ) -> Artifacts:
        advance = Progress(stream.samples, progress, part)
        found = infer(stream, self._networks, self.resolved, self.runtime, watch, advance, cancel)
        if not found.samples and not any(each.kind == "empty" for each in stream.notices):
            stream.notices.add("empty", "holds no samples")
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
            notices=tuple(stream.notices),
            audible_s=stream.audible_s(),
            start_s=stream.start_s,
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
        notices = every = Notices(artifacts.uri, artifacts.notices)
        if artifacts.channel is not None:
            notices = every.about(f"channel {artifacts.channel}")
        with watch.stage("clustering"):
            parts, centroids, held, known = self._divide(
                artifacts, count, constraint_set.moved(-artifacts.start_s), notices
            )
        with watch.stage("reconstruct"):
            spoken = reconstruct(artifacts, config, parts, len(centroids), held)
            order, names = spoken.order, spoken.names
            owned = held.known_speakers(order) if held else None
            evidence = evidence_of(
                spoken.activations, known.of(order), artifacts.segmentation.occupancy,
                artifacts.subsegments, geometry, owned,
            )  # fmt: skip
            rated = partial(with_confidence, names, evidence, self.calibration)
        if on_evidence:
            on_evidence(evidence)
        if not spoken.turns and not constraints:
            note_nobody(artifacts.audible_s, notices)
        found = Result(
            uri=artifacts.uri,
            turns=rated(spoken.turns),
            exclusive_turns=rated(spoken.exclusive_turns),
            speakers=names,
            embeddings=centroids[order],
            duration=geometry.seconds_of(artifacts.samples),
            seconds=totals(artifacts.seconds, watch.seconds),
            copied=artifacts.copied,
            embedding_model=self.embedding_model,
            count_confidence=count_confidence(evidence, count, self.calibration),
            uncertain=uncertain_segments(names, evidence, self.calibration),
            notices=tuple(every),
            origin=origin_of(config, self._models, count),
        )
        return moved(found, artifacts.start_s)

    def _divide(
        self,
        artifacts: Artifacts,
        count: SpeakerCount,
        constraints: ConstraintSet,
        notices: Notices,
    ) -> tuple[Parts, Centroids, AppliedConstraints | None, SpeakerEvidence]:
        """Divide all regions among the speakers, with constraints in place."""
        two = TwoSpeakers.of(self.calibration)
        if artifacts.channel is not None:
            two = two.less_likely(ONE_VOICE_A_CHANNEL)
        network = ClusteringModels(two, self.channel_model, self.plda)
        kept = self._found.get(artifacts)
        if kept and kept[0] == count:
            found = kept[1]
        else:
            found = find_speakers(artifacts, self.resolved.clustering, network, count)
            self._found[artifacts] = count, found
        note_forced(found, count, notices)
        centroids, odds, held = found.centroids, found.odds, None
        if not any((constraints.groups, constraints.nobody, constraints.absent)):
            parts = found.parts(artifacts)
        else:
            parts, placed, held = apply_constraints(
                artifacts, self.resolved, constraints, found, network.two, count, notices
            )
            centroids, odds = (placed.centroids, None) if placed else (centroids, odds)
        similarity = found.voices.vectors @ centroids.T
        return parts, centroids, held, SpeakerEvidence.gather(similarity, odds)


def _check(sample_rate: object, join_voices: object, progress: object, cancel: object) -> None:
    check_type("sample_rate", sample_rate, int | None)
    check_type("join_voices", join_voices, bool)
    check_callable("progress", progress)
    check_type("cancel", cancel, Event | None)
