"""Time and memory of clustering synthetic voice vectors, each number in a fresh process."""

import json
import sys
from collections.abc import Sequence
from time import perf_counter, process_time
from typing import TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from bench.process import print_result, run_module

DIMENSION = 192  # of the default embedding model
# cosines of real one-second subsegments: 0.5 within a speaker, 0.8 to the nearest, which overlaps
WITHIN, OVERLAP = 0.5, 0.6
VOICES_OF_A_TURN = 8
VOICE_S = 0.6


class Clustered(TypedDict):
    """Time, memory and result of one clustering."""

    voices: int
    speakers: int
    clusters: int
    seconds: float
    processor_seconds: float
    peak_rss_mb: float
    peak_rss_before_mb: float


class Measured(TypedDict):
    """Results for all numbers of voices."""

    method: str
    seed: int
    dimension: int
    rows: list[Clustered]


def measure_clustering(method: str, numbers: Sequence[int], speakers: int, seed: int) -> Measured:
    """Cluster each number of voices of `speakers` speakers with this `ClusteringConfig.method`."""
    rows = [_measure(method, number, speakers, seed) for number in numbers]
    return Measured(method=method, seed=seed, dimension=DIMENSION, rows=rows)


def make_voices(number: int, speakers: int, seed: int) -> NDArray[np.float32]:
    """Voice vectors of speakers who take turns, (number, DIMENSION), unit length.

    A voice is the sum of the direction of its speaker, the overlap with the voice before, and
    noise. Cosines are WITHIN on average, and higher between neighbors.
    """
    rng = np.random.default_rng(seed)
    directions = _scale(rng.standard_normal((speakers, DIMENSION), np.float32))
    turns = rng.integers(speakers, size=-(-number // VOICES_OF_A_TURN))
    speaker = np.repeat(turns, VOICES_OF_A_TURN)[:number]
    noise = _scale(rng.standard_normal((number, DIMENSION), np.float32))
    noise[1:] += np.float32(OVERLAP) * noise[:-1]
    _scale(noise)
    noise *= np.float32(np.sqrt(1 - WITHIN))
    noise += np.float32(np.sqrt(WITHIN)) * directions[speaker]
    return _scale(noise)


def cluster_once(method: str, number: int, speakers: int, seed: int) -> Clustered:
    """Measure in this process, as its only task."""
    from bench.speed.worker import peak_rss_bytes
    from hocket.clustering import CLUSTERERS, Request, VoiceVectors
    from hocket.config import Config
    from hocket.models import read_catalogue

    calibration = read_catalogue().calibrations[Config().graphs.embedding]
    vectors = make_voices(number, speakers, seed)
    voices = VoiceVectors(vectors, vectors, np.full(number, VOICE_S), np.zeros(number))
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
    """Scale the rows of the array to unit length, in place."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _measure(method: str, number: int, speakers: int, seed: int) -> Clustered:
    task = {"method": method, "number": number, "speakers": speakers, "seed": seed}
    return cast("Clustered", run_module("bench.speed.clustering", task))


if __name__ == "__main__":
    print_result(cluster_once(**json.load(sys.stdin)))
