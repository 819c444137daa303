"""Several systems on the same samples, one at a time, under the same protocol."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import soundfile
import soxr

from bench.accuracy.der import Hypothesis, StoredHypotheses, System, measure_errors
from bench.accuracy.scoring import PROTOCOL
from bench.corpus import Recording
from bench.errors import BenchError
from bench.report import Progress
from bench.runner import Outcome, Runner
from bench.speed.end_to_end import write_clip

SAMPLE_RATE = 16_000  # of all systems; some read no other
OURS = "hocket"


@dataclass
class SystemRun:
    """A system that ran here, with the outcome for every recording."""

    runner: Runner
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def describe(self) -> dict[str, object]:
        """Versions and settings, for the results file."""
        info = self.runner.info
        return {
            "name": self.runner.name,
            "python": info.python,
            "packages": info.packages,
            "settings": info.settings,
        }

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns; none after a failure, since dropping the recording would improve the score."""
        return Hypothesis(self.outcomes[recording.uri].turns)

    def times(self) -> dict[str, float]:
        """Seconds of every recording that succeeded."""
        outcomes = self.outcomes.items()
        return {uri: each.seconds for uri, each in outcomes if each.seconds is not None}

    def failures(self) -> dict[str, str]:
        """The reason for every recording that failed."""
        outcomes = self.outcomes.items()
        return {uri: each.failure for uri, each in outcomes if each.failure is not None}


def stored_systems(named: Sequence[str]) -> dict[str, StoredHypotheses]:
    """Systems from texts `NAME=DIR`; BenchError for any other text."""
    found: dict[str, StoredHypotheses] = {}
    for text in named:
        name, _, folder = text.partition("=")
        if not name or not Path(folder).is_dir() or not folder:
            raise BenchError(f"--hypotheses: found '{text}'; give NAME=DIR with an existing folder")
        if name in found:
            raise BenchError(f"--hypotheses: found '{name}' twice; give each system its own name")
        found[name] = StoredHypotheses(Path(folder))
    return found


def measure_systems(
    recordings: Sequence[Recording],
    commands: Mapping[str, Sequence[str]],
    stored: Mapping[str, StoredHypotheses],
    progress: Progress,
) -> dict[str, object]:
    """Run and score every system.

    Every system processes a recording before the next recording begins, so a machine that slows
    down slows all of them. A system is idle while another works.

    Args:
        recordings: the corpus.
        commands: how each system is started; it then follows bench/systems/protocol.py.
        stored: systems whose turns are in files.
        progress: receives what is done next.
    """
    runs = run_systems(recordings, commands, progress)
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "protocol": PROTOCOL,
        "audio_minutes": round(audio_s / 60, 3),
        "systems": {
            **{name: _score_run(recordings, system) for name, system in runs.items()},
            **{name: _score_stored(recordings, system) for name, system in stored.items()},
        },
        "hocket_time_over": time_ratios({name: system.times() for name, system in runs.items()}),
    }


def run_systems(
    recordings: Sequence[Recording], commands: Mapping[str, Sequence[str]], progress: Progress
) -> dict[str, SystemRun]:
    """Start all systems, then let them take turns; every system with its outcomes, by name."""
    with ExitStack() as stack:
        runs = {}
        for name, command in commands.items():
            progress(f"starting {name}")
            runs[name] = SystemRun(stack.enter_context(Runner(name, command)))
        if runs:
            _run(recordings, list(runs.values()), progress)
    return runs


def time_ratios(
    times: Mapping[str, Mapping[str, float]], us: str = OURS
) -> dict[str, dict[str, float | int]]:
    """Seconds of system `us` divided by those of each other system, on recordings both processed.

    `ratio` is of the sums, `median_of_files` the median of the ratios of all recordings.
    """
    ours = times.get(us, {})
    found: dict[str, dict[str, float | int]] = {}
    for name, theirs in times.items():
        both = [uri for uri in ours if theirs.get(uri, 0.0) > 0]
        if name == us or not both:
            continue
        found[name] = {
            "files": len(both),
            "ratio": round(sum(ours[uri] for uri in both) / sum(theirs[uri] for uri in both), 4),
            "median_of_files": round(median(ours[uri] / theirs[uri] for uri in both), 4),
        }
    return found


def as_plain_wav(audio: Path, folder: Path) -> Path:
    """`audio` as a WAV file with one channel, 16 kHz and 16 bits; `audio` itself if it is one.

    All systems get the same samples, and the times do not include decoding of other formats.
    """
    try:
        info = soundfile.info(str(audio))
        plain = (info.format, info.subtype, info.channels, info.samplerate)
        if plain == ("WAV", "PCM_16", 1, SAMPLE_RATE):
            return audio
        samples, rate = soundfile.read(str(audio), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise BenchError(f"{audio.name}: cannot be read; convert it to WAV first") from error
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    path = folder / "recording.wav"
    soundfile.write(str(path), mono, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return path


def _run(recordings: Sequence[Recording], systems: Sequence[SystemRun], progress: Progress) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.wav"
        write_clip(recordings, clip)
        warm_up = as_plain_wav(clip, folder)
        for system in systems:
            # compilation and allocation in the first call are not time per recording
            progress(f"warming up {system.runner.name}")
            system.runner.diarize("warm-up", warm_up)
        for recording in recordings:
            audio = as_plain_wav(recording.audio.resolve(), folder)
            for system in systems:
                progress(f"{recording.uri}: {system.runner.name}")
                system.outcomes[recording.uri] = system.runner.diarize(recording.uri, audio)


def times_row(system: SystemRun) -> dict[str, Any]:
    """Seconds until a system is ready and for every recording, and its failures."""
    times = system.times()
    return {
        "startup_s": round(system.runner.info.startup_s, 3),
        "seconds": round(sum(times.values()), 3),
        "seconds_per_file": {uri: round(value, 3) for uri, value in times.items()},
        "failed": system.failures(),
    }


def _score_run(recordings: Sequence[Recording], system: SystemRun) -> dict[str, Any]:
    return {**_score(recordings, system), **times_row(system)}


def _score_stored(recordings: Sequence[Recording], system: StoredHypotheses) -> dict[str, Any]:
    nothing: dict[str, Any] = {"startup_s": None, "seconds": None, "seconds_per_file": {}}
    return {**_score(recordings, system), **nothing, "failed": {}}


def _score(recordings: Sequence[Recording], system: System) -> dict[str, Any]:
    found = measure_errors(recordings, system, lambda _: None)
    return {key: found[key] for key in ("system", "files", "kinds", "all")}
