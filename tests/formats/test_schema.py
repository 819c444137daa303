"""JSON that hocket writes is what the published schema says."""

import json
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given

from hocket.formats import json_document
from hocket.notices import Notice
from hocket.offline.diarizer import Diarizer
from hocket.result import Identity, UncertainSegment
from hocket.transcript import Segment, Word, of_segments, transcript_of
from hocket.turns import Turn
from hocket.version import __version__
from tests.formats.test_formats import DIALOGUE, EMPTY
from tests.formats.test_round_trip import rows, transcripts
from tests.helpers.paths import CONVERSATION, ROOT

SCHEMA = json.loads((ROOT / "docs" / "result.schema.json").read_text("utf-8"))
FULL = replace(
    DIALOGUE,
    turns=(Turn(0.5, 1.5, "Anna", 0.5, 2, "SPEAKER_00"),),
    count_confidence={1: 0.75, 2: 0.25},
    uncertain=(UncertainSegment(0.5, 1.0, "Anna", 0.25, ("Ben",)),),
    notices=(Notice("gap", "a gap", 1.0, 2.0), Notice("nobody", "nobody")),
    identities=(Identity("SPEAKER_00", "Anna", True, 0.1, None, 0.45, 0.9),),
)


def check(content: object) -> None:
    jsonschema.validate(content, SCHEMA, jsonschema.Draft202012Validator)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        check({"uri": "x"})


@pytest.mark.parametrize("result", [FULL, DIALOGUE, EMPTY], ids=["full", "dialogue", "empty"])
def test_results_are_valid(result: object) -> None:
    check(json.loads(result.to_json()))  # type: ignore[attr-defined]


def test_a_diarized_clip_says_what_made_it() -> None:
    result = Diarizer()(CONVERSATION, num_speakers=2)
    content = json.loads(result.to_json())
    check(content)
    assert content["hocket"] == __version__
    assert content["models"]["segmentation"]["name"] == "pyannote-segmentation-3.0"
    assert result.embedding_model is not None
    assert content["models"]["embedding"]["sha256"] == result.embedding_model.sha256
    assert "auto" not in str(content["models"])
    assert content["settings"]["speakers"] == {"minimum": 2, "maximum": 2}
    assert content["settings"]["clustering"]["threshold"] > 0
    [again] = json_document.read(result.to_json(), "x")
    assert again.result is not None
    assert again.result.origin == result.origin


@given(transcripts(text=True))
def test_transcripts_are_valid_and_come_back(transcript: object) -> None:
    written = json_document.write(transcript)  # type: ignore[arg-type]
    content = json.loads(written)
    check({**content, "exclusive_turns": []})
    [found] = json_document.read(written, "x")
    assert rows(found) == rows(transcript)  # type: ignore[arg-type]


def test_words_come_back() -> None:
    words = (Word(0.5, 0.75, "Good", "Anna", 0.5), Word(0.75, 1.25, "morning."))
    made = of_segments("talk", [Segment(Turn(0.5, 1.5, "Anna"), "Good morning.", words)])
    full = replace(made, result=FULL, language="en", duration=FULL.duration)
    content = json.loads(json_document.write(full))
    check(content)
    assert content["language"] == "en"
    assert content["turns"] == json.loads(FULL.to_json())["turns"]
    [found] = json_document.read(json_document.write(full), "x")
    assert found.segments == full.segments
    assert found.language == "en"
    assert found.result is not None
    assert found.result.turns == FULL.turns
    assert found.result.identities == FULL.identities
    assert transcript_of(FULL).segments[0].turn == FULL.turns[0]


def test_notices_of_a_transcript_are_kept() -> None:
    own = (*FULL.notices, Notice("outside", "1 of 9 words are where nobody is found to speak"))
    segments = (Segment(FULL.turns[0], "Hi", (Word(0.5, 1.0, "Hi", "Anna", 0.9),)),)
    transcript = replace(transcript_of(FULL), segments=segments, notices=own)
    text = json_document.write(transcript)
    check(json.loads(text))
    [again] = json_document.read(text, "talk")
    assert again.notices == own
    assert again.segments[0].words == segments[0].words
