"""Names that a stream gives while speakers speak, measured as for recordings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.annotations import Turn
from bench.people.mixing import Conversation
from bench.people.names import (
    FOUR,
    ONLY_OTHERS,
    THESE,
    Case,
    KnownTally,
    StrangerTally,
    Tallies,
    allowed,
    rows_of,
    scenarios,
    summarize,
)
from bench.people.scoring import Comparison, compare
from bench.people.stores import (
    CLEAN,
    ENROLLMENTS,
    MEETING,
    PANEL,
    PRESENT,
    ROOM,
    Enrolled,
    Scenario,
    by_kind,
    enroll_all,
    others_of,
    store_of,
)
from bench.people.voices import RATE, Clips, divide
from bench.report import Progress

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore

ONLINE = "online"
FIVE_OTHERS = "five others"
BLOCK_S = 10.0


class Streaming(NamedTuple):
    """Streams conversations, and collects the results."""

    diarizer: "Diarizer"
    threads: int | None
    tallies: Tallies

    def case(self, kind: str, store: str, enrollment: str) -> Case:
        """The case of a conversation."""
        limit = self.diarizer.embedding_model.name_distance
        return Case(ONLINE, kind, store, enrollment, limit)

    def compared(self, scenario: Scenario, enrolled: Enrolled, names: frozenset[str]) -> Comparison:
        """Stream a conversation with a store of some enrolled speakers."""
        spoken = scenario.conversation
        with store_of(enrolled, names) as store:
            turns = stream_turns(spoken, store, self.threads)
        return compare(spoken.turns, turns, spoken.duration_s)

    def add_known(self, scenario: Scenario, enrollment: str, enrolled: Enrolled) -> None:
        """Stream a meeting with a store of its five speakers."""
        comparison = self.compared(scenario, enrolled, enrolled.names)
        case = self.case(scenario.kind, THESE, enrollment)
        row = self.tallies.known.setdefault(case, KnownTally())
        row.add(comparison, _named(comparison, enrolled.names), enrolled.names)

    def add_strangers(
        self, scenario: Scenario, case: Case, enrolled: Enrolled, names: frozenset[str]
    ) -> None:
        """Stream a conversation with a store of `names`, and count the others who get a name."""
        comparison = self.compared(scenario, enrolled, names)
        row = self.tallies.strangers.setdefault(case, StrangerTally())
        for stranger in sorted(set(scenario.enrolled) - names):
            row.add(comparison, _named(comparison, names), stranger)

    def add_meeting(self, scenario: Scenario) -> None:
        """Stream a meeting with stores of all its speakers, and with one that lacks a speaker."""
        for enrollment in ENROLLMENTS:
            enrolled = enroll_all(scenario.enrolled, enrollment, scenario.seed, self.diarizer)
            self.add_known(scenario, enrollment, enrolled)
            if enrollment == CLEAN:
                there = sorted(enrolled.names)
                left_out = there[scenario.seed % len(there)]
                case = self.case(MEETING, FOUR, CLEAN)
                self.add_strangers(scenario, case, enrolled, enrolled.names - {left_out})


def measure_online_names(
    clips: Clips, seeds: int, minutes: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Stream meetings with stores of their speakers, and panels with stores of others."""
    from hocket import Diarizer
    from hocket.config import Runtime

    kinds = by_kind(clips)
    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    streaming = Streaming(diarizer, threads, Tallies({}, {}, []))
    progress("enrolling speakers of the stores")
    five = {name: divide(each).enrolled for name, each in kinds[MEETING].items()}
    one = {name: divide(each).enrolled for name, each in kinds[PANEL].items()}
    meeting = enroll_all(dict(list(five.items())[:PRESENT]), CLEAN, PRESENT, diarizer)
    panel = enroll_all(one, ROOM, len(one), diarizer)
    done = list[Scenario]()
    for scenario in scenarios(kinds, seeds, minutes):
        done.append(scenario)
        progress(f"{scenario.kind} {scenario.seed}")
        if scenario.kind == MEETING:
            streaming.add_meeting(scenario)
            continue
        for case, enrolled, names in (
            (streaming.case(PANEL, FIVE_OTHERS, CLEAN), meeting, meeting.names),
            (streaming.case(PANEL, ONLY_OTHERS, ROOM), panel, others_of(scenario, panel)),
        ):
            streaming.add_strangers(scenario, case, enrolled, names)
    model = diarizer.embedding_model
    return {
        "seeds": seeds,
        "conversations": summarize(done),
        "embedding": model.name,
        "name_distance": model.name_distance,
        **rows_of(streaming.tallies, model.name_distance),
        **allowed(),
    }


def _named(comparison: Comparison, names: frozenset[str]) -> dict[str, str]:
    """Labels that are names of the store."""
    return {label: label for label in comparison.labels if label in names}


def stream_turns(
    conversation: Conversation, store: "SpeakerStore", threads: int | None
) -> Sequence[Turn]:
    """The final turns of a stream with known speakers from a store."""
    from hocket import Stream
    from hocket.config import Runtime

    stream = Stream(RATE, runtime=Runtime(threads=threads), store=store, refinable=False)
    size = round(BLOCK_S * RATE)
    updates = []
    for start in range(0, len(conversation.sound), size):
        updates += stream.feed(conversation.sound[start : start + size])
    updates += stream.finish()
    return [Turn(turn.start, turn.end, turn.speaker) for update in updates for turn in update.final]
