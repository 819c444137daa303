"""Two checkouts of hocket compared: equal output, and the ratio of their times and memory.

Every checkout runs in a process of its own, and the two alternate file by file, so that a machine
that slows down slows both.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.corpus import Recording
from bench.environment import REPOSITORY, commit
from bench.errors import BenchError
from bench.process import JsonProcess, UnusableOutputError, with_cache
from bench.report import Progress
from bench.speed.end_to_end import write_clip
from bench.speed.long import write_joined

BEFORE, AFTER = "before", "after"
JOINED_S = 600.0  # length of the recording for memory
IMPORTS = 5
MOST_LISTED = 3  # differences of one output
IMPORT = (
    "import sys, time; sys.path.insert(0, sys.argv[1]); started = time.perf_counter(); "
    "import hocket; print(time.perf_counter() - started)"
)

Values = Mapping[str, float]
"""By checkout: BEFORE and AFTER."""


class Task(NamedTuple):
    """A call of the command line for every recording.

    kind: what its time is summed up with.
    arguments: of the command line; the file follows.
    parse: output to what is compared.
    """

    kind: str
    arguments: tuple[str, ...]
    parse: Callable[[str], object]


def _lines(output: str) -> list[str]:
    return output.splitlines()


def _json_lines(output: str) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


TASKS = (
    *(
        Task(preset, ("diarize", "--preset", preset, "--format", form), parse)
        for preset in ("fast", "balanced", "accurate")
        for form, parse in (("json", json.loads), ("rttm", _lines))
    ),
    Task("stream", ("stream", "--json"), _json_lines),
)
KINDS = tuple(dict.fromkeys(task.kind for task in TASKS))


@dataclass(frozen=True)
class Checkout:
    """A checkout of hocket, and the folder for its compiled graphs."""

    name: str
    folder: Path
    cache: str

    def start(self) -> JsonProcess:
        """Start a process that runs its command line."""
        command = [sys.executable, "-m", "bench.speed.checkout", str(self.folder.resolve())]
        return JsonProcess(self.name, command, with_cache(self.cache))


class Run(NamedTuple):
    """The result of a task.

    found: parsed output; None after a failure.
    """

    code: int
    found: object
    seconds: float
    peak_rss_bytes: int


@dataclass
class Comparison:
    """Differences between the checkouts.

    renamed: JSON keys of BEFORE with their names in AFTER.
    differences: what is different, by recording and command.
    new_keys: JSON keys that only AFTER has, which are no difference.
    """

    renamed: Mapping[str, str]
    differences: list[str] = field(default_factory=list)
    new_keys: set[str] = field(default_factory=set)

    def add(self, about: str, before: Run, after: Run) -> None:
        """Compare two runs; a few differences are kept. Error messages are not compared."""
        if before.code != after.code:
            self.differences.append(f"{about}: exit code {after.code} instead of {before.code}")
        else:
            found = islice(self._differences("", before.found, after.found), MOST_LISTED)
            self.differences += [f"{about}: {each}" for each in found]

    def _differences(self, place: str, before: object, after: object) -> Iterator[str]:
        if isinstance(before, dict) and isinstance(after, dict):
            before = {self.renamed.get(key, key): value for key, value in before.items()}
            self.new_keys |= after.keys() - before.keys()
            for key, value in before.items():
                inside = f"{place}.{key}" if place else key
                if key not in after:
                    yield f"{inside} is missing"
                else:
                    yield from self._differences(inside, value, after[key])
        elif isinstance(before, list) and isinstance(after, list):
            if len(before) != len(after):
                yield f"{place or 'output'} has {len(after)} items instead of {len(before)}"
            for index, (one, other) in enumerate(zip(before, after, strict=False)):
                yield from self._differences(f"{place}[{index}]", one, other)
        elif before != after:
            yield f"{place or 'output'} is {_shown(after)} instead of {_shown(before)}"


def measure_unchanged(
    before: Path,
    recordings: Sequence[Recording],
    renamed: Mapping[str, str],
    repeats: int,
    progress: Progress,
) -> dict[str, Any]:
    """Compare an older checkout with this one.

    Args:
        before: folder of the older checkout.
        recordings: what to diarize and stream.
        renamed: JSON keys of the older checkout with their new names.
        repeats: measurements behind every median.
        progress: receives what is done next.

    Raises:
        BenchError: a checkout cannot be run.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        checkouts = [
            Checkout(BEFORE, before, str(folder / BEFORE)),
            Checkout(AFTER, REPOSITORY, str(folder / AFTER)),
        ]
        clip, joined = folder / "clip.wav", folder / "joined.flac"
        write_clip(recordings, clip)
        write_joined(recordings, JOINED_S, joined)
        comparison = Comparison(renamed)
        seconds = _compare_all(checkouts, recordings, clip, comparison, repeats, progress)
        peaks = _measure_peaks(checkouts, joined, repeats, progress)
        progress("import hocket")
        imports = _alternate(checkouts, IMPORTS, _import_seconds)
    audio_s = sum(recording.duration_s() for recording in recordings)
    return {
        "commits": {BEFORE: commit(before), AFTER: commit(REPOSITORY)},
        "files": len(recordings),
        "audio_minutes": round(audio_s / 60, 3),
        "repeats": repeats,
        "renamed": dict(renamed),
        "differences": comparison.differences,
        "new_keys": sorted(comparison.new_keys),
        "seconds": {kind: _row(sums, 3) for kind, sums in seconds.items()},
        "peak_rss_mb": {kind: _row(values, 1) for kind, values in peaks.items()},
        "import_s": _row(imports, 4),
    }


