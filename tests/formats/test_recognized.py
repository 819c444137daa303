"""What speech recognizers write: nine shapes, and what is wrong in them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.errors import FormatError
from hocket.formats import RECOGNIZED
from hocket.formats.files import READERS, read_transcripts
from hocket.transcript import Transcript

WORDS = [
    {"word": " Good", "start": 0.5, "end": 0.8, "probability": 0.9},
    {"word": " morning.", "start": 0.8, "end": 1.25, "probability": 0.75},
]
PLAIN = [{"word": "good", "start": 0.5, "end": 0.8}, {"word": "morning", "start": 0.8, "end": 1.25}]
SEGMENT = {"id": 0, "seek": 0, "start": 0.5, "end": 1.25, "text": " Good morning."}
SHAPES: dict[str, Any] = {
    "whisper": {
        "text": " Good morning.",
        "segments": [{**SEGMENT, "tokens": [50363], "words": WORDS}],
        "language": "en",
    },
    "faster-whisper": [{**SEGMENT, "words": WORDS}],
    "whisperx": {
        "segments": [
            {
                **SEGMENT,
                "words": [
                    {"word": "Good", "start": 0.5, "end": 0.8, "score": 0.9},
                    {"word": "morning.", "start": 0.8, "end": 1.25, "score": 0.75},
                ],
            }
        ],
        "word_segments": [],
        "language": "en",
    },
    "verbose_json": {
        "task": "transcribe",
        "language": "en",
        "duration": 2.0,
        "text": "Good morning.",
        "words": PLAIN,
        "segments": [SEGMENT],
    },
    "verbose_json without segments": {
        "task": "transcribe",
        "language": "en",
        "duration": 2.0,
        "text": "Good morning.",
        "words": PLAIN,
    },
    "whisper.cpp": {
        "systeminfo": "AVX = 1",
        "result": {"language": "en"},
        "transcription": [
            {
                "timestamps": {"from": "00:00:00,500", "to": "00:00:01,250"},
                "offsets": {"from": 500, "to": 1250},
                "text": " Good morning.",
                "tokens": [
                    {"text": "[_BEG_]", "offsets": {"from": 0, "to": 0}, "p": 0.9},
                    {"text": " Good", "offsets": {"from": 500, "to": 800}, "p": 0.9},
                    {"text": " morn", "offsets": {"from": 800, "to": 1000}, "p": 0.75},
                    {"text": "ing", "offsets": {"from": 1000, "to": 1200}, "p": 0.75},
                    {"text": ".", "offsets": {"from": 1200, "to": 1250}, "p": 0.75},
                    {"text": "[_TT_62]", "offsets": {"from": 1250, "to": 1250}, "p": 0.1},
                ],
            }
        ],
    },
    "assemblyai": {
        "id": "x",
        "language_code": "en",
        "audio_duration": 2,
        "text": "Good morning.",
        "words": [
            {"text": "Good", "start": 500, "end": 800, "confidence": 0.9, "speaker": "A"},
            {"text": "morning.", "start": 800, "end": 1250, "confidence": 0.75, "speaker": "A"},
        ],
        "utterances": None,
    },
    "deepgram": {
        "metadata": {"duration": 2.0, "channels": 1},
        "results": {
            "channels": [
                {
                    "alternatives": [
                        {
                            "transcript": "Good morning.",
                            "words": [
                                {
                                    "word": "good",
                                    "start": 0.5,
                                    "end": 0.8,
                                    "confidence": 0.9,
                                    "punctuated_word": "Good",
                                },
                                {
                                    "word": "morning",
                                    "start": 0.8,
                                    "end": 1.25,
                                    "confidence": 0.75,
                                    "punctuated_word": "morning.",
                                },
                            ],
                        }
                    ]
                }
            ]
        },
    },
    "aws": {
        "jobName": "talk",
        "results": {
            "language_code": "en",
            "transcripts": [{"transcript": "Good morning."}],
            "items": [
                {
                    "start_time": "0.5",
                    "end_time": "0.8",
                    "type": "pronunciation",
                    "alternatives": [{"confidence": "0.9", "content": "Good"}],
                },
                {
                    "start_time": "0.8",
                    "end_time": "1.25",
                    "type": "pronunciation",
                    "alternatives": [{"confidence": "0.75", "content": "morning"}],
                },
                {
                    "type": "punctuation",
                    "alternatives": [{"confidence": "0.0", "content": "."}],
                },
            ],
        },
        "status": "COMPLETED",
    },
}
VOSK = {
    "result": [
        {"conf": 0.9, "start": 0.5, "end": 0.8, "word": "Good"},
        {"conf": 0.75, "start": 0.8, "end": 1.25, "word": "morning."},
    ],
    "text": "Good morning.",
}
SILENCE = {"text": ""}


def read(place: Path, text: str, name: str = "talk.json") -> Transcript:
    (place / name).write_text(text, encoding="utf-8")
    [found] = read_transcripts(place / name)
    return found


def timed(transcript: Transcript) -> list[tuple[float, float, str]]:
    return [
        (round(word.start, 3), round(word.end, 3), word.text)
        for segment in transcript.segments
        for word in segment.words
    ]


EXPECTED = [(0.5, 0.8, "Good"), (0.8, 1.25, "morning.")]


@pytest.mark.parametrize("name", SHAPES)
def test_words_of_every_shape(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, json.dumps(SHAPES[name]))
    assert timed(found) == EXPECTED
    assert [segment.text for segment in found.segments] == ["Good morning."]
    assert found.uri == "talk"
    assert found.language == (None if name in ("faster-whisper", "deepgram") else "en")
    confidences = [word.confidence for segment in found.segments for word in segment.words]
    assert confidences == ([None, None] if "verbose" in name else [0.9, 0.75])
    assert found.notices == ()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([VOSK, SILENCE]),
        json.dumps(VOSK, indent=2) + "\n" + json.dumps(SILENCE, indent=2),
        json.dumps(SILENCE) + "\n" + json.dumps(VOSK),
    ],
)
def test_results_of_vosk_in_a_list_or_one_behind_the_other(tmp_path: Path, text: str) -> None:
    assert timed(read(tmp_path, text)) == EXPECTED


def test_a_ctm_file_of_two_recordings(tmp_path: Path) -> None:
    text = ";; comment\na 1 0.5 0.3 Good 0.9\na 1 0.8 0.45 morning. NA\nb A 1 1 Hi\n"
    (tmp_path / "all.ctm").write_text(text)
    first, second = read_transcripts(tmp_path / "all.ctm")
    assert (first.uri, timed(first)) == ("a", EXPECTED)
    assert (second.uri, timed(second)) == ("b", [(1.0, 2.0, "Hi")])


def test_subtitles_have_segments_whose_words_have_no_times(tmp_path: Path) -> None:
    text = "1\n00:00:00,500 --> 00:00:01,250\nGood morning.\n"
    found = read(tmp_path, text, "talk.srt")
    assert [(s.turn.start, s.turn.end, s.text) for s in found.segments] == [
        (0.5, 1.25, "Good morning.")
    ]


def whisper(*words: dict[str, Any]) -> str:
    return json.dumps({"segments": [{"start": 1, "end": 3, "text": "x", "words": [*words]}]})


def test_words_without_times_stand_between_their_neighbors(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        whisper(
            {"word": "in"},  # as whisperX leaves numbers
            {"word": "June", "start": 1.5, "end": 1.8},
            {"word": "2014"},
            {"word": "we", "start": 2.2, "end": 2.0},  # ends before it begins
            {"word": "met", "start": 2.6, "end": 3.0},
            {"word": "  "},
        ),
    )
    assert timed(found) == [
        (1.0, 1.5, "in"),
        (1.5, 1.8, "June"),
        (1.8, 2.333, "2014"),
        (2.333, 2.6, "we"),
        (2.6, 3.0, "met"),
    ]
    assert [notice.kind for notice in found.notices] == ["times"]
    assert "3 words" in found.notices[0].text


def test_words_without_any_time_are_text_of_their_segment(tmp_path: Path) -> None:
    found = read(tmp_path, whisper({"word": "good"}, {"word": "morning"}))
    assert [(s.turn.start, s.turn.end, s.text, s.words) for s in found.segments] == [
        (1.0, 3.0, "x", ())
    ]


@pytest.mark.parametrize("odd", [None, "soon", -1.0, float("nan"), float("inf"), [], {}])
def test_a_time_that_is_none_counts_as_unknown(tmp_path: Path, odd: Any) -> None:
    found = read(
        tmp_path,
        whisper({"word": "a", "start": odd, "end": 2.0}, {"word": "b", "start": 2.0, "end": 2.5}),
    )
    assert timed(found) == [(1.0, 2.0, "a"), (2.0, 2.5, "b")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"a": 1}, "JSON of no known shape; known are hocket, lhotse, SegLST, Whisper"),
        ([1, 2], "JSON of no known shape"),
        ("text", "JSON of no known shape"),
        ({"segments": [{"start": None, "end": None, "text": "Good"}]}, "has text but no times"),
        ({"segments": [{"start": 0, "end": 1, "text": "Good", "words": "x"}]}, "list of objects"),
        ({"text": "good", "result": []}, "call SetWords(True)"),
        ({"results": {"channels": [1]}}, "list of objects"),
        ({"transcription": ["Good"]}, "list of objects"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        read(tmp_path, json.dumps(content))
    assert problem in str(caught.value)
    assert "talk" in str(caught.value)
    assert "\n" not in str(caught.value)


KEYS = (
    *("segments", "words", "text", "word", "start", "end", "results", "channels", "items"),
    *("alternatives", "transcription", "tokens", "offsets", "result", "metadata", "type"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(content=JSON)
def test_any_json_is_read_or_refused(content: Any) -> None:
    text = json.dumps(content)
    for name, shape in RECOGNIZED.items():
        if shape.matches is None or shape.matches(content):
            with suppress(FormatError):
                for transcript in READERS[name](text, "a"):
                    assert all(w.end >= w.start >= 0 for s in transcript.segments for w in s.words)
