"""JSON of Vosk: one object an utterance, in a list, a line each, or one behind the other."""

import json
from collections.abc import Mapping
from typing import Any

from hocket.errors import FormatError
from hocket.formats.recognized import Passage, Raw, recognized, rows_of, text_of
from hocket.transcript import Transcript


def matches(content: Any) -> bool:
    """Whether JSON, or its first object, is of this shape."""
    first = content[0] if isinstance(content, list) and content else content
    if not isinstance(first, Mapping) or not isinstance(first.get("text"), str):
        return False
    words = first.get("result")
    if isinstance(words, list):
        return all(isinstance(word, Mapping) and "word" in word for word in words[:1])
    return first.keys() <= {"text", "spk", "spk_frames"}  # an utterance of no words


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file.

    Raises:
        FormatError: it is not of this shape.
    """
    passages = []
    for number, row in enumerate(_objects(text, name), start=1):
        words = rows_of(row.get("result") or [], f"{name}: result {number}")
        raws = [
            Raw(text_of(word.get("word")), word.get("start"), word.get("end"), word.get("conf"))
            for word in words
        ]
        said = text_of(row.get("text"))
        if said and not raws:
            raise FormatError(f"{name}: words have no times; call SetWords(True) of the recognizer")
        passages.append(Passage(said, None, None, raws))
    return [recognized(name, passages)]


def _objects(text: str, name: str) -> list[dict[str, Any]]:
    """Objects of a list, or one behind the other."""
    decoder, place, found = json.JSONDecoder(), 0, list[Any]()
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        try:
            content, place = decoder.raw_decode(text, place)
        except ValueError as error:
            raise FormatError(f"{name}: is not JSON ({error}); give Vosk's results") from error
        found += content if isinstance(content, list) else [content]
    return rows_of(found, name)
