"""Results about words as plain text tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import number, table

Row = Mapping[str, Any]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]

COST = {
    "diarization s": ("diarization_s", 2),
    "recognition s": ("recognition_s", 2),
    "cutting and attribution s": ("rest_s", 2),
    "all s": ("all_s", 2),
    "not recognition %": ("hocket_share_percent", 1),
    "recognized / speech": ("recognized_over_speech", 3),
}


def words_table(results: Row) -> str:
    """Three tables by recording, by kind and for all: speakers, words by system, hocket's cost."""
    rows = {**results["files"], **groups_of(results)}
    made = (table(*make(rows)) for make in (speakers_table, systems_table, cost_table))
    facts = f"{results['all']['minutes']:.1f} min of audio; {results['protocol']}"
    return "\n".join(["\n\n".join(made), "", facts, results["note"]])


def groups_of(results: Row) -> dict[str, Row]:
    """The recordings of each kind together, and all of them, by what a table calls them."""
    kinds = {f"all {kind}s": row for kind, row in results["kinds"].items()}
    return {**kinds, "all": results["all"]}


def speakers_table(rows: Mapping[str, Row]) -> Table:
    """Words with the right speaker: all, and those near a change."""
    names = next(iter(rows.values()))["speakers"]
    everywhere, there = ([f"{name}{where} %" for name in names] for where in ("", " there"))
    header = ("right speaker", "words found", *everywhere, "near a change", *there)
    return header, [
        (
            recording,
            str(row["words_found"]),
            *_rates(row, "right_percent"),
            str(row["words_near_change"]),
            *_rates(row, "near_change_right_percent"),
        )
        for recording, row in rows.items()
    ]


def systems_table(rows: Mapping[str, Row]) -> Table:
    """Words, errors and seconds of each system."""
    return ("recordings", "system", "words", "found %", "WER %", "seconds"), [
        (
            recording,
            system,
            str(each["words"]),
            number(each["found_percent"]),
            number(each["wer_percent"]),
            number(each["seconds"], 2),
        )
        for recording, row in rows.items()
        for system, each in row["systems"].items()
    ]


def cost_table(rows: Mapping[str, Row]) -> Table:
    """Seconds of hocket by stage, and how much the recognizer is given."""
    return ("hocket's time", *COST), [
        (recording, *(number(row["cost"][key], digits) for key, digits in COST.values()))
        for recording, row in rows.items()
    ]


def _rates(row: Row, key: str) -> list[str]:
    """The same rate of each way to give words to speakers."""
    return [number(each[key]) for each in row["speakers"].values()]
