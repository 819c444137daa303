"""The command `hocket transcribe`."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from hocket.cli.display import progress_bar
from hocket.cli.live_transcript import Live, live_options, transcribe_live
from hocket.cli.options import STDIN
from hocket.cli.outputs import Existing, Job, plan
from hocket.cli.parts import Part
from hocket.cli.recognizers import recognition_options
from hocket.cli.recordings import diarize_one, for_each, sources, transcript_options
from hocket.cli.speakers import name_known, open_known
from hocket.config import Runtime, SpeakerCount
from hocket.errors import RecognitionError, one_line
from hocket.formats import FORMATS, written
from hocket.formats.files import write_content
from hocket.recognition.settings import RecognitionConfig
from hocket.recognition.transcribe import Transcriber
from hocket.result import Result
from hocket.transcript import Segment, Transcript

TEXT = "txt"


@click.command(name="transcribe")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--example", is_flag=True, help="Transcribe a conversation that comes with hocket.")
@live_options
@recognition_options
@transcript_options
def transcribe_command(
    files: tuple[str, ...],
    example: bool,
    live: Live,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    formats: Sequence[str],
    recognition: RecognitionConfig,
    whole_sentences: bool,
    part: Part,
    strict: bool,
    preset: str,
    store: Path | None,
    threshold: float | None,
    threads: int | None,
    **numbers: int | None,
) -> int:
    """Transcribe each FILE: who says what; - reads one recording from standard input.

    A recognizer must be installed: pip install 'hocket[asr]'.
    """
    runtime = Runtime(threads=threads)
    if live.wanted:
        places = output, example, overwrite, skip_existing
        parts = part.track, part.start, part.end, part.regions, part.join_voices
        others = strict, whole_sentences, threshold, *numbers.values()
        live.check(files, formats, (*places, *parts, *others))
        sound = live.sound(files, part.channels)
        return transcribe_live(sound, recognition, formats, preset, runtime, store)
    files = sources(files, example=example)
    SpeakerCount.of(**numbers)  # what is wrong for all recordings is reported once
    shown, jobs = plan(files, output, formats, Existing(overwrite, skip_existing), TEXT)
    transcriber = Transcriber(recognition, preset=preset, runtime=runtime)
    transcriber.recognizer.load()
    known = open_known(store, transcriber.diarizer.load().embedding_model)
    if output is None:
        click.echo(FORMATS[shown].header(True), nl=False)

    def work(job: Job) -> bool:
        content = sys.stdin.buffer.read() if job.source == STDIN else None
        result = diarize_one(transcriber.diarizer, job.source, content, part, numbers)
        result = replace(result, uri=job.uri)
        if known:
            result = name_known(known, result, job.source, threshold)
        transcript = _transcribe_one(
            transcriber, job, content, result, part, whole_sentences, shown
        )
        return not (strict and transcript.notices)

    return for_each(jobs, "hocket transcribe -", work)


def _transcribe_one(
    transcriber: Transcriber,
    job: Job,
    content: bytes | None,
    result: Result,
    part: Part,
    whole_sentences: bool,
    shown: str,
) -> Transcript:
    """Recognize the speech of a recording and write it, also where the recognizer fails."""
    show = _Lines(result) if not job.places and shown == TEXT else None
    try:
        with progress_bar(one_line(job.source), sys.stderr) as progress:
            transcript = transcriber(
                job.source if content is None else content,
                result=result,
                **{key: getattr(part, key) for key in ("track", "channels", "start", "end")},
                name="stdin" if content is not None else None,
                whole_sentences=whole_sentences,
                on_segment=show,
                progress=progress,
            )
    except RecognitionError as error:
        if isinstance(error.transcript, Transcript):
            _write(error.transcript, job, shown, show)
        raise
    _write(transcript, job, shown, show)
    return transcript


class _Lines:
    """Prints segments as they come."""

    def __init__(self, result: Result) -> None:
        self._result, self._printed = result, set[Segment]()

    def __call__(self, segment: Segment) -> None:
        """Print a segment, unless that is done."""
        if segment not in self._printed:
            self._printed.add(segment)
            alone = Transcript(self._result.uri, self._result.duration, (segment,))
            click.echo(FORMATS[TEXT].write(alone), nl=False)
            sys.stdout.flush()


def _write(transcript: Transcript, job: Job, shown: str, show: _Lines | None) -> None:
    """Write a transcript where it goes; of lines on standard output, what is not there yet."""
    for name, place in job.places.items():
        write_content(place, written(transcript, name))
    if show:
        for segment in transcript.segments:
            show(segment)
    elif not job.places:
        click.echo(FORMATS[shown].write(transcript), nl=False)
