"""What the commands about speed print: results as plain text tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import number, table


def speed_table(results: Mapping[str, Any]) -> str:
    """A table per number of threads: stages, first results, memory, arithmetic."""
    audio = f"{results['audio_minutes']} min of audio, median of {results['repeats']}"
    return "\n".join([*(_speed_lines(row) for row in results["rows"]), audio])


def _speed_lines(row: Mapping[str, Any]) -> str:
    stages = [
        (name, number(each["seconds"], 3), number(each["share_percent"]), _speed(each))
        for name, each in row["stages"].items()
    ]
    whole = row["end_to_end"]
    stages.append(("end to end", number(whole["seconds"], 3), "", _speed(whole)))
    cold, cached, memory = row["cold_start"], row["cached_start"], row["peak_rss_mb"]
    work = [
        (name, number(each["gmacs"]), number(each["gmacs_per_s"]), number(each["peak_percent"]))
        for name, each in row["arithmetic"].items()
    ]
    threads = f"{row['threads']} thread{'s' if row['threads'] > 1 else ''}"
    return "\n".join(
        [
            table((threads, "busy seconds", "share %", "x real time"), stages),
            table(("arithmetic", "GMAC", "GMAC/s", "% of peak"), work),
            f"cold start: {cold['seconds']:.3f} s for a clip of {cold['clip_s']:g} s",
            f"the start after it: {cached['seconds']:.3f} s",
            f"peak memory: {memory['corpus']:.0f} MB, {memory['clip']:.0f} MB for the clip alone",
            "",
        ]
    )


def copies_table(results: Mapping[str, Any]) -> str:
    """Bytes copied by stage, bytes allocated, and a line per function that asks for much."""
    copied = results["copied_per_audio_s"]
    stages = [name for name in copied if name not in {"all", "times_the_audio", "allowed"}]
    rows = [(f"copied: {name}", number(copied[name])) for name in stages]
    rows += [
        ("copied: all", number(copied["all"])),
        ("allowed", number(copied["allowed"])),
        ("allocated by NumPy", number(results["allocated_per_audio_s"])),
        ("allocated in the steady state", number(results["steady_allocated_per_audio_s"])),
    ]
    asked = [
        (row["function"], f"{row['largest']:,}", number(row["per_audio_s"]))
        for row in results["asked_in_steady_state"]
    ]
    largest = results["steady_largest"]
    return "\n".join(
        [
            table(("bytes per second of audio", ""), rows),
            table(("in the steady state", "largest, bytes", "per audio second"), asked),
            f"largest: {largest['bytes']:,} bytes at once; {largest['allowed']:,} are allowed",
        ]
    )


def compared_systems(results: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Header and rows: every system, with how many times faster each of ours is."""
    ours = list(results["times_faster"])
    header = ("system", "seconds", "x real time", *(f"{name} is faster by" for name in ours))
    rows = [
        (
            name,
            number(system["seconds"]),
            number(system["x_real_time"]),
            *(number(results["times_faster"][us].get(name), 2) for us in ours),
        )
        for name, system in results["systems"].items()
    ]
    return header, rows


def compare_speed_table(results: Mapping[str, Any]) -> str:
    """A line per system, with how many times faster each of ours is."""
    header, rows = compared_systems(results)
    failed = [
        f"{name}: failed on {uri}: {why}"
        for name, system in results["systems"].items()
        for uri, why in system["failed"].items()
    ]
    return "\n".join([table(header, rows), *failed, f"{results['audio_minutes']} min of audio"])


def long_table(results: Mapping[str, Any]) -> str:
    """A line for the short recording and one for the long."""
    rows = [
        (
            f"{results[name]['audio_minutes']:g} min",
            number(results[name]["x_real_time"]),
            number(results[name]["peak_rss_mb"], 0),
        )
        for name in ("short", "long")
    ]
    least = results["least_speed_ratio"]
    return "\n".join(
        [
            table(("recording", "x real time", "peak memory, MB"), rows),
            f"speed: {results['speed_ratio']:.2f} of the short one's; {least:.2f} is allowed",
            f"memory: {results['rss_allowed_mb']:.0f} MB are allowed",
        ]
    )


def notes_table(results: Mapping[str, Any]) -> str:
    """A line per shape of the notes with hocket's seconds as the measure, and one per claim."""
    names = ("segmentation", "embedding", "post_embedding", "all")
    header = ("the notes' seconds over hocket's", *(name.replace("_", " ") for name in names))
    rows = [
        (name, *(number(shape["ratios"][stage], 2) for stage in names))
        for name, shape in results["notes"].items()
    ]
    claims = [
        (name, f"{claim['theirs_s']:.6f}", f"{claim['ours_s']:.6f}", number(claim["ratio"], 2))
        for name, claim in results["claims"].items()
    ]
    bank = results["filter_bank"]
    return "\n".join(
        [
            table(header, rows),
            table(("claim", "their way, s", "our way, s", "ratio"), claims),
            f"filter bank: {bank['ratio']:.2f} with {bank['slices']} slices",
            f"{results['audio_s']:g} s of audio, {results['threads']} thread",
        ]
    )


def _speed(row: Mapping[str, Any]) -> str:
    return number(row["x_real_time"])


def online_table(results: Mapping[str, Any]) -> str:
    """A line per engine, then what waited how long, speed by block, memory, and loops."""
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
            f"above offline: {above:.2f}; {most:.1f} is allowed",
            *(
                f"{each} after {waits[each]:.2f} s; {allowed[each]:g} s is allowed"
                for each in waits
            ),
            *_stream_lines(results),
        ]
    )


def _stream_lines(results: Mapping[str, Any]) -> list[str]:
    if "memory" not in results:
        return []
    speed, memory, loops = (results[key] for key in ("x_real_time", "memory", "post_embedding"))
    return [
        *(
            f"{times:.1f} x real time in blocks of {block} s; {speed['allowed']:g} is asked for"
            for block, times in speed["blocks"].items()
        ),
        (
            f"{memory['after_ten_minutes_mb']:.0f} MB after ten minutes of {memory['hours']:g} "
            f"hours, {memory['growth_mb']:.1f} more later; "
            f"{memory['growth_allowed_mb']:g} is allowed"
        ),
        (
            f"post_embedding: loops {loops['loops_ms']:.2f} ms a window, "
            f"{loops['share_percent_before']:.1f} % of the time; "
            f"the graph {loops['graph_ms']:.2f} ms, {loops['share_percent_after']:.1f} %"
        ),
    ]
