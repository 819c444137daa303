"""The command `hocket stream`."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from hocket import models
from hocket.audio.reading import EACH, MIX
from hocket.audio.sources import FORMATS, Source
from hocket.cli.display import live_table
from hocket.cli.live import Signals, open_source
from hocket.cli.options import (
    STDIN,
    backend_option,
    check_source,
    precision_option,
    store_option,
    threads_option,
    threshold_option,
)
from hocket.cli.outcome import INTERRUPTED
from hocket.cli.speakers import open_known
from hocket.config import Config, GraphConfig, Runtime
from hocket.notices import Notice, Notices
from hocket.online.rows import UpdateRows
from hocket.online.stream import Stream
from hocket.online.tracker import Update


@click.command(name="stream")
@click.argument("file", default=STDIN, metavar="[FILE|-]")
@click.option("--mic", is_flag=True, help="Diarize the microphone; needs hocket[mic].")
@click.option("--rate", type=int, default=16_000, show_default=True, help="Hz, of raw samples.")
@click.option("--channels", type=int, default=1, show_default=True, help="Of raw samples.")
@click.option("--each", is_flag=True, help="Diarize every channel by itself.")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="auto",
    show_default=True,
    help="Format of standard input. auto: what its first bytes show, or s16le.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for every update.")
@precision_option(GraphConfig.precision, "auto rounds where that is faster on this processor.")
@backend_option
@store_option(required=False)
@threshold_option
@click.option("--max-speakers", type=int, help="Most speakers to tell apart.")
@threads_option
def stream_command(
    file: str,
    mic: bool,
    rate: int,
    channels: int,
    each: bool,
    form: str,
    as_json: bool,
    precision: str,
    backend: str,
    store: Path | None,
    threshold: float | None,
    max_speakers: int | None,
    threads: int | None,
) -> int:
    """Diarize FILE, standard input or the microphone, while people speak.

    ffmpeg -i URL -f s16le -ac 1 -ar 16000 - | hocket stream -

    arecord -f S16_LE -r 16000 | hocket stream -
    """
    if mic and file != STDIN:
        raise click.UsageError(f"found --mic and {file}; give one of them")
    config = Config(graphs=GraphConfig(precision=precision, backend=backend))
    if max_speakers is not None:
        config = replace(config, stream=replace(config.stream, max_speakers=max_speakers))
    if threshold is not None:  # with little speech, too
        near = replace(config.stream, name=threshold, name_early=threshold)
        config = replace(config, stream=near)
    known = open_known(store, models.embedding_model(config.graphs.embedding))
    if not mic:
        check_source(file, "hocket stream -")
    notices = Notices("stdin" if file == STDIN else file)
    with (
        open_source(file, mic, rate, channels, form, notices) as source,
        Stream(
            source.rate,
            config=config,
            runtime=Runtime(threads=threads),
            store=known,
            channels=EACH if each else MIX,
            refinable=False,
            name="stdin" if file == STDIN else file,
        ) as stream,
        _display(as_json, lambda: (*notices, *stream.notices)) as show,
    ):
        return _run(stream, source, show)


def _run(stream: Stream, source: Source, show: Callable[[Update], None]) -> int:
    """Feed the whole source; a signal ends the stream, and its last turns are shown."""
    with Signals() as signals:
        try:
            for block in signals.until_one(source.blocks):
                for update in stream.feed(block):
                    show(update)
        except KeyboardInterrupt:  # of the source itself
            signals.code = INTERRUPTED
    for update in stream.finish():
        show(update)
    return signals.code


@contextmanager
def _display(
    as_json: bool, noted: Callable[[], tuple[Notice, ...]]
) -> Iterator[Callable[[Update], None]]:
    if as_json:
        yield _JsonLines(noted).show
        return
    if not sys.stdout.isatty():
        yield _print_lines
        return
    with live_table(sys.stdout) as show:
        yield lambda update: show(update.time, update.final, update.tentative)


class _JsonLines:
    """Prints an object for every update.

    Args:
        noted: returns all notices so far; each is printed once, with the next update.
    """

    def __init__(self, noted: Callable[[], tuple[Notice, ...]]) -> None:
        self._rows = UpdateRows(noted)

    def show(self, update: Update) -> None:
        """Print an update."""
        row = self._rows.row(update)
        rare = [key for key in ("events", "notices") if not row[key]]
        content = {key: value for key, value in row.items() if key not in rare}
        click.echo(json.dumps(content, ensure_ascii=False))
        sys.stdout.flush()


def _print_lines(update: Update) -> None:
    for turn in update.final:
        click.echo(f"{turn.start:9.2f} {turn.end:9.2f} {turn.speaker}")
    sys.stdout.flush()
    for event in update.events:
        click.echo(f"hocket: {update.time:.1f} s: {event}", err=True)
