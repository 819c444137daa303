"""Reading and writing of rows, inside the transactions of a store."""

import sqlite3
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError, StoreError
from hocket.result import EmbeddingModel
from hocket.speakers.matching import ExemplarIndex, index_exemplars, surplus
from hocket.speakers.values import (
    ID_PREFIX,
    MOST_EXEMPLARS,
    Exemplar,
    Speaker,
    checked_name,
    key_of,
    now,
    storable,
)

_SPEAKERS = (
    "SELECT s.id, s.name, s.permanent, s.created_at, s.seen_at, count(e.id), total(e.seconds) "
    "FROM speakers s LEFT JOIN exemplars e ON e.speaker_id = s.id "
)
SAME_SOUND = 0.998  # cosine; of 400 pairs of sounds of one voice none has more than 0.981
_LARGEST = 2**63 - 1  # the largest integer in SQLite
_EACH = " GROUP BY s.id ORDER BY s.id"
_ALL = _SPEAKERS + _EACH
_BY_ID = _SPEAKERS + "WHERE s.id = ?" + _EACH
_BY_NAME = _SPEAKERS + "WHERE s.name_key = ?" + _EACH
_EXEMPLARS = """
    SELECT embedding, seconds, source, start_s, end_s, alone, consent, added_at, id
    FROM exemplars WHERE speaker_id = ? ORDER BY id
"""


class StoredModel(NamedTuple):
    """The model of the store's embeddings."""

    name: str
    sha256: str
    dimension: int


def all_speakers(database: sqlite3.Connection) -> tuple[Speaker, ...]:
    """All speakers, in the order of their ids."""
    return tuple(map(_speaker, database.execute(_ALL)))


def speaker_of(database: sqlite3.Connection, who: int | str) -> Speaker:
    """A speaker by id or name.

    Raises:
        SpeakerError: there is no such speaker.
    """
    found = find_speaker(database, who)
    if found is None:
        shown = f"{ID_PREFIX}{who}" if isinstance(who, int) else who
        raise SpeakerError(f"{shown}: no such speaker; {_like(database, shown)}")
    return found


def _like(database: sqlite3.Connection, name: str) -> str:
    """What to do about a name that is not there: the nearest one, if any is near."""
    names = {row[0].casefold(): row[0] for row in database.execute("SELECT name FROM speakers")}
    near = get_close_matches(name.casefold(), names, n=1, cutoff=0.8)
    shown = "'hocket speakers list' shows them"
    return f"did you mean {names[near[0]]}? {shown}" if near else shown


def find_speaker(database: sqlite3.Connection, who: int | str) -> Speaker | None:
    """A speaker by id or name; None if there is no such speaker."""
    query, value = (_BY_ID, who) if isinstance(who, int) else (_BY_NAME, storable(key_of(who)))
    if isinstance(value, int) and value > _LARGEST:
        return None
    row = database.execute(query, (value,)).fetchone()
    return None if row is None else _speaker(row)


def _speaker(row: tuple[Any, ...]) -> Speaker:
    return Speaker(row[0], row[1], bool(row[2]), *row[3:])


def exemplars_of(database: sqlite3.Connection, speaker: int) -> tuple[Exemplar, ...]:
    """A speaker's exemplars, in the order in which they were added."""
    rows = database.execute(_EXEMPLARS, (speaker,)).fetchall()
    return tuple(map(_exemplar, rows))


def _exemplar(row: tuple[Any, ...]) -> Exemplar:
    embedding = np.frombuffer(row[0], "<f4").astype(np.float32)
    seconds, source, start, end, alone, consent, added_at, number = row[1:]
    return Exemplar(embedding, seconds, source, start, end, bool(alone), consent, added_at, number)


def insert_speaker(database: sqlite3.Connection, name: str) -> int:
    """Add a speaker without exemplars.

    Returns:
        The id, which was never used before.

    Raises:
        SpeakerError: the name is in use or not allowed.
    """
    name, moment = checked_name(name), now()
    check_free(database, name)
    found = database.execute(
        "INSERT INTO speakers (name, name_key, permanent, created_at, seen_at) "
        "VALUES (?, ?, 0, ?, ?)",
        (name, key_of(name), moment, moment),
    )
    return int(found.lastrowid or 0)


def check_free(database: sqlite3.Connection, name: str, own: int = 0) -> None:
    """Raise SpeakerError if a speaker other than `own` has the name."""
    row = database.execute(
        "SELECT name FROM speakers WHERE name_key = ? AND id != ?", (key_of(name), own)
    ).fetchone()
    if row is not None:
        raise SpeakerError(
            f"{row[0]}: is in the store already; give another name, "
            "add to that speaker with --add, or merge the two"
        )


def stored_model(database: sqlite3.Connection) -> StoredModel | None:
    """The model of the store's embeddings; None if it has no embeddings."""
    row = database.execute(
        "SELECT name, sha256, dimension FROM models "
        "WHERE sha256 = (SELECT model FROM exemplars LIMIT 1)"
    ).fetchone()
    return None if row is None else StoredModel(*row)


