"""The command `hocket plot`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hocket.audio.reading import MIX, read_audio, select
from hocket.bridges import extra
from hocket.cli.display import progress_bar
from hocket.cli.options import TIME, check_source
from hocket.cli.outputs import check_free
from hocket.errors import FormatError, one_line
from hocket.files import write_whole
from hocket.formats.files import READABLE, holds_turns, read_transcripts
from hocket.offline.diarizer import Diarizer
from hocket.report.figures import EXTRA, METADATA, encoded
from hocket.report.plot import plot_against, plot_embeddings, plot_turns
from hocket.transcript import Transcript, transcript_of
from hocket.turns import Turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Part = tuple[float | None, float | None]
"""Start and end in seconds, if they were given."""


@click.command(name="plot")
@click.argument("source", metavar="IN")
@click.option(
    *("-o", "--output"),
    type=click.Path(path_type=Path),
    required=True,
    metavar="OUT",
    help="The picture: a file that ends with .png or .svg.",
)
@click.option(
    "--reference",
    type=click.Path(exists=True, path_type=Path),
    metavar="REF",
    help="True turns, in any readable format, to be shown above those of IN, with the errors.",
)
@click.option("--embeddings", is_flag=True, help="Show embeddings in two dimensions; IN is sound.")
@click.option(
    *("--from", "source_format"),
    type=click.Choice(READABLE),
    help="Format of IN. Default: by its suffix, and for JSON by its content.",
)
@click.option("--start", type=TIME, metavar="TIME", help="Where to begin: seconds, or h:mm:ss.")
@click.option("--end", type=TIME, metavar="TIME", help="Where to end; times stay the file's.")
@click.option("--title", metavar="TEXT", help="Default: the name of the recording.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def plot_command(
    source: str,
    output: Path,
    reference: Path | None,
    embeddings: bool,
    source_format: str | None,
    start: float | None,
    end: float | None,
    title: str | None,
    overwrite: bool,
) -> int:
    """Draw a picture of the turns in IN: a lane for each speaker.

    IN is a file of turns or a transcript. Anything else is a recording and is diarized, from
    --start to --end.
    """
    kind = _kind_of(output)
    check_free(output, "another -o", overwrite=overwrite)
    is_read = source_format is not None or holds_turns(Path(source))
    if embeddings and (reference or is_read):
        problem = "excludes --reference" if reference else f"needs a recording, not {source}"
        raise click.UsageError(f"--embeddings {problem}; give the recording alone")
    extra("matplotlib", EXTRA)
    if embeddings:
        figure = _embeddings(source, (start, end), title)
    else:
        known = None if reference is None else _reference(reference)
        found = _read(Path(source), source_format) if is_read else _diarized(source, (start, end))
        figure = _turns(found, known, (start, end), title)
    write_whole(output, encoded(figure, kind))
    return 0


def _kind_of(output: Path) -> str:
    kind = output.suffix.lower().removeprefix(".")
    if kind not in METADATA:
        raise click.UsageError(f"{output}: is no kind of picture; end it with .png or .svg")
    return kind


def _read(place: Path, source_format: str | None) -> Transcript:
    """The only transcript of a file; one without any has no turns, as for `hocket score`."""
    transcripts = read_transcripts(place, source_format)
    if len(transcripts) > 1:
        raise FormatError(
            f"{place}: has {len(transcripts)} recordings, and a picture shows one; "
            f"divide it with 'hocket convert {place} FOLDER'"
        )
    return transcripts[0] if transcripts else Transcript(place.stem, 0.0, ())


def _diarized(source: str, part: Part) -> Transcript:
    check_source(source, "hocket diarize - -o FILE.json")
    with progress_bar(one_line(source), sys.stderr) as progress:
        return transcript_of(Diarizer()(source, start=part[0], end=part[1], progress=progress))


def _embeddings(source: str, part: Part, title: str | None) -> "Figure":
    check_source(source, "hocket diarize - -o FILE.json")
    diarizer = Diarizer().load()
    selection = select(source, None, None, MIX, *part, None)
    recording = read_audio(source, target_rate=diarizer.geometry.sample_rate, selection=selection)
    with progress_bar(one_line(source), sys.stderr) as progress:
        artifacts = diarizer.infer(recording, progress=progress)
    found = diarizer.finish(artifacts)
    return plot_embeddings(found, artifacts, title=found.uri if title is None else title)


def _reference(place: Path) -> list[Transcript]:
    """The references of a file; one without any is of a recording in which nobody speaks."""
    return read_transcripts(place) or [Transcript(place.stem, 0.0, ())]


def _turns(
    found: Transcript, known: Sequence[Transcript] | None, part: Part, title: str | None
) -> "Figure":
    turns, shown = _turns_of(found), found.uri if title is None else title
    if known is None:
        return plot_turns(turns, found.duration, title=shown, start=part[0], end=part[1])
    truth = _matching(known, found.uri)
    duration = max(found.duration, truth.duration)
    return plot_against(turns, _turns_of(truth), duration, title=shown, start=part[0], end=part[1])


def _matching(known: Sequence[Transcript], uri: str) -> Transcript:
    """The reference of the recording; the name of the only one need not agree."""
    same = [each for each in known if len(known) == 1 or each.uri == uri]
    if not same:
        named = ", ".join(one_line(each.uri) for each in known[:5])
        raise FormatError(f"the reference has no turns of {one_line(uri)}; it has {named}")
    return same[0]


def _turns_of(transcript: Transcript) -> tuple[Turn, ...]:
    return tuple(segment.turn for segment in transcript.segments)
