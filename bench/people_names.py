"""Names in conversations: how much of known people's speech has theirs, and who else has one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.annotations import Turn
from bench.people_matches import Asked, asked_of, reliability_of
from bench.people_mixing import overlap_percent
from bench.people_scoring import (
    Heard,
    Labels,
    Tally,
    compare,
    label_seconds,
    main_label,
    tally,
)
from bench.people_stores import (
    ENROLMENTS,
    MEETING,
    OTHERS,
    PANEL,
    Enrolled,
    Gathering,
    by_kind,
    enrol_all,
    gather,
    others_of,
    store_of,
)
from bench.people_voices import RATE, Clips, divide

if TYPE_CHECKING:
    from hocket import Diarizer, Result, SpeakerStore

RIGHT_ALLOWED_PERCENT = 95.0  # at least, of every person's speech that was given to anybody
STRANGERS_ALLOWED_PERCENT = 2.0
NAME_DISTANCES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
OFFLINE = "offline"
THESE, THESE_AND_OTHERS = "these five", f"these five and {OTHERS} others"
FOUR, ONLY_OTHERS = "the other four", f"{OTHERS} others"

Progress = Callable[[str], None]
Names = Mapping[str, str]


class Case(NamedTuple):
    """What belongs into one row of the results."""

    engine: str
    kind: str
    store: str
    enrolled: str
    name_distance: float


@dataclass
class Known:
    """People who are in the store: what was said of them so far."""

    people: dict[str, Tally] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    recordings: int = 0

    def add(self, heard: Heard, names: Names, enrolled: frozenset[str]) -> None:
        """Count a recording, whose labels have these names."""
        for person, found in tally(heard, names).items():
            if person in enrolled:
                self.people[person] = self.people.get(person, Tally()) + found
        self.labels += label_seconds(heard, names)
        self.recordings += 1

    def row(self) -> dict[str, Any]:
        """Rates of all together and of the worst person."""
        pooled = sum(self.people.values(), Tally())
        rates = {name: found.right_percent for name, found in sorted(self.people.items())}
        worst = min(rates, key=lambda name: rates[name] or 0.0)
        return {
            "recordings": self.recordings,
            "people": len(rates),
            "speech_s": round(pooled.speech_s, 2),
            "right_percent": pooled.right_percent,
            "worst": {"voice": worst, "right_percent": rates[worst]},
            "right_of_named_percent": _percent(self.labels.right_s, self.labels.named_s),
            "right_of_all_percent": pooled.right_of_all_percent,
            "named_percent": _percent(self.labels.named_s, self.labels.found_s),
            "voices": rates,
        }


@dataclass
class Strangers:
    """People who are not in the store: one trial each and recording.

    named: what most of the person's speech is called is a name of the store.
    unheard: nothing of the person's speech was found; no trial.
    """

    trials: int = 0
    named: int = 0
    unheard: int = 0

    def add(self, heard: Heard, names: Names, stranger: str) -> None:
        """Count a recording, whose labels have these names."""
        label = main_label(heard, stranger)
        if label is None:
            self.unheard += 1
            return
        self.trials += 1
        self.named += label in names

    def row(self) -> dict[str, Any]:
        """How many were given a name."""
        return {
            "trials": self.trials,
            "named": self.named,
            "named_percent": _percent(self.named, self.trials),
            "unheard": self.unheard,
        }


class Found(NamedTuple):
    """All rows."""

    known: dict[Case, Known]
    strangers: dict[Case, Strangers]
    asked: list[Asked]


def measure_names(
    clips: Clips, seeds: int, minutes: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Diarize so many meetings and panels, and ask stores with and without their people.

    A meeting is five people of several clips, each enrolled from 20 s of some and speaking others;
    a panel is five people of one clip, enrolled from its first half and speaking the second.
    """
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    kinds = by_kind(clips)
    single = {name: divide(each).enrolled for name, each in kinds[PANEL].items()}
    everybody = {each: _heard(single, each, diarizer, progress) for each in ENROLMENTS}
    refused = {enrolment: sorted(one.refused) for enrolment, one in everybody.items()}
    found, described = Found({}, {}, []), list[Gathering]()
    for gathering in gatherings(kinds, seeds, minutes):
        described.append(gathering)
        name, talk = f"{gathering.kind} {gathering.seed}", gathering.talk
        progress(name)
        result = diarizer(talk.sound, sample_rate=RATE, name=name)
        heard = compare(talk.turns, turns_of(result), talk.duration_s)
        for enrolment, all_singles in everybody.items():
            present = all_singles
            if gathering.kind == MEETING:
                present = enrol_all(gathering.enrolled, enrolment, gathering.seed, diarizer)
                refused[enrolment] += [f"{person}, {name}" for person in sorted(present.refused)]
            _ask(found, gathering, enrolment, heard, result, present, all_singles)
    limit = diarizer.embedding_model.name_distance
    return {
        "seeds": seeds,
        "conversations": described_as(described),
        "refused": refused,
        "embedding": diarizer.embedding_model.name,
        "name_distance": limit,
        **rows_of(found, limit),
        "by_name_distance": _sweep(found),
        "matches": reliability_of(found.asked),
        **allowed(),
    }


