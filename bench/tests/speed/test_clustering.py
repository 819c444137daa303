"""`bench cluster`: synthetic voices, and the time and memory of clustering them."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.speed.clustering import OVERLAP, WITHIN, make_voices
from bench.tests.helpers import run


def test_synthetic_voices_have_the_intended_similarity() -> None:
    voices = make_voices(4_000, 4, seed=5)
    assert voices.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(voices, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(voices, make_voices(4_000, 4, seed=5))
    first = voices[np.arange(8)]
    neighbors = np.sum(first[1:] * first[:-1], axis=1).mean()
    assert neighbors == pytest.approx(WITHIN + (1 - WITHIN) * OVERLAP / (1 + OVERLAP**2), abs=0.08)
    same = first @ voices.T
    assert same[same > 0.25].mean() == pytest.approx(WITHIN, abs=0.05)
    assert np.mean(same > 0.25) == pytest.approx(0.25, abs=0.1)  # four speakers


def test_every_number_of_voices_is_a_row(tmp_path: Path) -> None:
    output = tmp_path / "cluster.json"
    done = run("cluster", "--voices", "300", "--speakers", "3", "--output", output)
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["method"] == "agglomerative"
    (row,) = found["rows"]
    assert (row["voices"], row["clusters"]) == (300, 3)
    assert row["seconds"] > 0
    assert 20 < row["peak_rss_before_mb"] <= row["peak_rss_mb"] < 400
    assert done.output.splitlines()[1].split()[0] == "300"
