"""JSON of transcription services: AssemblyAI, Deepgram and Amazon Transcribe."""

from collections.abc import Mapping, Sequence
from typing import Any

from hocket.formats.recognized import Passage, Raw, content_of, recognized, rows_of, text_of
from hocket.transcript import Transcript


def matches_assemblyai(content: Any) -> bool:
    """Whether JSON is of AssemblyAI's shape: words with `text` and whole milliseconds."""
    if not isinstance(content, Mapping) or not isinstance(content.get("words"), list):
        return False
    own = {"audio_url", "acoustic_model", "utterances", "audio_duration", "language_code"}
    first = content["words"][:1] or [{"text": ""}]
    is_word = isinstance(first[0], Mapping) and "text" in first[0] and "word" not in first[0]
    return is_word and bool(own & content.keys())


def read_assemblyai(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; FormatError if it is not of this shape."""
    content = content_of(text, name, "AssemblyAI", matches_assemblyai)
    raws = [
        Raw(
            text_of(word.get("text")),
            _seconds(word.get("start")),
            _seconds(word.get("end")),
            word.get("confidence"),
        )
        for word in rows_of(content["words"], f"{name}: words")
    ]
    passage = Passage("", None, None, raws)
    language, duration = content.get("language_code"), content.get("audio_duration")
    return [recognized(name, [passage], language=language, duration=duration)]


def _seconds(milliseconds: object) -> object:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def matches_deepgram(content: Any) -> bool:
    """Whether JSON is of Deepgram's shape."""
    results = content.get("results") if isinstance(content, Mapping) else None
    return isinstance(results, Mapping) and isinstance(results.get("channels"), list)


def read_deepgram(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file, of all channels; FormatError if not of this shape."""
    content = content_of(text, name, "Deepgram", matches_deepgram)
    passages = []
    for channel in rows_of(content["results"]["channels"], f"{name}: channels"):
        best = rows_of(channel.get("alternatives") or [], f"{name}: alternatives")[:1]
        words = rows_of(best[0].get("words") or [] if best else [], f"{name}: words")
        passages.append(Passage("", None, None, [_deepgram_word(word) for word in words]))
    about = content.get("metadata")
    duration = about.get("duration") if isinstance(about, Mapping) else None
    return [recognized(name, passages, duration=duration)]


def _deepgram_word(word: Mapping[str, Any]) -> Raw:
    text = text_of(word.get("punctuated_word")) or text_of(word.get("word"))
    return Raw(text, word.get("start"), word.get("end"), word.get("confidence"))


def matches_aws(content: Any) -> bool:
    """Whether JSON is of the shape of Amazon Transcribe."""
    results = content.get("results") if isinstance(content, Mapping) else None
    return isinstance(results, Mapping) and isinstance(results.get("items"), list)


def read_aws(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; FormatError if it is not of this shape."""
    results = content_of(text, name, "Amazon Transcribe", matches_aws)["results"]
    raws: list[Raw] = []
    for item in rows_of(results["items"], f"{name}: items"):
        best = rows_of(item.get("alternatives") or [], f"{name}: alternatives")[:1]
        said = text_of(best[0].get("content")) if best else ""
        if item.get("type") == "punctuation" and raws:
            raws[-1] = raws[-1]._replace(text=raws[-1].text + said)
        else:
            sure = best[0].get("confidence") if best else None
            raws.append(Raw(said, item.get("start_time"), item.get("end_time"), sure))
    return [recognized(name, _passages(raws), language=results.get("language_code"))]


def _passages(raws: Sequence[Raw]) -> list[Passage]:
    return [Passage("", None, None, raws)] if raws else []
