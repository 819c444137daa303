"""Who says which word of a transcript in whisperX's form, written into it."""

import math
from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.attribution import attributed
from hocket.errors import ConfigError
from hocket.result import Result
from hocket.transcript import SENTENCE_ENDS, Word
from hocket.whisperx.table import result_of

Row = MutableMapping[str, Any]
Content = TypeVar("Content", bound=MutableMapping[str, Any])


class Passage(NamedTuple):
    """A segment of the transcript.

    row: what gets its speaker; None if nothing does.
    rows: its words, which get theirs; empty before alignment.
    words: when they are said, a word for each row or, before alignment, for each in the text; None
        where that is unknown.
    """

    row: Row | None
    rows: Sequence[Row]
    words: Sequence[Word | None]


@known_names_only
def assign_word_speakers(
    diarize_df: Any,
    transcript_result: Content,
    speaker_embeddings: Mapping[str, Any] | None = None,
    fill_nearest: bool = False,
) -> Content:
    """Write into a transcript who says each word and each segment.

    Words get their speakers as `hocket.attribution.attribute` gives them: the sequence of speakers
    is chosen that is most likely for all words together. A word without times, as whisperX leaves
    numbers, gets the speaker of its neighbors. A segment gets the speaker of most of its words.

    Args:
        diarize_df: who spoke when: what a `DiarizationPipeline` returns, or any table with the
            columns `start`, `end` and `speaker`, a `hocket.Result` or a `pyannote.core.Annotation`.
        transcript_result: what whisperX's `transcribe` or `align` returns. `speaker` is written
            into `segments`, their `words` and `word_segments`; all else stays.
        speaker_embeddings: written into the transcript as `speaker_embeddings`.
        fill_nearest: whether what is said more than a second from every turn gets the speaker of
            the nearest one. Otherwise it has no `speaker`.

    Returns:
        `transcript_result` itself.

    Raises:
        ArgumentError: an argument or a value in the transcript is unknown or of the wrong type.
        ConfigError: the transcript has no segments, or one without times; or a column is missing.
    """
    check_type("speaker_embeddings", speaker_embeddings, Mapping | None)
    check_type("fill_nearest", fill_nearest, bool)
    result, passages = result_of(diarize_df), _passages(transcript_result)
    _assign(passages, result, fill_nearest=fill_nearest)
    _assign_apart(transcript_result, passages, result, fill_nearest=fill_nearest)
    if speaker_embeddings is not None:
        transcript_result["speaker_embeddings"] = speaker_embeddings
    return transcript_result


def _passages(content: Any) -> list[Passage]:
    check_type("transcript_result", content, MutableMapping)
    if "segments" not in content:
        raise ConfigError(
            f"transcript_result has no 'segments', but {', '.join(map(repr, content)) or 'nothing'}"
            "; give what whisperX's transcribe or align returns"
        )
    segments = _rows(content["segments"], "segments")
    return [_passage(row, f"segments[{number}]") for number, row in enumerate(segments)]


def _rows(rows: Any, place: str) -> Sequence[Row]:
    check_type(place, rows, list | tuple)
    for number, row in enumerate(rows):
        check_type(f"{place}[{number}]", row, MutableMapping)
    return [*rows]


def _passage(row: Row, place: str) -> Passage:
    rows = _rows(row.get("words") or (), f"{place}['words']")
    words = [_word(each, f"{place}['words'][{number}]") for number, each in enumerate(rows)]
    if any(words):
        return Passage(row, rows, words)
    start, end = _time(row, "start", place), _time(row, "end", place)
    if start is None or end is None:
        raise ConfigError(f"{place} has no times, and none of its words has; give start and end")
    text = row.get("text", "")
    check_type(f"{place}['text']", text, str)
    texts = [_text(each, place) for each in rows] or text.split() or [""]
    return Passage(row, rows, _spread(texts, start, max(start, end)))


def _word(row: Row, place: str) -> Word | None:
    start, end = _time(row, "start", place), _time(row, "end", place)
    end = start if end is None else end
    text = _text(row, place)
    return None if start is None or end is None or end < start else Word(start, end, text)


