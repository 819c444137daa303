"""Tasks of Label Studio: a prediction for each recording, whose regions are segments.

For a labelling setup with `<Labels name="labels" toName="audio">` and, for the text,
`<TextArea name="transcription" toName="audio" perRegion="true">`.
"""

import json
from typing import Any

from hocket.errors import FormatError
from hocket.formats.reading import parsed, span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn

LABELS, TEXT, AUDIO = "labels", "transcription", "audio"


def write(transcript: Transcript) -> str:
    """A list of one task."""
    results: list[dict[str, Any]] = []
    for number, (start, end, segment) in enumerate(transcript.timed()):
        region = {"id": f"{number}", "to_name": AUDIO, "original_length": transcript.duration}
        times = {"start": start / 1000, "end": end / 1000}
        labels = {**times, "labels": [segment.turn.speaker]}
        results.append({**region, "from_name": LABELS, "type": "labels", "value": labels})
        if segment.text:
            value = {**times, "text": [segment.text]}
            results.append({**region, "from_name": TEXT, "type": "textarea", "value": value})
    task = {"data": {AUDIO: transcript.uri}, "predictions": [{"result": results}]}
    return json.dumps([task], ensure_ascii=False) + "\n"


def read(text: str, name: str) -> list[Transcript]:
    """A transcript for each task: of its first annotation, otherwise of its first prediction.

    Raises:
        FormatError: it is no list of tasks, or a region cannot be read.
    """
    tasks = parsed(text, name)
    if not isinstance(tasks, list):
        raise FormatError(f"{name}: holds no list of tasks; give an export of Label Studio in JSON")
    try:
        return [_task(task, f"{name}, task {n}") for n, task in enumerate(tasks, start=1)]
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        problem = f"a task lacks {error}" if isinstance(error, KeyError) else str(error)
        raise FormatError(f"{name}: {problem}; give an export of Label Studio in JSON") from error


def _task(task: dict[str, Any], place: str) -> Transcript:
    made = (task.get("annotations") or task.get("predictions") or [{"result": []}])[0]
    labels: dict[str, Turn] = {}
    texts: dict[str, str] = {}
    for region in made["result"]:
        value, key = region["value"], str(region["id"])
        if "labels" in value:
            start, end = span_of(str(value["start"]), str(value["end"]), place)
            labels[key] = Turn(start, end, str(value["labels"][0]))
        elif "text" in value:
            said = value["text"]
            texts[key] = said if isinstance(said, str) else " ".join(map(str, said))
    segments = [Segment(turn, texts.get(key, "")) for key, turn in labels.items()]
    data = task["data"]
    return of_segments(str(data.get(AUDIO) or next(iter(data.values()))), segments)
