"""The table of docs/accuracy.md, made from bench/results/compare-development.json."""

import re
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import RESULTS, number, read_results

ACCURACY = REPOSITORY / "docs" / "accuracy.md"
MARKED = re.compile(r"(?s)(<!-- compared:[^\n]*-->\n).*?(<!-- /compared -->)")
SOURCE = "compare-development.json"
COLUMNS = {
    "DER %": "der",
    "miss": "miss",
    "false alarm": "false_alarm",
    "confusion": "confusion",
    "JER %": "jer",
    "DER in overlap %": "overlap_der",
}
OTHERS = ("right number of speakers", "off by", "seconds", "hocket / it")


def with_comparison(page: str, results: Path = RESULTS) -> str:
    """The page with a new table between its markers; BenchError without markers."""
    if not MARKED.search(page):
        raise BenchError("accuracy.md: found no '<!-- compared: … -->' and '<!-- /compared -->'")
    source = results / SOURCE
    text = _table(read_results(source)) if source.is_file() else "Not measured yet.\n"
    return MARKED.sub(lambda match: match[1] + text + match[2], page)


def _table(found: dict[str, Any]) -> str:
    header = ("system", *COLUMNS, *OTHERS)
    lines = [_row(header), _row(["---"] * len(header))]
    for name, system in found["systems"].items():
        row = system["all"]
        ratio = found["hocket_time_over"].get(name, {}).get("ratio")
        lines.append(
            _row(
                [
                    _named(name, system),
                    *(number(row[f"{key}_percent"]) for key in COLUMNS.values()),
                    f"{row['files_right_count']} of {row['files']}",
                    number(row["count_error_mean_absolute"], 2),
                    number(system["seconds"]),
                    number(ratio, 2),
                ]
            )
        )
    machine = found["environment"]
    facts = (
        f"{found['audio_minutes']:.0f} min of audio, {found['threads']} threads each, on "
        f"{machine['cores']} cores ({machine['cpu']}), {machine['date']}."
    )
    failures = [
        f"{name} failed on {len(system['failed'])} of them, which counts as silence."
        for name, system in found["systems"].items()
        if system["failed"]
    ]
    return "\n".join([*lines, "", " ".join([facts, *failures]), ""])


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _named(name: str, system: dict[str, Any]) -> str:
    version = system["system"].get("packages", {}).get(name)
    return f"{name} {version}" if version else name
