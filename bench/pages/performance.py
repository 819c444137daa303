"""The tables of docs/performance.md, made from the results in bench/results."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.pages.markers import Table, machine_of, page_table, with_part
from bench.report import RESULTS, number, read_results
from bench.speed.fluidaudio import SHAPES
from bench.speed.tables import compared_systems

PERFORMANCE = REPOSITORY / "docs" / "performance.md"
AS_IT_RAN = "as it ran"
ONE_ROW = "one row a call"
WINDOW_S = 10.0

Found = Mapping[str, Any]


def with_figures(page: str, results: Path = RESULTS) -> str:
    """The page with new tables between its markers; BenchError without one of the markers."""
    for name, (command, make) in SECTIONS.items():
        text = _section(results / f"{command}-development.json", make)
        page = with_part(page, name, text, "performance.md")
    return page


def _section(source: Path, make: Callable[[Found], Table]) -> str:
    if not source.is_file():
        return "Not measured yet.\n"
    found = read_results(source)
    try:
        made = make(found)
    except KeyError:
        return "These results lack figures of this table; measure them again.\n"
    return f"{page_table(made)}\n\n{machine_of(found['environment'])}\n"


def _speed(found: Found) -> Table:
    header = ("threads", "x real time", "cold start s", "cached start s", "peak memory MB")
    rows = [
        (
            str(row["threads"]),
            number(row["end_to_end"]["x_real_time"]),
            number(row["cold_start"]["seconds"], 2),
            number(row["cached_start"]["seconds"], 2),
            number(row["peak_rss_mb"]["corpus"], 0),
        )
        for row in found["rows"]
    ]
    return header, rows


def _stages(found: Found) -> Table:
    header = ("threads", "stage", "busy s", "share %", "MMAC per s of audio", "GMAC/s", "% of peak")
    work = {**found["mmacs_per_audio_s"], "end to end": sum(found["mmacs_per_audio_s"].values())}
    rows = []
    for row in found["rows"]:
        for stage, each in {**row["stages"], "end to end": row["end_to_end"]}.items():
            done = row["arithmetic"].get(stage, {})
            rows.append(
                (
                    str(row["threads"]),
                    stage,
                    number(each["seconds"], 2),
                    number(each.get("share_percent")),
                    number(work.get(stage)),
                    number(done.get("gmacs_per_s")),
                    number(done.get("peak_percent")),
                )
            )
    return header, rows


def _copies(found: Found) -> Table:
    copied, largest = found["copied_per_audio_s"], found["steady_largest"]
    rows = [
        ("copied", number(copied["all"], 0), number(copied["allowed"], 0)),
        ("copied, times the audio's own bytes", number(copied["times_the_audio"], 2), "3.00"),
        ("allocated by NumPy", number(found["allocated_per_audio_s"], 0), "-"),
        ("the same in the steady state", number(found["steady_allocated_per_audio_s"], 0), "-"),
        ("largest in the steady state, at once", f"{largest['bytes']}", f"{largest['allowed']}"),
    ]
    return ("bytes per second of audio", "measured", "allowed"), rows


def _long(found: Found) -> Table:
    rows = [
        (
            f"{found[name]['audio_minutes']:g}",
            number(found[name]["x_real_time"]),
            number(found[name]["peak_rss_mb"], 0),
        )
        for name in ("short", "long")
    ]
    rows.append(("long / short", number(found["speed_ratio"], 2), "-"))
    return ("minutes", "x real time", "peak memory MB"), rows


def _streams(found: Found) -> Table:
    speed, memory, loops = (found[key] for key in ("x_real_time", "memory", "post_embedding"))
    waits, allowed = found["longest_wait_s"], found["allowed_wait_s"]
    rows = [
        (f"times real time, in blocks of {block} s", number(times), number(speed["allowed"], 0))
        for block, times in speed["blocks"].items()
    ]
    rows += [
        (
            "DER above the offline engine's",
            number(found["der_above_offline"], 2),
            number(found["der_allowed_above_offline"]),
        ),
        ("speech is shown within, s", number(waits["tentative"], 2), number(allowed["tentative"])),
        ("speech is final within, s", number(waits["final"], 2), number(allowed["final"])),
        ("MB after ten minutes", number(memory["after_ten_minutes_mb"], 0), "-"),
        (
            f"MB more within {memory['hours']:g} hours",
            number(memory["growth_mb"]),
            number(memory["growth_allowed_mb"], 0),
        ),
        ("`post_embedding` in loops, % of the time", number(loops["share_percent_before"]), "-"),
        ("in one call of a graph, % of the time", number(loops["share_percent_after"]), "-"),
        ("the loops, ms a window", number(loops["loops_ms"], 2), "-"),
        ("the graph, ms a window", number(loops["graph_ms"], 2), "-"),
    ]
    return ("streams", "measured", "required"), rows


def _fluidaudio(found: Found) -> Table:
    header = (
        "FluidAudio's shape",
        "s embedded per s",
        "segmentation",
        "embedding",
        "post-embedding",
        "all",
    )
    rows = [
        (
            name,
            number(shape["embedded_per_audio_s"], 2),
            *(
                number(shape["ratios"][stage], 2)
                for stage in ("segmentation", "embedding", "post_embedding", "all")
            ),
        )
        for name, shape in found[SHAPES].items()
    ]
    rows.append(("hocket", number(found["hocket"]["embedded_per_audio_s"], 2), *("1.00",) * 4))
    return header, rows


def _pieces(found: Found) -> Table:
    claims, bank, ran = found["claims"], found["filter_bank"], found[SHAPES][AS_IT_RAN]
    windows = ran["segmented_per_audio_s"] * found["audio_s"] / WINDOW_S
    whole = {
        "copies of the audio": (claims["windows"]["theirs_s"], claims["windows"]["ours_s"]),
        "front end": (ran["stages"]["inputs"]["seconds"] / windows, None),
        "filter bank": (
            bank["seconds_per_window"]["sliced"],
            bank["seconds_per_window"]["convolution"],
        ),
        "embedding of three slots": (claims["slots"]["theirs_s"], claims["slots"]["ours_s"]),
        "post-embedding": (
            claims["post_embedding"]["theirs_s"],
            claims["post_embedding"]["ours_s"],
        ),
    }
    rows = [
        (
            name,
            number(1000 * theirs, 3),
            number(None if ours is None else 1000 * ours, 3),
            number(None if ours is None else theirs / ours, 2),
        )
        for name, (theirs, ours) in whole.items()
    ]
    return ("ms for one window of 10 s", "FluidAudio", "hocket", "ratio"), rows


def _claims(found: Found) -> Table:
    claims, theirs, ours = found["claims"], found[SHAPES], found["hocket"]["stages"]
    ran, bank = theirs[AS_IT_RAN], found["filter_bank"]["seconds_per_window"]
    ratios = [number(shape["ratios"]["embedding"]) for shape in theirs.values()]
    per_row = theirs[ONE_ROW]["stages"]["embedding"]["seconds"] / (
        theirs[ONE_ROW]["embedded_per_audio_s"] * found["audio_s"] / WINDOW_S
    )
    sliced = 100 * (bank["sliced"] - bank["convolution"]) / per_row
    share = (
        f"{_share(ran, 'embedding')} % of FluidAudio's shape, "
        f"{number(ours['embedding']['share_percent'])} % of hocket"
    )
    rows = [
        (
            'direct copies "10-50x" faster than boxed numbers',
            f"{_times(claims, 'copy')}; {_times(claims, 'windows')} for windows",
            "a window as Python numbers and as a block; windows copied and tiled, and viewed",
        ),
        (
            'a pool "eliminates 50-80 %" of allocation overhead',
            f"{number(claims['pool']['saved_percent'])} %",
            "time to fill new zeroed memory for eight windows, and to fill reused memory",
        ),
        (
            'post-embedding "3-5x" faster',
            _times(claims, "post_embedding"),
            "NumPy loops over slots, ten speakers and segments, and the `post_embedding` graph",
        ),
        (
            'embedding "2-5x" faster',
            f"{', '.join(ratios)} x",
            "the stage in the shapes of the table above, in its order, relative to hocket",
        ),
        ('embedding is "70.5 %" of the pipeline', share, "seconds of the stage over all stages"),
        ('embedding is "55 %" of the pipeline', share, "the same; a later profile of FluidAudio"),
        (
            '1001 slices are "~10 %" of the embedding',
            f"{number(sliced)} %",
            f"{found['filter_bank']['slices']} slices minus one convolution, per embedded row",
        ),
        (
            'speakers one by one cost "3x"',
            _times(claims, "slots"),
            "three calls with one mask each, and one call with three",
        ),
    ]
    return ("claim about FluidAudio", "measured", "how"), rows


def _share(shape: Found, stage: str) -> str:
    return number(shape["stages"][stage]["share_percent"])


def _times(claims: Found, name: str) -> str:
    return f"{number(claims[name]['ratio'])} x"


SECTIONS: dict[str, tuple[str, Callable[[Found], Table]]] = {
    "speed": ("speed", _speed),
    "stages": ("speed", _stages),
    "copies": ("copies", _copies),
    "others": ("compare-speed", compared_systems),
    "long": ("long", _long),
    "streams": ("online", _streams),
    "fluidaudio": ("fluidaudio", _fluidaudio),
    "pieces": ("fluidaudio", _pieces),
    "claims": ("fluidaudio", _claims),
}
"""The command behind the table of a section, and the table; in the order of the page."""
