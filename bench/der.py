"""Hypotheses of every recording of a corpus, from hocket or from files, and their scores."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bench.annotations import Turn, read_rttm
from bench.corpus import Recording
from bench.errors import BenchError
from bench.presets import configuration
from bench.scoring import PROTOCOL, Score, count_speakers, score, summarize_named


@dataclass(frozen=True)
class Hypothesis:
    """Turns of one recording and the seconds each stage took to find them."""

    turns: list[Turn]
    seconds: dict[str, float] = field(default_factory=dict)


class System(Protocol):
    """Something that says who spoke when."""

    def describe(self) -> dict[str, object]:
        """Name and settings, for the results file."""
        ...

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns of one recording; BenchError if there are none to be had."""
        ...


@dataclass(frozen=True)
class StoredHypotheses:
    """RTTM files of any system: `<uri>.rttm`, or `<stem>.rttm`, inside `folder`."""

    folder: Path

    def describe(self) -> dict[str, object]:
        """Name of the folder, not where it lies."""
        return {"name": "stored", "folder": self.folder.resolve().name}

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns from the file; a missing file is an error, since leaving it out would flatter."""
        names = (f"{recording.uri}.rttm", f"{recording.name}.rttm")
        for name in names:
            path = self.folder / name
            if path.is_file():
                return Hypothesis(read_rttm(path))
        raise BenchError(f"{self.folder}: found no {' or '.join(dict.fromkeys(names))}; add it")


class Hocket:
    """The engine itself."""

    def __init__(self, threads: int | None, oracle: bool, preset: str | None = None) -> None:
        """Load the engine.

        Args:
            threads: processor threads, None for the engine's default.
            oracle: tell it the true number of speakers of every recording.
            preset: name of its settings, None for the defaults.
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
        """Settings that may change results, and those that may not."""
        return {
            "name": "hocket",
            "preset": self._preset,
            "config": asdict(self._config),
            "runtime": asdict(self._runtime),
            "num_speakers": "oracle" if self._oracle else "estimated",
        }

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns and stage seconds from the engine."""
        from hocket.errors import HocketError

        speakers = count_speakers(recording.turns(), recording.regions()) if self._oracle else 0
        try:
            # A recording in which nobody speaks has no number an engine could be told.
            result = self._diarizer(str(recording.audio), num_speakers=speakers or None)
        except HocketError as error:
            raise BenchError(str(error)) from error
        turns = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
        return Hypothesis(turns, dict(result.seconds))


def measure_errors(
    recordings: Sequence[Recording], system: System, progress: Callable[[str], None]
) -> dict[str, object]:
    """Score `system` on `recordings`; `progress` hears the uri of each before its turn."""
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
