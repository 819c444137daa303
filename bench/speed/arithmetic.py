"""Multiplications of hocket, and their share of the peak of the machine."""

from collections.abc import Mapping
from typing import Any

from bench.errors import BenchError
from bench.report import RESULTS, read_results

COUNTED_S = 10.0  # seconds of audio that bench/results/models.json counts for


def macs_per_second(graph: str, models: Mapping[str, Any]) -> float:
    """Multiplications of a graph per second of audio, as counted by the forge."""
    for row in models["rows"].values():
        if row["name"] == graph and row["macs"]:
            return float(row["macs"]) / COUNTED_S
    raise BenchError(f"models.json: has no multiplications of {graph}; run the forge's measure")


def count_macs(
    network_input: Mapping[str, float], embedding: str, models: Mapping[str, Any]
) -> dict[str, float]:
    """Multiplications of the networks for their seconds of input, by stage."""
    graphs = {"segmentation": "segmentation", "embedding": f"embedding-{embedding}"}
    return {
        stage: network_input[stage] * macs_per_second(graph, models)
        for stage, graph in graphs.items()
    }


def read_models() -> dict[str, Any]:
    """Read the results of the forge."""
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
        busy: seconds by stage, added up over workers.
        seconds: end to end.
        threads: workers with one thread each.
        peaks: GMAC/s by stage, of as many single-threaded sessions at once, in the precision of the
            stage; None if unknown. The peak end to end is that of all stages at their peaks.
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
