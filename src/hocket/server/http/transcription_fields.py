"""The form of a transcription as OpenAI documents it, checked before anything is queued."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hocket.errors import ArgumentError, ConfigError
from hocket.server.http.failures import Refused
from hocket.server.http.uploads import Fields
from hocket.server.known import references_of
from hocket.server.options import TRUTHS, JobOptions
from hocket.speakers.references import Reference

FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
STREAMED = ("json", "text", "diarized_json")
GRANULARITIES = ("segment", "word")
OPTIONS = ("preset", "num_speakers", "min_speakers", "max_speakers", "channels", "start", "end")
"""hocket's own, which clients may add."""
LISTS = (
    "timestamp_granularities",
    "known_speaker_names",
    "known_speaker_references",
    "include",
    "keywords",
    "languages",
)
SINGLE = (
    "model", "language", "prompt", "response_format", "temperature", "stream", "chunking_strategy",
    *OPTIONS,
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """What a client wants of a recording.

    response_format: one of FORMATS.
    granularities: what has times of its own in verbose_json.
    temperature: which has no effect, and is part of the answer.
    stream: whether the answer is a stream of events.
    options: of the job.
    references: clips of known speakers.
    """

    response_format: str
    granularities: tuple[str, ...]
    temperature: float
    stream: bool
    options: JobOptions
    references: tuple[Reference, ...]


def wanted_of(fields: Fields) -> Wanted:
    """What the fields of a form want.

    Raises:
        Refused: a field is unknown, or its value cannot be.
    """
    single, lists = _sorted(fields)
    response_format = single.get("response_format") or "json"
    _check("response_format", response_format, FORMATS)
    granularities = tuple(lists["timestamp_granularities"])
    for each in granularities:
        _check("timestamp_granularities", each, GRANULARITIES)
    if granularities and response_format != "verbose_json":
        text = "timestamp_granularities are for response_format=verbose_json; leave them out"
        raise _refused(text, "timestamp_granularities")
    return Wanted(
        response_format,
        granularities or ("segment",),
        _temperature(single.get("temperature") or "0"),
        _is_streamed(single.get("stream", ""), response_format),
        _options(single, lists),
        _references(lists["known_speaker_names"], lists["known_speaker_references"]),
    )


def _sorted(fields: Fields) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Fields with one value and fields with several, by name."""
    single: dict[str, str] = {}
    lists: dict[str, list[str]] = {name: [] for name in LISTS}
    for full, value in fields:
        name = full.partition("[")[0]  # also of values in brackets, such as chunking_strategy[type]
        if name in LISTS:
            lists[name].append(value)
        elif name not in SINGLE:
            raise _unknown(name)
        elif name in single and name != "chunking_strategy":
            raise _refused(f"{name} is there twice; give it once", name)
        else:
            single[name] = value.strip()
    return single, lists


def _unknown(name: str) -> Refused:
    names = ("file", *SINGLE, *LISTS)
    near = get_close_matches(name, names, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"give {', '.join(names)}"
    return _refused(f"there is no field '{name[:40]}'; {hint}", name[:40])


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise _refused(f"{name} is '{value[:40]}'; give one of {', '.join(known)}", name)


def _temperature(text: str) -> float:
    try:
        temperature = float(text)
    except ValueError:
        temperature = -1.0
    if not 0 <= temperature <= 1:
        raise _refused(f"temperature is '{text[:40]}'; give 0 to 1", "temperature")
    return temperature


def _is_streamed(text: str, response_format: str) -> bool:
    _check("stream", text.lower() or "false", tuple(TRUTHS))
    if not TRUTHS[text.lower() or "false"]:
        return False
    if response_format not in STREAMED:
        text = f"stream is for response_format {', '.join(STREAMED)}; leave it out"
        raise _refused(text, "stream")
    return True


def _options(single: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> JobOptions:
    """Options of the job; a single language of several that there may be is the language."""
    languages = lists["languages"]
    language = single.get("language") or (languages[0] if len(languages) == 1 else "")
    prompt = ", ".join(filter(None, (*lists["keywords"], single.get("prompt", ""))))
    given = {name: single.get(name, "") for name in OPTIONS}
    given |= {"language": language, "prompt": prompt, "transcribe": "true", "transient": "true"}
    try:
        return JobOptions.of_texts(given.items())
    except (ConfigError, ArgumentError) as error:
        raise _refused(str(error)) from error


def _references(names: Sequence[str], clips: Sequence[str]) -> tuple[Reference, ...]:
    try:
        return references_of(names, clips)
    except ConfigError as error:
        is_name = len(names) > len(clips) or str(error).startswith("known speaker")
        param = "known_speaker_names" if is_name else "known_speaker_references"
        raise _refused(str(error), param) from error


def _refused(message: str, param: str | None = None) -> Refused:
    return Refused(400, "invalid_option", message, param)
