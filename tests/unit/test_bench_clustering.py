"""`bench cluster`: made-up voices, and what clustering them took."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.__main__ import main
from bench.clustering import OVERLAP, WITHIN, make_voices, measure_clustering
from bench.errors import BenchError


def test_made_up_voices_are_as_alike_as_they_should_be() -> None:
    voices = make_voices(4_000, 4, seed=5)
    assert voices.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(voices, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(voices, make_voices(4_000, 4, seed=5))
    first = voices[np.arange(8)]
    neighbours = np.sum(first[1:] * first[:-1], axis=1).mean()
    assert neighbours == pytest.approx(WITHIN + (1 - WITHIN) * OVERLAP / (1 + OVERLAP**2), abs=0.08)
    same = first @ voices.T
    assert same[same > 0.25].mean() == pytest.approx(WITHIN, abs=0.05)
    assert np.mean(same > 0.25) == pytest.approx(0.25, abs=0.1)  # four speakers


def test_every_number_of_voices_is_a_row(tmp_path: Path) -> None:
    output = tmp_path / "cluster.json"
    asked = ["cluster", "--voices", "300", "--voices", "40", "--speakers", "3"]
    done = CliRunner().invoke(main, [*asked, "--output", str(output)])
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    assert found["method"] == "agglomerative"
    assert [row["voices"] for row in found["rows"]] == [300, 40]
    assert found["rows"][0]["clusters"] == 3
    for row in found["rows"]:
        assert row["seconds"] > 0
        assert 20 < row["peak_rss_before_mb"] <= row["peak_rss_mb"] < 400
    assert done.output.splitlines()[1].split()[0] == "300"


def test_a_process_that_fails_is_one_line() -> None:
    with pytest.raises(BenchError, match=r"^the measuring process failed: KeyError: 'none'$"):
        measure_clustering("none", [9], 1, 1)
