"""Where results go: distinct names, and no file overwritten unless that is asked for."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

import click

from hocket.cli.options import STDIN
from hocket.errors import one_line
from hocket.files import distinct_names
from hocket.formats.writers import WRITERS
from hocket.result import rttm_field


class Job(NamedTuple):
    """A recording to diarize.

    source: as the user gave it.
    place: where its result goes; None: to standard output.
    uri: name of the recording in the result, which no other of the run has.
    """

    source: str
    place: Path | None
    uri: str


class Existing(NamedTuple):
    """What to do with results that exist; neither: they are refused."""

    overwrite: bool
    skip: bool


def plan(
    files: Sequence[str], output: str | None, format_name: str | None, existing: Existing
) -> tuple[str, list[Job]]:
    """The format, and what is to be done.

    Raises:
        UsageError: the results cannot go where they should, or exist already.
    """
    if list(files).count(STDIN) > 1:
        raise click.UsageError("standard input holds one recording; give - once")
    stems = ["stdin" if source == STDIN else PurePath(source).stem or "audio" for source in files]
    format_name, places = _places(files, distinct_names(stems), output, format_name)
    uris = distinct_names([rttm_field(stem) for stem in stems])
    jobs = [Job(*each) for each in zip(files, places, uris, strict=True)]
    return format_name, _without_existing(jobs, existing)


def _places(
    files: Sequence[str], names: Sequence[str], output: str | None, format_name: str | None
) -> tuple[str, list[Path | None]]:
    """The format, and where each recording's result goes; None is standard output."""
    several = len(files) > 1
    if output is None:
        format_name = format_name or "rttm"
        if several and not WRITERS[format_name].joinable:
            raise click.UsageError(f"{format_name} holds one recording; give -o FOLDER")
        return format_name, [None] * len(files)
    place = Path(output)
    if several or place.is_dir() or output.endswith(("/", os.sep)):
        if place.exists() and not place.is_dir():
            raise click.UsageError(f"{output} is a file; several recordings need -o FOLDER")
        format_name = format_name or "rttm"
        return format_name, [place / f"{name}.{format_name}" for name in names]
    recording = Path(files[0])
    if place.exists() and recording.exists() and place.samefile(recording):
        raise click.UsageError(f"{output} is the recording itself; give -o another name")
    return format_name or _format_of(place), [place]


def _without_existing(jobs: Sequence[Job], existing: Existing) -> list[Job]:
    if existing.overwrite and existing.skip:
        raise click.UsageError("--overwrite excludes --skip-existing; give one of them")
    found = [job for job in jobs if job.place is not None and job.place.is_file()]
    if not found or existing.overwrite:
        return list(jobs)
    if not existing.skip:
        more = f", and {len(found) - 1} more results do" if len(found) > 1 else ""
        remedy = "give --overwrite, --skip-existing, or another -o"
        raise click.UsageError(f"{found[0].place} exists{more}; {remedy}")
    for job in found:
        click.echo(f"hocket: {one_line(job.source)}: {job.place} exists; skipped", err=True)
    return [job for job in jobs if job not in found]


def _format_of(output: Path) -> str:
    suffix = output.suffix.lower().removeprefix(".")
    if suffix and suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise click.UsageError(f"{output}: there is no format '{suffix}'; give --format: {known}")
    return suffix or "rttm"
