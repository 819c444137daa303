"""Graphs and weights, shipped or placed by the user. Every file is verified before it is used."""

from hocket.models.catalogue import FOLDER, Artefact, Catalogue, ModelFile, Weights, read_catalogue
from hocket.models.loading import (
    add,
    channel_model,
    choice_of,
    embedding_model,
    find_weights,
    load,
    open_verified,
    weights_content,
)

__all__ = [
    "FOLDER",
    "Artefact",
    "Catalogue",
    "ModelFile",
    "Weights",
    "add",
    "channel_model",
    "choice_of",
    "embedding_model",
    "find_weights",
    "load",
    "open_verified",
    "read_catalogue",
    "weights_content",
]
