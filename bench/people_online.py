"""Names that a stream gives, while people speak: the same questions as of recordings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.annotations import Turn
from bench.people_mixing import Talk
from bench.people_names import (
    FOUR,
    ONLY_OTHERS,
    THESE,
    Case,
    Found,
    Known,
    Progress,
    Strangers,
    allowed,
    described_as,
    gatherings,
    rows_of,
)
from bench.people_scoring import Heard, compare
from bench.people_stores import (
    CLEAN,
    ENROLMENTS,
    MEETING,
    PANEL,
    PRESENT,
    ROOM,
    Enrolled,
    Gathering,
    by_kind,
    enrol_all,
    others_of,
    store_of,
)
from bench.people_voices import RATE, Clips, divide

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore

ONLINE = "online"
FIVE_OTHERS = "five others"
BLOCK_S = 10.0


class ProgressCallback(NamedTuple):
    """What conversations are streamed with, and what was found."""

    diarizer: "Diarizer"
    threads: int | None
    found: Found

    def case(self, kind: str, store: str, enrolment: str) -> Case:
        """The row of a conversation."""
        limit = self.diarizer.embedding_model.name_distance
        return Case(ONLINE, kind, store, enrolment, limit)

    def heard(self, gathering: Gathering, enrolled: Enrolled, names: frozenset[str]) -> Heard:
        """Stream a conversation to a store of some of those who were enrolled."""
        talk = gathering.talk
        with store_of(enrolled, names) as store:
            turns = stream_turns(talk, store, self.threads)
        return compare(talk.turns, turns, talk.duration_s)

    def ask_known(self, gathering: Gathering, enrolment: str, enrolled: Enrolled) -> None:
        """Stream a meeting to a store of its five people."""
        heard = self.heard(gathering, enrolled, enrolled.names)
        case = self.case(gathering.kind, THESE, enrolment)
        row = self.found.known.setdefault(case, Known())
        row.add(heard, _called(heard, enrolled.names), enrolled.names)

    def ask_strangers(
        self, gathering: Gathering, case: Case, enrolled: Enrolled, names: frozenset[str]
    ) -> None:
        """Stream a conversation to a store of these, and see who of the others gets a name."""
        heard = self.heard(gathering, enrolled, names)
        row = self.found.strangers.setdefault(case, Strangers())
        for stranger in sorted(set(gathering.enrolled) - names):
            row.add(heard, _called(heard, names), stranger)


def measure_online_names(
    clips: Clips, seeds: int, minutes: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Stream so many meetings to stores of their people, and panels to stores of others."""
    from hocket import Diarizer
    from hocket.config import Runtime

    kinds = by_kind(clips)
    progress = ProgressCallback(
        Diarizer(runtime=Runtime(threads=threads)).load(), threads, Found({}, {}, [])
    )
    progress("enrolling those who are not there")
    five = {name: divide(each).enrolled for name, each in kinds[MEETING].items()}
    one = {name: divide(each).enrolled for name, each in kinds[PANEL].items()}
    meeting = enrol_all(dict(list(five.items())[:PRESENT]), CLEAN, PRESENT, progress.diarizer)
    panel = enrol_all(one, ROOM, len(one), progress.diarizer)
    described = list[Gathering]()
    for gathering in gatherings(kinds, seeds, minutes):
        described.append(gathering)
        progress(f"{gathering.kind} {gathering.seed}")
        if gathering.kind == MEETING:
            _ask_meeting(progress, gathering)
            continue
        for case, enrolled, names in (
            (progress.case(PANEL, FIVE_OTHERS, CLEAN), meeting, meeting.names),
            (progress.case(PANEL, ONLY_OTHERS, ROOM), panel, others_of(gathering, panel)),
        ):
            progress.ask_strangers(gathering, case, enrolled, names)
    model = progress.diarizer.embedding_model
    return {
        "seeds": seeds,
        "conversations": described_as(described),
        "embedding": model.name,
        "name_distance": model.name_distance,
        **rows_of(progress.found, model.name_distance),
        **allowed(),
    }


def _ask_meeting(progress: ProgressCallback, gathering: Gathering) -> None:
    """Stream a meeting to stores of all its people, and to one without one of them."""
    for enrolment in ENROLMENTS:
        enrolled = enrol_all(gathering.enrolled, enrolment, gathering.seed, progress.diarizer)
        progress.ask_known(gathering, enrolment, enrolled)
        if enrolment == CLEAN:
            there = sorted(enrolled.names)
            left_out = there[gathering.seed % len(there)]
            case = progress.case(MEETING, FOUR, CLEAN)
            progress.ask_strangers(gathering, case, enrolled, enrolled.names - {left_out})


def _called(heard: Heard, names: frozenset[str]) -> dict[str, str]:
    """Labels that are names of the store."""
    return {label: label for label in heard.labels if label in names}


def stream_turns(talk: Talk, store: "SpeakerStore", threads: int | None) -> Sequence[Turn]:
    """The final turns of a stream that knows who is in the store."""
    from hocket import Stream
    from hocket.config import Runtime

    stream = Stream(RATE, runtime=Runtime(threads=threads), store=store, refinable=False)
    size = round(BLOCK_S * RATE)
    updates = []
    for start in range(0, len(talk.sound), size):
        updates += stream.feed(talk.sound[start : start + size])
    updates += stream.finish()
    return [Turn(turn.start, turn.end, turn.speaker) for update in updates for turn in update.final]
