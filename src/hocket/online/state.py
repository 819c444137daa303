"""What a stream knows between two windows: one value, which can be kept and gone on from."""

import io
import zlib
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

FORMAT = 5
"""Of `State.to_bytes`; another one is not read."""

NOBODY = -1
"""Instead of the index of a speaker or a person."""


class WindowEmbeddings(NamedTuple):
    """Units that were embedded, all columns (units, ...).

    first, last: their frames on the stream's grid.
    vectors: (units, dimension), unit length; zero where the network gave nothing usable.
    narrow: (units,), how far each came through a narrow band or a telephone, 0..1.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]


class RecentSubsegments(NamedTuple):
    """Units of the last minutes with their speakers, all columns (units, ...), in order of time.

    first, last: their frames on the stream's grid.
    vectors: (units, dimension), unit length.
    narrow: how far each came through a narrow band or a telephone, 0..1.
    seconds: of speech each stands for, however units overlap.
    owners: speaker of each.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    vectors: NDArray[np.float32]
    narrow: NDArray[np.float64]
    seconds: NDArray[np.float64]
    owners: NDArray[np.int64]

    def at(self, rows: NDArray[np.bool_] | slice) -> "RecentSubsegments":
        """Some of the units."""
        first, last, vectors, narrow, seconds, owners = self
        return RecentSubsegments(
            first[rows], last[rows], vectors[rows], narrow[rows], seconds[rows], owners[rows]
        )


class WindowResult(NamedTuple):
    """What the graphs say of one window.

    first: its first frame on the stream's grid.
    activity: (frames, slots), probability that a slot speaks.
    occupancy: (frames, 3), probability that nobody, one person and several people speak.
    masks: (frames, slots), one where a slot speaks in the most probable class.
    subsegments: what was embedded because this window brought it.
    samples: how many of the stream were heard when the window ended.
    """

    first: int
    activity: SlotActivity
    occupancy: Occupancy
    masks: NDArray[np.float32]
    subsegments: WindowEmbeddings
    samples: int


class KnownSpeaker(NamedTuple):
    """Somebody known before the stream began: a name, and (exemplars, dimension) of the voice."""

    name: str
    exemplars: NDArray[np.float32]


class KnownSpeakers(NamedTuple):
    """People known before the stream began: names, and exemplars by the index of the name."""

    names: tuple[str, ...]
    exemplars: ExemplarIndex


