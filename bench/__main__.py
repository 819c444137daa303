"""The commands of the benchmark, each defined in the package that measures."""

import click

from bench.accuracy import commands as accuracy
from bench.errors import BenchError
from bench.pages import commands as pages
from bench.people import commands as people
from bench.robustness import commands as robustness
from bench.simulation import commands as simulation
from bench.speed import commands as speed
from bench.words import commands as words


class _Commands(click.Group):
    """Commands whose expected failures end in one line, not in a stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Benchmarks of hocket. Results are written to bench/results as JSON."""


for package in (accuracy, speed, people, words, robustness, pages, simulation):
    for command in package.COMMANDS:
        main.add_command(command)


if __name__ == "__main__":
    main()
