"""Results: representation, equality, dictionaries, JSON, RTTM, and files that are read back."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from hocket import Result, Turn
from hocket.errors import ConfigError, OutputError
from hocket.notices import Notice
from hocket.result import EmbeddingModel, Identity, UncertainSegment
from tests.helpers.documents import document

MODEL = EmbeddingModel("synthetic", "a" * 64, 4, 0.4, 0.6, 0.5, (6.0, -14.0, 6.0))
TURNS = (Turn(0.5, 2.25, "anna", 0.9), Turn(2.0, 4.0, "ben", 1 / 3), Turn(4.5, 5.0, "anna"))
RESULT = Result(
    uri="talk",
    turns=TURNS,
    exclusive_turns=TURNS[1:],
    speakers=("anna", "ben"),
    embeddings=np.linspace(0.1, 0.9, 8, dtype=np.float32).reshape(2, 4),
    duration=5.0001,
    seconds={"decode": 0.25},
    copied={"segmentation": 7},
    embedding_model=MODEL,
    count_confidence={1: 0.125, 2: 2 / 3},
    uncertain=(UncertainSegment(2.0, 3.0, "ben", 1 / 7, ("anna", "cleo")),),
    notices=(Notice("damaged", "a part is lost", 1 / 3, 2.0), Notice("level", "is scaled")),
)
SILENT = Result("hush", (), (), (), np.zeros((0, 4), np.float32), 1.0, {})


# --- representation and equality


def test_the_representation_is_short_and_says_the_most_important() -> None:
    assert repr(RESULT) == "<Result talk: 2 speakers, 3 turns, 5.00 s>"
    assert repr(SILENT) == "<Result hush: 0 speakers, 0 turns, 1.00 s>"
    one = replace(SILENT, turns=TURNS[:1], speakers=("anna",))
    assert repr(one) == "<Result hush: 1 speaker, 1 turn, 1.00 s>"
    assert len(repr(replace(RESULT, uri="x" * 5000))) < 150


def test_results_are_equal_by_value_whatever_time_they_took() -> None:
    same = replace(RESULT, embeddings=RESULT.embeddings.copy(), seconds={}, copied={})
    assert same == RESULT
    assert hash(same) == hash(RESULT)
    assert RESULT != "talk"


CHANGES = {
    "uri": "other",
    "turns": TURNS[:2],
    "exclusive_turns": TURNS,
    "speakers": ("anna", "bob"),
    "embeddings": RESULT.embeddings + np.float32(1e-6),
    "duration": 6.0,
    "embedding_model": None,
    "count_confidence": {2: 1.0},
    "uncertain": (),
    "notices": (),
    "identities": (Identity("SPEAKER_00", "Ann", True, 0.2, None, 0.45, 0.9),),
}


def test_a_difference_in_any_value_makes_results_unequal() -> None:
    assert {*CHANGES, "seconds", "copied", "origin"} == {each.name for each in fields(Result)}
    for name, value in CHANGES.items():
        assert replace(RESULT, **{name: value}) != RESULT, name
    surer = tuple(replace(turn, confidence=0.95) for turn in TURNS)
    assert replace(RESULT, turns=surer) != RESULT  # though the turns compare equal
    assert replace(RESULT, embeddings=RESULT.embeddings.reshape(4, 2)) != RESULT


def test_durations_and_expected_errors_follow_from_bounds() -> None:
    assert TURNS[0].duration == 1.75
    assert RESULT.uncertain[0].expected_error == pytest.approx(6 / 7)


# --- values and files


@pytest.mark.parametrize("result", [RESULT, SILENT], ids=["talk", "silent"])
def test_a_dictionary_gives_the_result_back(result: Result) -> None:
    content = result.to_dict()
    assert set(content) == {each.name for each in fields(Result)} - {"origin"}
    again = Result.from_dict(json.loads(json.dumps(content)))
    assert again == result
    assert (again.seconds, again.copied) == (result.seconds, result.copied)
    assert again.embeddings.dtype == np.float32


@pytest.mark.parametrize("result", [RESULT, SILENT], ids=["talk", "silent"])
def test_a_saved_result_is_loaded_back(result: Result, tmp_path: Path) -> None:
    path = tmp_path / "made" / "talk.json"
    result.save(path)
    assert Result.load(path) == Result.load(str(path)) == result
    assert path.read_text().count("\n") == 1


def test_json_has_rounded_times_and_no_embeddings() -> None:
    content = json.loads(RESULT.to_json())
    assert "embeddings" not in content
    assert content["turns"][1] == {"start": 2.0, "end": 4.0, "speaker": "ben", "confidence": 0.333}
    assert content["uncertain"] == [
        {
            "start": 2.0,
            "end": 3.0,
            "speaker": "ben",
            "confidence": 0.143,
            "alternatives": ["anna", "cleo"],
        }
    ]
    assert content["count_confidence"] == {"1": 0.125, "2": 0.667}
    assert "uncertain" not in json.loads(SILENT.to_json())


def test_json_of_the_command_line_is_loaded_too(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(document(RESULT, "json"))
    found = Result.load(path)
    assert found.turns == RESULT.turns
    assert [turn.confidence for turn in found.turns] == [0.9, 0.333, None]
    assert found.uncertain[0].alternatives == ("anna", "cleo")
    assert found.embeddings.shape == (2, 0)
    assert found.embedding_model is None
    assert document(found, "json") == document(RESULT, "json")


def test_rttm_is_that_of_the_command_line() -> None:
    assert RESULT.to_rttm() == document(RESULT, "rttm")
    assert RESULT.to_rttm().splitlines()[1] == (
        "SPEAKER talk 1 2.000 2.000 <NA> <NA> ben 0.333 <NA>"
    )


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '"a"', '{"uri": "a", "turns": 3}', "[[[" * 9_000, "\udcff"],
    ids=["empty", "list", "object", "null", "text", "turns", "deep", "surrogate"],
)
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "talk.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        Result.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be read (")
    assert "hocket diarize" in message
    assert "\n" not in message


def test_a_missing_file_and_an_unwritable_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read \(No such file"):
        Result.load(tmp_path / "none.json")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        RESULT.save(tmp_path / "file" / "talk.json")


# --- at_least


def test_uncertain_turns_are_left_out_and_speakers_stay() -> None:
    certain = RESULT.at_least(0.5)
    assert certain.turns == (TURNS[0], TURNS[2])  # one of unknown confidence stays
    assert certain.exclusive_turns == (TURNS[2],)
    assert certain.speakers == RESULT.speakers
    assert certain.uncertain == ()
    assert RESULT.at_least(0.0) == RESULT
