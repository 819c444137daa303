"""Conversations of known speakers, and stores of some of them."""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.people.mixing import Conversation, in_room, mix
from bench.people.voices import RATE, Clips, Sound, divide, phrases

if TYPE_CHECKING:
    from hocket import Diarizer, SpeakerStore

MEETING, PANEL = "meeting", "panel"
CLEAN, ROOM = "clean", "in a room"
ENROLLMENTS = (CLEAN, ROOM)
PRESENT = 5  # speakers in a conversation
OTHERS = 115  # speakers in a store who are not in the conversation
LEAST_SPEECH_S = 5.0  # of a speaker; with less no name is possible


class Scenario(NamedTuple):
    """A conversation, and other sound of its speakers, from which they are enrolled."""

    kind: str
    seed: int
    conversation: Conversation
    enrolled: dict[str, Sound]


class Enrolled(NamedTuple):
    """Speakers in the format of `hocket speakers export`, and names that were refused."""

    document: str
    names: frozenset[str]
    refused: frozenset[str]
    exemplars: int


def by_kind(clips: Clips) -> dict[str, Clips]:
    """Speakers by kind of conversation: those with several clips meet, the others sit on panels.

    Raises:
        BenchError: there are too few for either.
    """
    several = {name: each for name, each in clips.items() if len(each) > 1}
    one = {name: each for name, each in clips.items() if len(each) == 1}
    if len(several) < PRESENT or len(one) < PRESENT + OTHERS:
        raise BenchError(
            f"found {len(several)} speakers with several clips and {len(one)} with one; "
            f"give at least {PRESENT} and {PRESENT + OTHERS}"
        )
    return {MEETING: several, PANEL: one}


def make_scenario(kind: str, clips: Clips, seed: int, most_s: float) -> Scenario:
    """Make a conversation of five speakers.

    Args:
        kind: MEETING or PANEL.
        clips: of all speakers of that kind.
        seed: draws speakers, the division of their clips, turns and room.
        most_s: longest conversation.

    Raises:
        BenchError: too few speakers have enough speech.
    """
    rng = np.random.default_rng((seed, kind == PANEL))
    enrolled: dict[str, Sound] = {}
    spoken: dict[str, list[Sound]] = {}
    for name in rng.permutation(sorted(clips)).tolist():
        parts = divide(clips[name], rng)
        speech = [phrase for clip in parts.rest for phrase in phrases(clip)]
        if sum(map(len, speech)) >= LEAST_SPEECH_S * RATE:
            enrolled[name], spoken[name] = parts.enrolled, speech
        if len(spoken) == PRESENT:
            break
    else:
        raise BenchError(
            f"fewer than {PRESENT} speakers have {LEAST_SPEECH_S:g} s of speech; give longer clips"
        )
    return Scenario(kind, seed, mix(spoken, most_s, rng), enrolled)


def enroll_all(
    sounds: Mapping[str, Sound], enrollment: str, seed: int, diarizer: "Diarizer"
) -> Enrolled:
    """Enroll all speakers, from their sound as it is or in a room of its own."""
    from hocket import SpeakerStore
    from hocket.errors import AudioVoiceError
    from hocket.speakers import export_speakers
    from hocket.speakers.enroll import extract_voice

    rng = np.random.default_rng((seed, ENROLLMENTS.index(enrollment)))
    refused = set()
    with TemporaryDirectory() as name, SpeakerStore(Path(name) / "all.db") as store:
        for speaker, sound in sounds.items():
            clip = in_room(sound, rng) if enrollment == ROOM else sound
            try:
                voice = extract_voice(clip, diarizer, sample_rate=RATE, name=speaker)
            except AudioVoiceError:
                refused.add(speaker)
                continue
            store.enroll(speaker, voice.exemplars, voice.model)
        there = store.speakers()
        return Enrolled(
            export_speakers(store),
            frozenset(speaker.name for speaker in there),
            frozenset(refused),
            sum(speaker.exemplars for speaker in there),
        )


@contextmanager
def store_of(enrolled: Enrolled, names: Collection[str]) -> "Iterator[SpeakerStore]":
    """A store of some of the enrolled speakers."""
    from hocket import SpeakerStore
    from hocket.speakers import import_speakers

    content = json.loads(enrolled.document)
    content["speakers"] = [one for one in content["speakers"] if one["name"] in names]
    with TemporaryDirectory() as name, SpeakerStore(Path(name) / "some.db") as store:
        import_speakers(store, json.dumps(content))
        yield store


def others_of(scenario: Scenario, enrolled: Enrolled) -> frozenset[str]:
    """115 enrolled speakers who are not in the conversation, drawn by its seed."""
    absent = sorted(enrolled.names - set(scenario.enrolled))
    rng = np.random.default_rng((scenario.seed, OTHERS))
    return frozenset(rng.permutation(absent)[:OTHERS].tolist())
