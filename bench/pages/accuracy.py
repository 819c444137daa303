"""The tables of docs/accuracy.md, made from the results of `compare` and `words`."""

import re
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.pages.markers import machine_of, page_table, with_part
from bench.report import RESULTS, number, read_results
from bench.words.tables import cost_table, groups_of, speakers_table, systems_table

ACCURACY = REPOSITORY / "docs" / "accuracy.md"
MARKED = re.compile(r"(?s)(<!-- compared:[^\n]*-->\n).*?(<!-- /compared -->)")
SOURCE, WORDS = "compare-development.json", "words-development.json"
COLUMNS = {
    "DER %": "der",
    "miss": "miss",
    "false alarm": "false_alarm",
    "confusion": "confusion",
    "JER %": "jer",
    "DER in overlap %": "overlap_der",
}
OTHERS = ("right number of speakers", "off by", "seconds", "hocket / it")


def with_tables(page: str, results: Path = RESULTS) -> str:
    """The page with new tables between its markers; BenchError without one of the markers."""
    return with_words(with_comparison(page, results), results)


def with_words(page: str, results: Path = RESULTS) -> str:
    """The page with new tables about words; BenchError without their markers."""
    source = results / WORDS
    text = _words(read_results(source)) if source.is_file() else "Not measured yet.\n"
    return with_part(page, "measured", text, ACCURACY.name)


def with_comparison(page: str, results: Path = RESULTS) -> str:
    """The page with a new table between its markers; BenchError without markers."""
    if not MARKED.search(page):
        raise BenchError("accuracy.md: found no '<!-- compared: … -->' and '<!-- /compared -->'")
    source = results / SOURCE
    text = _table(read_results(source)) if source.is_file() else "Not measured yet.\n"
    return MARKED.sub(lambda match: match[1] + text + match[2], page)


def _words(found: dict[str, Any]) -> str:
    """Three tables of all recordings by kind, and how they were measured."""
    rows = groups_of(found)
    tables = (page_table(make(rows)) for make in (speakers_table, systems_table, cost_table))
    facts = (
        f"{found['recordings']} recordings, {rows['all']['minutes']:.0f} min, "
        f"{rows['all']['words']} words, {found['model']}, {found['threads']} threads. "
        f"{machine_of(found['environment'])}"
    )
    return "\n\n".join([*tables, facts]) + "\n"


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
