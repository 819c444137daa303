"""Audio, references and regions in different folders, matched by name.

A file about one recording has its file name and the name in its lines. A file about several
recordings has the names in its lines. Audio has its name without suffix and the part before the
first dot (AMI's `ES2002a.Mix-Headset.wav` is a recording of `ES2002a`).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Generic, TypeVar

from bench.annotations import Region, Turn, regions_by_recording, turns_by_recording
from bench.errors import BenchError

AUDIO_SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".m4a", ".sph")

Item = TypeVar("Item", Turn, Region)


@dataclass(frozen=True)
class Described(Generic[Item]):
    """The part of a file that is about one recording.

    name: name of the recording.
    names: all names that it may have elsewhere.
    kind: folder of the file; empty if it is the searched folder itself.
    """

    name: str
    names: frozenset[str]
    kind: str
    path: Path
    items: tuple[Item, ...]


def audio_beside(rttm: Path, pattern: str = "*") -> Path | None:
    """Audio of the same stem in the same folder.

    Of several formats the first in AUDIO_SUFFIXES is used, so that no recording counts twice.
    """
    names = (suffix for lower in AUDIO_SUFFIXES for suffix in (lower, lower.upper()))
    candidates = (rttm.with_suffix(suffix) for suffix in names)
    fitting = (path for path in candidates if fnmatchcase(path.name, pattern))
    return next((path for path in fitting if path.is_file()), None)


def read_references(place: Path) -> list[Described[Turn]]:
    """Every recording in one .rttm file, or in those of a folder."""
    return _read(place, ".rttm", turns_by_recording)


def read_regions(place: Path) -> list[Described[Region]]:
    """Every recording in one .uem file, or in those of a folder."""
    return _read(place, ".uem", regions_by_recording)


def wanted(
    references: Sequence[Described[Turn]], select: Collection[str], place: Path
) -> list[Described[Turn]]:
    """The selected references, or all; BenchError if one is missing or found twice."""
    if select:
        names = {name for reference in references for name in reference.names}
        require_all(select, names, place)
        references = [each for each in references if each.names & set(select)]
    places: dict[str, Path] = {}
    for reference in references:
        if reference.name in places:
            raise BenchError(
                f"{reference.name}: found references in {places[reference.name]} and "
                f"{reference.path}; give one of the folders with --references"
            )
        places[reference.name] = reference.path
    return list(references)


def require_all(select: Collection[str], names: Collection[str], place: Path) -> None:
    """Raise BenchError if a selected name is not in `names`."""
    if missing := sorted(set(select) - set(names)):
        raise BenchError(
            f"{place}: found no recording for {_some(missing, len(set(select)))} selected; "
            "check --select"
        )


def match_audio(
    folder: Path, references: Sequence[Described[Turn]], pattern: str, complete: bool
) -> list[Path]:
    """The audio of every reference.

    Args:
        folder: searched with its subfolders.
        references: the recordings that need audio.
        pattern: of file names.
        complete: whether audio without a reference is an error.
    """
    by_name = {name: each.name for each in references for name in (*each.names, each.name)}
    found: dict[str, list[Path]] = defaultdict(list)
    strangers = []
    for path in _audio_files(folder, pattern):
        names = (path.stem, path.name.partition(".")[0])
        if name := next((by_name[name] for name in names if name in by_name), None):
            found[name].append(path)
        else:
            strangers.append(path.name)
    if missing := [each.name for each in references if each.name not in found]:
        raise BenchError(
            f"{folder}: found no audio for {_some(missing, len(references))} references; "
            "add it, or choose recordings with --select"
        )
    for name, paths in found.items():
        if len(paths) > 1:
            raise BenchError(
                f"{name}: found {paths[0]} and {paths[1]}; choose with --audio, "
                "for example --audio '*.Mix-Headset.wav'"
            )
    if complete and strangers:
        raise BenchError(
            f"{folder}: found no reference for {_some(strangers, len(strangers) + len(found))} "
            "audio files; add it, or choose recordings with --select or --audio"
        )
    return [found[each.name][0] for each in references]


def regions_of(
    names: frozenset[str], regions: Sequence[Described[Region]], place: Path
) -> Described[Region]:
    """The regions of the recording with these names; BenchError if there are none or two."""
    fitting = [each for each in regions if each.names & names]
    if len(fitting) == 1:
        return fitting[0]
    name = min(names)
    if not fitting:
        raise BenchError(f"{place}: found no .uem for {name}; add it, or remove all of them")
    raise BenchError(
        f"{name}: found regions in {fitting[0].path} and {fitting[1].path}; "
        "give one of the folders with --regions"
    )


def _read(
    place: Path, suffix: str, reader: Callable[[Path], dict[str, list[Item]]]
) -> list[Described[Item]]:
    if place.is_file():
        # the user chose the file, so its own name need not be that of the recording
        return [
            Described(name, frozenset({name}), "", place, tuple(items))
            for name, items in reader(place).items()
        ]
    found: list[Described[Item]] = []
    for path in sorted(place.rglob(f"*{suffix}")):
        kind = path.parent.name if path.parent != place else ""
        found += _describe(path, kind, reader(path))
    return found


def _describe(path: Path, kind: str, content: dict[str, list[Item]]) -> list[Described[Item]]:
    if len(content) > 1:
        return [
            Described(name, frozenset({name}), kind, path, tuple(items))
            for name, items in content.items()
        ]
    # a file without lines is about a recording without speech
    items = next(iter(content.values()), [])
    return [Described(path.stem, frozenset({path.stem, *content}), kind, path, tuple(items))]


def _audio_files(folder: Path, pattern: str) -> list[Path]:
    formats: dict[Path, list[Path]] = defaultdict(list)
    for path in folder.rglob("*"):
        fits = path.suffix.lower() in AUDIO_SUFFIXES and fnmatchcase(path.name, pattern)
        if fits and path.is_file():
            formats[path.with_suffix("")].append(path)
    order = AUDIO_SUFFIXES.index
    # of several formats of one recording the first counts, as in `audio_beside`
    return [
        min(formats[stem], key=lambda path: order(path.suffix.lower())) for stem in sorted(formats)
    ]


def _some(names: Sequence[str], total: int) -> str:
    return f"{len(names)} of {total} (for example {names[0]})"
