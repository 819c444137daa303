"""What the commands print: results as plain text tables."""

from collections.abc import Mapping
from typing import Any

from bench.report import number, table

PARTS = {"der": "DER", "miss": "miss", "false_alarm": "false alarm", "confusion": "confusion"}
RATES = {**PARTS, "jer": "JER", "overlap_der": "DER in overlap"}


def der_table(results: Mapping[str, Any]) -> str:
    """A line per recording, per kind and for all of them, and what was worst."""
    header = ("recording", *(f"{part} %" for part in RATES.values()), "speech s", "speakers")
    rows = [
        _der_row(uri, row, f"{row['speakers_found']} of {row['speakers_reference']}")
        for uri, row in results["files"].items()
    ]
    groups = {kind or "(top)": row for kind, row in results["kinds"].items()}
    for name, row in {**groups, "all": results["all"]}.items():
        rows.append(_der_row(name, row, right_count(row)))
    lines = [table(header, rows), *_worst_line("", results["all"]), _count_line(results["all"])]
    return "\n".join([*lines, f"{results['protocol']}; {results['audio_minutes']} min of audio"])


def compare_table(results: Mapping[str, Any]) -> str:
    """A line per system and kind, a line per system for all, and what was worst or failed."""
    rates = (f"{part} %" for part in RATES.values())
    header = ("system", "recordings", *rates, "speakers", "seconds", "hocket / it")
    rows, lines = [], []
    for name, system in results["systems"].items():
        for kind, row in system["kinds"].items():
            rows.append((name, kind or "(top)", *_numbers(row), right_count(row), "", ""))
        time = (number(system["seconds"]), number(time_ratio(results, name), 2))
        rows.append((name, "all", *_numbers(system["all"]), right_count(system["all"]), *time))
        lines += _worst_line(f"{name}: ", system["all"])
        lines += [f"{name}: failed on {uri}: {why}" for uri, why in system["failed"].items()]
    protocol = f"{results['protocol']}; {results['audio_minutes']} min of audio"
    return "\n".join([table(header, rows), *lines, protocol])


def tune_table(results: Mapping[str, Any]) -> str:
    """A line per trial."""
    header = ("settings", *(f"{part} %" for part in PARTS.values()), "speakers", "cost")
    rows = [
        (
            ", ".join(f"{name}={value}" for name, value in trial["settings"].items()) or "defaults",
            *(number(trial[f"{part}_percent"], 2) for part in PARTS),
            right_count(trial),
            number(trial["cost"], 3),
        )
        for trial in results["trials"]
    ]
    return f"{table(header, rows)}\n{results['protocol']}; {results['audio_minutes']} min of audio"


def right_count(row: Mapping[str, Any]) -> str:
    """In how many recordings the number of speakers is right."""
    return f"{row['files_right_count']} of {row['files']} right"


def time_ratio(results: Mapping[str, Any], name: str) -> float | None:
    """Seconds of hocket as a part of another system's, None without both."""
    ratio: float | None = results["hocket_time_over"].get(name, {}).get("ratio")
    return ratio


def _der_row(name: str, row: Mapping[str, Any], speakers: str) -> tuple[str, ...]:
    return (name, *_numbers(row), number(row["speech_s"]), speakers)


def _numbers(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(number(row[f"{rate}_percent"], 2) for rate in RATES)


def _worst_line(prefix: str, row: Mapping[str, Any]) -> list[str]:
    worst = row["worst"]
    return [f"{prefix}worst: {worst['uri']}, {worst['der_percent']:.2f} %"] if worst else []


def _count_line(row: Mapping[str, Any]) -> str:
    return f"number of speakers: off by {number(row['count_error_mean_absolute'], 2)} on average"
