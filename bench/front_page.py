"""The README's table, made from the results in bench/results."""

import re
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import RESULTS, number, read_results

README = REPOSITORY / "README.md"
MARKED = re.compile(r"(?s)(<!-- measured:[^\n]*-->\n).*?(<!-- /measured -->)")
PARTS = ("der", "miss", "false_alarm", "confusion")
KINDS = ("all", "real", "meeting", "panel")


def with_table(page: str, results: Path = RESULTS) -> str:
    """`page` with a fresh table between its markers; BenchError without markers or results."""
    if not MARKED.search(page):
        raise BenchError("README.md: found no '<!-- measured: … -->' and '<!-- /measured -->'")
    der, speed = (read_results(results / f"{name}-development.json") for name in ("der", "speed"))
    table = _table(der, speed)
    return MARKED.sub(lambda match: match[1] + table + match[2], page)


def _table(der: dict[str, Any], speed: dict[str, Any]) -> str:
    rows = {"all": der["all"], **der["kinds"]}
    lines = ["| recordings | DER % | miss | false alarm | confusion | right number of speakers |"]
    lines.append("|---|---|---|---|---|---|")
    for kind in KINDS:
        row = rows[kind]
        rates = " | ".join(number(row[f"{part}_percent"]) for part in PARTS)
        lines.append(f"| {kind} | {rates} | {row['files_right_count']} of {row['files']} |")
    machine = f"{speed['environment']['cores']} cores ({speed['environment']['cpu']})"
    facts = (
        f"From file to turns, on {machine}: {speed['end_to_end']['x_real_time']:.0f} x real time. "
        f"First turns of a 30 s clip {speed['cold_start']['seconds']:.1f} s after a cold start. "
        f"{speed['peak_rss_mb']['corpus']:.0f} MB of memory at most."
    )
    return "\n".join([*lines, "", facts, ""])
