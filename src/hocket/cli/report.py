"""The command `hocket report`."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from hocket.audio.reading import Selection, stem_of
from hocket.cli.display import progress_bar
from hocket.cli.options import STDIN, check_source, preset_option, threads_option
from hocket.config import Runtime, SpeakerCount
from hocket.errors import FormatError, one_line
from hocket.files import write_whole
from hocket.formats.files import read_transcripts
from hocket.offline.diarizer import Diarizer
from hocket.report.page import report_page
from hocket.transcript import Transcript, transcript_of

SUFFIX = ".report.html"


@click.command(name="report")
@click.argument("source", metavar="AUDIO")
@click.option(
    *("-o", "--output"),
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"The page. Default: the recording's name with {SUFFIX}, in this folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace a page that exists.")
@click.option(
    "--turns",
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE",
    help="Show the turns or the transcript of a file, such as JSON; nothing is diarized.",
)
@click.option(
    "--audio/--no-audio",
    default=None,
    help="Put the sound into the page. Default: up to two hours of it.",
)
@click.option("--track", type=int, help="Audio track, from 1. Default: the file's default.")
@click.option("--num-speakers", type=int, help="Exact number of speakers, if known.")
@click.option("--min-speakers", type=int, help="Fewest speakers to find.")
@click.option("--max-speakers", type=int, help="Most speakers to find.")
@preset_option
@threads_option
def report_command(
    source: str,
    output: Path | None,
    overwrite: bool,
    turns: Path | None,
    audio: bool | None,
    track: int | None,
    preset: str,
    threads: int | None,
    **numbers: int | None,
) -> int:
    """Make a page that shows who spoke when in AUDIO, and plays it.

    The page is one HTML file, needs no network and opens in any browser.
    """
    check_source(source, "hocket diarize - --format json -o FILE.json")
    if source == STDIN:
        raise click.UsageError("a report reads its recording twice; give a file")
    SpeakerCount.of(**numbers)  # what is wrong is reported before anything is read
    place = output or Path(f"{stem_of(source)}{SUFFIX}")
    if place.exists() and not overwrite:
        raise click.UsageError(f"{place} exists; give --overwrite, or another -o")
    if turns is not None:
        transcript = _read(turns, stem_of(source))
    else:
        diarizer = Diarizer(preset=preset, runtime=Runtime(threads=threads))
        transcript = _diarized(diarizer, source, track, numbers)
    page = report_page(transcript, source, selection=Selection(track=track), audio=audio)
    write_whole(place, page)
    click.echo(f"wrote {place}")
    return 0


def _read(place: Path, uri: str) -> Transcript:
    """The only transcript of a file, or that of the recording of this name."""
    found = read_transcripts(place)
    named = found if len(found) == 1 else [each for each in found if each.uri == uri]
    if len(named) != 1:
        holds = f"{len(found)} recordings, not one named {uri}" if found else "no turns"
        raise FormatError(f"{place}: holds {holds}; give the turns of this recording")
    return named[0]


def _diarized(
    diarizer: Diarizer, source: str, track: int | None, numbers: Mapping[str, int | None]
) -> Transcript:
    with progress_bar(one_line(source), sys.stderr) as progress:
        result = diarizer(
            source,
            num_speakers=numbers["num_speakers"],
            min_speakers=numbers["min_speakers"],
            max_speakers=numbers["max_speakers"],
            track=track,
            progress=progress,
        )
    return transcript_of(result)
