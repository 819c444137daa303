"""Multiplications of a run, and what part of the machine's peak they make."""

from collections.abc import Mapping
from typing import Any

from bench.errors import BenchError
from bench.report import RESULTS, read_results

COUNTED_S = 10.0  # audio for which bench/results/models.json counts


def macs_per_second(graph: str, models: Mapping[str, Any]) -> float:
    """Multiplications of a graph for a second of audio, counted from the graph by the forge."""
    for row in models["rows"].values():
        if row["name"] == graph and row["macs"]:
            return float(row["macs"]) / COUNTED_S
    raise BenchError(f"models.json: counts no multiplications of {graph}; run the forge's measure")


def count_macs(
    heard: Mapping[str, float], embedding: str, models: Mapping[str, Any]
) -> dict[str, float]:
    """Multiplications of the networks for the seconds they heard, by stage."""
    graphs = {"segmentation": "segmentation", "embedding": f"embedding-{embedding}"}
    return {stage: heard[stage] * macs_per_second(graph, models) for stage, graph in graphs.items()}


def read_models() -> dict[str, Any]:
    """Results of the forge."""
    return read_results(RESULTS / "models.json")


def achieved(
    macs: Mapping[str, float],
    busy: Mapping[str, float],
    seconds: float,
    threads: int,
    peaks: Mapping[str, float | None],
) -> dict[str, dict[str, float | None]]:
    """GMAC/s of every stage and end to end, and their share of the peak.

    Args:
        macs: multiplications by stage.
        busy: seconds by stage, added over workers.
        seconds: end to end.
        threads: workers of one thread each.
        peaks: GMAC/s of so many sessions of one thread side by side, by stage, in the precision of
            the stage; None where it is not known. End to end it is what all stages take at theirs.
    """
    rows: dict[str, dict[str, float | None]] = {}
    least_seconds: float | None = 0.0
    for stage, count in macs.items():
        peak = peaks.get(stage)
        rows[stage] = _row(count, busy.get(stage, 0.0), peak / threads if peak else None)
        known = least_seconds is not None and peak
        least_seconds = (least_seconds or 0.0) + count / peak / 1e9 if known and peak else None
    total = sum(macs.values())
    peak = total / least_seconds / 1e9 if least_seconds else None
    rows["end to end"] = _row(total, seconds, peak)
    return rows


def _row(macs: float, seconds: float, peak: float | None) -> dict[str, float | None]:
    rate = macs / seconds / 1e9 if seconds > 0 else None
    return {
        "gmacs": round(macs / 1e9, 3),
        "gmacs_per_s": None if rate is None else round(rate, 2),
        "peak_percent": None if rate is None or not peak else round(100 * rate / peak, 1),
    }