def admit_model(database: sqlite3.Connection, model: EmbeddingModel, place: str) -> None:
    """Record the model; StoreError if the store holds embeddings of another model."""
    check_model(database, model, place)
    database.execute(
        "INSERT OR IGNORE INTO models (sha256, name, dimension) VALUES (?, ?, ?)",
        (model.sha256, model.name, model.dimension),
    )


def check_model(database: sqlite3.Connection, model: EmbeddingModel, place: str) -> None:
    """Raise StoreError unless the store is empty or holds embeddings of the same weights."""
    stored = stored_model(database)
    if stored is not None and stored.sha256 != model.sha256:
        raise StoreError(
            f"{place}: holds embeddings of {stored.name} (sha256 {stored.sha256[:12]}), not "
            f"comparable with those of {model.name} ({model.sha256[:12] or 'not placed'}); use "
            f"--embedding {stored.name}, or run 'hocket speakers reembed --store {place} "
            f"--embedding {model.name}'"
        )


def insert_exemplars(
    database: sqlite3.Connection, speaker: int, exemplars: Iterable[Exemplar], sha256: str
) -> None:
    """Add exemplars, whose embeddings are unit vectors, and delete surplus ones.

    What is there already changes nothing.
    """
    moment, there = now(), [each.embedding for each in exemplars_of(database, speaker)]
    new = [each for each in exemplars if not _is_among(each.embedding, there)]
    database.executemany(
        "INSERT INTO exemplars (speaker_id, model, embedding, seconds, source, start_s, end_s, "
        "alone, consent, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                speaker, sha256, e.embedding.astype("<f4").tobytes(), float(e.seconds), e.source,
                float(e.start), float(e.end), int(e.alone), e.consent, e.added_at or moment,
            )
            for e in new
        ),
    )  # fmt: skip
    drop_surplus(database, speaker)


def _is_among(vector: NDArray[np.float32], others: Iterable[NDArray[np.float32]]) -> bool:
    """Whether it is the embedding of a sound that is there already, up to rounding."""
    return any(float(vector @ other) > SAME_SOUND for other in others)


def drop_surplus(database: sqlite3.Connection, speaker: int) -> None:
    """Delete a speaker's exemplars beyond MOST_EXEMPLARS."""
    kept = exemplars_of(database, speaker)
    if len(kept) <= MOST_EXEMPLARS:
        return
    vectors = np.stack([exemplar.embedding for exemplar in kept])
    seconds = np.array([exemplar.seconds for exemplar in kept])
    delete_exemplars(database, [kept[i].id for i in surplus(vectors, seconds, MOST_EXEMPLARS)])


def delete_exemplars(database: sqlite3.Connection, exemplars: Iterable[int]) -> None:
    """Delete exemplars by id."""
    database.executemany("DELETE FROM exemplars WHERE id = ?", ((e,) for e in exemplars))


def move_exemplars(database: sqlite3.Connection, exemplars: Iterable[int], to: int) -> None:
    """Move exemplars to another speaker, and delete surplus ones there."""
    rows = ((to, exemplar) for exemplar in exemplars)
    database.executemany("UPDATE exemplars SET speaker_id = ? WHERE id = ?", rows)
    drop_surplus(database, to)


def mark_seen(database: sqlite3.Connection, speakers: Iterable[int]) -> None:
    """Record that the voices of speakers were found in a recording just now."""
    moment = now()
    rows = ((moment, speaker) for speaker in speakers)
    database.executemany("UPDATE speakers SET seen_at = ? WHERE id = ?", rows)


def read_known(database: sqlite3.Connection, place: str) -> ExemplarIndex:
    """All exemplars as one matrix; StoreError if one has the wrong size."""
    model = stored_model(database)
    dimension = model.dimension if model else 0
    rows = database.execute(
        "SELECT speaker_id, embedding FROM exemplars ORDER BY speaker_id, id"
    ).fetchall()
    joined = b"".join(row[1] for row in rows)
    if len(joined) != 4 * dimension * len(rows):
        raise StoreError(f"{place}: damaged: an exemplar has the wrong size; restore a backup")
    vectors: NDArray[np.float32] = np.frombuffer(joined, "<f4").reshape(len(rows), dimension)
    owners = np.array([row[0] for row in rows], np.int64)
    return index_exemplars(owners, vectors.astype(np.float32, copy=False))


def check_exemplars(database: sqlite3.Connection, exemplars: Iterable[int]) -> None:
    """Raise SpeakerError unless all these exemplars exist."""
    for exemplar in exemplars:
        row = database.execute("SELECT 1 FROM exemplars WHERE id = ?", (exemplar,)).fetchone()
        if row is None:
            raise SpeakerError(
                f"exemplar {exemplar}: no such exemplar; 'hocket speakers show' lists them"
            )


def delete_speakers(database: sqlite3.Connection, speakers: Iterable[int]) -> list[bytes]:
    """Delete speakers, by id, with their exemplars.

    Returns:
        The deleted embeddings, as stored in the file.
    """
    voices = []
    for speaker in speakers:
        found = database.execute("SELECT embedding FROM exemplars WHERE speaker_id = ?", (speaker,))
        voices += [bytes(row[0]) for row in found]
        database.execute("DELETE FROM speakers WHERE id = ?", (speaker,))
    return voices
