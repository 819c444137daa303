"""Error rates are those of pyannote.metrics."""

import warnings

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

from hocket.errors import ConfigError
from hocket.report.scoring import Score, compare, score, total
from hocket.turns import Turn


def drawn(rng: np.random.Generator, *, most: int = 12) -> list[Turn]:
    """Turns of up to five speakers, who may overlap, also with themselves."""
    names = "abcde"[: int(rng.integers(1, 6))]
    starts = rng.uniform(0, 60, int(rng.integers(0, most)))
    return [Turn(s, s + rng.uniform(0.05, 9), str(rng.choice(list(names)))) for s in starts]


def annotation(turns: list[Turn]) -> Annotation:
    found = Annotation(uri="talk")
    for number, turn in enumerate(turns):
        found[Segment(turn.start, turn.end), number] = turn.speaker
    return found


@pytest.mark.parametrize("collar", [0.0, 0.25])
@pytest.mark.parametrize("overlap", [True, False])
@pytest.mark.parametrize("is_limited", [True, False])
def test_two_hundred_random_pairs(collar: float, overlap: bool, is_limited: bool) -> None:
    rng = np.random.default_rng(round(100 * collar) + 2 * overlap + is_limited)
    options = {"collar": 2 * collar, "skip_overlap": not overlap}
    for _ in range(200):
        reference, hypothesis = drawn(rng), drawn(rng)
        regions = [(5.0, 20.0), (25.0, 50.0)] if is_limited else None
        uem = Timeline([Segment(*region) for region in regions]) if regions else None
        found = score(reference, hypothesis, regions, collar=collar, overlap=overlap)
        truth, found_turns = annotation(reference), annotation(hypothesis)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            der = DiarizationErrorRate(**options)(truth, found_turns, uem=uem, detailed=True)
            jer = JaccardErrorRate(**options)(truth, found_turns, uem=uem)
        assert found.speech_s == pytest.approx(der["total"], abs=1e-6)
        assert found.missed_s == pytest.approx(der["missed detection"], abs=1e-6)
        assert found.false_alarm_s == pytest.approx(der["false alarm"], abs=1e-6)
        assert found.confusion_s == pytest.approx(der["confusion"], abs=1e-6)
        assert found.der == pytest.approx(der["diarization error rate"], abs=1e-6)
        if found.jer is not None:
            assert found.jer == pytest.approx(jer, abs=1e-6)


def test_recordings_are_weighted_by_their_speech() -> None:
    long = score([Turn(0, 90, "a")], [Turn(0, 90, "x")])
    short = score([Turn(0, 10, "a"), Turn(0, 10, "b")], [Turn(0, 10, "x")])
    both = total([long, short])
    assert both.der == pytest.approx(10 / 110)
    assert both.jer == pytest.approx((0 + 0 + 1) / 3)
    assert (both.files, both.files_right_count) == (2, 1)
    assert both.share(both.missed_s) == pytest.approx(10 / 110)


def test_silence() -> None:
    assert score([], []) == Score(files=1, files_right_count=1)
    assert score([], []).der == 0
    assert score([], [Turn(0, 1, "a")]).der == 1
    assert score([Turn(0, 1, "a")], []).der == 1
    assert score([Turn(0, 1, "a")], []).jer == 1
    assert score([], []).jer is None


@pytest.mark.parametrize("collar", [-0.25, float("nan")])
def test_a_collar_that_cannot_be(collar: float) -> None:
    with pytest.raises(ConfigError, match="collar is"):
        score([], [], collar=collar)


def test_a_region_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="a region ends at 1, but starts at 2"):
        score([], [], [(2, 1)])


def test_a_comparison_says_where_and_who() -> None:
    reference = [Turn(0, 10, "Anna"), Turn(8, 20, "Ben"), Turn(30, 31, "Cleo")]
    found = compare(reference, [Turn(0, 9, "y"), Turn(12, 25, "x"), Turn(9, 10, "x")])
    assert found.pairs == (("Anna", "y"), ("Ben", "x"))
    lengths = found.spans[:, 1] - found.spans[:, 0]
    errors = {
        "missed": [(8, 9), (9, 10), (10, 12), (30, 31)],
        "false_alarm": [(20, 25)],
        "confusion": [],
    }
    for kind, expected in errors.items():
        counts = getattr(found, kind)
        assert [tuple(span) for span in found.spans[counts > 0].tolist()] == expected
        assert lengths @ counts == pytest.approx(getattr(found.score, f"{kind}_s"))


def test_who_is_never_in_the_regions_has_no_pair() -> None:
    reference = [Turn(0, 10, "Anna"), Turn(10, 20, "Ben")]
    found = compare(reference, [Turn(0, 10, "x"), Turn(10, 20, "y")], [(11.0, 13.0)])
    assert found.pairs == (("Ben", "y"),)
    assert found.spans.tolist() == [[11.0, 13.0]]
