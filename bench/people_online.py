"""Names that a stream gives, while people speak: the same questions as of recordings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bench.annotations import Turn
from bench.people_mixing import Talk
from bench.people_names import (
    FOUR,
    THESE,
    Case,
    Found,
    Known,
    Progress,
    Strangers,
    allowed,
    described_as,
    rows_of,
)
from bench.people_scoring import compare
from bench.people_stores import CLEAN, MEETING, by_kind, enrol_all, gather, store_of
from bench.people_voices import RATE, Clips

if TYPE_CHECKING:
    from hocket import SpeakerStore

ONLINE = "online"
BLOCK_S = 10.0


def measure_online_names(
    clips: Clips, seeds: int, minutes: float, threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Stream so many meetings twice: to a store of all five people, and to one of four of them."""
    from hocket import Diarizer, Runtime

    diarizer = Diarizer(runtime=Runtime(threads=threads)).load()
    limit = diarizer.embedding_model.name_distance
    case = Case(ONLINE, MEETING, THESE, CLEAN, limit)
    left_out = case._replace(store=FOUR)
    found = Found({case: Known()}, {left_out: Strangers()})
    meetings = by_kind(clips)[MEETING]
    gathered = [gather(MEETING, meetings, seed, 60 * minutes) for seed in range(seeds)]
    for each in gathered:
        progress(f"{each.kind} {each.seed}")
        enrolled = enrol_all(each.enrolled, CLEAN, each.seed, diarizer)
        there = sorted(enrolled.names)
        stranger = there[each.seed % len(there)]
        for names in (frozenset(there), frozenset(there) - {stranger}):
            with store_of(enrolled, names) as store:
                turns = stream_turns(each.talk, store, threads)
            heard = compare(each.talk.turns, turns, each.talk.duration_s)
            called = {label: label for label in heard.labels if label in names}
            if stranger in names:
                found.known[case].add(heard, called, names)
            else:
                found.strangers[left_out].add(heard, called, stranger)
    return {
        "seeds": seeds,
        "conversations": described_as(gathered),
        "embedding": diarizer.embedding_model.name,
        "name_distance": limit,
        **rows_of(found, limit),
        **allowed(),
    }


def stream_turns(talk: Talk, store: "SpeakerStore", threads: int | None) -> Sequence[Turn]:
    """The final turns of a stream that knows who is in the store."""
    from hocket import Runtime, Stream

    stream = Stream(RATE, runtime=Runtime(threads=threads), store=store, refinable=False)
    size = round(BLOCK_S * RATE)
    updates = []
    for start in range(0, len(talk.sound), size):
        updates += stream.feed(talk.sound[start : start + size])
    updates += stream.finish()
    return [
        Turn(turn.start_s, turn.end_s, turn.speaker) for update in updates for turn in update.final
    ]