def _text(row: Row, place: str) -> str:
    text = row.get("word", "")
    check_type(f"{place}['word']", text, str)
    return str(text).strip()


def _time(row: Row, key: str, place: str) -> float | None:
    value = row.get(key)
    check_type(f"{place}['{key}']", value, float | None)
    return None if value is None or not math.isfinite(value) else float(value)


def _spread(texts: Sequence[str], start: float, end: float) -> list[Word]:
    """Words of a stretch without times of their own; each takes time as characters."""
    reached = np.cumsum([0, *(max(1, len(text)) for text in texts)])
    moments = np.interp(reached, [0, reached[-1]], [start, end]).tolist()
    return [Word(*span, text) for span, text in zip(pairwise(moments), texts, strict=True)]


def _assign(passages: Sequence[Passage], result: Result, *, fill_nearest: bool) -> None:
    """Name all words of passages together, and then the passages."""
    every = [word for passage in passages for word in passage.words if word is not None]
    speakers = iter(_speakers(every, result, fill_nearest=fill_nearest))
    for passage in passages:
        known = [None if word is None else next(speakers) for word in passage.words]
        names = _with_neighbors(known, [row.get("word", "").strip() for row in passage.rows])
        for row, name in zip(passage.rows, names, strict=False):  # no rows before alignment
            _set(row, name)
        if passage.row is not None:
            most = Counter(filter(None, names)).most_common(1)
            _set(passage.row, most[0][0] if most else "")


def _speakers(words: Sequence[Word], result: Result, *, fill_nearest: bool) -> list[str]:
    """The speaker of each word, in the order of the words; empty if there is none."""
    order = sorted(range(len(words)), key=lambda n: (words[n].start, words[n].end))
    found = [""] * len(words)
    named = (w for each in attributed([words[n] for n in order], result) for w in each.words)
    for number, word in zip(order, named, strict=True):
        found[number] = word.speaker
    if fill_nearest and result.turns:
        spans = np.array([(turn.start, turn.end) for turn in result.turns])
        for number, word in enumerate(words):
            found[number] = found[number] or result.turns[_nearest(word, spans)].speaker
    return found


def _nearest(word: Word, spans: NDArray[np.float64]) -> int:
    """Number of the span, of (spans, 2), with the least time between it and a word."""
    return int(np.maximum(spans[:, 0] - word.end, word.start - spans[:, 1]).argmin())


def _with_neighbors(names: Sequence[str | None], texts: Sequence[str]) -> list[str]:
    """Names of all words: where one is None, that of the word before, or of the one behind it.

    The one before counts, unless a sentence ends there.
    """
    found: list[str] = []
    for number, name in enumerate(names):
        if name is None:
            before = found[-1] if found else ""
            after = next((each for each in names[number:] if each is not None), "")
            is_new = number > 0 and texts[number - 1].endswith(SENTENCE_ENDS)
            found.append((after or before) if is_new else (before or after))
        else:
            found.append(name)
    return found


def _set(row: Row, speaker: str) -> None:
    """Write a speaker; what was written before goes."""
    if speaker:
        row["speaker"] = speaker
    else:
        row.pop("speaker", None)


def _assign_apart(
    content: Row, passages: Sequence[Passage], result: Result, *, fill_nearest: bool
) -> None:
    """Name `word_segments`, unless they are the words of the segments themselves."""
    rows = _rows(content.get("word_segments") or (), "word_segments")
    own = [row for passage in passages for row in passage.rows]
    if [row.get("word") for row in rows] == [row.get("word") for row in own]:
        for row, other in zip(rows, own, strict=True):
            _set(row, other.get("speaker", ""))
        return
    known = set(map(id, own))
    apart = [(number, row) for number, row in enumerate(rows) if id(row) not in known]
    words = [_word(row, f"word_segments[{number}]") for number, row in apart]
    _assign([Passage(None, [row for _, row in apart], words)], result, fill_nearest=fill_nearest)
