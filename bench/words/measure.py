"""Words of hocket and of the recognizer alone, compared with those of clean clips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.accuracy.scoring import best_mapping
from bench.people.voices import RATE, Sound
from bench.report import Progress
from bench.summed import Summed
from bench.words.alignment import aligned, word_errors
from bench.words.recordings import SpokenRecording
from bench.words.references import reference_words
from bench.words.speakers import Attribution, attribution, largest_overlap, percent
from bench.words.systems import BATCH, Transcribed, timed
from hocket.transcript import Word

PROTOCOL = (
    "reference words: the recognizer's in each clean clip alone; found: equal words within 1.5 s; "
    "near a change: within 0.5 s"
)
NOTE = (
    "WER counts against words in order of start time; words of people who speak at once have no "
    "one order, so it is high for every system"
)
HOCKET, WHOLE, BATCHED = "hocket", "recognizer alone", f"recognizer alone, {BATCH} at once"
OVERLAP = "largest overlap"
WARM_S = 20.0  # of the first recording, for each system, before anything is timed


class Transcribes(Protocol):
    """hocket, or what stands in for it."""

    def __call__(self, sound: Sound, uri: str) -> Transcribed:
        """Transcribe a recording."""
        ...


class Recognizes(Protocol):
    """A recognizer alone, or what stands in for it."""

    def clip(self, sound: Sound) -> list[Word]:
        """Words of a clean clip."""
        ...

    def whole(self, sound: Sound) -> list[Word]:
        """Words of a recording."""
        ...

    def batched(self, sound: Sound) -> list[Word]:
        """The same in batches."""
        ...


@dataclass(frozen=True)
class Recognition(Summed):
    """Words of a system.

    reference: words of the reference.
    words: words of the system.
    found: those in both.
    errors: substitutions, deletions and insertions.
    seconds: that the system took.
    """

    reference: int = 0
    words: int = 0
    found: int = 0
    errors: int = 0
    seconds: float = 0.0

    def as_row(self) -> dict[str, float | None]:
        """Numbers of words, rates in percent of the reference, and seconds."""
        return {
            "words": self.words,
            "found": self.found,
            "found_percent": percent(self.found, self.reference),
            "wer_percent": percent(self.errors, self.reference),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Cost(Summed):
    """Seconds of hocket: sound and work.

    audio_s, speech_s, recognized_s: of the recording, of all turns found without their overlap,
        and of the sound that the recognizer was given.
    diarization_s, recognition_s, rest_s: work, as in `Transcribed`.
    """

    audio_s: float = 0.0
    speech_s: float = 0.0
    recognized_s: float = 0.0
    diarization_s: float = 0.0
    recognition_s: float = 0.0
    rest_s: float = 0.0

    @property
    def all_s(self) -> float:
        """All work."""
        return self.diarization_s + self.recognition_s + self.rest_s

    def as_row(self) -> dict[str, float | None]:
        """Seconds, what is not recognition in percent of them, and sound over speech."""
        stages = ("speech", "recognized", "diarization", "recognition", "rest", "all")
        over = self.recognized_s / self.speech_s if self.speech_s else None
        return {
            **{f"{stage}_s": round(getattr(self, f"{stage}_s"), 3) for stage in stages},
            "hocket_share_percent": percent(self.diarization_s + self.rest_s, self.all_s),
            "recognized_over_speech": None if over is None else round(over, 3),
        }


@dataclass(frozen=True)
class Figures(Summed):
    """What is measured in one recording or several.

    hocket, whole, batched: words of each system.
    attribution, by_overlap: speakers of hocket's words, by hocket and by the largest overlap.
    cost: of hocket.
    """

    hocket: Recognition = field(default_factory=Recognition)
    whole: Recognition = field(default_factory=Recognition)
    batched: Recognition = field(default_factory=Recognition)
    attribution: Attribution = field(default_factory=Attribution)
    by_overlap: Attribution = field(default_factory=Attribution)
    cost: Cost = field(default_factory=Cost)

    def as_row(self) -> dict[str, Any]:
        """For the results file."""
        systems = {HOCKET: self.hocket, WHOLE: self.whole, BATCHED: self.batched}
        speakers = {HOCKET: self.attribution, OVERLAP: self.by_overlap}
        return {
            "minutes": round(self.cost.audio_s / 60, 3),
            "words": self.hocket.reference,
            "words_found": self.hocket.found,
            "words_near_change": self.attribution.near,
            "speakers": {name: each.as_row() for name, each in speakers.items()},
            "systems": {name: each.as_row() for name, each in systems.items()},
            "cost": self.cost.as_row(),
        }


def measure_words(
    recordings: Iterable[SpokenRecording],
    hocket: Transcribes,
    recognizer: Recognizes,
    progress: Progress,
) -> dict[str, Any]:
    """Transcribe every recording with each system, one after the other."""
    figures: dict[str, dict[str, Figures]] = {}
    for number, recording in enumerate(recordings):
        progress(f"{recording.uri}: {recording.duration_s:.0f} s")
        if number == 0:
            _warm_up(recording.sound[: round(WARM_S * RATE)], hocket, recognizer)
        figures.setdefault(recording.kind, {})[recording.uri] = figures_of(
            recording, hocket, recognizer
        )
    return {
        "protocol": PROTOCOL,
        "note": NOTE,
        "files": {uri: each.as_row() for group in figures.values() for uri, each in group.items()},
        "kinds": {kind: _total(group.values()).as_row() for kind, group in figures.items()},
        "all": _total(each for group in figures.values() for each in group.values()).as_row(),
        "recordings": sum(map(len, figures.values())),
    }


def figures_of(recording: SpokenRecording, hocket: Transcribes, recognizer: Recognizes) -> Figures:
    """The figures of one recording."""
    reference = reference_words(recording, recognizer.clip)
    found = hocket(recording.sound, recording.uri)
    whole, whole_s = timed(lambda: recognizer.whole(recording.sound))
    batched, batched_s = timed(lambda: recognizer.batched(recording.sound))
    pairs = aligned(reference, found.words)
    mapping = best_mapping(recording.turns, found.turns)
    given, by_overlap = (
        attribution(reference, recording.turns, speakers, pairs, mapping)
        for speakers in (
            [word.speaker for word in found.words],
            largest_overlap(found.words, found.exclusive),
        )
    )
    cost = Cost(
        audio_s=recording.duration_s,
        speech_s=union_s([(turn.start, turn.end) for turn in found.turns]),
        recognized_s=found.recognized_s,
        diarization_s=found.diarization_s,
        recognition_s=found.recognition_s,
        rest_s=found.rest_s,
    )
    return Figures(
        hocket=_recognition(reference, found.words, cost.all_s),
        whole=_recognition(reference, whole, whole_s),
        batched=_recognition(reference, batched, batched_s),
        attribution=given,
        by_overlap=by_overlap,
        cost=cost,
    )


def union_s(spans: Sequence[tuple[float, float]]) -> float:
    """Length of several stretches together; what they share counts once."""
    length, reached = 0.0, 0.0
    for start, end in sorted(spans):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


def _recognition(reference: Sequence[Word], words: Sequence[Word], seconds: float) -> Recognition:
    return Recognition(
        reference=len(reference),
        words=len(words),
        found=len(aligned(reference, words)),
        errors=word_errors(reference, words),
        seconds=seconds,
    )


def _warm_up(sound: Sound, hocket: Transcribes, recognizer: Recognizes) -> None:
    hocket(sound, "warm-up")
    recognizer.whole(sound)
    recognizer.batched(sound)


def _total(figures: Iterable[Figures]) -> Figures:
    return sum(figures, Figures())
