"""Results about errors as plain text tables."""

from collections.abc import Mapping
from typing import Any

from bench.report import number, table

PARTS = {"der": "DER", "miss": "miss", "false_alarm": "false alarm", "confusion": "confusion"}
RATES = {**PARTS, "jer": "JER", "overlap_der": "DER in overlap"}


def der_table(results: Mapping[str, Any]) -> str:
    """A line per recording, per kind and for all, and the worst recording."""
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
    """A line per system and kind, one per system for all, the worst recording, and failures."""
    rates = (f"{part} %" for part in RATES.values())
    header = ("system", "recordings", *rates, "speakers", "seconds", "hocket / it")
    rows, lines = [], []
    for name, system in results["systems"].items():
        for kind, row in system["kinds"].items():
            rows.append((name, kind or "(top)", *_numbers(row), right_count(row), "", ""))
        time = (number(system["seconds"]), number(time_ratio(results, name), 2))
        rows.append((name, "all", *_numbers(system["all"]), right_count(system["all"]), *time))
        lines += _worst_line(f"{name}: ", system["all"])
        lines += [f"{name}: failed on {uri}: {reason}" for uri, reason in system["failed"].items()]
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


def online_table(results: Mapping[str, Any]) -> str:
    """A line per engine, then latency, speed by block, memory, and the host loops."""
    names = ("der", "miss", "false_alarm", "confusion")
    rows = [
        (engine, *(number(found[f"{name}_percent"], 2) for name in names))
        for engine, found in results["engines"].items()
    ]
    waits, allowed = results["longest_wait_s"], results["allowed_wait_s"]
    above, most = results["der_above_offline"], results["der_allowed_above_offline"]
    return "\n".join(
        [
            table(("engine", *(name.replace("_", " ") for name in names)), rows),
            f"above offline: {above:.2f}; {most:.1f} allowed",
            *(f"{each} after {waits[each]:.2f} s; {allowed[each]:g} s allowed" for each in waits),
            *_stream_lines(results),
        ]
    )


def _stream_lines(results: Mapping[str, Any]) -> list[str]:
    if "memory" not in results:
        return []
    speed, memory, loops = (results[key] for key in ("x_real_time", "memory", "post_embedding"))
    return [
        *(
            f"{times:.1f} x real time in blocks of {block} s; {speed['allowed']:g} required"
            for block, times in speed["blocks"].items()
        ),
        (
            f"{memory['after_ten_minutes_mb']:.0f} MB after ten minutes of {memory['hours']:g} "
            f"hours, {memory['growth_mb']:.1f} more later; "
            f"{memory['growth_allowed_mb']:g} allowed"
        ),
        (
            f"post_embedding: loops {loops['loops_ms']:.2f} ms a window, "
            f"{loops['share_percent_before']:.1f} % of the time; "
            f"the graph {loops['graph_ms']:.2f} ms, {loops['share_percent_after']:.1f} %"
        ),
    ]


def evidence_table(results: Mapping[str, Any]) -> str:
    """How well the odds decide, and lines for the manifest."""
    held_back, shipped = (
        f"log loss {each['log_loss']:.4f}, wrong {each['wrong']}"
        for each in (results["held_back"], results["shipped"])
    )
    cases = f"{results['cases']} divisions and pairs, {results['two_speakers']} of two speakers"
    lines = [
        f"{cases}, in {results['recordings']} recordings",
        f"on recordings held back: {held_back}",
        f"with the shipped weights: {shipped}",
    ]
    lines += [f"two_{name} = {value:.3f}" for name, value in results["weights"].items()]
    return "\n".join(lines)


def confidence_table(results: Mapping[str, Any]) -> str:
    """A line for turns and one for numbers of speakers."""
    keys = ("calibration_error", "predicted", "right", "confusion_in_lowest_tenth")
    header = ("", "calibration error", "predicted", "right", "confusion in lowest tenth")
    rows = [[kind, *(number(each.get(key), 3) for key in keys)] for kind, each in results.items()]
    return table(header, rows)


def review_table(results: Mapping[str, Any]) -> str:
    """Confusion removed by the segments of a review, and by random ones."""
    keys = ("removed_percent", "removed_by_chance_percent")
    row = (number(results["seconds"], 0), *(number(results[key]) for key in keys))
    return table(("seconds", "removed %", "by chance %"), [row])


def corrections_table(results: Mapping[str, Any]) -> str:
    """Change of DER by true constraints, one at a time."""
    points = results["threshold_points"]
    header = ("constraints", "mean change", "worst", f"worse by {points}", f"better by {points}")
    row = (
        number(results["constraints"], 0),
        number(results["mean_change"], 3),
        number(results["worst_change"], 3),
        number(results["worse"], 0),
        number(results["better"], 0),
    )
    return table(header, [row])


def right_count(row: Mapping[str, Any]) -> str:
    """How many recordings have the right number of speakers."""
    return f"{row['files_right_count']} of {row['files']} right"


def time_ratio(results: Mapping[str, Any], name: str) -> float | None:
    """Seconds of hocket divided by those of another system; None without both."""
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
