"""State of a stream between two windows: one value, which can be saved and resumed."""

import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import count, islice
from typing import Any, NamedTuple, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Occupancy, SlotActivity, Votes, unit_length
from hocket.errors import ConfigError
from hocket.speakers.matching import ExemplarIndex, directions, index_exemplars, surplus
from hocket.speakers.values import MOST_EXEMPLARS
from hocket.timeline import speaker_name

FORMAT = 6
"""Version of `State.to_bytes`; other versions are not read."""

NO_SPEAKER = -1
"""In place of the index of a speaker or a known speaker."""


class WindowEmbeddings(NamedTuple):
    """Embedded subsegments of a window, all columns (subsegments, ...).

    first, last: first and past-the-last frame on the stream's frame grid.
    vectors: (subsegments, dimension), unit length; zero where the network gave nothing usable.
    narrow: (subsegments,) weight of narrow band and telephone, 0..1.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]


class RecentSubsegments(NamedTuple):
    """Subsegments of the last minutes, in order of time, all columns (subsegments, ...).

    first, last: first and past-the-last frame on the stream's frame grid.
    vectors: (subsegments, dimension), unit length.
    narrow: (subsegments,) weight of narrow band and telephone, 0..1.
    seconds: (subsegments,) of speech that each stands for, without overlap.
    owners: (subsegments,) speaker of each.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]
    seconds: NDArray[np.float64]
    owners: NDArray[np.int64]

    def at(self, rows: NDArray[np.bool_] | slice) -> "RecentSubsegments":
        """The subsegments in these rows."""
        first, last, vectors, narrow, seconds, owners = self
        return RecentSubsegments(
            first[rows], last[rows], vectors[rows], narrow[rows], seconds[rows], owners[rows]
        )


class WindowResult(NamedTuple):
    """Output of the networks for one window.

    first: its first frame on the stream's frame grid.
    activity: (frames, slots), probability that a slot speaks.
    occupancy: (frames, 3), probability that no speaker, one speaker and several speakers speak.
    masks: (frames, slots), 1 where a slot speaks in the most probable class.
    subsegments: the new subsegments of this window.
    samples: samples of the stream up to the end of the window.
    """

    first: int
    activity: SlotActivity
    occupancy: Occupancy
    masks: NDArray[np.float32]
    subsegments: WindowEmbeddings
    samples: int


class KnownSpeaker(NamedTuple):
    """A speaker known before the stream begins: name, and exemplars, (exemplars, dimension)."""

    name: str
    exemplars: NDArray[np.float32]


class KnownSpeakers(NamedTuple):
    """All known speakers: names, and exemplars by the index of the name."""

    names: tuple[str, ...]
    exemplars: ExemplarIndex


