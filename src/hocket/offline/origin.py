"""What made a result: models and settings, for those who read it later."""

from collections.abc import Mapping
from dataclasses import asdict

from hocket.config import ResolvedConfig, SpeakerCount
from hocket.models import choice_of, read_catalogue
from hocket.result import EmbeddingModel, Origin
from hocket.version import __version__


def models_of(config: ResolvedConfig, embedding: EmbeddingModel) -> dict[str, dict[str, str]]:
    """Names and hashes of the weights, and what they are computed in.

    Args:
        config: which graphs run.
        embedding: the embedding model.
    """
    weights = read_catalogue().weights["segmentation"]
    sha256 = weights.file.sha256 if weights.file else ""
    segmentation = {"name": weights.model, "sha256": sha256}
    found = {
        "segmentation": segmentation,
        "embedding": {"name": embedding.name, "sha256": embedding.sha256},
    }
    choices = {name: choice_of(name, config.graphs) for name in found}
    return {
        name: {**about, "backend": choices[name].backend, "precision": choices[name].precision}
        for name, about in found.items()
    }


def origin_of(
    config: ResolvedConfig, models: Mapping[str, Mapping[str, str]], count: SpeakerCount
) -> Origin:
    """What made a result.

    Args:
        config: all settings.
        models: from `models_of`.
        count: how many speakers there could be.
    """
    settings = {**asdict(config), "speakers": asdict(count)}
    for unused in ("stream", "graphs"):
        del settings[unused]
    return Origin(__version__, models, settings)
