"""Damaged files: the same for one seed, and every loss is seen."""

import numpy as np
import pytest

from bench.robustness import damage
from bench.robustness.damage import DAMAGES, FORMATS, Reading, damaged_files, measure_damage
from tests.helpers.paths import CLIPS

CLIP = CLIPS / "trn05.flac"


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("size", [1, 2, 500])
def test_damage_changes_any_content_in_its_own_way(kind: str, size: int) -> None:
    content = bytes(range(1, 201)) * 3
    found = DAMAGES[kind](content[:size], np.random.default_rng(0))
    longer = {"zeroed": 0, "cut": -1, "doubled": 1, "moved": 0}[kind]
    assert np.sign(len(found) - size) == longer
    if size == 500:
        assert found != content[:size]


def test_one_seed_gives_the_same_files_of_all_formats() -> None:
    one, other = (list(damaged_files([CLIP], 12, seed)) for seed in (3, 3))
    # some encoders write random numbers of streams
    assert [each[:3] for each in one] == [each[:3] for each in other]
    assert {each.form for each in one} == set(FORMATS)
    assert all(each.audible_s > 3 for each in one)


@pytest.mark.parametrize(
    ("reading", "decoded", "expected"),
    [
        (Reading("KeyError", False, 0.0, (), 1.0), 0.0, "KeyError"),
        (Reading(None, True, 0.0, (), 1.0), 3.0, "refused, but FFmpeg decodes it"),
        (Reading(None, True, 0.0, (), 1.0), 0.0, None),
        (Reading(None, False, 2.0, (), 1.0), 3.0, "lost without a notice"),
        (Reading(None, False, 2.0, ("damaged",), 1.0), 3.0, None),
        (Reading(None, False, 2.8, (), 1.0), 3.0, None),
    ],
)
def test_what_counts_as_a_failure(
    monkeypatch: pytest.MonkeyPatch, reading: Reading, decoded: float, expected: str | None
) -> None:
    monkeypatch.setattr(damage, "ffmpeg_seconds", lambda _: decoded)
    assert damage._problem(reading, b"") == expected


def test_files_are_damaged_read_and_counted() -> None:
    lines: list[str] = []
    found = measure_damage([CLIP], 12, 1, 1, lines.append)
    assert found["counts"]["files"] == 12
    assert found["failures"] == []
    assert found["slowest_s"] < damage.LIMIT_S
