"""Recordings with their truth: audio, an RTTM of the same stem beside it, perhaps a UEM."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import soundfile

from bench.errors import BenchError

AUDIO_SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".m4a")


class Turn(NamedTuple):
    """Somebody speaking, seconds from the start of the recording."""

    start_s: float
    end_s: float
    speaker: str


class Region(NamedTuple):
    """A stretch of a recording that is scored, seconds from its start."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Recording:
    """One audio file of a corpus.

    uri: its path inside the corpus without suffix, `real/sample`.
    kind: first folder of the uri, empty for a file at the top of the corpus.
    """

    uri: str
    kind: str
    audio: Path
    reference: Path
    evaluated: Path | None

    def turns(self) -> list[Turn]:
        """Reference turns."""
        return read_rttm(self.reference)

    def duration_s(self) -> float:
        """Length of the audio; of the UEM where the format is one libsndfile does not read."""
        try:
            return float(soundfile.info(str(self.audio)).duration)
        except soundfile.LibsndfileError as error:
            if self.evaluated is not None:
                return max(region.end_s for region in read_uem(self.evaluated))
            raise BenchError(
                f"{self.uri}: cannot read the duration of {self.audio.name}; add a .uem beside it"
            ) from error

    def regions(self) -> list[Region]:
        """What is scored: the UEM, or all of the audio."""
        if self.evaluated is not None:
            return read_uem(self.evaluated)
        return [Region(0.0, self.duration_s())]


def find_recordings(folder: Path) -> list[Recording]:
    """Every recording below `folder`, by uri.

    Where a stem has audio in several formats the first of AUDIO_SUFFIXES is used, so that no
    recording counts twice.

    Raises:
        BenchError: there is none.
    """
    pairs = ((rttm, _audio_beside(rttm)) for rttm in folder.rglob("*.rttm"))
    found = [_recording(folder, rttm, audio) for rttm, audio in pairs if audio is not None]
    if not found:
        raise BenchError(
            f"{folder}: found no audio with an .rttm of the same name beside it; "
            f"audio is {', '.join(AUDIO_SUFFIXES)}"
        )
    return sorted(found, key=lambda recording: recording.uri)


def read_rttm(path: Path) -> list[Turn]:
    """Turns of an RTTM file about one recording, in the order of its SPEAKER lines.

    Turns of no duration are left out. No SPEAKER line at all is a recording without speech.

    Raises:
        BenchError: a line cannot be read, or the file speaks of several recordings.
    """
    turns = []
    recordings = set()
    for place, fields in _lines(path):
        if fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise BenchError(f"{place}: found {len(fields)} fields; a SPEAKER line has 8 or more")
        start_s, duration_s = _seconds(place, fields[3]), _seconds(place, fields[4])
        recordings.add(fields[1])
        if duration_s > 0:
            turns.append(Turn(start_s, start_s + duration_s, fields[7]))
    _check_single(path, recordings)
    return turns


def read_uem(path: Path) -> list[Region]:
    """Regions of a UEM file about one recording.

    Raises:
        BenchError: a line cannot be read, there is none, or the file speaks of several recordings.
    """
    regions = []
    recordings = set()
    for place, fields in _lines(path):
        if len(fields) != 4:
            raise BenchError(f"{place}: found {len(fields)} fields; a UEM line has 4")
        region = Region(_seconds(place, fields[2]), _seconds(place, fields[3]))
        if region.end_s <= region.start_s:
            raise BenchError(f"{place}: the region ends before it starts")
        recordings.add(fields[0])
        regions.append(region)
    _check_single(path, recordings)
    if not regions:
        raise BenchError(f"{path}: found no region; remove the file to score all of the audio")
    return regions


def _audio_beside(rttm: Path) -> Path | None:
    names = (suffix for lower in AUDIO_SUFFIXES for suffix in (lower, lower.upper()))
    candidates = (rttm.with_suffix(suffix) for suffix in names)
    return next((path for path in candidates if path.is_file()), None)


def _recording(folder: Path, rttm: Path, audio: Path) -> Recording:
    relative = rttm.relative_to(folder).with_suffix("")
    evaluated = rttm.with_suffix(".uem")
    return Recording(
        uri=relative.as_posix(),
        kind=relative.parts[0] if len(relative.parts) > 1 else "",
        audio=audio,
        reference=rttm,
        evaluated=evaluated if evaluated.is_file() else None,
    )


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """`file:line` and fields of every line that is neither empty nor a comment."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BenchError(f"{path}: cannot be read ({reason})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if fields and not fields[0].startswith((";;", "#")):
            yield f"{path}:{number}", fields


def _seconds(place: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Negated so that NaN fails too.
    if not 0 <= value < math.inf:
        raise BenchError(f"{place}: found '{text}'; a time is a number of seconds, 0 or more")
    return value


def _check_single(path: Path, recordings: set[str]) -> None:
    # Mixing two recordings would score one against the other's truth.
    if len(recordings) > 1:
        raise BenchError(f"{path}: found turns of {len(recordings)} recordings; give one a file")
