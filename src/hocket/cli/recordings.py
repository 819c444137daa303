"""What commands share that work on recordings: which ones, diarizing one, errors of one."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import resources

import click

from hocket.cli.display import progress_bar
from hocket.cli.options import (
    STDIN,
    AnyDecorator,
    Command,
    check_source,
    count_options,
    format_option,
    output_options,
    preset_option,
    store_option,
    threads_option,
    threshold_option,
)
from hocket.cli.outcome import FAILED, complain
from hocket.cli.outputs import Job
from hocket.cli.parts import Part, part_options
from hocket.corrections.constraints import Constraint
from hocket.errors import AudioError, HocketError, OutputError, StoreError, one_line
from hocket.offline.diarizer import Diarizer
from hocket.result import Result


def transcript_options(command: Command) -> Command:
    """Options of both commands that make transcripts."""
    whole = "Give all of a sentence to one speaker."
    strict = "Exit with 1 if anything was lost or guessed."
    options: tuple[AnyDecorator, ...] = (
        click.option("--whole-sentences", is_flag=True, help=whole),
        output_options,
        format_option("txt"),
        count_options,
        part_options,
        click.option("--strict", is_flag=True, help=strict),
        preset_option,
        store_option(required=False),
        threshold_option,
        threads_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def sources(files: tuple[str, ...], *, example: bool) -> tuple[str, ...]:
    """The recordings, or the one that comes with hocket; UsageError if both or none are given."""
    if example == bool(files):
        raise click.UsageError("give FILE..., or --example alone")
    return files or (str(resources.files("hocket") / "example" / "conversation.flac"),)


def diarize_one(
    diarizer: Diarizer,
    source: str,
    content: bytes | None,
    part: Part,
    numbers: Mapping[str, int | None],
    constraints: Sequence[Constraint] = (),
) -> Result:
    """The result of a recording; of standard input, what was read from it, or is still to come."""
    with progress_bar(one_line(source), sys.stderr) as progress:
        return diarizer(
            source if source != STDIN else sys.stdin.buffer if content is None else content,
            name="stdin" if source == STDIN else None,
            num_speakers=numbers["num_speakers"],
            min_speakers=numbers["min_speakers"],
            max_speakers=numbers["max_speakers"],
            constraints=constraints,
            **part._asdict(),
            progress=progress,
        )


def for_each(jobs: Sequence[Job], command: str, work: Callable[[Job], bool]) -> int:
    """Do the work for every recording; one that fails is reported, and the next is begun.

    Args:
        jobs: the recordings.
        command: what reads standard input, for remedies.
        work: returns whether all is well.

    Returns:
        The exit code.
    """
    failed = 0
    for job in jobs:
        try:
            check_source(job.source, command)
            failed += not work(job)
        except (HocketError, MemoryError) as error:
            failed += 1
            problem = str(error) or "not enough memory; cut the recording into parts"
            named = isinstance(error, AudioError | OutputError | StoreError)
            complain(problem if named else f"{one_line(job.source)}: {problem}")
    return FAILED if failed else 0
