"""Transcripts in the shapes of OpenAI's transcription service.

Speakers without a name are called A, B, C and so on, as there.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from hocket.formats import written
from hocket.server.http.transcription_fields import Wanted
from hocket.timeline import is_numbered
from hocket.transcript import Segment, Transcript, words_of

UNKNOWN_LANGUAGE = "und"  # ISO 639: undetermined
SPEECH = 0.0  # probability of no speech: segments are where somebody speaks


def with_letters(transcript: Transcript) -> Transcript:
    """What is said, with letters for the speakers without a name."""
    said = tuple(segment for segment in transcript.segments if segment.text)
    names = dict.fromkeys(segment.turn.speaker for segment in said)
    letters = (name for name in map(_letters, count()) if name not in names)
    labels = {name: next(letters) for name in names if is_numbered(name)}

    def labeled(segment: Segment) -> Segment:
        speaker = segment.turn.speaker
        return replace(segment, turn=replace(segment.turn, speaker=labels.get(speaker, speaker)))

    return replace(transcript, segments=tuple(map(labeled, said)))


def _letters(number: int) -> str:
    """A to Z, then AA, AB and so on."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + last)


def answer(transcript: Transcript, wanted: Wanted) -> str | Mapping[str, Any]:
    """Text, or the values of a JSON object.

    Args:
        transcript: of `with_letters`.
        wanted: by the client.
    """
    form = wanted.response_format
    if form in ("srt", "vtt"):
        return str(written(transcript, form))
    if form == "text":
        return f"{_text(transcript)}\n"
    if form == "verbose_json":
        return _verbose(transcript, wanted)
    if form == "diarized_json":
        content: Mapping[str, Any] = json.loads(str(written(transcript, "diarized_json")))
        return content
    return {"text": _text(transcript), "usage": _usage(transcript)}


def events(transcript: Transcript, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    """The answer as events: the text piece by piece, its segments, and that it is complete."""
    segments: Sequence[Mapping[str, Any]] = json.loads(str(written(transcript, "diarized_json")))[
        "segments"
    ]
    is_diarized = wanted.response_format == "diarized_json"
    for number, segment in enumerate(segments):
        delta = {"type": "transcript.text.delta", "delta": f"{' ' * bool(number)}{segment['text']}"}
        yield {**delta, "segment_id": segment["id"]} if is_diarized else delta
        if is_diarized:
            yield segment
    yield {"type": "transcript.text.done", "text": _text(transcript)}


def _text(transcript: Transcript) -> str:
    return " ".join(segment.text for _, _, segment in transcript.timed())


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(transcript.duration)}


def _verbose(transcript: Transcript, wanted: Wanted) -> dict[str, Any]:
    content: dict[str, Any] = {
        "task": "transcribe",
        "language": transcript.language or UNKNOWN_LANGUAGE,
        "duration": round(transcript.duration, 3),
        "text": _text(transcript),
        "usage": _usage(transcript),
    }
    timed = [*transcript.timed()]
    if "segment" in wanted.granularities:
        content["segments"] = [
            _segment(number, start, end, segment, wanted.temperature)
            for number, (start, end, segment) in enumerate(timed)
        ]
    if "word" in wanted.granularities:
        content["words"] = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
            for _, _, segment in timed
            for word in words_of(segment)
        ]
    return content


def _segment(
    number: int, start: int, end: int, segment: Segment, temperature: float
) -> dict[str, Any]:
    """A segment; what only Whisper has of it is empty, and the speaker is added."""
    packed = zlib.compress(segment.text.encode())
    sure = [max(word.confidence, 1e-9) for word in segment.words if word.confidence is not None]
    return {
        "id": number,
        "seek": 0,
        "start": start / 1000,
        "end": end / 1000,
        "text": segment.text,
        "tokens": [],
        "temperature": temperature,
        "avg_logprob": round(math.fsum(map(math.log, sure)) / len(sure), 4) if sure else 0.0,
        "compression_ratio": round(len(segment.text.encode()) / len(packed), 3),
        "no_speech_prob": SPEECH,
        "speaker": segment.turn.speaker,
    }
