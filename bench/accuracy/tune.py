"""Error rates of settings: artifacts of the networks are kept, and finished with each setting.

Settings of `windows`, `regions` and `subsegments` determine the input of the networks, so each of
their values needs a pass over the audio. All others are replayed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bench.accuracy.scoring import PROTOCOL, Score, score, summarize
from bench.annotations import Turn
from bench.corpus import Recording
from bench.errors import BenchError
from bench.report import Progress
from hocket import Config, Diarizer
from hocket.config import Runtime
from hocket.errors import HocketError
from hocket.offline.artifacts import Artifacts

Settings = Mapping[str, Any]
"""Values by dotted name, such as `clustering.threshold`."""

INFERRED = ("graphs", "windows", "regions", "subsegments")
"""Parts of `Config` on which `Diarizer.infer` depends."""

SEARCH: dict[str, tuple[float, ...]] = {
    "clustering.threshold": (0.5, 0.55, 0.6, 0.65, 0.7),
    "clustering.duplicate_at_1s": (0.17, 0.21, 0.25, 0.29, 0.33),
    "clustering.duplicate_growth": (0.08, 0.1, 0.12, 0.14, 0.16, 0.18),
    "clustering.duplicate_most": (0.55, 0.6, 0.65, 0.7),
    "clustering.min_trusted_s": (0.5, 0.8, 1.0),
    "clustering.min_trusted_probability": (0.0, 0.5, 0.6, 0.7, 0.8),
    "clustering.min_speaker_s": (0.0, 0.6, 0.9, 1.2),
}
"""Settings that determine the number of speakers, and the values tried."""

WRONG_COUNT = 0.05
"""Points of DER that count as much as one percent of recordings with a wrong speaker count."""


@dataclass(frozen=True)
class Trial:
    """Settings other than the defaults, and their results."""

    settings: Settings
    summary: Mapping[str, Any]

    @property
    def cost(self) -> float:
        """What is minimized: DER in percent, plus a penalty on wrong numbers of speakers."""
        wrong = 1 - self.summary["files_right_count"] / self.summary["files"]
        return float(self.summary["der_percent"] + WRONG_COUNT * 100 * wrong)

    def as_row(self) -> dict[str, Any]:
        """For the results file."""
        return {"settings": dict(self.settings), "cost": round(self.cost, 3), **self.summary}


class Replay:
    """Recordings and their artifacts, kept as long as the input of the networks is the same."""

    def __init__(self, recordings: Sequence[Recording], progress: Progress) -> None:
        self._recordings, self._progress = recordings, progress
        self._inferred: Settings | None = None
        self._artifacts: list[Artifacts] = []

    def try_out(self, settings: Settings) -> Trial:
        """Error rates with `settings` in place of the defaults."""
        inferred = {
            name: value for name, value in settings.items() if name.split(".")[0] in INFERRED
        }
        try:
            diarizer = Diarizer(configured(settings), Runtime())
            if inferred != self._inferred:
                self._artifacts = [self._infer(diarizer, each) for each in self._recordings]
                self._inferred = inferred
            scores = [
                self._score(diarizer, recording, artifacts)
                for recording, artifacts in zip(self._recordings, self._artifacts, strict=True)
            ]
        except HocketError as error:
            raise BenchError(str(error)) from error
        trial = Trial(settings, summarize(scores))
        self._progress(f"{trial.cost:.3f} {_shown(settings)}")
        return trial

    def _infer(self, diarizer: Diarizer, recording: Recording) -> Artifacts:
        from hocket.audio.reading import read_audio

        self._progress(recording.uri)
        rate = diarizer.load().geometry.sample_rate
        return diarizer.infer(read_audio(str(recording.audio), target_rate=rate))

    @staticmethod
    def _score(diarizer: Diarizer, recording: Recording, artifacts: Artifacts) -> Score:
        turns = [Turn(t.start, t.end, t.speaker) for t in diarizer.finish(artifacts).turns]
        return score(recording.turns(), turns, recording.regions())


def search_best(
    recordings: Sequence[Recording], search: Mapping[str, Sequence[Any]], progress: Progress
) -> dict[str, object]:
    """Go through the settings twice, one by one, keeping the best value of each.

    Args:
        recordings: simulated ones; the settings have to hold for others.
        search: values to try by setting.
        progress: receives every recording processed and every trial.
    """
    replay = Replay(recordings, progress)
    best = replay.try_out({})
    trials = [best]
    for _ in range(2):
        before = best
        for name, values in search.items():
            found = [replay.try_out({**best.settings, name: value}) for value in values]
            trials += found
            best = min([best, *found], key=lambda trial: trial.cost)
        if best is before:
            break
    return {**_described(recordings, search, trials), "best": best.as_row()}


def sweep(
    recordings: Sequence[Recording], search: Mapping[str, Sequence[Any]], progress: Progress
) -> dict[str, object]:
    """Try every value of every setting alone, with all others at their defaults."""
    replay = Replay(recordings, progress)
    trials = [replay.try_out({})]
    trials += [replay.try_out({name: value}) for name, values in search.items() for value in values]
    return _described(recordings, search, trials)


def _described(
    recordings: Sequence[Recording], search: Mapping[str, Sequence[Any]], trials: Sequence[Trial]
) -> dict[str, object]:
    seconds = sum(recording.duration_s() for recording in recordings)
    return {
        "protocol": PROTOCOL,
        "wrong_count": WRONG_COUNT,
        "audio_minutes": round(seconds / 60, 3),
        "defaults": asdict(Config()),
        "search": {name: list(values) for name, values in search.items()},
        "trials": [trial.as_row() for trial in trials],
    }


def configured(settings: Settings) -> Config:
    """The default configuration with these settings.

    Raises:
        BenchError: a setting is unknown.
        ConfigError: a value is out of range.
    """
    config = Config()
    for name, value in settings.items():
        part, _, field = name.partition(".")
        stage = getattr(config, part) if part in {each.name for each in fields(config)} else None
        if stage is None or field not in {each.name for each in fields(stage)}:
            raise BenchError(f"'{name}' is not a setting; give one as clustering.threshold=0.5,0.6")
        config = replace(config, **{part: replace(stage, **{field: value})})
    return config


def parse_setting(text: str) -> tuple[str, tuple[Any, ...]]:
    """Parse `name=value,value` to a setting and its values; BenchError for any other text."""
    name, _, values = text.partition("=")
    if not values:
        raise BenchError(f"found '{text}'; give a setting as clustering.threshold=0.5,0.6")
    return name, tuple(_value(value) for value in values.split(","))


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _shown(settings: Settings) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "defaults"
