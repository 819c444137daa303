"""Who is enrolled and who speaks: conversations of known people, and stores of some of them."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.people_mixing import Talk, in_room, mix
from bench.people_voices import RATE, Clips, Sound, divide, phrases

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore

MEETING, PANEL = "meeting", "panel"
CLEAN, ROOM = "clean", "in a room"
ENROLMENTS = (CLEAN, ROOM)
PRESENT = 5  # people in a conversation
OTHERS = 115  # people in a store who are not in the conversation
LEAST_SAID_S = 5.0  # in a panel: who says less could not be named by anybody


class Gathering(NamedTuple):
    """A conversation, and what its people were enrolled from: other sound than they speak in it."""

    kind: str
    seed: int
    talk: Talk
    enrolled: dict[str, Sound]


class Enrolled(NamedTuple):
    """People as `hocket speakers export` writes them, and who was refused."""

    document: str
    names: frozenset[str]
    refused: frozenset[str]
    exemplars: int


def by_kind(clips: Clips) -> dict[str, Clips]:
    """Who may be in which kind: people of several clips meet, people of one sit on panels.

    Raises:
        BenchError: there are too few for either.
    """
    several = {name: each for name, each in clips.items() if len(each) > 1}
    one = {name: each for name, each in clips.items() if len(each) == 1}
    if len(several) < PRESENT or len(one) < PRESENT + OTHERS:
        raise BenchError(
            f"found {len(several)} people with several clips and {len(one)} with one; "
            f"give {PRESENT} and {PRESENT + OTHERS} at least"
        )
    return {MEETING: several, PANEL: one}


def gather(kind: str, clips: Clips, seed: int, most_s: float) -> Gathering:
    """A conversation of five people.

    Args:
        kind: of several clips a meeting, of one each a panel.
        clips: of everybody of that kind.
        seed: draws who is there, what of it is enrolled, turns and room.
        most_s: longest conversation.
    """
    rng = np.random.default_rng((seed, kind == PANEL))
    enrolled: dict[str, Sound] = {}
    said: dict[str, list[Sound]] = {}
    for name in rng.permutation(sorted(clips)).tolist():
        parts = divide(clips[name], rng)
        speech = [phrase for clip in parts.said for phrase in phrases(clip)]
        if sum(map(len, speech)) >= LEAST_SAID_S * RATE:
            enrolled[name], said[name] = parts.enrolled, speech
        if len(said) == PRESENT:
            break
    else:
        raise BenchError(f"fewer than {PRESENT} people say {LEAST_SAID_S:g} s; give longer clips")
    return Gathering(kind, seed, mix(said, most_s, rng), enrolled)


def enrol_all(
    sounds: Mapping[str, Sound], enrolment: str, seed: int, diarizer: "Diarizer"
) -> Enrolled:
    """Put everybody into a store, from sound as it is or as a room of its own has it."""
    from hocket import SpeakerStore
    from hocket.errors import AudioVoiceError
    from hocket.speakers import export_speakers
    from hocket.speakers.enroll import extract_voice

    rng = np.random.default_rng((seed, ENROLMENTS.index(enrolment)))
    refused = set()
    with TemporaryDirectory() as name, SpeakerStore(Path(name) / "all.db") as store:
        for person, sound in sounds.items():
            clip = in_room(sound, rng) if enrolment == ROOM else sound
            try:
                voice = extract_voice(clip, diarizer, sample_rate=RATE, name=person)
            except AudioVoiceError:
                refused.add(person)
                continue
            store.enroll(person, voice.exemplars, voice.model)
        there = store.speakers()
        return Enrolled(
            export_speakers(store),
            frozenset(speaker.name for speaker in there),
            frozenset(refused),
            sum(speaker.exemplars for speaker in there),
        )


@contextmanager
def store_of(enrolled: Enrolled, names: Collection[str]) -> "Iterator[SpeakerStore]":
    """A store of some of those who were enrolled."""
    from hocket import SpeakerStore
    from hocket.speakers import import_speakers

    content = json.loads(enrolled.document)
    content["speakers"] = [one for one in content["speakers"] if one["name"] in names]
    with TemporaryDirectory() as name, SpeakerStore(Path(name) / "some.db") as store:
        import_speakers(store, json.dumps(content))
        yield store


def others_of(gathering: Gathering, enrolled: Enrolled) -> frozenset[str]:
    """115 of those who were enrolled and are not there, by the conversation's seed."""
    able = sorted(enrolled.names - set(gathering.enrolled))
    rng = np.random.default_rng((gathering.seed, OTHERS))
    return frozenset(rng.permutation(able)[:OTHERS].tolist())
