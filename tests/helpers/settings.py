"""Settings with the thresholds of the default embedding model."""

from dataclasses import replace

from hocket.config import Config, ResolvedClustering, ResolvedConfig
from hocket.models import read_catalogue

CALIBRATION = read_catalogue().calibrations[Config().graphs.embedding]


def resolved(config: Config | None = None) -> ResolvedConfig:
    """A config in which nothing is left open."""
    return (config or Config()).resolved(CALIBRATION)


def clustering(**changed: float | str) -> ResolvedClustering:
    """Settings of clustering, some of them changed."""
    return replace(resolved().clustering, **changed)
