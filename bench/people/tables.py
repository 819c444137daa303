"""Results of `bench people` as plain text tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import number, table

PARTS = ("names", "online", "verify", "additions", "file")
"""The parts of the measurement; each has its own results file."""


def people_table(part: str, results: Mapping[str, Any]) -> str:
    """The tables of one part."""
    if part == "verify":
        return verify_table(results)
    if part == "additions":
        return additions_table(results)
    return file_table(results) if part == "file" else names_table(results)


def names_table(results: Mapping[str, Any]) -> str:
    """A line per kind of conversation and store, for known speakers and for strangers."""
    known = [
        (
            _about(row),
            str(row["people"]),
            number(row["right_percent"], 2),
            f"{number(row['worst']['right_percent'], 2)} ({row['worst']['voice']})",
            number(row["right_of_named_percent"], 2),
            number(row["right_of_all_percent"], 2),
            number(row["named_percent"], 2),
        )
        for row in results["known"]
    ]
    strangers = [
        (_about(row), str(row["trials"]), str(row["named"]), number(row["named_percent"], 2))
        for row in results["strangers"]
    ]
    header = ("known speakers", "speakers", "right %", "worst", "of named", "of all", "named %")
    return "\n".join(
        [
            table(header, known),
            f"right: at least {results['right_allowed_percent']:g} % required",
            table(("strangers", "trials", "named", "%"), strangers),
            f"named: {results['strangers_allowed_percent']:g} % allowed",
            *(
                f"{kind}: {each['recordings']}, {each['audio_minutes']:.1f} min, "
                f"overlap in {each['overlap_percent']:.1f} % of the speech"
                for kind, each in results["conversations"].items()
            ),
        ]
    )


def verify_table(results: Mapping[str, Any]) -> str:
    """A line per way to pair voices: equal error rate, and errors at the model's threshold."""
    rows = [
        (
            f"{row['pairs']}, {row['place']}",
            str(row["right_pairs"]),
            str(row["wrong_pairs"]),
            number(row["equal_error_percent"], 3),
            number(row["equal_error_distance"], 3),
            number(row["refused_percent"], 3),
            number(row["accepted_percent"], 3),
        )
        for row in results["rows"]
    ]
    header = ("pairs", "right", "wrong", "equal error %", "at", "refused %", "accepted %")
    facts = (
        f"equal error: {results['equal_error_allowed_percent']:g} % allowed; refused and "
        f"accepted at distance {results['verify_distance']:g}; clips of {results['clip_s']:g} s"
    )
    return f"{table(header, rows)}\n{facts}"


def additions_table(results: Mapping[str, Any]) -> str:
    """A line per condition: right clips that are taken, and wrong ones that are refused."""
    rows = [
        (
            row["condition"],
            f"{row['right_taken']} of {row['right']}",
            str(row["right_not_clear"]),
            f"{row['wrong_refused']} of {row['wrong']}",
        )
        for row in results["rows"]
    ]
    header = ("added", "right ones taken", "not clear", "wrong ones refused")
    return f"{table(header, rows)}\n{results['allowed_percent']:g} % of each required"


def file_table(results: Mapping[str, Any]) -> str:
    """A line per measurement on files, with its limit."""
    rows = file_rows(results)
    return table(("file of the store", "measured", "allowed"), rows)


def file_rows(results: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    """Measurements on files: name, value and limit."""
    kills, writers = results["kills"], results["writers"]
    search, forget = results["search"], results["forget"]
    among = f"{search['exemplars']:,} exemplars"
    pieces = f"{forget['pieces']:,} pieces of {forget['piece_bytes']} bytes"
    return [
        (
            f"{kills['kills']} processes killed, {kills['acknowledged']:,} acknowledged: lost",
            str(kills["lost"]),
            str(kills["lost_allowed"]),
        ),
        ("the same: half written, or the file damaged", str(kills["torn"] + kills["damaged"]), "0"),
        (
            f"{writers['processes']} processes at once, {writers['writes']:,} acknowledged: lost",
            str(writers["lost"]),
            str(writers["lost_allowed"]),
        ),
        (f"the nearest of {among}, ms", number(search["nearest_ms"]), "-"),
        (
            f"identify {search['clusters']} clusters in {among}, ms",
            number(search["identify_ms"]),
            number(search["identify_allowed_ms"], 0),
        ),
        (f"read {among}, s", number(search["read_s"], 2), "-"),
        (f"forget a speaker of {among}, s", number(search["forget_s"], 2), "-"),
        (
            f"{forget['forgotten']} people forgotten, {pieces}: left",
            str(forget["left"] + forget["left_after_closing"]),
            str(forget["left_allowed"]),
        ),
    ]


def _about(row: Mapping[str, Any]) -> str:
    return f"{row['engine']}, {row['kind']}, {row['store']}, {row['enrolled']}"
