"""The command line: find the command, call it, turn what it raises into a line and an exit code."""

import io
import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import click

from hocket.cli.outcome import (
    INTERNAL,
    INTERRUPTED,
    UNUSABLE,
    USAGE,
    complain,
    usage_message,
    with_options,
)
from hocket.errors import AudioError, ConfigError, FormatError, HocketError, SpeakerError
from hocket.version import __version__

COMMANDS = {
    "backends": "hocket.cli.models:backends_command",
    "convert": "hocket.cli.convert:convert_command",
    "diarize": "hocket.cli.diarize:diarize_command",
    "models": "hocket.cli.models:models_group",
    "plot": "hocket.cli.plot:plot_command",
    "report": "hocket.cli.report:report_command",
    "review": "hocket.cli.review:review_command",
    "score": "hocket.cli.score:score_command",
    "serve": "hocket.cli.serve:serve_command",
    "speakers": "hocket.cli.speakers:speakers_group",
    "stream": "hocket.cli.stream:stream_command",
    "transcribe": "hocket.cli.transcribe:transcribe_command",
    "transcript": "hocket.cli.transcript:transcript_command",
}


class _Commands(click.Group):
    """Imports a command when it is called, so that --version and usage errors are immediate."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, command = COMMANDS[cmd_name].split(":")
        found: click.Command = getattr(import_module(module), command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1)
            if near:
                ctx.fail(f"there is no command '{name}'; did you mean '{near[0]}'?")
            if Path(name).suffix or Path(name).exists():
                ctx.fail(f"there is no command '{name}'; did you mean 'hocket diarize {name}'?")
            ctx.fail(f"there is no command '{name}'; give one of {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hocket", message="%(prog)s %(version)s")
def cli() -> None:
    """Who spoke when, on your own machine.

    Exit codes: 0 all done; 1 some recordings failed, the others were written; 2 wrong usage; 3 a
    model file, the runtime or a store of speakers is unusable; 70 a defect in hocket; 130
    interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; never raises, never prints a traceback."""
    _write_utf8()
    _log_to_stderr()
    command: click.Command | None = None
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        with cli.make_context("hocket", given) as context:
            command = cli.get_command(context, given[0]) if given else None
            code = cli.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as finished:  # --help and --version
        return finished.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USAGE
    except click.ClickException as error:
        return complain(usage_message(error), USAGE)
    except (ConfigError, SpeakerError) as error:
        return complain(with_options(str(error), command), USAGE)
    except (AudioError, FormatError) as error:
        return complain(str(error))
    except HocketError as error:
        return complain(str(error), UNUSABLE)
    except KeyboardInterrupt:
        return complain("interrupted; nothing unfinished was written", INTERRUPTED)
    except BrokenPipeError:  # the reader has closed the pipe, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return complain(f"a defect in hocket: {type(error).__name__}: {error}", INTERNAL)


def _write_utf8() -> None:
    """Write UTF-8 whatever the console's encoding is, as into files; no character stops a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _log_to_stderr() -> None:
    """Show the library's warnings, one line each, as the commands show errors."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("hocket: %(message)s"))
    logging.getLogger("hocket").handlers = [handler]


if __name__ == "__main__":
    sys.exit(main())
