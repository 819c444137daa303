"""The command that writes the tables of README.md and docs."""

import click


@click.command()
def front_page() -> None:
    """Write the tables of README.md and docs from bench/results/*-development.json."""
    from bench.pages.accuracy import ACCURACY, with_tables
    from bench.pages.people import PEOPLE_PAGES
    from bench.pages.performance import PERFORMANCE, with_figures
    from bench.pages.readme import README, with_table

    pages = {README: with_table, ACCURACY: with_tables, PERFORMANCE: with_figures}
    pages.update(PEOPLE_PAGES)
    for path, fresh in pages.items():
        path.write_text(fresh(path.read_text(encoding="utf-8")), encoding="utf-8")


COMMANDS: tuple[click.Command, ...] = (front_page,)
