"""Time and memory of clustering made-up voices, each number of them in a fresh process."""

import json
import sys
from collections.abc import Sequence
from time import perf_counter, process_time
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from bench.process import answer_with, ask
from bench.report import table

DIMENSION = 192  # of the default embedding model
# cosines of real one-second units: 0.5 within a speaker, 0.8 to the nearest, which overlaps
WITHIN, OVERLAP = 0.5, 0.6
UNITS_OF_A_TURN = 8
UNIT_S = 0.6


class Clustered(TypedDict):
    """What clustering took and found."""

    voices: int
    speakers: int
    clusters: int
    seconds: float
    processor_seconds: float
    peak_rss_mb: float
    peak_rss_before_mb: float


class Measured(TypedDict):
    """All numbers of voices."""

    method: str
    seed: int
    dimension: int
    rows: list[Clustered]


def measure_clustering(method: str, numbers: Sequence[int], speakers: int, seed: int) -> Measured:
    """Cluster so many voices of `speakers` speakers, as `ClusteringConfig.method` says."""
    rows = [_ask(method, number, speakers, seed) for number in numbers]
    return Measured(method=method, seed=seed, dimension=DIMENSION, rows=rows)


def clustering_table(rows: Sequence[Clustered]) -> str:
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
            for row in rows
        ],
    )


def make_voices(number: int, speakers: int, seed: int) -> NDArray[np.float32]:
    """Voice vectors of speakers that take turns, (number, DIMENSION), unit length.

    A voice is its speaker's direction, what overlaps with the voice before, and noise, so that
    cosines are WITHIN on average and higher between neighbours.
    """
    rng = np.random.default_rng(seed)
    directions = _scale(rng.standard_normal((speakers, DIMENSION), np.float32))
    turns = rng.integers(speakers, size=-(-number // UNITS_OF_A_TURN))
    speaker = np.repeat(turns, UNITS_OF_A_TURN)[:number]
    noise = _scale(rng.standard_normal((number, DIMENSION), np.float32))
    noise[1:] += np.float32(OVERLAP) * noise[:-1]
    _scale(noise)
    noise *= np.float32(np.sqrt(1 - WITHIN))
    noise += np.float32(np.sqrt(WITHIN)) * directions[speaker]
    return _scale(noise)


def cluster_once(method: str, number: int, speakers: int, seed: int) -> Clustered:
    """Measure in this process, which should have done nothing else before."""
    from bench.worker import peak_rss_bytes
    from hocket.clustering import CLUSTERERS, Request, VoiceVectors
    from hocket.config import Config
    from hocket.models import read_catalogue

    calibration = read_catalogue().calibrations[Config().graphs.embedding]
    vectors = make_voices(number, speakers, seed)
    voices = VoiceVectors(vectors, vectors, np.full(number, UNIT_S), np.zeros(number))
    request = Request(calibration["threshold"])
    few = voices.at(np.arange(min(100, number)))
    CLUSTERERS[method](few, request)  # loads libraries
    before = peak_rss_bytes()
    started, processor = perf_counter(), process_time()
    labels = CLUSTERERS[method](voices, request)
    return Clustered(
        voices=number,
        speakers=speakers,
        clusters=int(labels.max(initial=-1)) + 1,
        seconds=round(perf_counter() - started, 6),
        processor_seconds=round(process_time() - processor, 6),
        peak_rss_mb=round(peak_rss_bytes() / 1e6, 1),
        peak_rss_before_mb=round(before / 1e6, 1),
    )


def _scale(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same array, its rows scaled to unit length."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _ask(method: str, number: int, speakers: int, seed: int) -> Clustered:
    task = {"method": method, "number": number, "speakers": speakers, "seed": seed}
    return cast("Clustered", ask("bench.clustering", task))


if __name__ == "__main__":
    answer_with(cluster_once(**json.load(sys.stdin)))
