"""Where results go: distinct names, and no file overwritten unless that is asked for."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import click

from hocket.cli.options import STDIN
from hocket.errors import one_line
from hocket.files import distinct_names
from hocket.formats import FORMATS, check_installed
from hocket.formats.files import format_of
from hocket.turns import rttm_field


class Job(NamedTuple):
    """A recording to diarize.

    source: as the user gave it.
    places: where its result goes, by format; none: to standard output.
    uri: name of the recording in the result, which no other of the run has.
    """

    source: str
    places: Mapping[str, Path]
    uri: str


class Existing(NamedTuple):
    """What to do with results that exist; neither: they are refused."""

    overwrite: bool
    skip: bool


def plan(
    files: Sequence[str],
    output: str | None,
    formats: Sequence[str],
    existing: Existing,
    usual: str = "rttm",
) -> tuple[str, list[Job]]:
    """The format of standard output, and what is to be done.

    Args:
        files: recordings.
        output: a file, or a folder; None: standard output.
        formats: those that were asked for; none: the suffix of the output, else the usual one.
        existing: what to do with results that exist.
        usual: the format where none is asked for.

    Raises:
        UsageError: the results cannot go where they should, or exist already.
    """
    if list(files).count(STDIN) > 1:
        raise click.UsageError("standard input holds one recording; give - once")
    stems = ["stdin" if source == STDIN else PurePath(source).stem or "audio" for source in files]
    places = _places(files, distinct_names(stems), output, formats, usual)
    check_installed({name for each in places for name in each})  # before anything is computed
    uris = distinct_names([rttm_field(stem) for stem in stems])
    jobs = [Job(*each) for each in zip(files, places, uris, strict=True)]
    return (formats or [usual])[0], _without_existing(jobs, existing)


def check_free(place: Path, other: str, *, overwrite: bool) -> None:
    """Raise UsageError if there is a file that may not be replaced.

    Args:
        place: of the output.
        other: what else could be given, such as "another -o".
        overwrite: whether it may be replaced.
    """
    if place.exists() and not overwrite:
        raise click.UsageError(f"{place} exists; give --overwrite, or {other}")


def _places(
    files: Sequence[str],
    names: Sequence[str],
    output: str | None,
    formats: Sequence[str],
    usual: str,
) -> list[Mapping[str, Path]]:
    """Where each recording's result goes, by format; nowhere is standard output."""
    several = len(files) > 1
    if output is None:
        _check_stream(formats, several=several)
        return [{}] * len(files)
    place = Path(output)
    is_folder = place.is_dir() or output.endswith(("/", os.sep))
    if several or is_folder or len(formats) > 1 or "kaldi" in formats:
        if place.exists() and not place.is_dir():
            needs = "several recordings need" if several else "several files need"
            raise click.UsageError(f"{output} is a file; {needs} -o FOLDER")
        chosen = formats or [usual]
        return [
            {each: place / f"{name}.{FORMATS[each].suffix}" for each in chosen} for name in names
        ]
    recording = Path(files[0])
    if place.exists() and recording.exists() and place.samefile(recording):
        raise click.UsageError(f"{output} is the recording itself; give -o another name")
    return [{(formats or [_format_of(place, usual)])[0]: place}]


def _check_stream(formats: Sequence[str], *, several: bool) -> None:
    """Raise UsageError if standard output cannot hold the results."""
    if len(formats) > 1:
        raise click.UsageError("several formats are several files; give -o FOLDER")
    if formats and not FORMATS[formats[0]].streamable:
        raise click.UsageError(f"{formats[0]} cannot go to standard output; give -o")
    if several and formats and not FORMATS[formats[0]].joinable:
        raise click.UsageError(f"{formats[0]} holds one recording; give -o FOLDER")


def _without_existing(jobs: Sequence[Job], existing: Existing) -> list[Job]:
    if existing.overwrite and existing.skip:
        raise click.UsageError("--overwrite excludes --skip-existing; give one of them")
    found = {job.uri: [place for place in job.places.values() if place.exists()] for job in jobs}
    there = [place for places in found.values() for place in places]
    if not there or existing.overwrite:
        return list(jobs)
    if not existing.skip:
        more = f", and {len(there) - 1} more results do" if len(there) > 1 else ""
        remedy = "give --overwrite, --skip-existing, or another -o"
        raise click.UsageError(f"{there[0]} exists{more}; {remedy}")
    kept = []
    for job in jobs:
        missing = {name: place for name, place in job.places.items() if not place.exists()}
        for place in found[job.uri]:
            click.echo(f"hocket: {one_line(job.source)}: {place} exists; skipped", err=True)
        if missing:
            kept.append(job._replace(places=missing))
    return kept


def _format_of(output: Path, usual: str) -> str:
    found = format_of(output)
    if output.suffix and found is None:
        known = ", ".join(FORMATS)
        suffix = output.suffix.lower().removeprefix(".")
        raise click.UsageError(f"{output}: there is no format '{suffix}'; give --format: {known}")
    return found or usual
