"""Results about time and memory as plain text tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import number, table
from bench.speed.fluidaudio import SHAPES


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
    """Bytes copied by stage, bytes allocated, and a line per function with large allocations."""
    copied = results["copied_per_audio_s"]
    stages = [name for name in copied if name not in {"all", "times_the_audio", "allowed"}]
    rows = [(f"copied: {name}", number(copied[name])) for name in stages]
    rows += [
        ("copied: all", number(copied["all"])),
        ("allowed", number(copied["allowed"])),
        ("allocated by NumPy", number(results["allocated_per_audio_s"])),
        ("allocated in the steady state", number(results["steady_allocated_per_audio_s"])),
    ]
    requested = [
        (row["function"], f"{row['largest']:,}", number(row["per_audio_s"]))
        for row in results["requested_in_steady_state"]
    ]
    largest = results["steady_largest"]
    return "\n".join(
        [
            table(("bytes per second of audio", ""), rows),
            table(("in the steady state", "largest, bytes", "per audio second"), requested),
            f"largest: {largest['bytes']:,} bytes at once; {largest['allowed']:,} allowed",
        ]
    )


def compared_systems(results: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """Header and rows: a row per system, with the speed of hocket's presets relative to it."""
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
    """A line per system, with the speed of hocket's presets relative to it, and failures."""
    header, rows = compared_systems(results)
    failed = [
        f"{name}: failed on {uri}: {reason}"
        for name, system in results["systems"].items()
        for uri, reason in system["failed"].items()
    ]
    return "\n".join([table(header, rows), *failed, f"{results['audio_minutes']} min of audio"])


def long_table(results: Mapping[str, Any]) -> str:
    """A line for the short recording and one for the long one."""
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
            f"speed: {results['speed_ratio']:.2f} of that on the short one; {least:.2f} allowed",
            f"memory: {results['rss_allowed_mb']:.0f} MB allowed",
        ]
    )


def fluidaudio_table(results: Mapping[str, Any]) -> str:
    """A line per shape of FluidAudio's pipeline, relative to hocket, and one per claim."""
    names = ("segmentation", "embedding", "post_embedding", "all")
    header = ("FluidAudio's seconds / hocket's", *(name.replace("_", " ") for name in names))
    rows = [
        (name, *(number(shape["ratios"][stage], 2) for stage in names))
        for name, shape in results[SHAPES].items()
    ]
    claims = [
        (name, f"{claim['theirs_s']:.6f}", f"{claim['ours_s']:.6f}", number(claim["ratio"], 2))
        for name, claim in results["claims"].items()
    ]
    bank = results["filter_bank"]
    return "\n".join(
        [
            table(header, rows),
            table(("claim", "FluidAudio, s", "hocket, s", "ratio"), claims),
            f"filter bank: {bank['ratio']:.2f} with {bank['slices']} slices",
            f"{results['audio_s']:g} s of audio, {results['threads']} thread",
        ]
    )


def clustering_table(results: Mapping[str, Any]) -> str:
    """Time, memory and clusters by number of voices."""
    header = ("voices", "seconds", "cpu s", "peak MB", "before", "clusters")
    return table(
        header,
        [
            (
                str(row["voices"]),
                f"{row['seconds']:.2f}",
                f"{row['processor_seconds']:.2f}",
                f"{row['peak_rss_mb']:.0f}",
                f"{row['peak_rss_before_mb']:.0f}",
                str(row["clusters"]),
            )
            for row in results["rows"]
        ],
    )


def _speed(row: Mapping[str, Any]) -> str:
    return number(row["x_real_time"])


def unchanged_table(results: Mapping[str, Any]) -> str:
    """Times and memory of both checkouts, their differences, and keys that only one has."""
    rows = [(f"{kind}, s", row, 2) for kind, row in results["seconds"].items()]
    rows += [(f"{kind}, peak MB", row, 0) for kind, row in results["peak_rss_mb"].items()]
    rows.append(("import hocket, s", results["import_s"], 4))
    cells = [
        (name, number(row["before"], digits), number(row["after"], digits), number(row["ratio"], 3))
        for name, row, digits in rows
    ]
    audio = f"{results['files']} files, {results['audio_minutes']} min of audio"
    return "\n".join(
        [
            table(("", "before", "after", "after / before"), cells),
            *results["differences"],
            f"differences: {len(results['differences'])}; {audio}",
            f"new keys: {', '.join(results['new_keys']) or 'none'}",
        ]
    )
