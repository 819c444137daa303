"""The tables of docs/speakers.md and of decision 16, made from bench/results/people-*.json."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.environment import REPOSITORY
from bench.pages.markers import Table, machine_of, page_table, with_part
from bench.people.tables import file_rows
from bench.report import RESULTS, number, read_results

SPEAKERS = REPOSITORY / "docs" / "speakers.md"
DECISION = REPOSITORY / "docs" / "decisions" / "016-speaker-store.md"
LABEL = "development"

Found = Mapping[str, Any]
Section = tuple[Sequence[str], Callable[..., Table]]


def with_people(page: str, file: str, results: Path = RESULTS) -> str:
    """The page with new tables between the markers of a file; BenchError without them."""
    for name, (parts, make) in SECTIONS[file].items():
        sources = [results / f"people-{part}-{LABEL}.json" for part in parts]
        text = "Not measured yet.\n"
        if all(source.is_file() for source in sources):
            found = [read_results(source) for source in sources]
            machines = dict.fromkeys(machine_of(each["environment"]) for each in found)
            text = "\n".join([page_table(make(*found)), "", *machines, ""])
        page = with_part(page, name, text, file)
    return page


def names_known(names: Found, online: Found) -> Table:
    """Speakers in the store: the share of their speech that has their name."""
    rows = [
        (
            _about(row),
            str(row["people"]),
            number(row["right_percent"]),
            number(row["worst"]["right_percent"]),
            number(row["right_of_named_percent"]),
            number(row["named_percent"]),
        )
        for found in (names, online)
        for row in found["known"]
    ]
    goal = number(names["right_allowed_percent"], 0)
    rows.append(("wanted in meetings, or more", "-", goal, goal, "-", "-"))
    header = ("speech with the right name, %", "people", "all", "the worst", "of named", "named")
    return header, rows


def how_well(names: Found, online: Found, verify: Found, file: Found) -> Table:
    """Strangers, verification and the file, with their limits."""
    rows = [
        *(row for found in (names, online) for row in _stranger_rows(found)),
        *_verify_rows(verify),
        *file_rows(file),
    ]
    return ("", "measured", "wanted"), rows


def equal_errors(verify: Found) -> Table:
    """Every way to pair voices, both places side by side."""
    places = list(dict.fromkeys(row["place"] for row in verify["rows"]))
    by_pairs: dict[str, dict[str, Found]] = {}
    for row in verify["rows"]:
        by_pairs.setdefault(row["pairs"], {})[row["place"]] = row
    rows = [
        (
            pairs,
            *(str(next(iter(each.values()))[f"{kind}_pairs"]) for kind in ("right", "wrong")),
            *(
                f"{number(each[place]['equal_error_percent'], 2)} at "
                f"{number(each[place]['equal_error_distance'], 2)}"
                for place in places
            ),
        )
        for pairs, each in by_pairs.items()
    ]
    return ("equal error %", "right pairs", "wrong pairs", *places), rows


def distances(names: Found) -> Table:
    """Results with other values of `name_distance`, clean / in a room."""
    by_case: dict[tuple[str, str, str], dict[float, list[str]]] = {}
    for row in names["by_name_distance"]:
        measure = "strangers named" if "trials" in row else "right of all %"
        value = f"{row['named']}" if "trials" in row else number(row["right_of_all_percent"])
        trials = f" of {row['trials']}" if "trials" in row else ""
        case = (row["kind"], row["store"], f"{measure}{trials}")
        by_case.setdefault(case, {}).setdefault(row["name_distance"], []).append(value)
    limits = sorted({limit for each in by_case.values() for limit in each})
    rows = [
        (", ".join(case), *(" / ".join(each[limit]) for limit in limits))
        for case, each in by_case.items()
    ]
    own = names["name_distance"]
    marked = [f"**{limit:g}**" if limit == own else f"{limit:g}" for limit in limits]
    return ("`name_distance`", *marked), rows


def _about(row: Found) -> str:
    return f"{row['engine']}, {row['kind']}s, {row['store']}, enrolled {row['enrolled']}"


def _pairs(row: Found) -> int:
    return int(row["right_pairs"] + row["wrong_pairs"])


def _stranger_rows(found: Found) -> list[tuple[str, str, str]]:
    """A row per store, and one for all of them if there are several."""
    wanted = f"{number(found['strangers_allowed_percent'], 0)} % or less"
    named = [(_about(row), row["named"], row["trials"]) for row in found["strangers"]]
    if len(named) > 1:
        about = f"{found['strangers'][0]['engine']}, all of these"
        named.append((about, sum(row[1] for row in named), sum(row[2] for row in named)))
    return [
        (
            f"strangers who are given a name: {about}",
            f"{count} of {trials}, {number(100 * count / trials)} %",
            wanted,
        )
        for about, count, trials in named
    ]


def _verify_rows(verify: Found) -> list[tuple[str, str, str]]:
    wanted = number(verify["equal_error_allowed_percent"], 0)
    kept = [row for row in verify["rows"] if not row["pairs"].startswith("the same")]
    return [
        (
            f"equal error: {row['pairs']}, {row['place']}, {_pairs(row):,} pairs",
            f"{number(row['equal_error_percent'], 2)} %",
            f"{wanted} % or less",
        )
        for row in kept
    ]


SECTIONS: dict[str, dict[str, Section]] = {
    SPEAKERS.name: {
        "names": (("names", "online"), names_known),
        "how well": (("names", "online", "verify", "file"), how_well),
    },
    DECISION.name: {
        "equal errors": (("verify",), equal_errors),
        "distances": (("names",), distances),
    },
}
"""Tables by page and marker: the results they are made of, and how."""

PEOPLE_PAGES = {path: partial(with_people, file=path.name) for path in (SPEAKERS, DECISION)}
