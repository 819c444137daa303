"""Recordings of many formats with random damage: read without a crash, and nothing lost unseen.

Every file is a few seconds of speech in one of FORMATS, of whose bytes some are zeroed, cut out,
doubled or moved. It is read in another process, with a time limit. What is lost is sound that
FFmpeg decodes of the damaged file and hocket does not; more than LOSS_S of it must have a notice.
Counted too is what is missing of the undamaged file. Some formats cannot show it: zeros are a pause
in WAV, and ADTS does not say what was cut.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as TooSlowError
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from hocket.audio.reading import read_audio
from hocket.errors import HocketError

RATE = 16_000
CLIP_S = 12.0
LIMIT_S = 10.0
LOSS_S = 0.5
PART_S = 0.1
AUDIBLE = 10 ** (-50 / 20)

FORMATS = {  # libsndfile's or FFmpeg's container and codec, and the rate
    "wav": ("WAV", "PCM_16", 16_000),
    "flac": ("FLAC", "PCM_16", 16_000),
    "mp3": ("MP3", "MPEG_LAYER_III", 16_000),
    "ogg": ("OGG", "VORBIS", 16_000),
    "opus": ("ogg", "libopus", 48_000),
    "m4a": ("ipod", "aac", 16_000),
    "mp4": ("mp4", "aac", 44_100),
    "mkv": ("matroska", "libopus", 48_000),
    "webm": ("webm", "libopus", 48_000),
    "ts": ("mpegts", "aac", 16_000),
    "aac": ("adts", "aac", 16_000),
    "flv": ("flv", "aac", 44_100),
}

Damage = Callable[[bytes, np.random.Generator], bytes]


def _stretch(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """First and past-the-last byte of a random stretch, up to a tenth of a file."""
    length = int(rng.integers(1, max(2, len(content) // 10)))
    first = int(rng.integers(0, max(1, len(content) - length)))
    return first, first + length


def zeroed(content: bytes, rng: np.random.Generator) -> bytes:
    """A stretch as zeros."""
    first, last = _stretch(content, rng)
    return content[:first] + bytes(last - first) + content[last:]


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """Without a stretch."""
    first, last = _stretch(content, rng)
    return content[:first] + content[last:]


def doubled(content: bytes, rng: np.random.Generator) -> bytes:
    """With a stretch twice."""
    first, last = _stretch(content, rng)
    return content[:last] + content[first:]


def moved(content: bytes, rng: np.random.Generator) -> bytes:
    """With a stretch at another place."""
    first, last = _stretch(content, rng)
    rest = content[:first] + content[last:]
    place = int(rng.integers(0, len(rest) + 1))
    return rest[:place] + content[first:last] + rest[place:]


DAMAGES: dict[str, Damage] = {
    function.__name__: function for function in (zeroed, cut, doubled, moved)
}


class Reading(NamedTuple):
    """What reading a file gave.

    problem: name of an error that is not one of hocket's; None otherwise.
    refused: whether hocket refused the file.
    audible_s: seconds that are not silent.
    notices: kinds of the notices.
    seconds: that it took.
    """

    problem: str | None
    refused: bool
    audible_s: float
    notices: tuple[str, ...]
    seconds: float


def read(content: bytes) -> Reading:
    """Read a file, as in hocket."""
    started = perf_counter()
    try:
        recording = read_audio(content, target_rate=RATE)
    except HocketError:
        return Reading(None, True, 0.0, (), perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - what is measured
        return Reading(type(error).__name__, False, 0.0, (), perf_counter() - started)
    kinds = tuple(notice.kind for notice in recording.notices)
    taken = perf_counter() - started
    return Reading(None, False, audible_seconds(recording.samples), kinds, taken)


def audible_seconds(samples: NDArray[np.float32]) -> float:
    """Length of the parts that are not silent."""
    part = round(PART_S * RATE)
    parts = samples[: len(samples) // part * part].reshape(-1, part)
    loud = np.sqrt(np.mean(parts**2, axis=1, dtype=np.float64)) > AUDIBLE
    return PART_S * int(np.count_nonzero(loud))


def ffmpeg_seconds(content: bytes) -> float:
    """Length of what FFmpeg decodes of a file and is not silent; 0 if it decodes nothing."""
    found = []
    try:
        with av.open(io.BytesIO(content), "r") as file:
            resampler = av.AudioResampler("flt", "mono", RATE)
            for packet in file.demux(audio=0):
                found += _decoded(packet, resampler)
    except (av.FFmpegError, IndexError, ValueError):
        pass
    return audible_seconds(np.concatenate(found)) if found else 0.0


def _decoded(packet: Any, resampler: Any) -> list[NDArray[np.float32]]:
    try:
        frames = packet.decode()
        return [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    except (av.FFmpegError, ValueError):
        return []


def encoded(samples: NDArray[np.float32], form: str) -> bytes:
    """Samples at RATE as a file of one of FORMATS."""
    container, codec, rate = FORMATS[form]
    file = io.BytesIO()
    if codec in soundfile.available_subtypes():
        soundfile.write(file, samples, rate, format=container, subtype=codec)
        return file.getvalue()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate)
        stream.layout = "mono"
        resampler = av.AudioResampler(stream.format.name, "mono", rate, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


class Damaged(NamedTuple):
    """A damaged file, how it was damaged, and the seconds that are audible in the intact one."""

    number: int
    form: str
    kind: str
    content: bytes
    audible_s: float


def damaged_files(recordings: Iterable[Path], files: int, seed: int) -> Iterator[Damaged]:
    """So many damaged files; the same seed gives the same."""
    clips = [read_audio(path, target_rate=RATE).samples for path in recordings]
    clips = [clip[: round(CLIP_S * RATE)] for clip in clips]
    intact = {form: [encoded(clip, form) for clip in clips] for form in FORMATS}
    whole = {form: [read(content).audible_s for content in each] for form, each in intact.items()}
    for number in range(files):
        rng = np.random.default_rng((seed, number))
        form, kind = list(FORMATS)[number % len(FORMATS)], list(DAMAGES)[rng.integers(len(DAMAGES))]
        clip = int(rng.integers(len(clips)))
        content = DAMAGES[kind](intact[form][clip], rng)
        yield Damaged(number, form, kind, content, whole[form][clip])


def measure_damage(
    recordings: Iterable[Path], files: int, seed: int, workers: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Damage and read so many files.

    Returns:
        For the results file: counts, and every failure with its number.
    """
    counts: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    slowest = 0.0
    for damaged, reading in _readings(damaged_files(recordings, files, seed), workers):
        slowest = max(slowest, reading.seconds)
        lost = damaged.audible_s - reading.audible_s
        problem = _problem(reading, damaged.content)
        counts["files"] += 1
        counts["refused"] += reading.refused
        is_missing = lost > LOSS_S and not reading.refused
        counts["missing, with a notice"] += bool(is_missing and reading.notices)
        counts["missing, without a notice"] += bool(is_missing and not reading.notices)
        if problem:
            about = {"format": damaged.form, "damage": damaged.kind, "number": damaged.number}
            failures.append({**about, "lost_s": round(lost, 1), "problem": problem})
        if counts["files"] % 100 == 0:
            progress(f"{counts['files']} files, {len(failures)} failures")
    return {
        "counts": dict(counts),
        "failures": failures,
        "seed": seed,
        "slowest_s": round(slowest, 2),
    }


def _readings(files: Iterator[Damaged], workers: int) -> Iterator[tuple[Damaged, Reading]]:
    """Files with what reading them gave, as many at once as there are workers."""
    pool = ProcessPoolExecutor(workers)
    while batch := list(islice(files, 4 * workers)):
        futures = [pool.submit(read, damaged.content) for damaged in batch]
        for damaged, future in zip(batch, futures, strict=True):
            try:
                yield damaged, future.result(timeout=LIMIT_S)
            except TooSlowError:
                yield damaged, Reading("took too long", False, 0.0, (), LIMIT_S)
    pool.shutdown(wait=False, cancel_futures=True)


def _problem(reading: Reading, content: bytes) -> str | None:
    """What is wrong with a reading; None if nothing is."""
    if reading.problem or reading.notices:
        return reading.problem
    lost = ffmpeg_seconds(content) - reading.audible_s
    if lost <= LOSS_S:
        return None
    return "refused, but FFmpeg decodes it" if reading.refused else "lost without a notice"
