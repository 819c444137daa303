"""Scores of known cases, and those of pyannote.metrics over several recordings."""

import numpy as np
import pytest
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

from bench.accuracy.scoring import (
    Errors,
    Jaccard,
    Score,
    count_speakers,
    score,
    summarize,
    summarize_named,
)
from bench.annotations import Region, Turn

TEN_SECONDS = [Region(0.0, 10.0)]
ANNA_THEN_BEN = [Turn(0.0, 6.0, "anna"), Turn(6.0, 10.0, "ben")]


def test_equal_turns_have_no_error() -> None:
    found = score(ANNA_THEN_BEN, ANNA_THEN_BEN, TEN_SECONDS)
    assert found.errors == Errors(speech_s=10.0)
    assert (found.speakers_reference, found.speakers_found) == (2, 2)


def test_names_of_speakers_do_not_matter() -> None:
    swapped = [Turn(0.0, 6.0, "ben"), Turn(6.0, 10.0, "anna")]
    assert score(ANNA_THEN_BEN, swapped, TEN_SECONDS).errors.rates()["der_percent"] == 0


def test_half_of_the_speech_missed() -> None:
    found = score([Turn(0.0, 10.0, "anna")], [Turn(0.0, 5.0, "x")], TEN_SECONDS)
    assert found.errors.rates() == {
        "der_percent": 50.0,
        "miss_percent": 50.0,
        "false_alarm_percent": 0.0,
        "confusion_percent": 0.0,
    }


