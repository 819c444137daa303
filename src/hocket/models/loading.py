"""Loading of graphs, and placing of weights that the user provides."""

import logging
import os
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from hocket.backends import (
    REFERENCES,
    Choice,
    ReferenceGraph,
    choose,
    installed_backends,
    open_onnx,
    open_openvino,
    this_processor,
)
from hocket.backends.coreml import open_package, require_system
from hocket.config import GraphConfig, Runtime
from hocket.embedding.channels import ChannelModel
from hocket.errors import ConfigError, ModelError
from hocket.graph import Graph
from hocket.models import user_weights
from hocket.models.catalogue import Artefact, ModelFile, Weights, read_catalogue
from hocket.models.coreml_packages import package_path
from hocket.result import EmbeddingModel

_log = logging.getLogger(__name__)

# graphs in use: what opens one again gets the same, so that a second stream costs no second network
_in_use: WeakValueDictionary[tuple[object, ...], Graph] = WeakValueDictionary()


def load(graph: str, config: GraphConfig, runtime: Runtime) -> Graph:
    """Open a graph, or return one that is in use in this process and would be the same.

    If the file of a small graph is missing, NumPy computes the graph, with a warning.

    Args:
        graph: its name in `hocket.graph.SPECS`.
        config: the embedding model, precision and backend.
        runtime: how many calls may run at once.

    Raises:
        ConfigError: an unknown embedding model, precision or backend.
        ModelError: a file is missing, altered, or not that graph.
        BackendError: the runtime is not installed, or does not support this system.
    """
    choice = choice_of(graph, config)
    file_precision = "float32" if choice.precision == "bfloat16" else choice.precision
    artefact = read_catalogue().artefact(graph, config.embedding, file_precision)
    if choice.backend == "coreml":
        require_system()  # first: on other systems, building a package would not help
        return open_package(graph, package_path(artefact))
    if graph in REFERENCES and not artefact.file.path.exists():
        _log.warning("%s: no such file; NumPy computes '%s' instead", artefact.file.path, graph)
        return ReferenceGraph(graph)
    key = _identity(artefact, choice, runtime)
    opened = _in_use.get(key)
    if opened is None:
        _in_use[key] = opened = open_verified(artefact, choice, runtime)
    return opened


def _identity(artefact: Artefact, choice: Choice, runtime: Runtime) -> tuple[object, ...]:
    """Equal for graphs that are the same: a file that has changed, or a fork, makes another."""
    catalogue = read_catalogue()
    weights = [find_weights(catalogue.weights[name]) for name in artefact.weights]
    files = [file for file in (artefact.file, *weights) if file and file.path.exists()]
    states = [(file, file.path.stat().st_mtime_ns, file.path.stat().st_size) for file in files]
    return os.getpid(), artefact.graph, choice, runtime, *states


def choice_of(graph: str, config: GraphConfig) -> Choice:
    """The backend and precision that `load` uses; raises the same ConfigError and BackendError."""
    catalogue = read_catalogue()
    catalogue.check_embedding(config.embedding)
    published = catalogue.precisions(graph, config.embedding)
    return choose(graph, config, published, this_processor(), installed_backends(config.backend))


def embedding_model(name: str) -> EmbeddingModel:
    """The identity and thresholds of an embedding model, the same in every precision.

    The identity is the hash of the trained weights: embeddings of graphs that share them can be
    compared. Weights that are not placed yet have no hash.

    Raises:
        ConfigError: there is no such embedding model.
    """
    catalogue = read_catalogue()
    artefact = catalogue.artefact("embedding", name, "float32")
    (weights,) = (catalogue.weights[weights] for weights in artefact.weights)
    file = find_weights(weights)
    calibration = catalogue.calibrations[name]
    return EmbeddingModel(
        name=name,
        sha256=file.sha256 if file else "",
        dimension=artefact.geometry["dimension"],
        name_distance=calibration["name_distance"],
        suggest_distance=calibration["suggest_distance"],
        verify_distance=calibration["verify_distance"],
        match=(
            calibration["match_bias"],
            calibration["match_distance"],
            calibration["match_margin"],
        ),
    )


