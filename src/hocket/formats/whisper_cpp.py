"""JSON of whisper.cpp: its options -oj and, with tokens, -ojf."""

from collections.abc import Iterator, Mapping
from typing import Any

from hocket.formats.recognized import Passage, Raw, content_of, recognized, rows_of, text_of
from hocket.transcript import Transcript


def matches(content: Any) -> bool:
    """Whether JSON is of this shape."""
    return isinstance(content, Mapping) and isinstance(content.get("transcription"), list)


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; times are in milliseconds.

    Raises:
        FormatError: it is not of this shape.
    """
    content = content_of(text, name, "whisper.cpp", matches)
    passages = [
        Passage(
            text_of(row.get("text")),
            *_times(row),
            [*_words(rows_of(row.get("tokens") or [], f"{name}: tokens"))],
        )
        for row in rows_of(content["transcription"], f"{name}: transcription")
    ]
    found = content.get("result")
    language = found.get("language") if isinstance(found, Mapping) else None
    return [recognized(name, passages, language=language)]


def _times(row: Mapping[str, Any]) -> tuple[object, object]:
    offsets = row.get("offsets")
    if not isinstance(offsets, Mapping):
        return None, None
    start, end = offsets.get("from"), offsets.get("to")
    if isinstance(start, int | float) and isinstance(end, int | float):
        return start / 1000, end / 1000
    return None, None


def _words(tokens: list[dict[str, Any]]) -> Iterator[Raw]:
    """Tokens joined to words; one that begins with a blank begins a word."""
    word: Raw | None = None
    for token in tokens:
        text, (start, end) = text_of(token.get("text")), _times(token)
        if not text.strip() or text.startswith("[_"):  # marks of the model, such as [_BEG_]
            continue
        if word is None or text.startswith(" "):
            if word:
                yield word
            word = Raw(text, start, end, token.get("p"))
        else:
            word = word._replace(text=word.text + text, end=end)
    if word:
        yield word