@dataclass(frozen=True, eq=False)
class State:
    """Speakers of a stream, and the frames that are not final yet. It is never modified.

    known: known speakers.
    numbers: (speakers,) number in the name SPEAKER_nn of each, used if it is no known speaker.
    identities: (speakers,) index of the known speaker whose name each has, or NO_SPEAKER.
    pinned: (speakers,) whether the user gave the name, so that it stays.
    created: lowest number for the next name; no number is used twice.
    sums: (speakers, dimension), sums of their vectors, weighted by seconds.
    seconds: (speakers,) of speech in these sums.
    exemplars: (exemplars, dimension), unit length.
    owners: (exemplars,) speaker of each.
    apart: (speakers, speakers) number of windows in which two were in different slots.
    subsegments: those that reach into the last window.
    past: those of the last minutes, with their speakers.
    judged: (speakers,) number of subsegments in `past` when a split was last considered.
    done: frames before this one are final.
    end: frames before this one were processed.
    votes: (end - done, speakers), summed over windows.
    occupancy: (end - done, 4), occupancy summed over windows, then the weight of these.
    settled: (frames, speakers), activations of the last final frames, which later turns may join.
    begun: (speakers,) first frame of a turn that is open at `done` and not emitted yet, or -1.
    trust: (speakers,) confidence, summed over the frames of that turn before `done`.
    samples: number of samples processed.
    """

    known: KnownSpeakers
    numbers: NDArray[np.int64]
    identities: NDArray[np.int64]
    pinned: NDArray[np.bool_]
    created: int
    sums: NDArray[np.float64]
    seconds: NDArray[np.float64]
    exemplars: NDArray[np.float32]
    owners: NDArray[np.int64]
    apart: NDArray[np.int64]
    subsegments: WindowEmbeddings
    past: RecentSubsegments
    judged: NDArray[np.int64]
    done: int
    end: int
    votes: Votes
    occupancy: NDArray[np.float32]
    settled: Activations
    begun: NDArray[np.int64]
    trust: NDArray[np.float64]
    samples: int

    @classmethod
    def start(
        cls,
        dimension: int,
        known: tuple[KnownSpeaker, ...] = (),
        samples: int = 0,
        frame_step: int = 1,
    ) -> Self:
        """The state before the first sample.

        Args:
            dimension: of the embeddings.
            known: known speakers.
            samples: number of the first sample, if it is not 0.
            frame_step: samples of a frame.

        Raises:
            ConfigError: two of them have the same name, or exemplars are not usable vectors.
        """
        _check_known(known, dimension)
        no_vectors = np.zeros((0, dimension), np.float32)
        no_numbers = np.zeros(0, np.int64)
        return cls(
            known=known_of({name: directions(rows)[1] for name, rows in known}, dimension),
            numbers=no_numbers,
            identities=no_numbers,
            pinned=np.zeros(0, np.bool_),
            created=0,
            sums=np.zeros((0, dimension)),
            seconds=np.zeros(0),
            exemplars=no_vectors,
            owners=no_numbers,
            apart=np.zeros((0, 0), np.int64),
            subsegments=WindowEmbeddings(no_numbers, no_numbers, no_vectors, np.zeros(0)),
            past=RecentSubsegments(
                no_numbers, no_numbers, no_vectors, np.zeros(0), np.zeros(0), no_numbers
            ),
            judged=no_numbers,
            done=samples // frame_step,
            end=samples // frame_step,
            votes=np.zeros((0, 0), np.float32),
            occupancy=np.zeros((0, 4), np.float32),
            settled=np.zeros((0, 0), np.bool_),
            begun=no_numbers,
            trust=np.zeros(0),
            samples=samples,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each speaker: that of a known speaker, or SPEAKER_nn."""
        return tuple(
            speaker_name(number) if identity == NO_SPEAKER else self.known.names[identity]
            for number, identity in zip(
                self.numbers.tolist(), self.identities.tolist(), strict=True
            )
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Label SPEAKER_nn of each speaker, which stays."""
        return tuple(map(speaker_name, self.numbers.tolist()))

    def speakers(self) -> tuple[KnownSpeaker, ...]:
        """All speakers, known and new, to be passed as `known` to another stream."""
        rows = exemplars_by_name(self.known)
        means = unit_length(self.sums.astype(np.float32))
        for index, name in enumerate(self.names):
            own = [means[index, None], self.exemplars[self.owners == index]]
            found = np.concatenate([rows.get(name, means[:0]), *own])
            rows[name] = found[found.any(axis=1)]  # opposite vectors have a mean of zero
        return tuple(  # no more than a store keeps, so that they do not grow from stream to stream
            KnownSpeaker(
                name, np.delete(each, surplus(each, np.ones(len(each)), MOST_EXEMPLARS), axis=0)
            )
            for name, each in rows.items()
        )

    def to_bytes(self) -> bytes:
        """The whole state as an .npz file, for `from_bytes`."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        subsegments: WindowEmbeddings = parts.pop("subsegments")
        parts |= {f"subsegment_{name}": column for name, column in subsegments._asdict().items()}
        past: RecentSubsegments = parts.pop("past")
        parts |= {f"past_{name}": column for name, column in past._asdict().items()}
        known: KnownSpeakers = parts.pop("known")
        parts["known_names"] = np.array(known.names, np.str_)
        parts["known_owners"] = _owners_of(known)
        parts["known_vectors"] = known.exemplars.vectors
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, format=FORMAT, **parts)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read the output of `to_bytes`, without pickle; ConfigError if it is anything else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                parts: dict[str, Any] = dict(file)
            if int(parts.pop("format")) == FORMAT:
                parts["subsegments"] = WindowEmbeddings(
                    *(parts.pop(f"subsegment_{name}") for name in WindowEmbeddings._fields)
                )
                parts["past"] = RecentSubsegments(
                    *(parts.pop(f"past_{name}") for name in RecentSubsegments._fields)
                )
                columns = [parts.pop(f"known_{name}") for name in ("owners", "vectors")]
                names = tuple(map(str, parts.pop("known_names")))
                parts["known"] = KnownSpeakers(names, index_exemplars(*columns))
                numbers = ("created", "done", "end", "samples")
                return cls(**parts | {name: int(parts[name]) for name in numbers})
            problem = "it has another format"
        except (
            OSError,
            EOFError,
            ValueError,
            KeyError,
            TypeError,
            BadZipFile,
            zlib.error,
        ) as error:
            problem = str(error)
        raise ConfigError(
            f"found a stream state that cannot be read ({problem}); give what State.to_bytes wrote"
        )


def select(state: State, kept: NDArray[np.int64]) -> State:
    """The state with only the speakers in `kept`, in that order."""
    index = np.full(len(state.names), -1)
    index[kept] = np.arange(len(kept))
    owned = index[state.owners] >= 0
    past = state.past.at(index[state.past.owners] >= 0)
    return replace(
        state,
        numbers=state.numbers[kept],
        identities=state.identities[kept],
        pinned=state.pinned[kept],
        sums=state.sums[kept],
        seconds=state.seconds[kept],
        exemplars=state.exemplars[owned],
        owners=index[state.owners[owned]],
        apart=state.apart[np.ix_(kept, kept)],
        past=past._replace(owners=index[past.owners]),
        judged=state.judged[kept],
        votes=state.votes[:, kept],
        settled=state.settled[:, kept],
        begun=state.begun[kept],
        trust=state.trust[kept],
    )


def free_numbers(state: State, more: int) -> list[int]:
    """Numbers for `more` new names, unused in this stream and by known speakers' names."""
    known = state.known.names
    return list(islice((n for n in count(state.created) if speaker_name(n) not in known), more))


def exemplars_by_name(known: KnownSpeakers) -> dict[str, NDArray[np.float32]]:
    """Unit vectors of each known speaker, (exemplars, dimension)."""
    owners = _owners_of(known)
    return {name: known.exemplars.vectors[owners == row] for row, name in enumerate(known.names)}


def known_of(exemplars: Mapping[str, NDArray[np.float32]], dimension: int) -> KnownSpeakers:
    """The known speakers with these unit vectors, (exemplars, dimension) each."""
    owners = np.repeat(np.arange(len(exemplars)), [len(rows) for rows in exemplars.values()])
    vectors = np.concatenate([np.zeros((0, dimension), np.float32), *exemplars.values()])
    return KnownSpeakers(tuple(exemplars), index_exemplars(owners, vectors))


def _owners_of(known: KnownSpeakers) -> NDArray[np.int64]:
    """Index of the known speaker of every exemplar, (exemplars,)."""
    ids, first, vectors, _ = known.exemplars
    return np.repeat(ids, np.diff(first, append=len(vectors)))


def _check_known(known: tuple[KnownSpeaker, ...], dimension: int) -> None:
    """Raise ConfigError unless names are unique and exemplars are usable vectors."""
    names = [each.name for each in known]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(
            f"found two known speakers called '{repeated[0]}'; give each its own name"
        )
    for name, exemplars in known:
        usable = np.ndim(exemplars) == 2 and exemplars.shape[1:] == (dimension,) and len(exemplars)
        if not usable or not directions(exemplars)[0].all():
            raise ConfigError(
                f"speaker '{name}': found exemplars of shape {np.shape(exemplars)}; give at least "
                f"one finite row of {dimension} numbers, none near zero"
            )