def parse_renamed(texts: Sequence[str]) -> dict[str, str]:
    """Texts `OLD=NEW` as a mapping; BenchError for any other text."""
    found = {}
    for text in texts:
        old, _, new = text.partition("=")
        if not old or not new:
            raise BenchError(f"--renamed: found '{text}'; give OLD=NEW")
        found[old] = new
    return found


def _compare_all(
    checkouts: Sequence[Checkout],
    recordings: Sequence[Recording],
    clip: Path,
    comparison: Comparison,
    repeats: int,
    progress: Progress,
) -> dict[str, list[Values]]:
    """Run all tasks on all recordings; sums of seconds by kind, for every repeat."""
    sums: dict[str, list[Values]] = {kind: [] for kind in KINDS}
    with ExitStack() as stack:
        processes = {each.name: stack.enter_context(each.start()) for each in checkouts}
        for process in processes.values():
            progress(f"warming up {process.name}")
            for task in TASKS:
                _run(process, task, clip, "the warm-up", must_succeed=True)
        for repeat in range(repeats):
            taken = {kind: dict.fromkeys(processes, 0.0) for kind in KINDS}
            for index, recording in enumerate(recordings):
                progress(f"{recording.uri}, {repeat + 1} of {repeats}")
                # neither is always the first
                order = list(processes.values())[:: 1 if (index + repeat) % 2 else -1]
                for task in TASKS:
                    results = {
                        each.name: _run(each, task, recording.audio.resolve(), recording.uri)
                        for each in order
                    }
                    for name, result in results.items():
                        taken[task.kind][name] += result.seconds
                    if repeat == 0:
                        about = f"{recording.uri}: {' '.join(task.arguments)}"
                        comparison.add(about, results[BEFORE], results[AFTER])
            for kind, values in taken.items():
                sums[kind].append(values)
    return sums


def _measure_peaks(
    checkouts: Sequence[Checkout], joined: Path, repeats: int, progress: Progress
) -> dict[str, list[Values]]:
    """Peak resident memory in MB by kind, for every repeat, each in a process of its own."""
    peaks = {}
    for task in {task.kind: task for task in TASKS}.values():
        progress(f"memory, {task.kind}")

        def peak(checkout: Checkout, task: Task = task) -> float:
            with checkout.start() as process:
                result = _run(process, task, joined, "the joined recording", must_succeed=True)
                return result.peak_rss_bytes / 1e6

        peaks[task.kind] = _alternate(checkouts, repeats, peak)
    return peaks


def _alternate(
    checkouts: Sequence[Checkout], repeats: int, measure: Callable[[Checkout], float]
) -> list[Values]:
    return [{each.name: measure(each) for each in checkouts} for _ in range(repeats)]


def _run(
    process: JsonProcess, task: Task, audio: Path, uri: str, *, must_succeed: bool = False
) -> Run:
    """Run a task; BenchError if the process ends, or if it fails although it must not."""
    process.send({"arguments": [*task.arguments, str(audio)]})
    about = f"{uri}, {' '.join(task.arguments)}"
    try:
        result = process.receive(about)
    except UnusableOutputError as error:
        raise BenchError(f"{process.name}: {error} at {about}") from error
    code = result["code"]
    if code and must_succeed:
        reason = result["error"].strip().splitlines()[-1:] or ["no error message"]
        raise BenchError(f"{process.name}: exit code {code} at {about} ({reason[0]})")
    try:
        found = None if code else task.parse(result["output"])
    except ValueError as error:
        raise BenchError(f"{process.name}: wrote no JSON at {about}") from error
    return Run(code, found, result["seconds"], result["peak_rss_bytes"])


def _import_seconds(checkout: Checkout) -> float:
    command = [sys.executable, "-c", IMPORT, str(checkout.folder.resolve() / "src")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{checkout.name}: cannot be imported ({done.stderr.splitlines()[-1]})")
    return float(done.stdout)


def _row(values: Sequence[Values], digits: int) -> dict[str, float]:
    """Medians of both checkouts, and of the ratios of the repeats."""
    return {
        **{name: round(median(each[name] for each in values), digits) for name in (BEFORE, AFTER)},
        "ratio": round(median(each[AFTER] / each[BEFORE] for each in values), 4),
    }


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
