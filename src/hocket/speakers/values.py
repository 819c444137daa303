"""The contents of a speaker store, and the checks before anything is stored.

Every embedding is normalized here before it is stored, so a store holds unit vectors only. Zero and
NaN embeddings have no direction and are refused.
"""

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from hocket.errors import JOINERS, SpeakerError, is_shown, one_line

MOST_EXEMPLARS = 10
LEAST_LENGTH = 0.1  # the direction of a shorter embedding is not reliable
ROUNDING = 1e-6  # largest difference of a float32 unit vector's length from 1
LONGEST_NAME = 200
ID_PREFIX = "id:"

_RESERVED = re.compile(
    r"(CH\d+_)?SPEAKER_\d+", re.IGNORECASE
)  # labels of unknown speakers in outputs


@dataclass(frozen=True, eq=False)
class Exemplar:
    """An embedding of a speaker's voice, and its source.

    embedding: (dimension,) float32.
    seconds: speech in the embedding.
    source: the recording.
    start, end: its bounds in the recording in seconds, pauses and other speakers included.
    alone: whether all speech within these bounds is this speaker's.
    consent: the speaker's consent, in the user's words.
    added_at: when it was stored, ISO 8601 in UTC; empty before.
    id: number in the store; 0 before it is stored.
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
    """A speaker in the store.

    id: never changes, and is never used for another speaker.
    name: unique in the store.
    permanent: kept by purge, and by forget and merge unless these are forced.
    created_at: ISO 8601 in UTC.
    seen_at: when the voice was last found in a recording, ISO 8601 in UTC.
    exemplars: number of exemplars.
    speech_s: speech in all exemplars, in seconds.
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
    """The identification of a cluster of a result.

    cluster: the cluster's label in the result.
    seconds: its speech.
    speaker: the speaker it is or may be; None if it matches no known speaker.
    distance: to that speaker, otherwise to the nearest one; infinite if the store is empty.
    certain: near enough to be named, not only suggested.
    probability: that it is that speaker, otherwise the nearest one.
    margin: how much farther the nearest other known speaker is; infinite if there is none.
    threshold: largest distance with which it is certain.
    shared_with: another cluster that has the speaker's name, if that one is nearer to the speaker.
    nearest: name of the speaker that `distance` is to; None if nobody is known.
    """

    cluster: str
    seconds: float
    speaker: Speaker | None
    distance: float
    certain: bool
    probability: float
    margin: float = math.inf
    threshold: float = math.nan
    shared_with: str | None = None
    nearest: str | None = None


@dataclass(frozen=True)
class Verification:
    """Whether a voice belongs to a speaker: it does if the distance is at most the threshold.

    margin: how much farther the nearest other known speaker is; negative if that one is nearer,
        infinite if there is none.
    """

    speaker: Speaker
    distance: float
    threshold: float
    margin: float = math.inf

    @property
    def same(self) -> bool:
        """Whether it is the same speaker."""
        return self.distance <= self.threshold


def now() -> str:
    """The current time, ISO 8601 in UTC, to the millisecond: such text sorts by time."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """A time in the store's format."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def checked_name(name: str) -> str:
    """The name as it is stored: in Unicode's composed form, with single blanks between words.

    Raises:
        SpeakerError: the name is empty, too long, unprintable or reserved.
    """
    kept = " ".join(unicodedata.normalize("NFC", name).split())
    if not kept or len(kept) > LONGEST_NAME:
        raise SpeakerError(f"a name of {len(kept)} characters; give 1 to {LONGEST_NAME}")
    if not all(map(is_shown, kept)) or not kept.strip(JOINERS):
        raise SpeakerError(f"{kept}: holds characters that cannot be printed; leave them out")
    if _RESERVED.fullmatch(kept):
        raise SpeakerError(f"{kept}: is what unknown speakers are called; give another name")
    if kept.startswith(ID_PREFIX):
        raise SpeakerError(f"{kept}: '{ID_PREFIX}' is for numbers of speakers; give another name")
    return kept


def key_of(name: str) -> str:
    """A key that is equal for one spelling in different encodings, also in RTTM.

    Upper and lower case differ, and so do Weiss and Weiß: they may be two persons.
    """
    return unicodedata.normalize("NFC", "_".join(name.split()))


def checked_embedding(embedding: NDArray[np.floating], dimension: int) -> NDArray[np.float32]:
    """The embedding as a unit vector, (dimension,).

    Raises:
        SpeakerError: its size is wrong, it is not finite, or too short to have a direction.
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
    if abs(length - 1) < ROUNDING:  # normalizing again would change digits, and copies would differ
        return vector.astype(np.float32)
    return (vector.astype(np.float64) / length).astype(np.float32)


def checked_exemplar(exemplar: Exemplar, dimension: int) -> Exemplar:
    """The exemplar with a unit embedding; SpeakerError if any of its numbers is invalid."""
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
    """The text, escaped if it is not valid Unicode, as file names may be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return one_line(text)
    return text
