"""Hours of voices: bounded memory, and the same clusters with any number of threads."""

from pathlib import Path

import numpy as np
import pytest

from bench.speed.clustering import measure_clustering
from tests.helpers.blas_threads import outputs
from tests.helpers.conversations import long_conversation

NUMBER = 8_000  # all pairs of so many are 256 MB in float32, beside 60 MB of everything else
MOST_MB = 270.0

CLUSTER = """
import sys
import numpy as np
from hocket.clustering import VoiceVectors
from hocket.clustering.agglomerative import agglomerate
vectors = np.load(sys.argv[1])
ones = np.ones(len(vectors))
labels = agglomerate(VoiceVectors(vectors, vectors, ones, ones), 0.4, 1)
sys.stdout.buffer.write(labels.tobytes())
"""


@pytest.mark.parametrize("method", ["agglomerative", "centroid", "mixture", "spectral"])
def test_no_clusterer_holds_all_pairs_of_many_voices(method: str) -> None:
    row = measure_clustering(method, [NUMBER], speakers=6, seed=2)["rows"][0]
    assert row["voices"] == NUMBER
    assert row["clusters"] >= 6
    assert row["peak_rss_mb"] < MOST_MB


def test_threads_of_the_matrix_library_change_nothing(tmp_path: Path) -> None:
    vectors = long_conversation(5_000, 5, seed=3).voices.vectors
    np.save(tmp_path / "vectors.npy", vectors)
    found = outputs(CLUSTER, tmp_path / "vectors.npy")
    assert len(found) == 1
    labels = np.frombuffer(found.pop(), np.int32)
    assert len(labels) == len(vectors)
    assert labels.max() > 5  # the cut is within speakers, where near ties decide
