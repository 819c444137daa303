"""A store as JSON and back: for backups, and to take speakers from one store to another.

    {"format": "hocket speakers", "version": 1,
     "model": {"name": …, "sha256": …, "dimension": …},
     "speakers": [{"name": …, "permanent": …, "created_at": …, "heard_at": …,
                   "exemplars": [{"embedding": […], "seconds": …, "source": …, …}]}]}

Numbers of speakers are a store's own and are not written: a name is who somebody is.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np

from hocket.errors import SpeakerError
from hocket.result import EmbeddingModel
from hocket.speakers import rows
from hocket.speakers.store import SpeakerStore
from hocket.speakers.values import (
    Exemplar,
    Speaker,
    checked_exemplar,
    checked_name,
    key_of,
    timestamp,
)

FORMAT, VERSION = "hocket speakers", 1
_NOTES = tuple(f.name for f in fields(Exemplar) if f.name not in {"embedding", "id"})
_NINE_DIGITS = 9  # as many as tell two float32 apart

Existing = Literal["refuse", "skip", "add"]
"""What to do with a speaker whose name is in the store: nothing at all, keep, or add exemplars."""


class Incoming(NamedTuple):
    """A speaker from a document, checked."""

    name: str
    permanent: bool
    created_at: str
    seen_at: str
    exemplars: list[Exemplar]


def export_speakers(store: SpeakerStore) -> str:
    """All speakers of a store as a JSON document, embeddings to the last bit."""
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
        "heard_at": speaker.seen_at,
        "exemplars": [
            {note: getattr(exemplar, note) for note in _NOTES}
            | {"embedding": [float(f"{x:.{_NINE_DIGITS}g}") for x in exemplar.embedding.tolist()]}
            for exemplar in exemplars
        ],
    }


def import_speakers(
    store: SpeakerStore, document: str, existing: Existing = "refuse"
) -> tuple[Speaker, ...]:
    """Add the speakers of a document to a store: all of them, or after an error none.

    Args:
        store: where to.
        document: what `export_speakers` wrote.
        existing: what to do with names that are in the store already.

    Returns:
        The speakers that were added or added to.

    Raises:
        SpeakerError: not such a document, of a newer version, or a name is taken.
        StoreError: the store holds another model's embeddings.
    """
    model, incoming = read_document(document)
    with store.file.writing() as database:
        if model and any(one.exemplars for one in incoming):
            rows.admit_model(database, model, str(store.path))
        taken = (_take_in(database, one, model, existing) for one in incoming)
        return tuple(rows.speaker_of(database, number) for number in taken if number)


def read_document(document: str) -> tuple[EmbeddingModel | None, list[Incoming]]:
    """The model and the speakers of a document, all checked.

    Raises:
        SpeakerError: no such document, of a newer version, or a name is in it twice.
    """
    content = _parsed(document)
    try:
        model = _model(content["model"]) if content["model"] else None
        incoming = [_incoming(entry, model) for entry in content["speakers"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, SpeakerError):
            raise
        raise SpeakerError(
            f"the document is damaged ({type(error).__name__}: {error}); export it again"
        ) from error
    if len({key_of(one.name) for one in incoming}) < len(incoming):
        raise SpeakerError("the document names a speaker twice; export it again")
    return model, incoming


def _take_in(
    database: sqlite3.Connection, one: Incoming, model: EmbeddingModel | None, existing: Existing
) -> int:
    """Add one speaker, or add to one; its id, or 0 if it was skipped."""
    own = rows.find_speaker(database, one.name)
    if own is None or existing == "refuse":  # which raises if there is one of that name
        number = rows.insert_speaker(database, one.name)
        database.execute(
            "UPDATE speakers SET permanent = ?, created_at = ?, heard_at = ? WHERE id = ?",
            (int(one.permanent), one.created_at, one.seen_at, number),
        )
    elif existing == "skip":
        return 0
    else:
        number = own.id
    there = {exemplar.embedding.tobytes() for exemplar in rows.exemplars_of(database, number)}
    new = [exemplar for exemplar in one.exemplars if exemplar.embedding.tobytes() not in there]
    if model and new:
        rows.insert_exemplars(database, number, new, model.sha256)
    return number


def _parsed(document: str) -> dict[str, Any]:
    try:
        content = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise SpeakerError(f"not JSON ({error}); give what 'export' wrote") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SpeakerError("not a document of speakers; give what 'hocket speakers export' wrote")
    if content.get("version") != VERSION:
        raise SpeakerError(
            f"a document of version {content.get('version')}, this hocket reads {VERSION}; "
            "run 'pip install --upgrade hocket'"
        )
    return content


def _model(entry: Mapping[str, Any]) -> EmbeddingModel:
    name, sha256, dimension = str(entry["name"]), str(entry["sha256"]), int(entry["dimension"])
    if not sha256 or dimension < 1:
        raise ValueError(f"no model of {dimension} numbers")
    return EmbeddingModel(name, sha256, dimension, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0))  # not stored


def _incoming(entry: Mapping[str, Any], model: EmbeddingModel | None) -> Incoming:
    dimension = model.dimension if model else 0
    exemplars = [_exemplar(noted, dimension) for noted in entry["exemplars"]]
    created, heard = _moment(entry["created_at"]), _moment(entry["heard_at"])
    return Incoming(
        checked_name(entry["name"]), bool(entry["permanent"]), created, heard, exemplars
    )


def _exemplar(entry: Mapping[str, Any], dimension: int) -> Exemplar:
    exemplar = Exemplar(
        embedding=np.array(entry["embedding"], np.float32),
        seconds=float(entry["seconds"]),
        source=str(entry["source"]),
        start=float(entry["start_s"]),
        end=float(entry["end_s"]),
        alone=bool(entry["alone"]),
        consent=str(entry["consent"]),
        added_at=_moment(entry["added_at"]),
    )
    return checked_exemplar(exemplar, dimension)


def _moment(text: str) -> str:
    return timestamp(datetime.fromisoformat(text))