def channel_model(name: str) -> ChannelModel | None:
    """What channels add to the embeddings of a model; None if that was not measured.

    Raises:
        ConfigError: there is no such embedding model.
        ModelError: the file is missing or altered.
    """
    catalogue = read_catalogue()
    catalogue.check_embedding(name)
    file = catalogue.channels.get(name)
    if file is None:
        return None
    try:
        return ChannelModel.from_bytes(file.read())
    except ValueError as error:
        raise ModelError(f"{file.path}: no model of channels ({error}); {file.remedy}") from error


def open_verified(artefact: Artefact, choice: Choice, runtime: Runtime) -> Graph:
    """Open a graph from its verified file; errors as in `load`."""
    content, weights = artefact.file.read(), weights_content(artefact)
    if choice.backend == "openvino":
        return open_openvino(
            artefact.graph, content, weights, choice.precision, runtime, this_processor()
        )
    return open_onnx(artefact.graph, content, weights, choice.backend)


def weights_content(artefact: Artefact) -> dict[str, bytes]:
    """The verified weights that a graph needs, by file name.

    Raises:
        ModelError: a file is missing or altered, or weights are not placed yet.
    """
    catalogue, content = read_catalogue(), {}
    for weights in (catalogue.weights[name] for name in artefact.weights):
        file = find_weights(weights)
        if file is None:
            raise ModelError(
                f"{weights.name}: the weights of {weights.model} are yours to place; "
                f"run 'hocket models add FILE --as {weights.name}'"
            )
        content[weights.file_name] = file.read()
    return content


def find_weights(weights: Weights) -> ModelFile | None:
    """The file of weights; None if the user has to place them and has not done so."""
    return weights.file or user_weights.placed_file(weights)


def add(checkpoint: Path, name: str) -> ModelFile:
    """Place the weights of a published checkpoint, after testing its graph with them.

    Returns:
        The file of weights that graphs now use.

    Raises:
        ConfigError: no weights of that name are the user's to place.
        ModelError: the file is not that checkpoint, or its embeddings are unusable.
        OutputError: the user's folder cannot be written.
    """
    catalogue = read_catalogue()
    placeable = [weights.name for weights in catalogue.weights.values() if weights.layout]
    if name not in placeable:
        raise ConfigError(f"'{name}' takes no checkpoint; give one of {', '.join(placeable)}")
    weights = catalogue.weights[name]
    content = user_weights.lay_out(checkpoint, weights)
    artefact = catalogue.artefact("embedding", name, "float32")
    in_memory = {weights.file_name: content}
    _check_embeddings(open_onnx("embedding", artefact.file.read(), in_memory), checkpoint)
    return user_weights.write(content, weights)


def _check_embeddings(graph: Graph, checkpoint: Path) -> None:
    """Embed three sounds; ModelError unless their directions differ and ignore the batch."""
    from scipy.spatial.distance import pdist  # imported here: only this step needs it

    rate = int(graph.metadata["sample_rate"])
    noise = np.random.default_rng(0).standard_normal(rate)
    buzz = np.sign(np.sin(2 * np.pi * 120 * np.arange(rate) / rate))
    sounds = (np.stack([noise, buzz, np.cumsum(noise) / 50])[:, None] / 10).astype(np.float32)
    everything: NDArray[np.float32] = np.ones((3, 1, 1), np.float32)
    together = graph.run({"waveform": sounds, "masks": everything})["embeddings"][:, 0]
    alone = graph.run({"waveform": sounds[:1], "masks": everything[:1]})["embeddings"][0, 0]
    lengths = np.linalg.norm(together, axis=1)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        problem = "its embeddings are zero, NaN or infinite"
    elif np.abs(together[0] - alone).max() > 1e-3 * lengths[0]:
        problem = "a sound's embedding depends on its batch"
    elif min(pdist(together, "cosine")) < 1e-9:
        problem = "different sounds get one embedding"
    else:
        return
    raise ModelError(f"{checkpoint}: {problem}; get the file again")
