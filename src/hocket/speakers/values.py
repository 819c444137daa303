"""What a store of speakers holds, and what may go into it.

An embedding is made a unit vector here, on every way into a store, and compared as one. What has
no direction, zeros or NaN, never gets in.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError, one_line

MOST_EXEMPLARS = 10
LEAST_LENGTH = 0.1  # of an embedding; a shorter one has no direction worth trusting
ROUNDING = 1e-6  # how far from 1 a unit vector in float32 may be
LONGEST_NAME = 200
ID_PREFIX = "id:"

_RESERVED = re.compile(r"SPEAKER_\d+", re.IGNORECASE)  # what outputs call those nobody knows


@dataclass(frozen=True, eq=False)
class Exemplar:
    """One stretch of somebody's voice, and where it came from.

    embedding: (dimension,) float32.
    seconds: speech behind it.
    source: the recording.
    start, end: where in it, pauses and other people included.
    alone: whether all speech in between is this person's.
    consent: what the person agreed to, as the user notes it.
    added_at: when it came into the store, ISO 8601 in UTC; empty before.
    id: number in the store; 0 before.
    """

    embedding: NDArray[np.float32]
    seconds: float
    source: str
    start: float
    end: float
    alone: bool = True
    consent: str = ""
    added_at: str = ""
    id: int = 0


@dataclass(frozen=True)
class Speaker:
    """Somebody in the store.

    id: never changes and is never given to anybody else.
    name: unique in the store.
    permanent: kept by purge, and by forget and merge unless they are forced.
    created_at, seen_at: ISO 8601 in UTC; heard_at is when a recording last had this voice.
    exemplars: how many there are.
    speech_s: speech behind them.
    """

    id: int
    name: str
    permanent: bool
    created_at: str
    seen_at: str
    exemplars: int
    speech_s: float


@dataclass(frozen=True)
class Match:
    """Who a cluster of a result is.

    cluster: its name in the result.
    seconds: how long it speaks.
    speaker: who it is or may be; None if nobody in the store.
    distance: to that speaker, or to the nearest if it is nobody; infinite if there is none.
    certain: near enough to be named, not only suggested.
    probability: that it is that speaker, or the nearest if it is nobody.
    """

    cluster: str
    seconds: float
    speaker: Speaker | None
    distance: float
    certain: bool
    probability: float


@dataclass(frozen=True)
class Verification:
    """Whether a voice is a speaker's: it is if the distance is at most the threshold."""

    speaker: Speaker
    distance: float
    threshold: float

    @property
    def same(self) -> bool:
        """The answer."""
        return self.distance <= self.threshold


def now() -> str:
    """This moment, ISO 8601 in UTC, to the millisecond: text that sorts by time."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """A moment as a store writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def checked_name(name: str) -> str:
    """The name as it is kept: without blanks around it, composed as Unicode recommends.

    Raises:
        SpeakerError: empty, too long, unprintable, or a name that means something else.
    """
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not kept or len(kept) > LONGEST_NAME:
        raise SpeakerError(f"a name of {len(kept)} characters; give 1 to {LONGEST_NAME}")
    if not kept.isprintable():
        raise SpeakerError(f"{kept}: holds characters that cannot be printed; leave them out")
    if _RESERVED.fullmatch(kept):
        raise SpeakerError(f"{kept}: is what unknown speakers are called; give another name")
    if kept.startswith(ID_PREFIX):
        raise SpeakerError(f"{kept}: '{ID_PREFIX}' is for numbers of speakers; give another name")
    return kept


def key_of(name: str) -> str:
    """What two names share that nobody could tell apart, in RTTM or by ear."""
    return unicodedata.normalize("NFKC", "_".join(name.split())).casefold()


def checked_embedding(embedding: NDArray[np.floating], dimension: int) -> NDArray[np.float32]:
    """The embedding as a unit vector, (dimension,).

    Raises:
        SpeakerError: another size, NaN, infinite, or too short to have a direction.
    """
    vector = np.asarray(embedding)
    if vector.shape != (dimension,):
        size = "x".join(map(str, vector.shape))
        raise SpeakerError(
            f"an embedding of size {size}, where the model's have {dimension}; "
            "give embeddings of one model"
        )
    if vector.dtype.kind != "f" or not np.isfinite(vector).all():
        raise SpeakerError("an embedding with NaN or infinite numbers; give one of a voice")
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if length <= LEAST_LENGTH:
        raise SpeakerError(
            f"an embedding of length {length:.2g}, which has no direction; give one of a voice"
        )
    if abs(length - 1) < ROUNDING:  # again would change last digits, and a copy be another voice
        return vector.astype(np.float32)
    return (vector.astype(np.float64) / length).astype(np.float32)


def checked_exemplar(exemplar: Exemplar, dimension: int) -> Exemplar:
    """The exemplar with a unit embedding; SpeakerError if its numbers or its notes are none."""
    numbers = (exemplar.seconds, exemplar.start, exemplar.end)
    if not all(np.isfinite(number) and number >= 0 for number in numbers) or not exemplar.seconds:
        raise SpeakerError(
            f"{exemplar.source}: {exemplar.seconds} s of speech from {exemplar.start} to "
            f"{exemplar.end} s; give finite times with speech between them"
        )
    return replace(
        exemplar,
        embedding=checked_embedding(exemplar.embedding, dimension),
        source=storable(exemplar.source),
        consent=storable(exemplar.consent),
    )


def storable(text: str) -> str:
    """The text, or if it is none in Unicode, as names of files may be, with that escaped."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return one_line(text)
    return text
