"""What a call returns: the output of pyannote.audio 4, and that of pyannote.audio 3."""

from dataclasses import dataclass, fields
from typing import Any

from hocket.arrays import Centroids
from hocket.bridges import annotation_of, extra
from hocket.geometry import Geometry
from hocket.result import Result


@dataclass(frozen=True, eq=False)
class DiarizeOutput:
    """Who spoke when, with the attributes that pyannote.audio 4 gives it.

    speaker_diarization: a `pyannote.core.Annotation`; turns of different speakers may overlap.
    exclusive_speaker_diarization: the same without overlap.
    speaker_embeddings: (speakers, dimension), in the order of `speaker_diarization.labels()`.
    """

    speaker_diarization: Any
    exclusive_speaker_diarization: Any
    speaker_embeddings: Centroids

    def serialize(self) -> dict[str, list[dict[str, Any]]]:
        """Plain values: `diarization` and `exclusive_diarization`, a row a turn.

        A row has `start` and `end`, in seconds to the millisecond, and `speaker`.
        """
        return {
            "diarization": _rows(self.speaker_diarization),
            "exclusive_diarization": _rows(self.exclusive_speaker_diarization),
        }


def _rows(annotation: Any) -> list[dict[str, Any]]:
    return [
        {"start": round(turn.start, 3), "end": round(turn.end, 3), "speaker": speaker}
        for turn, _, speaker in annotation.itertracks(yield_label=True)
    ]


def output_of(result: Result, uri: str) -> DiarizeOutput:
    """A result as pyannote.audio 4 returns it; ExtraError if pyannote.core is not installed."""
    diarization = annotation_of(uri, result.turns)
    rows = [result.speakers.index(speaker) for speaker in diarization.labels()]
    exclusive = annotation_of(uri, result.exclusive_turns)
    return DiarizeOutput(diarization, exclusive, result.embeddings[rows])


def annotation_with(output: DiarizeOutput) -> Any:
    """The annotation that pyannote.audio 3 returns, with the attributes of an output.

    Code for pyannote.audio 4 may name a pipeline of version 3 and still use the attributes.
    """
    annotation = output.speaker_diarization.copy()
    for name in (*(each.name for each in fields(output)), "serialize"):
        setattr(annotation, name, getattr(output, name))
    return annotation


def discrete(annotation: Any, duration: float, geometry: Geometry) -> Any:
    """The turns as a `pyannote.core.SlidingWindowFeature` of 0 and 1, (frames, speakers).

    Args:
        annotation: the turns.
        duration: of the recording, in seconds.
        geometry: frame grid.
    """
    core = extra("pyannote.core", "pyannote")
    frames = core.SlidingWindow(
        duration=geometry.seconds_of(geometry.receptive_field),
        step=geometry.seconds_of(geometry.frame_step),
    )
    return annotation.discretize(core.Segment(0, duration), frames, annotation.labels())
