"""What several commands share: options, and recordings that are given by name."""

import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from hocket.audio.opening import ADDRESS, NO_CONNECTION
from hocket.backends import BACKENDS, PRECISIONS
from hocket.config import PRESETS, GraphConfig
from hocket.errors import AudioNotFoundError
from hocket.formats import FORMATS

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
AnyDecorator = Callable[[Any], Any]

STDIN = "-"


class _Time(click.ParamType[float]):
    """Seconds, m:ss or h:mm:ss, with decimals if need be."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The time in seconds."""
        if isinstance(value, float):
            return value
        parts = str(value).split(":")
        try:
            numbers = [*map(int, parts[:-1]), float(parts[-1])]
        except ValueError:
            numbers = []
        is_clock = len(numbers) in (1, 2, 3) and all(0 <= part < 60 for part in numbers[1:])
        if not is_clock:
            self.fail(f"'{value}' is not a time; give seconds, m:ss or h:mm:ss", param, ctx)
        return float(sum(part * 60**place for place, part in enumerate(reversed(numbers))))


TIME = _Time()


class _Formats(click.ParamType[tuple[str, ...]]):
    """Names of formats between commas."""

    name = "formats"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each once."""
        if isinstance(value, tuple):
            return value
        names = [name.strip().lower() for name in str(value).split(",")]
        unknown = [name for name in names if name not in FORMATS]
        if unknown:
            near = get_close_matches(unknown[0], FORMATS, 1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; give {', '.join(FORMATS)}"
            self.fail(f"there is no format '{unknown[0]}'{hint}", param, ctx)
        return tuple(dict.fromkeys(names))


def format_option(usual: str) -> AnyDecorator:
    """The option that names formats, of which one is usual; the command gets them as `formats`."""
    default = f"Several need -o FOLDER. Default: the suffix of -o, else {usual}."
    return click.option(
        *("--format", "formats"),
        type=_Formats(),
        default=(),
        metavar="NAME[,NAME...]",
        help=f"{', '.join(FORMATS)}. {default}",
    )


def grouped(
    name: str, make: Callable[..., Any], fields: Sequence[str], options: Sequence[AnyDecorator]
) -> AnyDecorator:
    """Options that a command gets as one argument.

    Args:
        name: of the argument.
        make: its value from those of the options, by name.
        fields: names of the options.
        options: in the order of the help.
    """

    def decorated(command: Any) -> Any:
        @wraps(command)
        def with_group(**given: Any) -> Any:
            value = make(**{field: given.pop(field) for field in fields})
            return command(**{name: value}, **given)

        found: Any = with_group
        for option in reversed(options):
            found = option(found)
        return found

    return decorated


def output_options(command: Command) -> Command:
    """Options for where results go; the command gets `output`, `overwrite` and `skip_existing`."""
    for option in (
        click.option(
            *("-o", "--output"),
            type=click.Path(),  # not yet a Path, which would drop a slash at its end
            help="A file for one recording; a folder, made if need be, for several.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace results that exist."),
        click.option(
            "--skip-existing", is_flag=True, help="Leave out recordings whose results exist."
        ),
    )[::-1]:
        command = option(command)
    return command


def count_options(command: Command) -> Command:
    """Options for how many speakers there are; the command gets them by their names."""
    for option in (
        click.option("--num-speakers", type=int, help="Exact number of speakers, if known."),
        click.option("--min-speakers", type=int, help="Fewest speakers to find."),
        click.option("--max-speakers", type=int, help="Most speakers to find."),
    )[::-1]:
        command = option(command)
    return command


def store_option(*, required: bool) -> Callable[[Command], Command]:
    """The option that names the file of speakers."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path),
        envvar="HOCKET_STORE",
        required=required,
        metavar="FILE",
        help="Speaker store; HOCKET_STORE names it too.",
    )


def threshold_option(command: Command) -> Command:
    """The option that sets how near a voice must be."""
    return click.option(
        "--threshold",
        type=click.FloatRange(0, 2),
        metavar="D",
        help="Largest distance of a known voice, 0 to 2; docs/speakers.md. Default: the model's.",
    )(command)


def preset_option(command: Command) -> Command:
    """The option that chooses settings that go together."""
    return click.option(
        "--preset",
        type=click.Choice(tuple(PRESETS)),
        default="balanced",
        show_default=True,
        help="accurate takes 2.2 times as long as balanced, fast 0.8 times.",
    )(command)


def threads_option(command: Command) -> Command:
    """The option that limits the processor."""
    return click.option("--threads", type=int, help="Processor cores to use. Default: all.")(
        command
    )


def precision_option(default: str | None, text: str) -> Callable[[Command], Command]:
    """The option that chooses what trained layers compute in."""
    return click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default=default,
        show_default=default is not None,
        help=text,
    )


def backend_option(command: Command) -> Command:
    """The option that chooses the runtime."""
    return click.option(
        "--backend",
        type=click.Choice(BACKENDS),
        default=GraphConfig.backend,
        show_default=True,
        help="Runtime of the graphs; 'hocket backends' shows what is installed.",
    )(command)


def check_source(source: str, command: str) -> None:
    """Refuse an address, and say what a terminal is waited for.

    Args:
        source: a path, or `-` for standard input.
        command: what reads standard input, for the remedy.

    Raises:
        AudioNotFoundError: the source is an address.
    """
    if ADDRESS.match(source):
        remedy = f"pipe it: ffmpeg -i {source} -f wav - | {command}"
        raise AudioNotFoundError(source, NO_CONNECTION, remedy)
    if source == STDIN and sys.stdin.buffer.isatty():
        click.echo("hocket: reading sound from standard input; Ctrl-D ends it", err=True)
