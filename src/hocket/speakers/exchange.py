"""Export of a store to JSON, and import: for backups, and to copy speakers to another store.

    {"format": "hocket speakers", "version": 2,
     "model": {"name": …, "sha256": …, "dimension": …},
     "speakers": [{"name": …, "permanent": …, "created_at": …, "seen_at": …,
                   "exemplars": [{"embedding": […], "seconds": …, "source": …,
                                  "start": …, "end": …, …}]}]}

Speakers are identified by name; their ids belong to a store and are not exported. Version 1 is the
same with the keys heard_at, start_s and end_s.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np

from hocket.errors import ConfigError, SpeakerError, one_line
from hocket.models import embedding_model
from hocket.result import EmbeddingModel
from hocket.speakers import rows
from hocket.speakers.clips import distance_between
from hocket.speakers.store import SpeakerStore
from hocket.speakers.values import (
    Exemplar,
    Speaker,
    checked_exemplar,
    checked_name,
    key_of,
    timestamp,
)

FORMAT, VERSION = "hocket speakers", 2
_EXPORTED = tuple(f.name for f in fields(Exemplar) if f.name not in {"embedding", "id"})
_DIGITS = 9  # enough to distinguish all float32 numbers

Existing = Literal["refuse", "skip", "add"]
"""What to do if a name is in the store: refuse the document, skip the speaker, or add exemplars."""


class _Keys(NamedTuple):
    """Keys that changed with the version."""

    seen_at: str
    start: str
    end: str


_KEYS = {1: _Keys("heard_at", "start_s", "end_s"), 2: _Keys("seen_at", "start", "end")}


class Incoming(NamedTuple):
    """A speaker from a document, checked."""

    name: str
    permanent: bool
    created_at: str
    seen_at: str
    exemplars: list[Exemplar]


def export_speakers(store: SpeakerStore) -> str:
    """All speakers of a store as a JSON document; embeddings are exact."""
    with store.file.reading() as database:
        model = rows.stored_model(database)
        described = [
            _described(speaker, rows.exemplars_of(database, speaker.id))
            for speaker in rows.all_speakers(database)
        ]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": model._asdict() if model else None,
        "speakers": described,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _described(speaker: Speaker, exemplars: Sequence[Exemplar]) -> dict[str, Any]:
    return {
        "name": speaker.name,
        "permanent": speaker.permanent,
        "created_at": speaker.created_at,
        "seen_at": speaker.seen_at,
        "exemplars": [
            {name: getattr(exemplar, name) for name in _EXPORTED}
            | {"embedding": [float(f"{x:.{_DIGITS}g}") for x in exemplar.embedding.tolist()]}
            for exemplar in exemplars
        ],
    }


def import_speakers(
    store: SpeakerStore, document: str, existing: Existing = "refuse", *, force: bool = False
) -> tuple[Speaker, ...]:
    """Add the speakers of a document to a store: all of them, or none after an error.

    Args:
        store: the store.
        document: written by `export_speakers`.
        existing: what to do with names that are already in the store.
        force: add to them even what is not the speaker's voice.

    Returns:
        The speakers that were added or got exemplars.

    Raises:
        SpeakerError: the document is invalid or of a newer version, a name is in use, or a voice is
            not that of the speaker who has the name.
        StoreError: the store holds embeddings of another model.
    """
    model, incoming = read_document(document)
    most = None if force or model is None else _verify_distance(model)
    with store.file.writing() as database:
        if model and any(each.exemplars for each in incoming):
            rows.admit_model(database, model, str(store.path))
        added = (_import_one(database, each, model, existing, most) for each in incoming)
        return tuple(rows.speaker_of(database, number) for number in added if number)


def read_document(document: str) -> tuple[EmbeddingModel | None, list[Incoming]]:
    """The model and the speakers of a document, all checked.

    Raises:
        SpeakerError: the document is invalid, of a newer version, or has a name twice.
    """
    content = _parsed(document)
    keys = _KEYS[content["version"]]
    try:
        model = _model(content["model"]) if content["model"] else None
        incoming = [_incoming(entry, model, keys) for entry in content["speakers"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, SpeakerError):
            raise
        raise SpeakerError(
            f"the document is damaged ({type(error).__name__}: {error}); export it again"
        ) from error
    if len({key_of(each.name) for each in incoming}) < len(incoming):
        raise SpeakerError("the document names a speaker twice; export it again")
    return model, incoming


def _import_one(
    database: sqlite3.Connection,
    incoming: Incoming,
    model: EmbeddingModel | None,
    existing: Existing,
    most: float | None,
) -> int:
    """Add a speaker, or exemplars to an existing one; returns the id, or 0 if it was skipped.

    Exemplars that are farther than `most` from the speaker's others are refused.
    """
    own = rows.find_speaker(database, incoming.name)
    if own is None or existing == "refuse":  # inserting raises an error if the name is in use
        number = rows.insert_speaker(database, incoming.name)
        database.execute(
            "UPDATE speakers SET permanent = ?, created_at = ?, seen_at = ? WHERE id = ?",
            (int(incoming.permanent), incoming.created_at, incoming.seen_at, number),
        )
    elif existing == "skip":
        return 0
    else:
        number = own.id
    known = {exemplar.embedding.tobytes() for exemplar in rows.exemplars_of(database, number)}
    new = [each for each in incoming.exemplars if each.embedding.tobytes() not in known]
    if own is not None and most is not None and known:
        _check_voice(incoming.name, new, rows.exemplars_of(database, number), most)
    if model and new:
        rows.insert_exemplars(database, number, new, model.sha256)
    return number


def _verify_distance(model: EmbeddingModel) -> float | None:
    """The limit for one voice, if the model is one of these; a document has no limits."""
    try:
        known = embedding_model(model.name)
    except ConfigError:
        return None
    return known.verify_distance if known.sha256 == model.sha256 else None


def _check_voice(
    name: str, new: Sequence[Exemplar], there: Sequence[Exemplar], most: float
) -> None:
    vectors = np.array([exemplar.embedding for exemplar in there], np.float32)
    for exemplar in new:
        far = distance_between(exemplar.embedding, vectors)
        if far > most:
            raise SpeakerError(
                f"{name}: {one_line(exemplar.source)} is not that voice (distance {far:.3f}, "
                f"{most:g} at most); nothing was imported; rename one of the two, or use --force"
            )


def _parsed(document: str) -> dict[str, Any]:
    try:
        content = json.loads(document.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise SpeakerError(f"not JSON ({error}); give a file written by 'export'") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        remedy = "give a file written by 'hocket speakers export'"
        raise SpeakerError(f"not a document of speakers; {remedy}")
    if content.get("version") not in tuple(_KEYS):
        raise SpeakerError(
            f"a document of version {content.get('version')}, this hocket reads up to {VERSION}; "
            "run 'pip install --upgrade hocket'"
        )
    return content


def _model(entry: Mapping[str, Any]) -> EmbeddingModel:
    name, sha256, dimension = str(entry["name"]), str(entry["sha256"]), int(entry["dimension"])
    if not sha256 or dimension < 1:
        raise ValueError(f"no model of {dimension} numbers")
    return EmbeddingModel(name, sha256, dimension, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0))  # not stored


def _incoming(entry: Mapping[str, Any], model: EmbeddingModel | None, keys: _Keys) -> Incoming:
    dimension = model.dimension if model else 0
    return Incoming(
        exemplars=[_exemplar(each, dimension, keys) for each in entry["exemplars"]],
        created_at=_moment(entry["created_at"]),
        seen_at=_moment(entry[keys.seen_at]),
        name=checked_name(entry["name"]),
        permanent=bool(entry["permanent"]),
    )


def _exemplar(entry: Mapping[str, Any], dimension: int, keys: _Keys) -> Exemplar:
    exemplar = Exemplar(
        embedding=np.array(entry["embedding"], np.float32),
        seconds=float(entry["seconds"]),
        source=str(entry["source"]),
        start=float(entry[keys.start]),
        end=float(entry[keys.end]),
        alone=bool(entry["alone"]),
        consent=str(entry["consent"]),
        added_at=_moment(entry["added_at"]),
    )
    return checked_exemplar(exemplar, dimension)


def _moment(text: str) -> str:
    return timestamp(datetime.fromisoformat(text))
