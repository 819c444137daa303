"""The page docs/models.md: all graphs, and the difference of each variant from its reference."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hocket_forge import candidates
from hocket_forge.candidates import Candidate
from hocket_forge.graphs import RECIPES
from hocket_forge.manifest import read_manifest
from hocket_forge.measure import REJECTED_OVER, RESULTS, float32_der, read_results
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import PACKAGES, ROOT

PAGE = ROOT / "docs" / "models.md"
CHEAP = ("bytes", "operations", "macs")
FLUIDAUDIO = {"slice": 1001, "expand": 11, "squeeze": 5, "transpose": 4}
"""Operations of FluidAudio's embedding model, which takes one speaker at a time."""
SAME_KIND = {
    "slice": ("Slice", "slice_by_index", "slice_by_size"),
    "expand": ("Unsqueeze", "expand_dims"),
    "squeeze": ("Squeeze", "squeeze"),
    "transpose": ("Transpose", "transpose"),
}

INTRODUCTION = """# The graphs, measured

Written by `make models-report`. Figures that take minutes to measure come from
`bench/results/models.json` (`python -m hocket_forge measure`). Sizes, operations and
multiplications are counted in the files each time; CI fails if they differ from this page.

Every row compares a graph with the PyTorch module in float32, on real speech: ten-second windows
and two-second pieces of `src/hocket/example/conversation.flac`. Differences are absolute, over all
numbers in the output. *Frames* is the share of frames with another mask or best class. Cosines are
between embeddings of slots that speak. DER is that of the development recordings ({protocol};
{minutes} min) for graphs that decide turns, with the other graph as it ships: all (miss / false
alarm / confusion), and files with the right number of speakers. Core ML rows are computed by the
evaluator from the saved packages: float16 operands, float32 sums, every result rounded to float16.
ResNet34 rows use weights drawn by a rule, because users place the real ones; for the same reason it
has no DER here.
"""


def report() -> str:
    """The page, from the results and from the files.

    Raises:
        ForgeError: a file is not the measured one, or float32 has no DER.
    """
    results = read_results()
    rows = _current(results["rows"])
    baseline = float32_der(rows)
    sections = [
        INTRODUCTION.format(protocol=results["protocol"], minutes=baseline["audio_minutes"]),
        _variants(rows, baseline),
        _fluidaudio(rows),
        _pooling(results["pooling"]),
        _operations(rows),
        _environment(results["environment"]),
    ]
    return "\n".join(sections)


