"""Loading of what a stream needs: networks, and the speakers of a store."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import NamedTuple

import numpy as np

from hocket import models
from hocket.embedding.candidates import CandidateGrid
from hocket.embedding.embedder import Embedder
from hocket.errors import ConfigError, SpeakerError, StoreError
from hocket.geometry import SegmentationInfo
from hocket.graph import Graph
from hocket.offline.diarizer import Diarizer
from hocket.offline.speakers import ONE_VOICE_A_CHANNEL
from hocket.online.state import KnownSpeaker, State, exemplars_by_name, known_of
from hocket.online.tracker import Rules
from hocket.online.window import WindowNetworks
from hocket.result import EmbeddingModel
from hocket.speakers import Exemplar, Speaker, SpeakerStore
from hocket.speakers.matching import directions


class StreamNetworks(NamedTuple):
    """The graphs of a stream, and what calls them.

    sinc: `sinc_peaks`, whose output the segmentation takes beside the waveform.
    segmentation: metadata of the segmentation graph.
    window: processes a window.
    graph: `post_embedding`.
    """

    sinc: Graph
    segmentation: SegmentationInfo
    window: WindowNetworks
    graph: Graph


def load_networks(diarizer: Diarizer) -> StreamNetworks:
    """Open the graphs of a stream.

    Args:
        diarizer: its settings apply. Its segmentation is another graph and is not opened.

    Raises:
        ModelError, BackendError: as for `Diarizer.load`.
    """
    with ThreadPoolExecutor(2, thread_name_prefix="hocket") as pool:
        loading = pool.submit(_segmentation, diarizer)
        pool.submit(import_module, "scipy.optimize")  # 0.3 s; else the first window waits
        _ = diarizer.embedding_graph, diarizer.plda, diarizer.channel_model
        graph, sinc = loading.result()
    info = SegmentationInfo.from_metadata(graph.metadata)
    window = _window_networks(diarizer, graph, info)
    after = models.load("post_embedding", diarizer.config.graphs, diarizer.runtime)
    return StreamNetworks(sinc, info, window, after)


def _segmentation(diarizer: Diarizer) -> tuple[Graph, Graph]:
    graphs, runtime = diarizer.config.graphs, diarizer.runtime
    graph = models.load("segmentation_from_peaks", graphs, runtime)
    return graph, models.load("sinc_peaks", graphs, runtime)


def _window_networks(diarizer: Diarizer, graph: Graph, info: SegmentationInfo) -> WindowNetworks:
    config, geometry = diarizer.resolved, info.geometry
    back, step = (geometry.frames_of(each) for each in (config.stream.back_s, config.stream.step_s))
    # the first window is all new
    before = max(back, (info.least_samples - 1) // geometry.frame_step)
    newest = (before + max(1, step)) * geometry.frame_step
    embedder = Embedder(diarizer.embedding_graph, geometry, config.subsegments)
    return WindowNetworks(
        segmentation=graph,
        embedder=embedder,
        geometry=geometry,
        subsegments=config.subsegments,
        back=back,
        grid=CandidateGrid.of(embedder.info, geometry, config.subsegments, newest),
        channels=diarizer.channel_model,
    )


def known_in(store: SpeakerStore, model: EmbeddingModel) -> tuple[KnownSpeaker, ...]:
    """The speakers of a store that have exemplars; StoreError if they are for another model."""
    store.check_model(model)
    found = {speaker.name: store.exemplars(speaker.id) for speaker in store.speakers()}
    return tuple(
        KnownSpeaker(name, np.stack([exemplar.embedding for exemplar in exemplars]))
        for name, exemplars in found.items()
        if exemplars
    )


def rules_of(diarizer: Diarizer, networks: StreamNetworks, *, one_voice: bool) -> Rules:
    """The rules of the tracker; with `one_voice`, several voices in a signal are less likely."""
    geometry, graph = networks.segmentation.geometry, networks.graph
    rules = Rules.of(diarizer.resolved, diarizer.calibration, geometry, graph)
    if one_voice and rules.two is not None:
        rules = replace(rules, two=rules.two.less_likely(ONE_VOICE_A_CHANNEL))
    return rules


def begun(
    networks: StreamNetworks,
    known: tuple[KnownSpeaker, ...],
    start: float,
    state: State | None,
    *,
    each: bool,
) -> State:
    """The state in which a stream begins.

    Args:
        networks: of the stream.
        known: known speakers.
        start: time of the first sample, in seconds.
        state: of a stream that is continued, with known speakers of its own; None: of none.
        each: whether channels are diarized each by itself.

    Raises:
        ConfigError: they contradict each other.
    """
    if not (isinstance(start, int | float) and 0 <= start < np.inf):
        raise ConfigError(f"start is {start!r}; give seconds, 0 or more")
    dimension, geometry = networks.window.embedder.info.dimension, networks.segmentation.geometry
    if state is None:
        samples = round(start * geometry.sample_rate)
        return State.start(dimension, known, samples, geometry.frame_step)
    if start or each:
        raise ConfigError("state excludes start and channels=each; it goes on where it ended")
    if state.sums.shape[1] != dimension:
        found = state.sums.shape[1]
        raise ConfigError(
            f"the state has embeddings of {found} numbers; the model's have {dimension}"
        )
    there = set(state.known.names)
    new = {name: directions(rows)[1] for name, rows in known if name not in there}
    return replace(state, known=known_of(exemplars_by_name(state.known) | new, dimension))


def mark_named(store: SpeakerStore, names: Sequence[str]) -> None:
    """Mark speakers of a store as seen; a store that cannot be written is left as it is."""
    with suppress(StoreError, SpeakerError):  # the names are right all the same
        ids = {speaker.name: speaker.id for speaker in store.speakers()}
        store.mark_seen([ids[name] for name in names if name in ids])


def put(
    store: SpeakerStore, name: str, exemplars: Sequence[Exemplar], model: EmbeddingModel
) -> Speaker:
    """Add exemplars to a speaker of a store, who is new if there is none of that name."""
    there = {speaker.name for speaker in store.speakers()}
    return (store.add if name in there else store.enroll)(name, exemplars, model)
