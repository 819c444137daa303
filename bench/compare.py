"""Several systems on the same samples, one at a time, scored alike."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import soundfile
import soxr

from bench.corpus import Recording
from bench.der import Hypothesis, StoredHypotheses, System, measure_errors
from bench.errors import BenchError
from bench.runner import Answer, Runner
from bench.scoring import PROTOCOL
from bench.speed import write_clip

SAMPLE_RATE = 16_000  # what all of the systems work at; some read nothing else
OURS = "hocket"

Progress = Callable[[str], None]


@dataclass
class Ran:
    """A system that ran here: its answers as hypotheses, their seconds and its failures."""

    runner: Runner
    answers: dict[str, Answer] = field(default_factory=dict)

    def describe(self) -> dict[str, object]:
        """Versions and settings, for the results file."""
        about = self.runner.about
        return {
            "name": self.runner.name,
            "python": about.python,
            "packages": about.packages,
            "settings": about.settings,
        }

    def __call__(self, recording: Recording) -> Hypothesis:
        """Turns; none where it failed, since leaving the recording out would flatter."""
        return Hypothesis(self.answers[recording.uri].turns)

    def times(self) -> dict[str, float]:
        """Seconds of every recording it did."""
        answers = self.answers.items()
        return {uri: each.seconds for uri, each in answers if each.seconds is not None}

    def failures(self) -> dict[str, str]:
        """Its reason for every recording it did not do."""
        answers = self.answers.items()
        return {uri: each.failure for uri, each in answers if each.failure is not None}


def stored_systems(named: Sequence[str]) -> dict[str, StoredHypotheses]:
    """Systems of `NAME=DIR` each; BenchError for anything else."""
    found: dict[str, StoredHypotheses] = {}
    for text in named:
        name, _, folder = text.partition("=")
        if not name or not Path(folder).is_dir() or not folder:
            raise BenchError(f"--hypotheses: found '{text}'; give NAME=DIR, DIR being a folder")
        if name in found:
            raise BenchError(f"--hypotheses: found '{name}' twice; give each system a name")
        found[name] = StoredHypotheses(Path(folder))
    return found


def measure_systems(
    recordings: Sequence[Recording],
    commands: Mapping[str, Sequence[str]],
    stored: Mapping[str, StoredHypotheses],
    progress: Progress,
) -> dict[str, object]:
    """Run and score every system.

    Every recording goes to one system after the other before the next recording begins, so that a
    machine that slows down slows all of them; a system waits while another works.

    Args:
        recordings: what to run on.
        commands: how each system is started; see bench/systems/protocol.py for what it then does.
        stored: systems whose turns lie in files.
        progress: hears what is done next.
    """
    ran = run_systems(recordings, commands, progress)
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "protocol": PROTOCOL,
        "audio_minutes": round(audio_s / 60, 3),
        "systems": {
            **{name: _score_ran(recordings, system) for name, system in ran.items()},
            **{name: _score_stored(recordings, system) for name, system in stored.items()},
        },
        "hocket_time_over": time_ratios({name: system.times() for name, system in ran.items()}),
    }


def run_systems(
    recordings: Sequence[Recording], commands: Mapping[str, Sequence[str]], progress: Progress
) -> dict[str, Ran]:
    """Every system with its answers, by name: all are started, then they take turns."""
    with ExitStack() as stack:
        ran = {}
        for name, command in commands.items():
            progress(f"starting {name}")
            ran[name] = Ran(stack.enter_context(Runner(name, command)))
        if ran:
            _run(recordings, list(ran.values()), progress)
    return ran


def time_ratios(
    times: Mapping[str, Mapping[str, float]], us: str = OURS
) -> dict[str, dict[str, float | int]]:
    """Seconds of system `us` as a part of each other system's, over the recordings both did.

    `ratio` is of the sums, `median_of_files` of the ratios of every recording.
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
    """`audio` as a WAV file of one channel, 16 kHz and 16 bits; itself if it is one.

    All systems get the same samples, and none is timed for decoding a format the others cannot.
    """
    try:
        about = soundfile.info(str(audio))
        plain = (about.format, about.subtype, about.channels, about.samplerate)
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


def _run(recordings: Sequence[Recording], systems: Sequence[Ran], progress: Progress) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        clip = folder / "clip.wav"
        write_clip(recordings, clip)
        warm_up = as_plain_wav(clip, folder)
        for system in systems:
            # What a library compiles or allocates at its first call is no time per recording.
            progress(f"warming up {system.runner.name}")
            system.runner.ask("warm-up", warm_up)
        for recording in recordings:
            audio = as_plain_wav(recording.audio.resolve(), folder)
            for system in systems:
                progress(f"{recording.uri}: {system.runner.name}")
                system.answers[recording.uri] = system.runner.ask(recording.uri, audio)


def timed(system: Ran) -> dict[str, Any]:
    """Seconds of a system, to its start and of every recording, and what it failed on."""
    times = system.times()
    return {
        "startup_s": round(system.runner.about.startup_s, 3),
        "seconds": round(sum(times.values()), 3),
        "seconds_per_file": {uri: round(value, 3) for uri, value in times.items()},
        "failed": system.failures(),
    }


def _score_ran(recordings: Sequence[Recording], system: Ran) -> dict[str, Any]:
    return {**_score(recordings, system), **timed(system)}


def _score_stored(recordings: Sequence[Recording], system: StoredHypotheses) -> dict[str, Any]:
    nothing: dict[str, Any] = {"startup_s": None, "seconds": None, "seconds_per_file": {}}
    return {**_score(recordings, system), **nothing, "failed": {}}


def _score(recordings: Sequence[Recording], system: System) -> dict[str, Any]:
    found = measure_errors(recordings, system, lambda _: None)
    return {key: found[key] for key in ("system", "files", "kinds", "all")}
