"""JSON of Whisper and its kin: whisper, faster-whisper, whisperX, and OpenAI's service."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hocket.formats.recognized import Passage, Raw, content_of, recognized, rows_of, text_of
from hocket.transcript import Segment, Transcript, Word, words_of


def matches(content: Any) -> bool:
    """Whether JSON is of this shape: segments, or words, with start and end in seconds."""
    if isinstance(content, list):
        return bool(content) and _is_segment(content[0])
    if not isinstance(content, Mapping) or "turns" in content:
        return False
    segments, words = content.get("segments"), content.get("words")
    if isinstance(segments, list):
        return not segments or _is_segment(segments[0])
    return isinstance(words, list) and "text" in content and _is_word(words[:1])


def _is_segment(row: Any) -> bool:
    return isinstance(row, Mapping) and {"start", "end", "text"} <= row.keys()


def _is_word(rows: Sequence[Any]) -> bool:
    return all(isinstance(row, Mapping) and {"word", "start", "end"} <= row.keys() for row in rows)


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file.

    Raises:
        FormatError: it is not of this shape.
    """
    content = content_of(text, name, "Whisper", matches)
    whole = {"segments": content} if isinstance(content, list) else content
    rows = rows_of(whole.get("segments") or [], f"{name}: segments")
    apart = rows_of(whole.get("words") or [], f"{name}: words")
    if apart and not any(row.get("words") for row in rows):
        passages = _divided(rows, [_raw(row) for row in apart], text_of(whole.get("text")))
    else:
        passages = [_passage(row, name) for row in rows]
    known = {"language": whole.get("language"), "duration": whole.get("duration")}
    return [recognized(name, passages, **known)]


def _passage(row: Mapping[str, Any], name: str) -> Passage:
    words = [_raw(word) for word in rows_of(row.get("words") or [], f"{name}: words")]
    speaker = text_of(row.get("speaker"))
    return Passage(text_of(row.get("text")), row.get("start"), row.get("end"), words, speaker)


def _raw(row: Mapping[str, Any]) -> Raw:
    text = text_of(row.get("word", row.get("text")))
    confidence = row.get("probability", row.get("score", row.get("confidence")))
    return Raw(text, row.get("start"), row.get("end"), confidence, text_of(row.get("speaker")))


def _divided(rows: Sequence[Mapping[str, Any]], words: Sequence[Raw], text: str) -> list[Passage]:
    """Words that stand beside the segments, with the punctuation that only the text has."""
    whole = " ".join(text_of(row.get("text")) for row in rows) or text
    return [Passage("", None, None, punctuated(words, whole))]


def punctuated(words: Sequence[Raw], text: str) -> list[Raw]:
    """Words as a text spells them; a word that the text does not have there stays as it is."""
    tokens, place = text.split(), 0
    found = []
    for word in words:
        own = _letters(word.text)
        near = [i for i in range(place, min(place + 4, len(tokens))) if _letters(tokens[i]) == own]
        if own and near:
            found.append(word._replace(text=tokens[near[0]]))
            place = near[0] + 1
        else:
            found.append(word)
    return found


def _letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum()).casefold()


def write_whisperx(transcript: Transcript) -> str:
    """JSON in the shape of whisperX after its assign_word_speakers."""
    segments: list[dict[str, Any]] = [
        {
            "start": start / 1000,
            "end": end / 1000,
            "text": segment.text,
            "words": [_whisperx_word(word) for word in words_of(segment)],
            **_named(segment.turn.speaker),
        }
        for start, end, segment in transcript.timed()
    ]
    words = [word for segment in segments for word in segment["words"]]
    content = {"segments": segments, "word_segments": words, "language": transcript.language}
    return json.dumps(content, ensure_ascii=False) + "\n"


def _whisperx_word(word: Word) -> dict[str, Any]:
    times = {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
    score = {} if word.confidence is None else {"score": round(word.confidence, 3)}
    return {**times, **score, **_named(word.speaker)}


def _named(speaker: str) -> dict[str, str]:
    return {"speaker": speaker} if speaker else {}


def write_diarized_json(transcript: Transcript) -> str:
    """JSON in the shape of the diarized_json of OpenAI's transcription service."""
    segments = [
        {
            "type": "transcript.text.segment",
            "id": f"seg_{number:03d}",
            "start": start / 1000,
            "end": end / 1000,
            "text": segment.text,
            "speaker": segment.turn.speaker,
        }
        for number, (start, end, segment) in enumerate(transcript.timed(), start=1)
    ]
    content = {
        "task": "transcribe",
        "duration": round(transcript.duration, 3),
        "text": _running(transcript.segments),
        "segments": segments,
        "usage": {"type": "duration", "seconds": round(transcript.duration)},
    }
    return json.dumps(content, ensure_ascii=False) + "\n"


def _running(segments: Sequence[Segment]) -> str:
    return " ".join(segment.text for segment in segments if segment.text)
