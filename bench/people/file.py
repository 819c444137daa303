"""The file of a store: killed processes, concurrent writers, search, and erasure."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.people.writer import EXEMPLARS, MODEL, random_exemplars
from bench.report import Progress

if TYPE_CHECKING:
    from hocket import Result, SpeakerStore

KILLS, WRITERS, WRITES = 100, 4, 200
LONGEST_LIFE_S = 0.05  # of a process after its first speaker
SEARCHED, EACH, QUERIES, CLUSTERS = 100_000, 10, 50, 5
IDENTIFY_ALLOWED_MS = 50.0
PEOPLE, FORGOTTEN = 200, 150
PIECE = 16  # bytes of an embedding that are searched for: four of its numbers


def measure_file(
    progress: Progress, *, kills: int = KILLS, writes: int = WRITES, exemplars: int = SEARCHED
) -> dict[str, Any]:
    """Measure every part in a new store of random voices."""
    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "kills": lambda path: measure_kills(path, kills),
        "writers": lambda path: measure_writers(path, writes),
        "search": lambda path: measure_search(path, exemplars),
        "forget": measure_forgetting,
    }
    found: dict[str, Any] = {}
    for name, measure in parts.items():
        progress(name)
        with TemporaryDirectory() as folder:
            found[name] = measure(Path(folder) / "speakers.db")
    return found


def measure_kills(path: Path, kills: int) -> dict[str, Any]:
    """Kill a process that enrolls, repeatedly, and look for all speakers it has acknowledged."""
    from hocket import SpeakerStore

    rng = np.random.default_rng(kills)
    acknowledged, damaged = list[str](), 0
    for attempt in range(kills):
        process = _writer(path, f"run{attempt}", 1_000_000)
        assert process.stdout is not None
        acknowledged.append(process.stdout.readline().strip())
        sleep(float(rng.uniform(0, LONGEST_LIFE_S)))
        process.send_signal(signal.SIGKILL)
        rest, problem = process.communicate()
        if problem:
            raise BenchError(f"a process that enrolls failed: {problem.splitlines()[-1]}")
        acknowledged += rest.split()
        with SpeakerStore(path, create=False) as store, store.file.reading() as database:
            damaged += database.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    with SpeakerStore(path, create=False) as store:
        there = {speaker.name: speaker.exemplars for speaker in store.speakers()}
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "lost": len(set(acknowledged) - set(there)),
        "torn": sum(number != EXEMPLARS for number in there.values()),
        "damaged": damaged,
        "lost_allowed": 0,
    }


def measure_writers(path: Path, writes: int) -> dict[str, Any]:
    """Let several processes enroll at once, and look for all speakers."""
    from hocket import SpeakerStore

    started = perf_counter()
    processes = [_writer(path, f"p{index}", writes) for index in range(WRITERS)]
    problems = [process.communicate()[1] for process in processes]  # waits for all of them
    seconds = perf_counter() - started
    for process, problem in zip(processes, problems, strict=True):
        if process.returncode:
            raise BenchError(f"a process that enrolls failed: {problem.splitlines()[-1]}")
    expected = {f"p{index}-{number}" for index in range(WRITERS) for number in range(writes)}
    with SpeakerStore(path, create=False) as store:
        there = {speaker.name for speaker in store.speakers()}
    return {
        "processes": WRITERS,
        "writes": WRITERS * writes,
        "lost": len(expected - there),
        "lost_allowed": 0,
        "writes_per_s": round(WRITERS * writes / seconds, 1),
    }


def measure_search(path: Path, exemplars: int) -> dict[str, Any]:
    """Time to search among exemplars, ten per speaker, and to forget one speaker."""
    from hocket import SpeakerStore

    rng = np.random.default_rng(exemplars)
    with SpeakerStore(path) as store:
        _fill(store, exemplars, rng)
    with SpeakerStore(path) as store:
        voices = rng.standard_normal((QUERIES, MODEL.dimension)).astype(np.float32)
        started = perf_counter()
        store.nearest(voices[0], MODEL)  # the first call reads all exemplars
        read_s = perf_counter() - started
        one = [_seconds(partial(store.nearest, voice, MODEL)) for voice in voices]
        results = [_result(rng) for _ in range(QUERIES)]
        five = [_seconds(partial(store.identify, result)) for result in results]
        forget_s = _seconds(lambda: store.forget("person 0"))
    return {
        "exemplars": exemplars,
        "queries": QUERIES,
        "read_s": round(read_s, 3),
        "nearest_ms": round(1000 * median(one), 3),
        "clusters": CLUSTERS,
        "identify_ms": round(1000 * median(five), 3),
        "identify_allowed_ms": IDENTIFY_ALLOWED_MS,
        "forget_s": round(forget_s, 3),
    }


def measure_forgetting(path: Path) -> dict[str, Any]:
    """Forget speakers in random order, and search every file for pieces of their embeddings.

    Raises:
        BenchError: the pieces are not found before anything is forgotten, so that not finding them
            afterwards would prove nothing.
    """
    from hocket import SpeakerStore

    rng = np.random.default_rng(PEOPLE)
    with SpeakerStore(path) as store:
        for index in range(PEOPLE):
            store.enroll(f"person {index}", random_exemplars(EXEMPLARS, rng), MODEL)
        chosen = [f"person {index}" for index in rng.permutation(PEOPLE)[:FORGOTTEN]]
        pieces = [
            voice[first : first + PIECE]
            for name in chosen
            for voice in (e.embedding.tobytes() for e in store.exemplars(name))
            for first in range(0, len(voice), PIECE)
        ]
        before = count_in_files(path, pieces)
        if before != len(pieces):
            raise BenchError(
                f"found {before} of {len(pieces)} pieces before any speaker was forgotten"
            )
        for name in chosen:
            store.forget(name)
        left = count_in_files(path, pieces)
        files = sorted(file.name.removeprefix(path.name) for file in _files(path))
    return {
        "people": PEOPLE,
        "forgotten": FORGOTTEN,
        "files": files,
        "pieces": len(pieces),
        "piece_bytes": PIECE,
        "left": left,
        "left_after_closing": count_in_files(path, pieces),
        "left_allowed": 0,
    }


def count_in_files(path: Path, pieces: list[bytes]) -> int:
    """How many pieces are in the file, its log or other files of SQLite."""
    contents = [file.read_bytes() for file in _files(path)]
    return sum(any(piece in content for content in contents) for piece in pieces)


def _files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


def _writer(path: Path, name: str, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.people.writer", str(path), name, str(number)],
        cwd=REPOSITORY,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _fill(store: "SpeakerStore", exemplars: int, rng: np.random.Generator) -> None:
    """Add all speakers in one transaction, since every transaction waits for the disk."""
    from hocket.speakers import rows
    from hocket.speakers.values import checked_exemplar

    with store.file.writing() as database:
        rows.admit_model(database, MODEL, str(store.path))
        for index in range(exemplars // EACH):
            number = rows.insert_speaker(database, f"person {index}")
            own = [checked_exemplar(each, MODEL.dimension) for each in random_exemplars(EACH, rng)]
            rows.insert_exemplars(database, number, own, MODEL.sha256)


def _result(rng: np.random.Generator) -> "Result":
    """A result with five speakers in turn."""
    from hocket import Result, Turn

    names = tuple(f"SPEAKER_{index:02d}" for index in range(CLUSTERS))
    turns = tuple(Turn(10.0 * i, 10.0 * i + 9.0, name) for i, name in enumerate(names))
    return Result(
        uri="random",
        turns=turns,
        exclusive_turns=turns,
        speakers=names,
        embeddings=rng.standard_normal((CLUSTERS, MODEL.dimension)).astype(np.float32),
        duration=10.0 * CLUSTERS,
        seconds={},
        embedding_model=MODEL,
    )


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
