"""Parts of pages between markers, and their tables."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import BenchError

Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def with_part(page: str, name: str, text: str, file: str) -> str:
    """The page with `text` between the markers `name`; BenchError without one of the markers."""
    found = re.search(rf"(?s)(<!-- {name}:[^\n]*-->\n).*?(<!-- /{name} -->)", page)
    if found is None:
        raise BenchError(f"{file}: found no '<!-- {name}: … -->' and '<!-- /{name} -->'")
    return page[: found.end(1)] + text + page[found.start(2) :]


def page_table(made: Table) -> str:
    """Header and rows in Markdown."""
    header, rows = made
    return "\n".join(map(_row, [header, ["---"] * len(header), *rows]))


def machine_of(environment: Mapping[str, Any]) -> str:
    """The line below a table: machine, date and commit of the measurement."""
    return (
        f"{environment['cores']} cores ({environment['cpu']}), {environment['date']}, "
        f"commit {environment['commit'][:12]}."
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
