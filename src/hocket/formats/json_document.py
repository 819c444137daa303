"""JSON: an object a recording, with everything that is known of it, on one line."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hocket.errors import ConfigError, FormatError
from hocket.formats.reading import lines_of, parsed
from hocket.result import Result
from hocket.transcript import Segment, Transcript, Word, of_segments, transcript_of
from hocket.turns import Turn


def write(transcript: Transcript) -> str:
    """`Result.to_json` as a line; with text, the segments too."""
    if transcript.result:
        content = json.loads(replace(transcript.result, notices=transcript.notices).to_json())
    else:
        content = _without_result(transcript)
    if transcript.has_text:
        content |= {"language": transcript.language} if transcript.language else {}
        content["segments"] = [segment_as_json(segment) for _, _, segment in transcript.timed()]
    return json.dumps(content, ensure_ascii=False) + "\n"


def _without_result(transcript: Transcript) -> dict[str, Any]:
    return {
        "uri": transcript.uri,
        "duration": round(transcript.duration, 3),
        "speakers": list(transcript.speakers),
        "turns": [
            {"start": start / 1000, "end": end / 1000, "speaker": segment.turn.speaker}
            for start, end, segment in transcript.timed()
        ],
    }


def segment_as_json(segment: Segment) -> dict[str, Any]:
    """A segment with its words."""
    turn = segment.turn
    content = {
        "start": round(turn.start, 3),
        "end": round(turn.end, 3),
        "speaker": turn.speaker,
        "text": segment.text,
    }
    return {**content, "words": [word_as_json(word) for word in segment.words]}


def word_as_json(word: Word) -> dict[str, Any]:
    """A word as whisperX writes it."""
    content: dict[str, Any] = {
        "word": word.text,
        "start": round(word.start, 3),
        "end": round(word.end, 3),
    }
    content |= {"speaker": word.speaker} if word.speaker else {}
    return content | ({} if word.confidence is None else {"score": round(word.confidence, 3)})


def read(text: str, name: str) -> list[Transcript]:
    """A transcript for each object: a file is one object, or has one a line.

    Raises:
        FormatError: an object is not what hocket writes.
    """
    try:
        objects = [(name, parsed(text, name))]
    except FormatError:
        objects = [(place, parsed(line, place)) for place, line in lines_of(text, name)]
    return [_transcript(content, place) for place, content in objects]


def _transcript(content: Any, place: str) -> Transcript:
    if not isinstance(content, Mapping) or not {"turns", "segments"} & content.keys():
        raise FormatError(f"{place}: holds no object with turns; give JSON that hocket wrote")
    try:
        result = Result.from_dict(content) if "exclusive_turns" in content else None
        if "segments" in content:
            rows = [_read_segment(row) for row in content["segments"]]
        else:
            rows = [Segment(_turn(row)) for row in content["turns"]]
        made = of_segments(str(content["uri"]), rows)
        duration = max(made.duration, float(content.get("duration", 0.0)))
    except (ConfigError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{place}: {type(error).__name__} {error}; give hocket's JSON") from error
    if result and "segments" not in content:
        return transcript_of(result)
    notices = result.notices if result else ()
    return Transcript(made.uri, duration, made.segments, content.get("language"), notices, result)


def _turn(row: Mapping[str, Any]) -> Turn:
    return Turn(float(row["start"]), float(row["end"]), str(row["speaker"]))


def _read_segment(row: Mapping[str, Any]) -> Segment:
    words = tuple(
        Word(
            *(float(each["start"]), float(each["end"]), str(each["word"])),
            str(each.get("speaker", "")),
            each.get("score"),
        )
        for each in row.get("words", ())
    )
    return Segment(_turn(row), str(row.get("text", "")), words)
