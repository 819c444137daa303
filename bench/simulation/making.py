"""One talk of a kind over a channel, by seed and index."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.people_mixing import GAIN_DB, Talk
from bench.people_voices import RATE, Sound
from bench.simulation.calls import call_any, call_like, monologue, monologue_long
from bench.simulation.channels import (
    CHANNELS,
    Channel,
    carried,
    in_one_room,
    side_by_side,
    uneven_levels,
)
from bench.simulation.interviews import interview, panel
from bench.simulation.meetings import LONG_S, meeting
from bench.simulation.scene import Scene, excerpt
from bench.simulation.voices import VoiceVectors

CALL_DB = 12.0  # most that one party of a call is louder
MEETING_ROOMS, EXCERPT_ROOMS = 0.8, 0.3
EXCERPT_S = (10.0, 40.0)
TRIES = 10  # to find something that is long enough for an excerpt
REPEATING = ("monologue", "monologue-long")


class Given(NamedTuple):
    """What a scene is made of; attributes as in `simulate`."""

    voices: VoiceVectors
    rng: np.random.Generator
    timelines: Sequence[Path] = ()
    repeat_s: float | None = None


class Kind(NamedTuple):
    """A kind of talk.

    make: the scene, everybody at one level.
    levels: draws everybody's level in dB.
    rooms: share of talks that are in a room where the channel says nothing of one.
    """

    make: Callable[[Given], Scene]
    levels: Callable[[int, np.random.Generator], list[float]]
    rooms: float = 0.0


def simulate(
    kind: str,
    channel: str,
    seed: int,
    index: int,
    voices: VoiceVectors,
    timelines: Sequence[Path] = (),
    *,
    repeat_s: float | None = None,
    levels_db: Sequence[float] | None = None,
) -> Talk:
    """A talk with its truth. The same of a kind, a seed and an index over all channels.

    Args:
        kind: one of KINDS.
        channel: one of CHANNELS.
        seed: of many talks, 0 or more.
        index: which of them, from 0 on.
        voices: who may speak; speakers in the turns have their names.
        timelines: folders of RTTM files that meetings and excerpts follow.
        repeat_s: length of a monologue in which words come again, up to 1200 s.
        levels_db: levels of speakers in the order in which they first speak, instead of drawn
            ones; from the first again where there are more speakers.

    Raises:
        BenchError: no such kind or channel, too few voices, no timelines, or no such encoder.
    """
    if kind not in KINDS:
        raise BenchError(f"{kind}: no such kind of talk; choose one of {', '.join(KINDS)}")
    if channel not in CHANNELS:
        raise BenchError(f"{channel}: no such channel; choose one of {', '.join(CHANNELS)}")
    if repeat_s is not None and kind not in REPEATING:
        raise BenchError(f"{kind}: repeat_s is for {' and '.join(REPEATING)}")
    rng = np.random.default_rng([seed, index, zlib.crc32(kind.encode())])
    scene = KINDS[kind].make(Given(voices, rng, timelines, repeat_s))
    drawn = KINDS[kind].levels(len(scene.speakers), rng)
    roomy = rng.random() < KINDS[kind].rooms
    over = np.random.default_rng([seed, index, zlib.crc32(f"{kind} {channel}".encode())])
    if channel == "uneven":
        drawn = uneven_levels(len(scene.speakers), over)
    levels = drawn if levels_db is None or not len(levels_db) else levels_db
    return Talk(_sound(scene, levels, CHANNELS[channel], roomy, over), scene.turns)


def _sound(
    scene: Scene, levels: Sequence[float], channel: Channel, roomy: bool, rng: np.random.Generator
) -> Sound:
    gains = {
        speaker: np.float32(10 ** (levels[place % len(levels)] / 20))
        for place, speaker in enumerate(scene.speakers)
    }
    tracks = {name: gain * scene.tracks[name] for name, gain in gains.items()}
    place = in_one_room if roomy and channel.place is side_by_side else None
    return carried(channel, tracks, rng, place)


def _excerpt(given: Given) -> Scene:
    """10 to 40 s of a call, an interview or a meeting, with part of a drawn turn in it."""
    rng = given.rng
    inside = ("call-like", "call-any", "interview", "meeting")
    for _ in range(TRIES):
        scene = KINDS[inside[int(rng.integers(len(inside)))]].make(given)
        whole_s = scene.samples / RATE
        if whole_s >= EXCERPT_S[0]:
            break
    length_s = min(rng.uniform(*EXCERPT_S), whole_s)
    turn = scene.turns[int(rng.integers(len(scene.turns)))]
    start = rng.uniform(turn.start, turn.end) - rng.uniform(0, length_s)
    start = min(max(0.0, start), whole_s - length_s)
    return excerpt(scene, start, start + length_s)


def _call_levels(speakers: int, rng: np.random.Generator) -> list[float]:
    """One party up to 12 dB louder than the other."""
    apart = rng.uniform(-CALL_DB, CALL_DB) / 2
    return [apart, -apart][:speakers]


def _levels(speakers: int, rng: np.random.Generator) -> list[float]:
    found: list[float] = rng.uniform(-GAIN_DB, GAIN_DB, speakers).tolist()
    return found


KINDS: dict[str, Kind] = {
    "call-like": Kind(lambda g: call_like(g.voices, g.rng), _call_levels),
    "call-any": Kind(lambda g: call_any(g.voices, g.rng), _call_levels),
    "monologue": Kind(lambda g: monologue(g.voices, g.rng, g.repeat_s), _levels),
    "monologue-long": Kind(lambda g: monologue_long(g.voices, g.rng, g.repeat_s), _levels),
    "interview": Kind(lambda g: interview(g.voices, g.rng), _levels),
    "meeting": Kind(lambda g: meeting(g.voices, g.rng, g.timelines), _levels, MEETING_ROOMS),
    "meeting-long": Kind(
        lambda g: meeting(g.voices, g.rng, g.timelines, LONG_S), _levels, MEETING_ROOMS
    ),
    "panel": Kind(lambda g: panel(g.voices, g.rng), _levels),
    "excerpt": Kind(_excerpt, _levels, EXCERPT_ROOMS),
}
