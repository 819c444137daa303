"""The command `hocket convert`."""

from collections.abc import Sequence
from pathlib import Path

import click

from hocket.cli.options import format_option
from hocket.cli.outputs import check_free
from hocket.errors import FormatError
from hocket.files import distinct_names
from hocket.formats import FORMATS, check_installed, written
from hocket.formats.files import (
    READABLE,
    format_of,
    read_transcripts,
    write_content,
    write_transcripts,
)
from hocket.transcript import Transcript
from hocket.turns import rttm_field


@click.command(name="convert")
@click.argument("source", metavar="IN", type=click.Path(exists=True, path_type=Path))
@click.argument("output", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    *("--from", "source_format"),
    type=click.Choice(READABLE),
    help="Format of IN. Default: by its suffix, and for JSON by its content.",
)
@format_option("rttm")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def convert_command(
    source: Path,
    output: Path,
    source_format: str | None,
    formats: Sequence[str],
    overwrite: bool,
) -> int:
    """Convert turns or a transcript, IN, to another format: OUT, a file or a folder."""
    chosen = formats or _format_of(output)
    check_installed(chosen)
    transcripts = read_transcripts(source, source_format)
    if not transcripts:
        raise FormatError(f"{source}: holds no turns")
    is_folder = output.is_dir() or len(chosen) > 1 or "kaldi" in chosen
    joined = len(transcripts) == 1 or all(FORMATS[name].joinable for name in chosen)
    if is_folder or not joined:
        _write_each(transcripts, output, chosen, overwrite=overwrite)
        return 0
    check_free(output, "another OUT", overwrite=overwrite)
    write_transcripts(transcripts, output, chosen[0])
    return 0


def _format_of(output: Path) -> tuple[str, ...]:
    found = format_of(output)
    if found is None:
        raise click.UsageError(f"{output}: no format has this suffix; give --format")
    return (found,)


def _write_each(
    transcripts: Sequence[Transcript], folder: Path, formats: Sequence[str], *, overwrite: bool
) -> None:
    """A file for each recording and format in a folder."""
    names = distinct_names([rttm_field(each.uri).replace("/", "_") for each in transcripts])
    places = [
        (transcript, name, folder / f"{stem}.{FORMATS[name].suffix}")
        for transcript, stem in zip(transcripts, names, strict=True)
        for name in formats
    ]
    for _, _, place in places:
        check_free(place, "another OUT", overwrite=overwrite)
    for transcript, name, place in places:
        write_content(place, written(transcript, name))
