"""What comes out: turns, and everything a result carries besides."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hocket.arrays import Centroids


@dataclass(frozen=True, order=True)
class Turn:
    """One stretch of speech by one speaker, in seconds from the start of the recording.

    confidence: probability, at a moment of the turn, that somebody speaks and that it is this
        speaker; None where nobody says. Turns that differ in nothing else are equal.
    """

    start: float
    end: float
    speaker: str
    confidence: float | None = field(default=None, compare=False)

    @property
    def duration(self) -> float:
        """Length of the turn."""
        return self.end - self.start


@dataclass(frozen=True, order=True)
class UncertainSegment:
    """A stretch of a turn of which it is not sure that its speaker speaks.

    confidence: probability, at a moment of the stretch, that its speaker speaks.
    alternatives: other speakers that it may be, the nearest first.
    """

    start: float
    end: float
    speaker: str
    confidence: float
    alternatives: tuple[str, ...] = ()

    @property
    def expected_error(self) -> float:
        """Seconds of the stretch that are wrong on average."""
        return (self.end - self.start) * (1 - self.confidence)


@dataclass(frozen=True)
class EmbeddingModel:
    """What made embeddings: only those of the same weights may be compared.

    name: as `hocket models list` and `GraphConfig.embedding` call it.
    sha256: of its trained weights in float32, whatever they are rounded to when run.
    dimension: numbers of an embedding.
    name_distance: a cluster at most this far from a speaker in the store is given the name.
    suggest_distance: at most this far, the name is suggested.
    verify_distance: a clip at most this far from a speaker is that speaker's.
    match: weights of the probability that a cluster is a speaker: bias, of the distance, of how
        much further the next speaker is.
    """

    name: str
    sha256: str
    dimension: int
    name_distance: float
    suggest_distance: float
    verify_distance: float
    match: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Result:
    """Who spoke when.

    uri: what the recording is called in outputs: its file name without folder, suffix or blanks.
    turns: in order of time; turns of different speakers may overlap.
    exclusive_turns: the same without overlap, one speaker at a time.
    speakers: names in order of first appearance.
    embeddings: (speakers, dimension) unit vectors, in the order of `speakers`; zero for the only
        speaker of a recording without a usable embedding.
    duration: length of the recording.
    seconds: busy time per stage, added up over workers: stages are at work at the same time.
    copied: bytes of samples moved from one array to another, per stage.
    embedding_model: what made `embeddings`; None if that is not known.
    count_confidence: probability of the number of speakers found, and of one fewer and one more, by
        number; what is missing to 1 is that of all other numbers. {0: 1.0} where nobody speaks;
        empty where nobody says.
    uncertain: stretches of the turns that are less sure than 0.9, in order of time.
    """

    uri: str
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]
    speakers: tuple[str, ...]
    embeddings: Centroids
    duration: float
    seconds: dict[str, float] = field(repr=False)
    copied: dict[str, int] = field(repr=False, default_factory=dict)
    embedding_model: EmbeddingModel | None = field(repr=False, default=None)
    count_confidence: Mapping[int, float] = field(repr=False, default_factory=dict)
    uncertain: tuple[UncertainSegment, ...] = field(repr=False, default=())

    def at_least(self, confidence: float) -> "Result":
        """The same without the turns of both kinds that are less sure, and their doubts.

        Speakers stay, and so does a turn without a confidence.
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