def _current(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Measured rows, with the cheap figures counted again in all available files."""
    rows = {key: dict(row) for key, row in measured.items()}
    available: Iterable[Candidate] = [*candidates.shipped(), *candidates.packages(PACKAGES)]
    for candidate in available:
        row = candidate.row
        if row.key not in rows:
            raise ForgeError(f"{row.key}: not measured; run 'python -m hocket_forge measure'")
        if row.bytes != rows[row.key]["bytes"]:
            raise ForgeError(
                f"{row.key}: found {row.bytes} bytes, measured {rows[row.key]['bytes']}; "
                "run 'python -m hocket_forge measure'"
            )
        rows[row.key] |= {name: getattr(row, name) for name in CHEAP}
    return rows


def _variants(rows: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    header = (
        "graph",
        "runtime",
        "precision",
        "MB",
        "MMAC per s of audio",
        "largest difference",
        "mean difference",
        "frames %",
        "cosine, mean",
        "cosine, worst",
        "DER %",
        "right",
        "status",
    )
    lines = [_variant(rows[key], baseline) for key in _ordered(rows)]
    return "## Every graph, runtime and precision\n\n" + _table(header, lines)


def _variant(row: Mapping[str, Any], baseline: Mapping[str, Any]) -> Sequence[str]:
    der = row["der"]
    return (
        row["name"],
        row["runtime"],
        row["precision"],
        f"{row['bytes'] / 1e6:.2f}" if row["bytes"] else "-",
        f"{row['macs'] / 10 / 1e6:.1f}" if row["macs"] else "-",
        _scientific(row["max_difference"]),
        _scientific(row["mean_difference"]),
        _number(row["differing"], 3, 100),
        _number(row["cosine_mean"], 5),
        _number(row["cosine_worst"], 5),
        _rates(der["all"]) if der else "-",
        f"{der['all']['files_right_count']} of {der['all']['files']}" if der else "-",
        _status(row, baseline),
    )


def _status(row: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    published = f"{row['name']}-{row['precision']}" in read_manifest()["graphs"]
    status = "ships" if published and row["runtime"] == candidates.ONNX else row["status"]
    if row["der"] is None:
        return str(status)
    cost = row["der"]["all"]["der_percent"] - baseline["all"]["der_percent"]
    verdict = "rejected" if cost > REJECTED_OVER else "passes"
    return f"{status}; {verdict}: {cost:+.2f} DER"


def _rates(row: Mapping[str, float]) -> str:
    parts = (f"{row[f'{part}_percent']:.2f}" for part in ("miss", "false_alarm", "confusion"))
    return f"{row['der_percent']:.2f} ({' / '.join(parts)})"


def _fluidaudio(rows: Mapping[str, Any]) -> str:
    kinds = tuple(SAME_KIND)
    lines: list[Sequence[str]] = [
        ("FluidAudio's wespeaker.mlmodelc", "Core ML", *(str(FLUIDAUDIO[k]) for k in kinds))
    ]
    for key in _ordered(rows):
        row = rows[key]
        if RECIPES[row["name"]].graph == "embedding" and row["runtime"] in {
            "ONNX Runtime",
            "Core ML",
        }:
            counts = [sum(row["operations"].get(k, 0) for k in SAME_KIND[kind]) for kind in kinds]
            label = f"{row['name']}, {row['precision']}"
            lines.append((label, row["runtime"], *map(str, counts)))
    return (
        "## Comparison with FluidAudio's embedding model\n\n"
        "FluidAudio's model slices 400 samples for every frame, for one speaker at a time. Here a "
        "convolution frames the waveform: the number of slices does not depend on the number of "
        "frames, and all speakers of a window share one call.\n\n"
        + _table(("graph", "runtime", *kinds), lines)
    )


def _pooling(measured: Mapping[str, Any]) -> str:
    lines = [
        (name, _number(row["cosine_mean"], 5), _number(row["cosine_worst"], 5))
        for name, row in sorted(measured.items())
    ]
    return (
        "## Masks in the pooling\n\n"
        "Masks are converted to the trunk's frame rate by the nearest frame, as in pyannote. "
        "FluidAudio interpolates them linearly. The table compares embeddings of both, with the "
        "clean masks of the conversation's windows.\n\n"
        + _table(("embedding", "cosine, mean", "cosine, worst"), lines)
    )


def _operations(rows: Mapping[str, Any]) -> str:
    lines = [
        (
            rows[key]["name"],
            rows[key]["runtime"],
            rows[key]["precision"],
            str(sum(rows[key]["operations"].values())),
            ", ".join(f"{kind} {number}" for kind, number in rows[key]["operations"].items()),
        )
        for key in _ordered(rows)
        if rows[key]["operations"]
    ]
    header = ("graph", "runtime", "precision", "operations", "by type")
    return "## Operations\n\nConstants are not counted.\n\n" + _table(header, lines)


def _environment(environment: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{k} {v}" for k, v in sorted(environment["packages"].items()) if v)
    return (
        f"Measured at commit {environment['commit'][:12]} on {environment['cores']} cores "
        f"({environment['cpu']}), Python {environment['python']}, {packages}; "
        f"see `{RESULTS.relative_to(ROOT).as_posix()}`.\n"
    )


def _ordered(rows: Mapping[str, Any]) -> list[str]:
    names, runtimes = list(RECIPES), [candidates.ONNX, candidates.NUMPY, candidates.CORE_ML]

    def position(key: str) -> tuple[int, int, str]:
        row = rows[key]
        runtime = row["runtime"]
        known = runtimes.index(runtime) if runtime in runtimes else len(runtimes)
        return names.index(row["name"]), known, row["precision"]

    return sorted(rows, key=position)


def _scientific(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0e}" if value else "0"


def _number(value: float | None, digits: int, factor: float = 1) -> str:
    return "-" if value is None else f"{value * factor:.{digits}f}"


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = "|".join("---" for _ in header)
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"| {' | '.join(header)} |\n|{rule}|\n{body}"
