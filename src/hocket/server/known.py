"""Who speaks in a job: names from clips that came with it, and from the store of the service."""

import base64
import binascii
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hocket.errors import ConfigError, SpeakerError, StoreError
from hocket.notices import Notices
from hocket.result import Result
from hocket.speakers import SpeakerStore, checked_name, name_speakers, unnamed
from hocket.speakers.references import KnownVoice, Reference, name_by_voices
from hocket.speakers.values import key_of

MOST_REFERENCES = 16
MOST_CLIP_BYTES = 10 << 20

_log = logging.getLogger("hocket")
_HEADER = re.compile(r"data:[^,]{0,200};base64", re.IGNORECASE)


def references_of(names: Sequence[str], clips: Sequence[str]) -> tuple[Reference, ...]:
    """Names and clips of voices as a client sends them.

    Args:
        names: of the speakers.
        clips: as data URLs, in the order of the names.

    Raises:
        ConfigError: there are too many, or more of one than of the other, a name comes twice or
            cannot be one, or a clip is no data URL. The message has the number, from 1.
    """
    if len(names) != len(clips):
        problem = f"{len(names)} names of known speakers and {len(clips)} references"
        raise ConfigError(f"{problem}; give a reference for each name, in the same order")
    if len(names) > MOST_REFERENCES:
        raise ConfigError(f"{len(names)} known speakers; give {MOST_REFERENCES} at most")
    kept: dict[str, Reference] = {}
    for number, (name, clip) in enumerate(zip(names, clips, strict=True), start=1):
        checked = _name(name, number)
        if key_of(checked) in kept:
            raise ConfigError(f"known speaker {number}: '{checked}' is there twice; name each once")
        kept[key_of(checked)] = Reference(checked, _bytes_of(clip, f"reference {number}"))
    return tuple(kept.values())


def _name(name: str, number: int) -> str:
    try:
        return checked_name(name)
    except SpeakerError as error:
        raise ConfigError(f"known speaker {number}: {error}") from error


def _bytes_of(url: str, place: str) -> bytes:
    """The bytes in a data URL."""
    header, comma, content = url.partition(",")
    if not comma or not _HEADER.fullmatch(header.strip()):
        raise ConfigError(f"{place}: is no data URL; give data:audio/wav;base64, and the clip")
    if len(content) > MOST_CLIP_BYTES * 4 // 3 + 4:
        raise ConfigError(f"{place}: is larger than {MOST_CLIP_BYTES >> 20} MB; give 2 to 10 s")
    try:
        clip = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigError(f"{place}: is no base64 ({error}); encode the bytes again") from error
    if not clip:
        raise ConfigError(f"{place}: is empty; give a clip of 2 to 10 s")
    return clip


def as_text(references: Sequence[Reference]) -> str:
    """Clips and names as text for the spool."""
    rows = []
    for name, clip in references:
        assert isinstance(clip, bytes)
        rows.append({"name": name, "clip": base64.b64encode(clip).decode()})
    return json.dumps(rows)


def of_text(text: str | None) -> tuple[Reference, ...]:
    """What `as_text` has written; nothing if that is None."""
    rows = json.loads(text) if text else ()
    return tuple(Reference(row["name"], base64.b64decode(row["clip"])) for row in rows)


def with_names(result: Result, voices: Sequence[KnownVoice], store: Path | None) -> Result:
    """The result with names: of the voices that came with the job, then of the store.

    A store that cannot be used is a notice, and speakers keep their labels.

    Args:
        result: whose speakers are named.
        voices: that came with the job.
        store: of the service; nobody may be enrolled in it yet.
    """
    named = name_by_voices(result, voices)
    if store is None or not store.exists():
        return named
    try:
        with SpeakerStore(store, create=False) as known:
            return name_speakers(named, unnamed(named, known.identify(named)))
    except StoreError as error:
        _log.warning("%s", error)  # which names files of the operator's
        notices = Notices(result.uri, named.notices)
        notices.add("store", "the store of known speakers cannot be used; nobody of it is named")
        return replace(named, notices=tuple(notices))
