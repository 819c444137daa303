"""Names in conversations: speech of known speakers with their name, and names of strangers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.annotations import Turn
from bench.people.matches import ClusterMatch, match_clusters, reliability_of
from bench.people.mixing import overlap_percent
from bench.people.scoring import (
    Comparison,
    Labels,
    Tally,
    compare,
    label_seconds,
    main_label,
    tally,
)
from bench.people.stores import (
    ENROLLMENTS,
    MEETING,
    OTHERS,
    PANEL,
    Enrolled,
    Scenario,
    by_kind,
    enroll_all,
    make_scenario,
    others_of,
    store_of,
)
from bench.people.voices import RATE, Clips, divide
from bench.report import Progress

if TYPE_CHECKING:
    from hocket import Diarizer, Result, SpeakerStore

RIGHT_ALLOWED_PERCENT = 95.0  # at least, of the found speech of every speaker
STRANGERS_ALLOWED_PERCENT = 2.0
NAME_DISTANCES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
OFFLINE = "offline"
THESE, THESE_AND_OTHERS = "these five", f"these five and {OTHERS} others"
FOUR, ONLY_OTHERS = "the other four", f"{OTHERS} others"

Names = Mapping[str, str]


class Case(NamedTuple):
    """Measurements with the same case are one row of the results."""

    engine: str
    kind: str
    store: str
    enrolled: str
    name_distance: float


@dataclass
class KnownTally:
    """Speakers in the store: their tallies so far."""

    speakers: dict[str, Tally] = field(default_factory=dict)
    labels: Labels = field(default_factory=Labels)
    recordings: int = 0

    def add(self, comparison: Comparison, names: Names, enrolled: frozenset[str]) -> None:
        """Count a recording in which labels have these names."""
        for speaker, found in tally(comparison, names).items():
            if speaker in enrolled:
                self.speakers[speaker] = self.speakers.get(speaker, Tally()) + found
        self.labels += label_seconds(comparison, names)
        self.recordings += 1

    def row(self) -> dict[str, Any]:
        """Rates of all speakers together and of the worst speaker."""
        pooled = sum(self.speakers.values(), Tally())
        rates = {name: found.right_percent for name, found in sorted(self.speakers.items())}
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
class StrangerTally:
    """Speakers who are not in the store: one trial for each in each recording.

    named: trials in which most speech of the speaker has a name of the store.
    missed: speakers whose speech was not found; no trial.
    """

    trials: int = 0
    named: int = 0
    missed: int = 0

    def add(self, comparison: Comparison, names: Names, stranger: str) -> None:
        """Count a recording in which labels have these names."""
        label = main_label(comparison, stranger)
        if label is None:
            self.missed += 1
            return
        self.trials += 1
        self.named += label in names

    def row(self) -> dict[str, Any]:
        """How many strangers got a name."""
        return {
            "trials": self.trials,
            "named": self.named,
            "named_percent": _percent(self.named, self.trials),
            "missed": self.missed,
        }


class Tallies(NamedTuple):
    """All rows of the results, and all clusters that were matched."""

    known: dict[Case, KnownTally]
    strangers: dict[Case, StrangerTally]
    matches: list[ClusterMatch]


def measure_names(
    clips: Clips, seeds: int, minutes: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Diarize meetings and panels, and match them with stores with and without their speakers.

    A meeting has five speakers with several clips, each enrolled from 20 s of some clips and
    speaking the others. A panel has five speakers with one clip, enrolled from its first half and
    speaking the second.
    """
    from hocket import Diarizer
    from hocket.config import Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    kinds = by_kind(clips)
    single = {name: divide(each).enrolled for name, each in kinds[PANEL].items()}
    singles = {each: _enroll(single, each, diarizer, progress) for each in ENROLLMENTS}
    refused = {enrollment: sorted(one.refused) for enrollment, one in singles.items()}
    tallies, done = Tallies({}, {}, []), list[Scenario]()
    for scenario in scenarios(kinds, seeds, minutes):
        done.append(scenario)
        name, spoken = f"{scenario.kind} {scenario.seed}", scenario.conversation
        progress(name)
        result = diarizer(spoken.sound, sample_rate=RATE, name=name)
        comparison = compare(spoken.turns, turns_of(result), spoken.duration_s)
        for enrollment, panelists in singles.items():
            present = panelists
            if scenario.kind == MEETING:
                present = enroll_all(scenario.enrolled, enrollment, scenario.seed, diarizer)
                refused[enrollment] += [f"{who}, {name}" for who in sorted(present.refused)]
            _match(tallies, scenario, enrollment, comparison, result, present, panelists)
    limit = diarizer.embedding_model.name_distance
    return {
        "seeds": seeds,
        "conversations": summarize(done),
        "refused": refused,
        "embedding": diarizer.embedding_model.name,
        "name_distance": limit,
        **rows_of(tallies, limit),
        "by_name_distance": _sweep(tallies),
        "matches": reliability_of(tallies.matches),
        **allowed(),
    }


