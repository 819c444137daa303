"""Recordings with their references, found below a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from bench.annotations import Region, Turn, read_rttm, read_uem
from bench.errors import BenchError
from bench.matching import (
    AUDIO_SUFFIXES,
    Described,
    audio_beside,
    match_audio,
    read_references,
    read_regions,
    regions_of,
    require_all,
    wanted,
)

__all__ = [
    "Layout",
    "Recording",
    "Region",
    "Turn",
    "find_audio",
    "find_recordings",
    "read_rttm",
    "read_uem",
]


@dataclass(frozen=True)
class Layout:
    """Where the parts of a corpus are, if they are not side by side.

    references: folder of RTTM files, or one such file; None: the folder of the audio.
    regions: folder of UEM files, or one such file; None: where the references are.
    audio: pattern of audio file names, for corpora with several microphones.
    select: names of the recordings to use; empty: all.
    """

    references: Path | None = None
    regions: Path | None = None
    audio: str = "*"
    select: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recording:
    """One audio file of a corpus.

    uri: its name in the corpus, such as `real/sample`.
    kind: folder that it is summed up with; empty at the top of the corpus.
    reference, evaluated: RTTM and UEM file.
    listed_turns, listed_regions: content of these files, where a file may hold several recordings.
    """

    uri: str
    kind: str
    audio: Path
    reference: Path
    evaluated: Path | None
    listed_turns: tuple[Turn, ...] | None = None
    listed_regions: tuple[Region, ...] | None = None

    @property
    def name(self) -> str:
        """The last part of the uri."""
        return self.uri.rpartition("/")[2]

    def turns(self) -> list[Turn]:
        """The turns of the reference."""
        if self.listed_turns is not None:
            return list(self.listed_turns)
        return read_rttm(self.reference)

    def duration_s(self) -> float:
        """Length of the audio; the end of the UEM if libsndfile does not read the format."""
        try:
            return float(soundfile.info(str(self.audio)).duration)
        except soundfile.LibsndfileError as error:
            if regions := self._stated_regions():
                return max(region.end for region in regions)
            raise BenchError(
                f"{self.uri}: cannot read the duration of {self.audio.name}; add a .uem next to it"
            ) from error

    def regions(self) -> list[Region]:
        """The scored regions: those of the UEM, or all of the audio."""
        return self._stated_regions() or [Region(0.0, self.duration_s())]

    def _stated_regions(self) -> list[Region]:
        if self.listed_regions is not None:
            return list(self.listed_regions)
        return [] if self.evaluated is None else read_uem(self.evaluated)


def find_recordings(folder: Path, layout: Layout | None = None) -> list[Recording]:
    """Every recording below `folder`, sorted by uri.

    The corpus is every audio file with an .rttm of the same name next to it. If there are none, or
    if the layout names the references, audio and references are matched by name.

    Raises:
        BenchError: nothing was found, a file has no counterpart, or a name is ambiguous.
    """
    layout = layout or Layout()
    pairs = [] if layout.references else _side_by_side(folder, layout)
    found = pairs or _matched(folder, layout)
    return sorted(found, key=lambda recording: recording.uri)


def find_audio(folder: Path, layout: Layout | None = None) -> list[Recording]:
    """Every audio file below `folder`, sorted by uri, as a recording without a reference.

    Raises:
        BenchError: nothing was found, or a selected recording is missing.
    """
    layout = layout or Layout()
    found = [
        _without_reference(folder, path)
        for path in sorted(folder.rglob(layout.audio))
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
    ]
    if not found:
        raise BenchError(
            f"{folder}: found no audio ({', '.join(AUDIO_SUFFIXES)}); give another folder"
        )
    return _selected(found, layout, folder)


def _without_reference(folder: Path, audio: Path) -> Recording:
    relative = audio.relative_to(folder).with_suffix("")
    kind = relative.parts[0] if len(relative.parts) > 1 else ""
    return Recording(relative.as_posix(), kind, audio, audio, None, listed_turns=())


def _side_by_side(folder: Path, layout: Layout) -> list[Recording]:
    pairs = ((rttm, audio_beside(rttm, layout.audio)) for rttm in folder.rglob("*.rttm"))
    found = [_pair(folder, rttm, audio) for rttm, audio in pairs if audio is not None]
    found = _selected(found, layout, folder)
    return _with_regions(found, layout.regions) if layout.regions else found


def _selected(found: list[Recording], layout: Layout, folder: Path) -> list[Recording]:
    if not (found and layout.select):
        return found
    names = {each.uri for each in found} | {each.name for each in found}
    require_all(layout.select, names, folder)
    return [each for each in found if {each.uri, each.name} & set(layout.select)]


def _pair(folder: Path, rttm: Path, audio: Path) -> Recording:
    relative = rttm.relative_to(folder).with_suffix("")
    evaluated = rttm.with_suffix(".uem")
    return Recording(
        uri=relative.as_posix(),
        kind=relative.parts[0] if len(relative.parts) > 1 else "",
        audio=audio,
        reference=rttm,
        evaluated=evaluated if evaluated.is_file() else None,
    )


def _with_regions(recordings: Sequence[Recording], place: Path) -> list[Recording]:
    described = read_regions(place)
    regions = [regions_of(frozenset({each.name}), described, place) for each in recordings]
    return [
        Recording(
            each.uri,
            each.kind,
            each.audio,
            each.reference,
            uem.path,
            listed_regions=tuple(uem.items),
        )
        for each, uem in zip(recordings, regions, strict=True)
    ]


def _matched(folder: Path, layout: Layout) -> list[Recording]:
    place = layout.references or folder
    references = wanted(read_references(place), layout.select, place)
    if not references:
        raise BenchError(
            f"{place}: found no audio with an .rttm of the same name; put one next to each file "
            f"({', '.join(AUDIO_SUFFIXES)}), or name their folder with --references"
        )
    audio = match_audio(folder, references, layout.audio, complete=not layout.select)
    regions_place = layout.regions or (place if place.is_dir() else folder)
    regions = read_regions(regions_place)
    found = []
    for reference, path in zip(references, audio, strict=True):
        # without any UEM all audio is scored; one that is missing among others is a mistake
        needed = bool(regions) or layout.regions is not None
        uem = regions_of(reference.names, regions, regions_place) if needed else None
        found.append(_match(reference, path, uem))
    return found


def _match(reference: Described[Turn], audio: Path, uem: Described[Region] | None) -> Recording:
    return Recording(
        uri=reference.name,
        kind=reference.kind,
        audio=audio,
        reference=reference.path,
        evaluated=uem.path if uem else None,
        listed_turns=tuple(reference.items),
        listed_regions=tuple(uem.items) if uem else None,
    )
