"""Hypotheses for the recordings of a corpus, from hocket or from files, and their scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bench.accuracy.scoring import PROTOCOL, Score, count_speakers, score, summarize_named
from bench.annotations import Turn, read_rttm
from bench.corpus import Recording
from bench.errors import BenchError
from bench.presets import configuration
from bench.report import Progress


@dataclass(frozen=True)
class Hypothesis:
    """Turns of one recording, and the seconds of each stage."""

    turns: list[Turn]
    seconds: dict[str, float] = field(default_factory=dict)


class System(Protocol):
    """A diarization system."""

    def describe(self) -> dict[str, object]:
        """Name and settings, for the results file."""
        ...

    def __call__(self, recording: Recording) -> Hypothesis:
        """Diarize one recording; BenchError if that fails."""
        ...


@dataclass(frozen=True)
class StoredHypotheses:
    """RTTM files of any system: `<uri>.rttm` or `<stem>.rttm` inside `folder`."""

    folder: Path

    def describe(self) -> dict[str, object]:
        """The name of the folder, without its path."""
        return {"name": "stored", "folder": self.folder.resolve().name}

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns from the file. A missing file is an error: dropping it would improve the score."""
        names = (f"{recording.uri}.rttm", f"{recording.name}.rttm")
        for name in names:
            path = self.folder / name
            if path.is_file():
                return Hypothesis(read_rttm(path))
        raise BenchError(f"{self.folder}: found no {' or '.join(dict.fromkeys(names))}; add it")


class Hocket:
    """hocket, in this process."""

    def __init__(self, threads: int | None, oracle: bool, preset: str | None = None) -> None:
        """Create a diarizer.

        Args:
            threads: processor threads; None: hocket's default.
            oracle: give it the true number of speakers of every recording.
            preset: name of its settings; None: the defaults.
        """
        try:
            from hocket import Diarizer
            from hocket.config import Runtime
        except ImportError as error:
            raise BenchError(f"hocket cannot be imported ({error}); install it first") from error
        self._oracle, self._preset = oracle, preset
        self._config, self._runtime = configuration(preset), Runtime(threads=threads)
        self._diarizer = Diarizer(config=self._config, runtime=self._runtime)

    def describe(self) -> dict[str, object]:
        """All settings."""
        return {
            "name": "hocket",
            "preset": self._preset,
            "config": asdict(self._config),
            "runtime": asdict(self._runtime),
            "num_speakers": "oracle" if self._oracle else "estimated",
        }

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns and the seconds of each stage."""
        from hocket.errors import HocketError

        speakers = count_speakers(recording.turns(), recording.regions()) if self._oracle else 0
        try:
            # without speech there is no number of speakers to give
            result = self._diarizer(str(recording.audio), num_speakers=speakers or None)
        except HocketError as error:
            raise BenchError(str(error)) from error
        turns = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
        return Hypothesis(turns, dict(result.seconds))


def measure_errors(
    recordings: Sequence[Recording], system: System, progress: Progress
) -> dict[str, object]:
    """Score a system on recordings; `progress` receives the uri of each before it is processed."""
    scores: dict[str, Score] = {}
    seconds: dict[str, float] = {}
    for recording in recordings:
        progress(recording.uri)
        hypothesis = system(recording)
        scores[recording.uri] = score(recording.turns(), hypothesis.turns, recording.regions())
        for stage, value in hypothesis.seconds.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "protocol": PROTOCOL,
        "system": system.describe(),
        "audio_minutes": round(audio_s / 60, 3),
        "stage_seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "files": {uri: value.as_row() for uri, value in scores.items()},
        "kinds": {
            kind: summarize_named(group)
            for kind, group in sorted(_by_kind(recordings, scores).items())
        },
        "all": summarize_named(scores),
    }


def _by_kind(
    recordings: Sequence[Recording], scores: Mapping[str, Score]
) -> dict[str, dict[str, Score]]:
    kinds: dict[str, dict[str, Score]] = defaultdict(dict)
    for recording in recordings:
        kinds[recording.kind][recording.uri] = scores[recording.uri]
    return kinds