@dataclass(frozen=True, eq=False)
class State:
    """Speakers, and the frames that are not final yet. Nothing in it is ever changed.

    known: people known before.
    numbers: (speakers,) of the names that they have if they are none of these.
    identities: (speakers,) index of the person whose name each has, or NOBODY.
    created: number of the next name at the earliest; none is given twice.
    sums: (speakers, dimension) vectors heard, weighted by seconds.
    seconds: (speakers,) of speech behind them.
    exemplars: (exemplars, dimension), unit length.
    owners: (exemplars,) speaker of each.
    apart: (speakers, speakers) windows in which two were different people.
    subsegments: those of the last window's length.
    past: those of the last minutes, by speaker.
    judged: (speakers,) units of each in `past` when it was last looked at as two.
    done: frames before this one are final.
    end: frames before this one were heard.
    votes: (end - done, speakers), added up over windows.
    occupancy: (end - done, 4), occupancy added up, and the weight of windows.
    settled: (frames, speakers) the last final frames, which later ones are joined to.
    begun: (speakers,) first frame of a turn that goes on at `done` and was not given out, or -1.
    trust: (speakers,) confidence in each frame of that turn before `done`, added up.
    samples: how many were heard.
    """

    known: KnownSpeakers
    numbers: NDArray[np.int64]
    identities: NDArray[np.int64]
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
    def start(cls, dimension: int, known: tuple[KnownSpeaker, ...] = ()) -> Self:
        """Before the first sample.

        Args:
            dimension: of the embeddings.
            known: speakers to be found again.

        Raises:
            ConfigError: two of them have one name, or exemplars are not usable vectors.
        """
        _check_known(known, dimension)
        none = np.zeros((0, dimension), np.float32)
        nobody = np.zeros(0, np.int64)
        vectors = [directions(each.exemplars)[1] for each in known]
        owners = np.repeat(np.arange(len(known)), [len(rows) for rows in vectors])
        index = index_exemplars(owners, np.concatenate([none, *vectors]))
        return cls(
            known=KnownSpeakers(tuple(each.name for each in known), index),
            numbers=nobody,
            identities=nobody,
            created=0,
            sums=np.zeros((0, dimension)),
            seconds=np.zeros(0),
            exemplars=none,
            owners=nobody,
            apart=np.zeros((0, 0), np.int64),
            subsegments=WindowEmbeddings(nobody, nobody, none, np.zeros(0)),
            past=RecentSubsegments(nobody, nobody, none, np.zeros(0), np.zeros(0), nobody),
            judged=nobody,
            done=0,
            end=0,
            votes=np.zeros((0, 0), np.float32),
            occupancy=np.zeros((0, 4), np.float32),
            settled=np.zeros((0, 0), np.bool_),
            begun=nobody,
            trust=np.zeros(0),
            samples=0,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the speakers: that of who they are, or one made from a number."""
        return tuple(
            name_of(number) if identity == NOBODY else self.known.names[identity]
            for number, identity in zip(
                self.numbers.tolist(), self.identities.tolist(), strict=True
            )
        )

    def speakers(self) -> tuple[KnownSpeaker, ...]:
        """Everybody, to be known in another stream: those known before and those met since."""
        known, owners = self.known.exemplars.vectors, _owners_of(self.known)
        rows = {name: known[owners == row] for row, name in enumerate(self.known.names)}
        means = unit_length(self.sums.astype(np.float32))
        for index, name in enumerate(self.names):
            own = [means[index, None], self.exemplars[self.owners == index]]
            found = np.concatenate([rows.get(name, means[:0]), *own])
            rows[name] = found[found.any(axis=1)]  # a mean may be none, as of what is opposed
        return tuple(  # no more than a store keeps, so that a chain of streams does not grow
            KnownSpeaker(
                name, np.delete(each, surplus(each, np.ones(len(each)), MOST_EXEMPLARS), axis=0)
            )
            for name, each in rows.items()
        )

    def to_bytes(self) -> bytes:
        """All of it, for `from_bytes`; no code in it."""
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
        """What `to_bytes` wrote; ConfigError if it is anything else."""
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
            problem = "of another format"
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
            f"found a state of a stream that cannot be read ({problem}); "
            "give what State.to_bytes wrote"
        )


def select(state: State, kept: NDArray[np.int64]) -> State:
    """The state with these speakers only."""
    place = np.full(len(state.names), -1)
    place[kept] = np.arange(len(kept))
    owned = place[state.owners] >= 0
    past = state.past.at(place[state.past.owners] >= 0)
    return replace(
        state,
        numbers=state.numbers[kept],
        identities=state.identities[kept],
        sums=state.sums[kept],
        seconds=state.seconds[kept],
        exemplars=state.exemplars[owned],
        owners=place[state.owners[owned]],
        apart=state.apart[np.ix_(kept, kept)],
        past=past._replace(owners=place[past.owners]),
        judged=state.judged[kept],
        votes=state.votes[:, kept],
        settled=state.settled[:, kept],
        begun=state.begun[kept],
        trust=state.trust[kept],
    )


def free_numbers(state: State, more: int) -> list[int]:
    """Of names that nobody in the stream has or had; one known before may be called like them."""
    known = state.known.names
    return list(islice((n for n in count(state.created) if name_of(n) not in known), more))


def name_of(number: int) -> str:
    """What somebody is called who is nobody known."""
    return f"SPEAKER_{number:02d}"


def _owners_of(known: KnownSpeakers) -> NDArray[np.int64]:
    """Index of the person behind every exemplar, (exemplars,)."""
    ids, first, vectors, _ = known.exemplars
    return np.repeat(ids, np.diff(first, append=len(vectors)))


def _check_known(known: tuple[KnownSpeaker, ...], dimension: int) -> None:
    names = [each.name for each in known]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"found two known speakers called '{twice[0]}'; give each a name")
    for name, exemplars in known:
        usable = np.ndim(exemplars) == 2 and exemplars.shape[1:] == (dimension,) and len(exemplars)
        if not usable or not directions(exemplars)[0].all():
            raise ConfigError(
                f"speaker '{name}': found exemplars of shape {np.shape(exemplars)}; give at least "
                f"one finite row of {dimension} numbers, none near zero"
            )
