"""Loading of what a stream needs: networks, and the speakers of a store."""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import NamedTuple

import numpy as np

from hocket import models
from hocket.embedding.candidates import CandidateGrid
from hocket.embedding.embedder import Embedder
from hocket.geometry import SegmentationInfo
from hocket.graph import Graph
from hocket.offline.diarizer import Diarizer
from hocket.online.sinc_cache import SincCache
from hocket.online.state import KnownSpeaker
from hocket.online.window import WindowNetworks
from hocket.result import EmbeddingModel
from hocket.speakers import SpeakerStore


class StreamNetworks(NamedTuple):
    """The graphs of a stream, and what calls them.

    sinc_cache: computes the sinc features that the segmentation takes beside the waveform.
    segmentation: metadata of the segmentation graph.
    window: processes a window.
    graph: `post_embedding`.
    """

    sinc_cache: SincCache
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
        graph, sinc_cache = loading.result()
    info = SegmentationInfo.from_metadata(graph.metadata)
    window = _window_networks(diarizer, graph, info)
    after = models.load("post_embedding", diarizer.config.graphs, diarizer.runtime)
    return StreamNetworks(sinc_cache, info, window, after)


def _segmentation(diarizer: Diarizer) -> tuple[Graph, SincCache]:
    graphs, runtime = diarizer.config.graphs, diarizer.runtime
    graph = models.load("segmentation_from_peaks", graphs, runtime)
    return graph, SincCache(models.load("sinc_peaks", graphs, runtime))


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
