"""The command `hocket transcript`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from hocket.attribution import attribute
from hocket.cli.outputs import Existing, Job, plan
from hocket.cli.parts import Part
from hocket.cli.recordings import diarize_one, for_each, transcript_options
from hocket.cli.speakers import name_known, open_known
from hocket.config import Config, Runtime, SpeakerCount
from hocket.errors import FormatError
from hocket.formats import written
from hocket.formats.files import READABLE, holds_turns, read_transcripts, write_content
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.transcript import Transcript, as_result


@click.command(name="transcript")
@click.argument("source", metavar="AUDIO|TURNS")
@click.option(
    "--words",
    "words_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="What is said: the output of a speech recognizer, subtitles or a CTM file.",
)
@click.option(
    *("--from", "words_format"),
    type=click.Choice(READABLE),
    help="Format of the words. Default: by the suffix, and for JSON by the content.",
)
@transcript_options
def transcript_command(
    source: str,
    words_file: Path,
    words_format: str | None,
    whole_sentences: bool,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    formats: Sequence[str],
    part: Part,
    strict: bool,
    preset: str,
    store: Path | None,
    threshold: float | None,
    threads: int | None,
    **numbers: int | None,
) -> int:
    """Give the words that a recognizer found in AUDIO to its speakers.

    TURNS is a file that 'hocket diarize' wrote, as JSON or in another format; anything else is
    AUDIO and is diarized.
    """
    SpeakerCount.of(**numbers)
    shown, jobs = plan([source], output, formats, Existing(overwrite, skip_existing), "txt")
    words = words_of_one(words_file, words_format)

    def work(job: Job) -> bool:
        if holds_turns(Path(job.source)):
            result = turns_of_one(Path(job.source), words)
        else:
            diarizer = Diarizer(Config.preset(preset), Runtime(threads=threads)).load()
            result = diarize_one(diarizer, job.source, None, part, numbers)
            if known := open_known(store, diarizer.embedding_model):
                result = name_known(known, result, job.source, threshold)
        result = replace(result, uri=job.uri)
        transcript = attribute(words, result, whole_sentences=whole_sentences)
        for name, place in job.places.items():
            write_content(place, written(transcript, name))
        if not job.places:
            click.echo(written(transcript, shown), nl=False)
        return not (strict and transcript.notices)

    return for_each(jobs, f"hocket transcript - --words {words_file}", work)


def words_of_one(place: Path, format_name: str | None) -> Transcript:
    """The words of a file that holds those of one recording."""
    found = read_transcripts(place, format_name)
    if len(found) != 1:
        raise FormatError(f"{place}: holds {len(found)} recordings; give the words of one")
    return found[0]


def turns_of_one(place: Path, words: Transcript) -> Result:
    """The turns of a file that holds those of one recording, as a result."""
    found = read_transcripts(place)
    if len(found) != 1:
        raise FormatError(f"{place}: holds {len(found)} recordings; give the turns of one")
    turns = found[0]
    if turns.result:
        return turns.result
    # where no length is stated, the words may go on behind the last turn
    duration = max(turns.duration, words.duration)
    return as_result(turns, duration)