def scenarios(kinds: Mapping[str, Clips], seeds: int, minutes: float) -> Iterator[Scenario]:
    """Alternating meetings and panels, with seeds from 0."""
    for seed in range(seeds):
        for kind, clips in kinds.items():
            yield make_scenario(kind, clips, seed, 60 * minutes)


def turns_of(result: "Result") -> list[Turn]:
    """The turns of a result as those of the benchmark."""
    return [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]


def summarize(done: Sequence[Scenario]) -> dict[str, Any]:
    """Number, length and overlap of the conversations of every kind."""
    summary = {}
    for kind in dict.fromkeys(each.kind for each in done):
        spoken = [each.conversation for each in done if each.kind == kind]
        seconds = sum(each.duration_s for each in spoken)
        overlap = sum(overlap_percent(each.turns) * each.duration_s for each in spoken)
        summary[kind] = {
            "recordings": len(spoken),
            "audio_minutes": round(seconds / 60, 3),
            "overlap_percent": round(overlap / seconds, 2),
        }
    return summary


def rows_of(tallies: Tallies, limit: float) -> dict[str, Any]:
    """Rows at the name distance of the embedding model."""
    return {
        "known": [
            {**case._asdict(), **row.row()}
            for case, row in tallies.known.items()
            if case.name_distance == limit
        ],
        "strangers": [
            {**case._asdict(), **row.row()}
            for case, row in tallies.strangers.items()
            if case.name_distance == limit
        ],
    }


def allowed() -> dict[str, float]:
    """The limits."""
    return {
        "right_allowed_percent": RIGHT_ALLOWED_PERCENT,
        "strangers_allowed_percent": STRANGERS_ALLOWED_PERCENT,
    }


def _enroll(
    sounds: Mapping[str, Any], enrollment: str, diarizer: "Diarizer", progress: Progress
) -> Enrolled:
    progress(f"enrolling {len(sounds)} speakers, {enrollment}")
    return enroll_all(sounds, enrollment, len(sounds), diarizer)


def _match(
    tallies: Tallies,
    scenario: Scenario,
    enrollment: str,
    comparison: Comparison,
    result: "Result",
    present: Enrolled,
    panelists: Enrolled,
) -> None:
    """Match a conversation with stores of its speakers, of all but one of them, and of others."""
    there = frozenset(scenario.enrolled) & present.names
    others = others_of(scenario, panelists)
    meeting = scenario.kind == MEETING
    case = Case(OFFLINE, scenario.kind, THESE if meeting else THESE_AND_OTHERS, enrollment, 0.0)
    with store_of(present, there if meeting else there | others) as store:
        tallies.matches.extend(match_clusters(store, result, comparison))
        for distance, names in _names_by_distance(store, result):
            row = tallies.known.setdefault(case._replace(name_distance=distance), KnownTally())
            row.add(comparison, names, there)
    for stranger in sorted(there) if meeting else ():
        with store_of(present, there - {stranger}) as store:
            tallies.matches.extend(match_clusters(store, result, comparison))
            for distance, names in _names_by_distance(store, result):
                key = case._replace(store=FOUR, name_distance=distance)
                tallies.strangers.setdefault(key, StrangerTally()).add(comparison, names, stranger)
    with store_of(panelists, others) as store:
        tallies.matches.extend(match_clusters(store, result, comparison))
        for distance, names in _names_by_distance(store, result):
            key = case._replace(store=ONLY_OTHERS, name_distance=distance)
            for stranger in sorted(scenario.enrolled):
                tallies.strangers.setdefault(key, StrangerTally()).add(comparison, names, stranger)


def _names_by_distance(
    store: "SpeakerStore", result: "Result"
) -> Iterator[tuple[float, dict[str, str]]]:
    """Names of clusters at several name distances, including that of the model."""
    own = result.embedding_model
    assert own is not None
    for distance in sorted({*NAME_DISTANCES, own.name_distance}):
        model = replace(
            own, name_distance=distance, suggest_distance=max(distance, own.suggest_distance)
        )
        matches = store.identify(replace(result, embedding_model=model))
        yield distance, {m.cluster: m.speaker.name for m in matches if m.speaker and m.certain}


def _sweep(tallies: Tallies) -> list[dict[str, Any]]:
    """Every row at every distance, with its main figures."""
    kept = ("right_of_named_percent", "right_of_all_percent", "trials", "named")
    rows: dict[Case, KnownTally | StrangerTally] = {**tallies.known, **tallies.strangers}
    return [
        {**case._asdict(), **{name: value for name, value in row.row().items() if name in kept}}
        for case, row in rows.items()
    ]


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 3) if whole else None