def gatherings(kinds: Mapping[str, Clips], seeds: int, minutes: float) -> Iterator[Gathering]:
    """Meetings and panels in turns, seeds from 0 on."""
    for seed in range(seeds):
        for kind, clips in kinds.items():
            yield gather(kind, clips, seed, 60 * minutes)


def turns_of(result: "Result") -> list[Turn]:
    """A result's turns as the benchmark's."""
    return [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]


def described_as(conversations: Sequence[Gathering]) -> dict[str, Any]:
    """How many there are of every kind, how long, and how much two people speak at once."""
    described = {}
    for kind in dict.fromkeys(each.kind for each in conversations):
        talks = [each.talk for each in conversations if each.kind == kind]
        seconds = sum(talk.duration_s for talk in talks)
        overlap = sum(overlap_percent(talk.turns) * talk.duration_s for talk in talks)
        described[kind] = {
            "recordings": len(talks),
            "audio_minutes": round(seconds / 60, 3),
            "overlap_percent": round(overlap / seconds, 2),
        }
    return described


def rows_of(found: Found, limit: float) -> dict[str, Any]:
    """Rows at the distance that the embedding model has."""
    return {
        "known": [
            {**case._asdict(), **row.row()}
            for case, row in found.known.items()
            if case.name_distance == limit
        ],
        "strangers": [
            {**case._asdict(), **row.row()}
            for case, row in found.strangers.items()
            if case.name_distance == limit
        ],
    }


def allowed() -> dict[str, float]:
    """The goals."""
    return {
        "right_allowed_percent": RIGHT_ALLOWED_PERCENT,
        "strangers_allowed_percent": STRANGERS_ALLOWED_PERCENT,
    }


def _heard(
    sounds: Mapping[str, Any], enrolment: str, diarizer: "Diarizer", progress: Progress
) -> Enrolled:
    progress(f"enrolling {len(sounds)} people, {enrolment}")
    return enrol_all(sounds, enrolment, len(sounds), diarizer)


def _ask(
    found: Found, gathering: Gathering, enrolment: str, heard: Heard, result: "Result",
    present: Enrolled, singles: Enrolled,
) -> None:  # fmt: skip
    """Ask stores who is in a conversation: of its people, of all but one, of others."""
    there = frozenset(gathering.enrolled) & present.names
    others = others_of(gathering, singles)
    meeting = gathering.kind == MEETING
    case = Case(OFFLINE, gathering.kind, THESE if meeting else THESE_AND_OTHERS, enrolment, 0.0)
    with store_of(present, there if meeting else there | others) as store:
        found.asked.extend(asked_of(store, result, heard))
        for distance, names in _names_by_distance(store, result):
            row = found.known.setdefault(case._replace(name_distance=distance), Known())
            row.add(heard, names, there)
    for stranger in sorted(there) if meeting else ():
        with store_of(present, there - {stranger}) as store:
            found.asked.extend(asked_of(store, result, heard))
            for distance, names in _names_by_distance(store, result):
                key = case._replace(store=FOUR, name_distance=distance)
                found.strangers.setdefault(key, Strangers()).add(heard, names, stranger)
    with store_of(singles, others) as store:
        found.asked.extend(asked_of(store, result, heard))
        for distance, names in _names_by_distance(store, result):
            key = case._replace(store=ONLY_OTHERS, name_distance=distance)
            for stranger in sorted(gathering.enrolled):
                found.strangers.setdefault(key, Strangers()).add(heard, names, stranger)


def _names_by_distance(
    store: "SpeakerStore", result: "Result"
) -> Iterator[tuple[float, dict[str, str]]]:
    """What clusters are called, if names were given up to other distances; the model's among them.

    Raises:
        AssertionError: the result does not say what made its embeddings.
    """
    own = result.embedding_model
    assert own is not None
    for distance in sorted({*NAME_DISTANCES, own.name_distance}):
        model = replace(
            own, name_distance=distance, suggest_distance=max(distance, own.suggest_distance)
        )
        matches = store.identify(replace(result, embedding_model=model))
        yield distance, {m.cluster: m.speaker.name for m in matches if m.speaker and m.certain}


def _sweep(found: Found) -> list[dict[str, Any]]:
    """Every row at every distance, in short."""
    kept = ("right_of_named_percent", "right_of_all_percent", "trials", "named")
    rows: dict[Case, Known | Strangers] = {**found.known, **found.strangers}
    return [
        {**case._asdict(), **{name: value for name, value in row.row().items() if name in kept}}
        for case, row in rows.items()
    ]


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 3) if whole else None
