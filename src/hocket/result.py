"""What comes out: turns, and everything else that a result holds."""

import json
import os
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from hocket.arrays import Centroids
from hocket.bridges import annotation_of, supervisions_of, table_of
from hocket.errors import ConfigError
from hocket.files import write_whole
from hocket.lanes import lanes
from hocket.notices import Notice
from hocket.turns import Turn, in_milliseconds, rttm_lines


@dataclass(frozen=True, order=True)
class UncertainSegment:
    """A part of a turn whose speaker is uncertain.

    confidence: probability, at a moment of the segment, that its speaker speaks.
    alternatives: other speakers that it may be, the most similar first.
    """

    start: float
    end: float
    speaker: str
    confidence: float
    alternatives: tuple[str, ...] = ()

    @property
    def expected_error(self) -> float:
        """Seconds of the segment that are wrong on average."""
        return (self.end - self.start) * (1 - self.confidence)


@dataclass(frozen=True)
class EmbeddingModel:
    """What made embeddings: only those of the same weights may be compared.

    name: as in `hocket models list` and `GraphConfig.embedding`.
    sha256: of its trained weights in float32, whatever they are rounded to at run time.
    dimension: numbers of an embedding.
    name_distance: a cluster at most this far from a speaker in the store gets the name.
    suggest_distance: at most this far, the name is suggested.
    verify_distance: a clip at most this far from a speaker is that speaker's.
    match: weights of the probability that a cluster is a speaker: bias, of the distance, and of the
        lead over the next speaker.
    """

    name: str
    sha256: str
    dimension: int
    name_distance: float
    suggest_distance: float
    verify_distance: float
    match: tuple[float, float, float]


@dataclass(frozen=True)
class Identity:
    """How a speaker of a result compares with the nearest known speaker.

    id: label of the speaker in the result.
    name: of the known speaker.
    certain: whether the speaker has that name.
    distance: of the voices, 0 to 2.
    margin: how much farther the next known speaker is; None if there is none.
    threshold: largest distance for a name.
    probability: that it is that person.
    """

    id: str
    name: str
    certain: bool
    distance: float
    margin: float | None
    threshold: float
    probability: float


