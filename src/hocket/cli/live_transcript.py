"""`hocket transcribe --live`: segments on standard output, as they are complete."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from hocket import models
from hocket.audio.reading import stem_of
from hocket.cli.live import Signals, open_source
from hocket.cli.options import STDIN, check_source, grouped
from hocket.cli.outcome import FAILED, INTERRUPTED, complain
from hocket.cli.speakers import open_known
from hocket.config import Config, Runtime
from hocket.formats import FORMATS
from hocket.notices import Notices
from hocket.recognition.live import LiveTranscriber
from hocket.recognition.settings import RATE, RecognitionConfig
from hocket.transcript import Segment, Transcript

LIVE_FORMATS = ("txt", "jsonl")  # a line a segment


class LiveSound(NamedTuple):
    """Where sound comes from.

    file: a path, or - for standard input.
    mic: whether it is the microphone.
    rate: Hz, of the microphone and of samples without a header.
    channels: mix, or the number of one.
    """

    file: str
    mic: bool
    rate: int
    channels: int | str

    @property
    def name(self) -> str:
        """Of the stream."""
        return "microphone" if self.mic else "stdin" if self.file == STDIN else self.file


class Live(NamedTuple):
    """Options of a live transcript.

    live: whether one is made.
    mic: whether it is of the microphone.
    rate: Hz, of the microphone and of samples without a header.
    """

    live: bool
    mic: bool
    rate: int

    @property
    def wanted(self) -> bool:
        """Whether an option of a live transcript was given."""
        return self.live or self.mic

    def check(self, files: Sequence[str], formats: Sequence[str], others: Sequence[object]) -> None:
        """Raise UsageError unless the options go together; `others` never go with --live."""
        if not self.live:
            raise click.UsageError("--mic is for --live; give both")
        if len(files) > 1:
            raise click.UsageError(f"--live is for one FILE or -; found {len(files)}")
        if any(other is not None and other is not False for other in others):
            usable = "--mic, --rate, --format, --channels, --preset, --store and --threads"
            raise click.UsageError(f"--live goes with the recognizer's options, {usable} alone")
        if len(formats) > 1 or not {*formats} <= {*LIVE_FORMATS}:
            raise click.UsageError(f"--live writes {' or '.join(LIVE_FORMATS)}; give one of them")

    def sound(self, files: Sequence[str], channels: int | str) -> LiveSound:
        """Where the sound comes from."""
        return LiveSound(files[0] if files else STDIN, self.mic, self.rate, channels)


_OPTIONS = (
    click.option("--live", is_flag=True, help="Transcribe one FILE or - while people speak."),
    click.option("--mic", is_flag=True, help="With --live: the microphone; needs hocket[mic]."),
    click.option("--rate", type=int, default=RATE, show_default=True, help="Hz, of raw samples."),
)


live_options = grouped("live", Live, Live._fields, _OPTIONS)
"""The options; the command gets them as its argument `live`."""


def transcribe_live(
    sound: LiveSound,
    recognition: RecognitionConfig,
    formats: Sequence[str],
    preset: str,
    runtime: Runtime,
    store: Path | None,
) -> int:
    """Print each segment; a signal ends the stream, and its last segments are printed."""
    config = Config.preset(preset)
    known = open_known(store, models.embedding_model(config.graphs.embedding))
    if not sound.mic:
        check_source(sound.file, "hocket transcribe --live -")
    notices = Notices(sound.name)
    with open_source(sound.file, sound.mic, sound.rate, 1, "auto", notices) as source:
        live = LiveTranscriber(
            source.rate,
            recognition,
            config=config,
            runtime=runtime,
            store=known,
            channels=sound.channels,
            name=sound.name,
        )
        printer = _Printer(live, sound.name, (*formats, LIVE_FORMATS[0])[0])
        with Signals() as signals:
            try:
                for block in signals.until_one(source.blocks):
                    printer.show(live.feed(block))
            except KeyboardInterrupt:  # of the source itself
                signals.code = INTERRUPTED
        printer.show(live.finish())
    return signals.code or (FAILED if live.failure else 0)


class _Printer:
    """Prints segments, and once why the recognizer stopped."""

    def __init__(self, live: LiveTranscriber, name: str, form: str) -> None:
        self._live, self._name, self._form, self._told = live, name, form, False

    def show(self, segments: Sequence[Segment]) -> None:
        """Print segments."""
        for segment in segments:
            alone = Transcript(stem_of(self._name), segment.turn.end, (segment,))
            click.echo(FORMATS[self._form].write(alone), nl=False)
        sys.stdout.flush()
        if self._live.failure and not self._told:
            self._told = True
            complain(str(self._live.failure))
