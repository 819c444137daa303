"""The table of README.md, made from bench/results."""

import re
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import RESULTS, number, read_results

README = REPOSITORY / "README.md"
MARKED = re.compile(r"(?s)(<!-- measured:[^\n]*-->\n).*?(<!-- /measured -->)")
PARTS = ("der", "miss", "false_alarm", "confusion")
KINDS = ("real", "meeting", "panel")
LABELS = {
    "accurate": "development-accurate",
    "balanced": "development",
    "fast": "development-fast",
}
HEADER = (
    "preset",
    "x real time",
    "DER %",
    "miss",
    "false alarm",
    "confusion",
    *KINDS,
    "right number of speakers",
)


def with_table(page: str, results: Path = RESULTS) -> str:
    """The page with a new table between its markers; BenchError without markers or results."""
    if not MARKED.search(page):
        raise BenchError("README.md: found no '<!-- measured: … -->' and '<!-- /measured -->'")
    found = {
        preset: tuple(read_results(results / f"{kind}-{label}.json") for kind in ("der", "speed"))
        for preset, label in LABELS.items()
    }
    lines = [_line(HEADER), _line(["---"] * len(HEADER))]
    lines += [_line(_cells(preset, *each)) for preset, each in found.items()]
    table = "\n".join([*lines, "", _facts(found["balanced"][1]), ""])
    return MARKED.sub(lambda match: match[1] + table + match[2], page)


def _cells(preset: str, der: dict[str, Any], speed: dict[str, Any]) -> list[str]:
    everything = der["all"]
    return [
        preset,
        f"{speed['end_to_end']['x_real_time']:.0f}",
        *(number(everything[f"{part}_percent"]) for part in PARTS),
        *(number(der["kinds"][kind]["der_percent"]) for kind in KINDS),
        f"{everything['files_right_count']} of {everything['files']}",
    ]


def _facts(speed: dict[str, Any]) -> str:
    machine = speed["environment"]
    rounded = [f"{stage} in {precision}" for stage, precision in speed["precisions"].items()]
    return (
        f"From file to turns on {machine['cores']} cores ({machine['cpu']}), balanced and fast "
        f"with {' and '.join(rounded)}: other processors have quicker ones. Balanced: first turns "
        f"of a 30 s clip {speed['cold_start']['seconds']:.1f} s after a cold start, "
        f"{speed['peak_rss_mb']['corpus']:.0f} MB of memory at most."
    )


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