@dataclass(frozen=True)
class Origin:
    """What made a result.

    version: of hocket.
    models: name, sha256 of the trained weights, precision and backend, by graph.
    settings: by stage, with calibrated values, and how many speakers there could be.
    """

    version: str
    models: Mapping[str, Mapping[str, str]]
    settings: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Who spoke when.

    Two results are equal if all their values are, `seconds`, `copied` and `origin` aside.

    uri: name of the recording in outputs: its file name without folder, suffix or blanks.
    turns: in order of time; turns of different speakers may overlap.
    exclusive_turns: the same without overlap, one speaker at a time.
    speakers: names in order of first appearance.
    embeddings: (speakers, dimension) unit vectors, in the order of `speakers`; zero for the only
        speaker of a recording without a usable embedding.
    duration: length of the recording in seconds; of a part of it, where the part ends.
    seconds: busy time per stage, added up over workers: stages work at the same time.
    copied: bytes of samples moved from one array to another, per stage.
    embedding_model: what made `embeddings`; None if unknown.
    count_confidence: probability of the number of speakers found, and of one fewer and one more, by
        number; the rest to 1 is that of all other numbers. {0: 1.0} if nobody speaks; empty if
        unknown.
    uncertain: segments of turns with a confidence below 0.9, in order of time.
    notices: what was lost, altered or guessed; empty if the recording was used as it is.
    identities: how speakers compare with known ones, if they were compared.
    origin: what made it; None if unknown.
    """

    uri: str
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    embeddings: Centroids
    duration: float
    seconds: dict[str, float]
    copied: dict[str, int] = field(default_factory=dict)
    embedding_model: EmbeddingModel | None = None
    count_confidence: Mapping[int, float] = field(default_factory=dict)
    uncertain: tuple[UncertainSegment, ...] = ()
    notices: tuple[Notice, ...] = ()
    identities: tuple[Identity, ...] = ()
    origin: Origin | None = None

    def __repr__(self) -> str:
        uri = self.uri if len(self.uri) <= 80 else f"{self.uri[:79]}…"
        counts = (_count(len(self.speakers), "speaker"), _count(len(self.turns), "turn"))
        return f"<Result {uri}: {', '.join(counts)}, {self.duration:.2f} s>"

    def _repr_html_(self) -> str:
        """A lane a speaker, as notebooks show it."""
        return lanes(self.turns, self.speakers, self.duration)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.uri, self.turns, self.duration))

    def _values(self) -> list[object]:
        names = {each.name for each in fields(self)} - {"seconds", "copied", "origin"}
        values = {name: getattr(self, name) for name in sorted(names)}
        every = (*self.turns, *self.exclusive_turns)
        confidence = [(turn.confidence, turn.channel, turn.id) for turn in every]
        embeddings = values.pop("embeddings")
        shape = embeddings.shape if len(embeddings) else None  # without rows there is no dimension
        return [*values.values(), shape, embeddings.tobytes(), confidence]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values: times in seconds and embeddings to the last digit."""
        model = asdict(self.embedding_model) if self.embedding_model else None
        return {
            "uri": self.uri,
            "duration": self.duration,
            "speakers": list(self.speakers),
            "turns": [asdict(turn) for turn in self.turns],
            "exclusive_turns": [asdict(turn) for turn in self.exclusive_turns],
            "uncertain": [
                {**asdict(each), "alternatives": list(each.alternatives)} for each in self.uncertain
            ],
            "count_confidence": {str(n): value for n, value in self.count_confidence.items()},
            "notices": [asdict(notice) for notice in self.notices],
            "identities": [asdict(identity) for identity in self.identities],
            "embeddings": self.embeddings.tolist(),
            "embedding_model": model,
            "seconds": self.seconds,
            "copied": self.copied,
            **_origin_as_json(self.origin),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """A result from what `to_dict`, or JSON that hocket wrote, holds; ConfigError otherwise."""
        try:
            speakers = tuple(map(str, content["speakers"]))
            model = content.get("embedding_model")
            dimension = int(model["dimension"]) if model else 0
            rows = content.get("embeddings") or np.zeros((len(speakers), dimension))
            return cls(
                uri=str(content["uri"]),
                turns=tuple(map(_turn, content["turns"])),
                exclusive_turns=tuple(map(_turn, content["exclusive_turns"])),
                speakers=speakers,
                embeddings=np.array(rows, np.float32),
                duration=float(content["duration"]),
                seconds=dict(content.get("seconds", {})),
                copied=dict(content.get("copied", {})),
                embedding_model=_model(model) if model else None,
                count_confidence={
                    int(number): float(value)
                    for number, value in content.get("count_confidence", {}).items()
                },
                uncertain=tuple(map(_uncertain, content.get("uncertain", ()))),
                notices=tuple(map(_notice, content.get("notices", ()))),
                identities=tuple(Identity(**row) for row in content.get("identities", ())),
                origin=_origin(content),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"not the result of one recording ({type(error).__name__}: {error}); give what "
                "Result.save or 'hocket diarize --format json' wrote"
            ) from error

    def to_json(self) -> str:
        """A JSON object on one line: times to the millisecond, without embeddings.

        Embeddings are voiceprints; `save` keeps them.
        """
        content: dict[str, object] = {
            "uri": self.uri,
            "duration": round(self.duration, 3),
            "speakers": self.speakers,
            "turns": _rounded_rows(self.turns, self.duration),
            "exclusive_turns": _rounded_rows(self.exclusive_turns, self.duration),
        }
        if self.uncertain:
            content["uncertain"] = [
                {
                    "start": round(each.start, 3),
                    "end": round(each.end, 3),
                    "speaker": each.speaker,
                    "confidence": round(each.confidence, 3),
                    "alternatives": each.alternatives,
                }
                for each in self.uncertain
            ]
        if self.count_confidence:
            content["count_confidence"] = {
                str(number): round(value, 3) for number, value in self.count_confidence.items()
            }
        if self.notices:
            content["notices"] = [_rounded_notice(notice) for notice in self.notices]
        if self.identities:
            content["identities"] = [_rounded(asdict(each)) for each in self.identities]
        content |= _origin_as_json(self.origin)
        return json.dumps(content, ensure_ascii=False)

    def to_rttm(self) -> str:
        """NIST Rich Transcription Time Marked: a SPEAKER line a turn, with confidence if known."""
        return rttm_lines(self.uri, self.turns, self.duration)

    def to_annotation(self, *, exclusive: bool = False) -> Any:
        """The turns as a `pyannote.core.Annotation`; ExtraError if that is not installed."""
        return annotation_of(self.uri, self.exclusive_turns if exclusive else self.turns)

    def to_pandas(self) -> Any:
        """The turns as a `pandas.DataFrame`, a row a turn; ExtraError if that is not installed."""
        return table_of(self.turns)

    def to_lhotse(self) -> Any:
        """The turns as a `lhotse.SupervisionSet`; ExtraError if that is not installed."""
        return supervisions_of(self.uri, self.turns, self.duration)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything, embeddings included, as JSON that `load` reads back as an equal result.

        Raises:
            OutputError: the file cannot be written.
        """
        write_whole(Path(path), json.dumps(self.to_dict(), ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save`, or `hocket diarize --format json`, wrote.

        Raises:
            ConfigError: the file cannot be read, or holds anything else.
        """
        try:
            content = json.loads(Path(path).read_text("utf-8-sig"))
            if not isinstance(content, dict):
                raise ConfigError("not the result of one recording (no object)")
            return cls.from_dict(content)
        except (OSError, ValueError, RecursionError) as error:
            remedy = "give what Result.save or 'hocket diarize FILE -o FILE.json' wrote"
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{os.fspath(path)}: cannot be read ({reason}); {remedy}") from error

    def at_least(self, confidence: float) -> "Result":
        """The same without turns of less confidence, of both kinds, and their uncertain segments.

        Speakers stay, and so does a turn of unknown confidence.
        """

        def sure(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
            return tuple(
                turn for turn in turns if turn.confidence is None or turn.confidence >= confidence
            )

        kept = sure(self.turns)
        ends = {speaker: [(0.0, 0.0)] for speaker in self.speakers}
        for turn in kept:  # in order of time
            ends.setdefault(turn.speaker, [(0.0, 0.0)]).append((turn.start, turn.end))

        def is_kept(segment: UncertainSegment) -> bool:
            turns = ends[segment.speaker]
            place = bisect_right(turns, (segment.start, float("inf"))) - 1
            return segment.start < turns[place][1]

        uncertain = tuple(filter(is_kept, self.uncertain))
        exclusive = sure(self.exclusive_turns)
        return replace(self, turns=kept, exclusive_turns=exclusive, uncertain=uncertain)


def moved(result: Result, seconds: float) -> Result:
    """The result of a part of a recording, with the times of the whole."""
    if not seconds:
        return result

    def later(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
        return tuple(replace(a, start=a.start + seconds, end=a.end + seconds) for a in turns)

    return replace(
        result,
        turns=later(result.turns),
        exclusive_turns=later(result.exclusive_turns),
        uncertain=tuple(
            replace(a, start=a.start + seconds, end=a.end + seconds) for a in result.uncertain
        ),
        duration=result.duration + seconds,
    )


def _rounded_rows(turns: Sequence[Turn], duration: float) -> list[dict[str, object]]:
    return [
        {"start": start / 1000, "end": end / 1000, "speaker": turn.speaker}
        | ({} if turn.id is None else {"id": turn.id})
        | ({} if turn.channel is None else {"channel": turn.channel})
        | ({} if turn.confidence is None else {"confidence": round(turn.confidence, 3)})
        for start, end, turn in in_milliseconds(turns, duration)
    ]


def _turn(row: Mapping[str, Any]) -> Turn:
    confidence = row.get("confidence")
    known = None if confidence is None else float(confidence)
    channel = None if row.get("channel") is None else int(row["channel"])
    label = None if row.get("id") is None else str(row["id"])
    return Turn(float(row["start"]), float(row["end"]), str(row["speaker"]), known, channel, label)


def _uncertain(row: Mapping[str, Any]) -> UncertainSegment:
    start, end, confidence = (float(row[name]) for name in ("start", "end", "confidence"))
    alternatives = tuple(map(str, row["alternatives"]))
    return UncertainSegment(start, end, str(row["speaker"]), confidence, alternatives)


def _notice(row: Mapping[str, Any]) -> Notice:
    start, end = (None if row.get(key) is None else float(row[key]) for key in ("start", "end"))
    return Notice(str(row["kind"]), str(row["text"]), start, end)


def _rounded_notice(notice: Notice) -> dict[str, object]:
    times = {"start": notice.start, "end": notice.end}
    known = {key: round(value, 3) for key, value in times.items() if value is not None}
    return {"kind": notice.kind, "text": notice.text, **known}


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {key: round(each, 3) if isinstance(each, float) else each for key, each in row.items()}


def _origin_as_json(origin: Origin | None) -> dict[str, object]:
    if origin is None:
        return {}
    return {"hocket": origin.version, "models": origin.models, "settings": origin.settings}


def _origin(content: Mapping[str, Any]) -> Origin | None:
    if "settings" not in content:
        return None
    return Origin(str(content["hocket"]), dict(content["models"]), dict(content["settings"]))


def _model(row: Mapping[str, Any]) -> EmbeddingModel:
    return EmbeddingModel(**{**row, "match": tuple(row["match"])})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