def test_speech_where_nobody_speaks_is_a_false_alarm() -> None:
    found = score([Turn(0.0, 4.0, "anna")], [Turn(0.0, 6.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=4.0, false_alarm_s=2.0)
    assert found.errors.rates()["der_percent"] == 50.0


def test_two_people_under_one_name_are_confused() -> None:
    found = score(ANNA_THEN_BEN, [Turn(0.0, 10.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=10.0, confusion_s=4.0)
    assert (found.speakers_reference, found.speakers_found) == (2, 1)


def test_overlap_is_scored() -> None:
    both = [Turn(0.0, 10.0, "anna"), Turn(4.0, 6.0, "ben")]
    found = score(both, [Turn(0.0, 10.0, "x")], TEN_SECONDS)
    assert found.errors == Errors(speech_s=12.0, missed_s=2.0)


def test_there_is_no_collar() -> None:
    found = score([Turn(1.0, 5.0, "anna")], [Turn(1.1, 5.0, "x")], TEN_SECONDS)
    assert found.errors.missed_s == pytest.approx(0.1)


def test_only_the_regions_are_scored() -> None:
    found = score(ANNA_THEN_BEN, [Turn(0.0, 3.0, "x")], [Region(0.0, 3.0), Region(5.0, 6.0)])
    assert found.errors == Errors(speech_s=4.0, missed_s=1.0)
    assert (found.speakers_reference, found.speakers_found) == (1, 1)


def test_regions_that_overlap_are_scored_once() -> None:
    found = score(ANNA_THEN_BEN, [], [Region(0.0, 6.0), Region(4.0, 10.0)])
    assert found.errors == Errors(speech_s=10.0, missed_s=10.0)


def test_turns_with_equal_bounds_do_not_replace_one_another() -> None:
    pair = [Turn(0.0, 2.0, "anna"), Turn(0.0, 2.0, "ben"), Turn(0.0, 2.0, "anna")]
    assert score(pair, pair, TEN_SECONDS).errors == Errors(speech_s=6.0)


@pytest.mark.parametrize(("hypothesis", "percent"), [([], 0.0), (ANNA_THEN_BEN, 100.0)])
def test_nobody_speaks(hypothesis: list[Turn], percent: float) -> None:
    found = score([], hypothesis, TEN_SECONDS)
    assert found.errors.rates()["der_percent"] == percent
    assert found.errors.rates()["miss_percent"] is None
    assert found.speakers_reference == 0


def test_rates_are_weighted_by_speech_not_averaged_over_files() -> None:
    long = score([Turn(0.0, 9.0, "anna")], [Turn(0.0, 9.0, "x")], TEN_SECONDS)
    short = score([Turn(0.0, 1.0, "anna")], [], TEN_SECONDS)
    summary = summarize([long, short])
    assert summary["der_percent"] == 10.0  # the mean of 0 and 100 would be 50
    assert (summary["files"], summary["files_right_count"]) == (2, 1)


def test_summary_is_what_pyannote_accumulates() -> None:
    generator = np.random.default_rng(7)
    metric = DiarizationErrorRate(collar=0.0, skip_overlap=False)
    scores = []
    for _ in range(5):
        reference, hypothesis = ([random_turn(generator) for _ in range(8)] for _ in range(2))
        scores.append(score(reference, hypothesis, TEN_SECONDS))
        metric(annotate(reference), annotate(hypothesis), uem=Timeline([Segment(0, 10)]))
    assert summarize(scores)["der_percent"] == pytest.approx(100 * abs(metric), abs=1e-3)


def random_turn(generator: np.random.Generator) -> Turn:
    """One of three speakers for up to 4 s, perhaps past the tenth second."""
    start = float(generator.uniform(0, 9))
    return Turn(start, start + float(generator.uniform(0.1, 4)), str(generator.integers(3)))


def annotate(turns: list[Turn]) -> Annotation:
    """The turns as pyannote has them."""
    records = ((Segment(turn.start, turn.end), i, turn.speaker) for i, turn in enumerate(turns))
    return Annotation.from_records(records)


def test_speakers_are_counted_inside_the_regions() -> None:
    assert count_speakers(ANNA_THEN_BEN, TEN_SECONDS) == 2
    assert count_speakers(ANNA_THEN_BEN, [Region(7.0, 9.0)]) == 1


# Jaccard error


def test_every_speaker_weighs_alike_in_the_jaccard_error() -> None:
    found = score(ANNA_THEN_BEN, [Turn(0.0, 6.0, "x")], TEN_SECONDS)
    assert found.jaccard == Jaccard(speakers=2, errors=1.0)  # ben, missed, is half of it
    assert found.as_row()["jer_percent"] == 50.0
    assert found.as_row()["der_percent"] == 40.0


def test_the_jaccard_error_is_one_less_the_common_part() -> None:
    found = score([Turn(0.0, 6.0, "anna")], [Turn(3.0, 9.0, "x")], TEN_SECONDS)
    assert found.as_row()["jer_percent"] == pytest.approx(100 * (1 - 3 / 9), abs=1e-3)


def test_the_jaccard_error_is_what_pyannote_accumulates() -> None:
    generator = np.random.default_rng(11)
    metric = JaccardErrorRate(collar=0.0, skip_overlap=False)
    scores = []
    for _ in range(5):
        reference, hypothesis = ([random_turn(generator) for _ in range(8)] for _ in range(2))
        scores.append(score(reference, hypothesis, TEN_SECONDS))
        uem = Timeline([Segment(0, 10)])
        value = metric(annotate(reference), annotate(hypothesis), uem=uem)
        assert scores[-1].as_row()["jer_percent"] == pytest.approx(100 * value, abs=1e-3)
    assert summarize(scores)["jer_percent"] == pytest.approx(100 * abs(metric), abs=1e-3)


def test_without_reference_speakers_there_is_no_jaccard_error() -> None:
    assert score([], ANNA_THEN_BEN, TEN_SECONDS).as_row()["jer_percent"] is None
    assert summarize([])["jer_percent"] is None


# Overlap


def test_errors_of_overlap_are_those_where_two_people_speak() -> None:
    reference = [Turn(0.0, 6.0, "anna"), Turn(4.0, 8.0, "ben")]
    hypothesis = [Turn(0.0, 5.0, "x"), Turn(5.0, 6.0, "y"), Turn(9.0, 10.0, "x")]
    found = score(reference, hypothesis, TEN_SECONDS)
    # 4 to 6 alone: of 4 s of speech, 2 s are found, all under a right name.
    assert found.overlapped == Errors(speech_s=4.0, missed_s=2.0)
    row = found.as_row()
    assert row["overlap_der_percent"] == row["overlap_miss_percent"] == 50.0
    assert row["overlap_false_alarm_percent"] == row["overlap_confusion_percent"] == 0.0
    assert row["overlap_speech_s"] == 4.0


def test_overlap_outside_the_regions_does_not_count() -> None:
    reference = [Turn(0.0, 6.0, "anna"), Turn(4.0, 8.0, "ben")]
    regions = [Region(0.0, 4.5), Region(4.0, 5.0)]
    assert score(reference, [], regions).overlapped == Errors(speech_s=2.0, missed_s=2.0)


def test_one_speaker_twice_is_no_overlap() -> None:
    twice = [Turn(0.0, 6.0, "anna"), Turn(4.0, 8.0, "anna")]
    found = score(twice, [Turn(0.0, 8.0, "x"), Turn(0.0, 8.0, "y")], TEN_SECONDS)
    assert found.overlapped == Errors()


def test_without_overlap_it_has_no_rate() -> None:
    row = score(ANNA_THEN_BEN, [Turn(0.0, 10.0, "x")], TEN_SECONDS).as_row()
    rates = ("der", "miss", "false_alarm", "confusion")
    assert [row[f"overlap_{rate}_percent"] for rate in rates] == [None] * 4
    assert row["overlap_speech_s"] == 0


# Numbers of speakers, and the worst


def counted(reference: int, found: int) -> Score:
    return Score(Errors(speech_s=1.0), reference, found)


def test_count_errors_do_not_cancel() -> None:
    summary = summarize([counted(2, 4), counted(3, 1), counted(2, 2)])
    assert summary["count_error_mean_absolute"] == pytest.approx(4 / 3, abs=1e-3)
    assert (summary["files_right_count"], summary["files"]) == (1, 3)
    assert counted(3, 1).as_row()["count_error"] == -2


def test_the_worst_is_the_one_of_the_highest_rate_not_of_the_most_seconds() -> None:
    scores = {
        "long": Score(Errors(speech_s=100.0, missed_s=20.0), 1, 1),
        "short": Score(Errors(speech_s=10.0, missed_s=9.0), 1, 1),
        "equal": Score(Errors(speech_s=10.0, missed_s=9.0), 1, 1),
    }
    assert summarize_named(scores)["worst"] == {"uri": "short", "der_percent": 90.0}


def test_of_nothing_nothing_is_worst() -> None:
    assert summarize_named({})["worst"] is None
    assert summarize_named({})["count_error_mean_absolute"] is None
