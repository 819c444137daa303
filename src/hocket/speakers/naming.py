"""Results and known speakers: the clusters of a result, and a result with names."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError
from hocket.renaming import renamed
from hocket.result import EmbeddingModel, Result
from hocket.speakers.values import Match


class Cluster(NamedTuple):
    """A speaker of a result, not yet identified."""

    name: str
    embedding: NDArray[np.float32]
    seconds: float
    start: float
    end: float


def clusters_of(result: Result) -> list[Cluster]:
    """The clusters of a result in order of appearance, with their exclusive speech."""
    clusters = []
    for name, embedding in zip(result.speakers, result.embeddings, strict=True):
        turns = [turn for turn in result.turns if turn.speaker == name]
        seconds = sum(t.duration for t in result.exclusive_turns if t.speaker == name)
        start = min((turn.start for turn in turns), default=0.0)
        end = max((turn.end for turn in turns), default=0.0)
        clusters.append(Cluster(name, embedding, seconds, start, end))
    return clusters


def model_of(result: Result) -> EmbeddingModel:
    """The model of a result's embeddings; SpeakerError if the result has none."""
    if result.embedding_model is None:
        raise SpeakerError(
            f"{result.uri}: the result does not name the model of its embeddings; "
            "use a result of Diarizer, or set embedding_model"
        )
    return result.embedding_model


def name_speakers(result: Result, matches: Sequence[Match]) -> Result:
    """The result with the names of known speakers for all clusters that match with certainty."""
    names = {
        match.cluster: match.speaker.name for match in matches if match.speaker and match.certain
    }
    return renamed(result, names)
