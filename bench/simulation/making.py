"""One conversation of a kind over a channel, by seed and index."""

import math
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.people.mixing import GAIN_DB, Conversation
from bench.people.voices import RATE, Sound
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
from bench.simulation.meetings import LONG_S, MEETING_S, meeting
from bench.simulation.scene import Scene, excerpt
from bench.simulation.voices import VoicePool

CALL_DB = 12.0  # largest difference of the levels in a call
MEETING_ROOMS, EXCERPT_ROOMS = 0.8, 0.3
EXCERPT_S = (10.0, 40.0)
TRIES = 10  # to find a conversation that is long enough for an excerpt
REPEATING = ("monologue", "monologue-long")
LIMITED = ("meeting", "panel")


class Given(NamedTuple):
    """Input of a scene; attributes as in `simulate_scene`."""

    voices: VoicePool
    rng: np.random.Generator
    timelines: Sequence[Path] = ()
    repeat_s: float | None = None
    longest_s: float | None = None

    @property
    def meeting_s(self) -> tuple[float, float]:
        """Shortest and longest part of a timeline."""
        return MEETING_S if self.longest_s is None else (self.longest_s, self.longest_s)


class Kind(NamedTuple):
    """A kind of conversation.

    make: makes the scene, with all speakers at one level.
    levels: draws the level of each speaker in dB.
    rooms: share of conversations in a room, if the channel has none.
    """

    make: Callable[[Given], Scene]
    levels: Callable[[int, np.random.Generator], list[float]]
    rooms: float = 0.0


def simulate(
    kind: str,
    channel: str,
    seed: int,
    index: int,
    voices: VoicePool,
    timelines: Sequence[Path] = (),
    *,
    repeat_s: float | None = None,
    levels_db: Sequence[float] | None = None,
) -> Conversation:
    """Make a conversation with its turns; arguments and errors are those of `simulate_scene`."""
    scene, sound = simulate_scene(
        kind, channel, seed, index, voices, timelines, repeat_s=repeat_s, levels_db=levels_db
    )
    return Conversation(sound, scene.turns)


def simulate_scene(
    kind: str,
    channel: str,
    seed: int,
    index: int,
    voices: VoicePool,
    timelines: Sequence[Path] = (),
    *,
    repeat_s: float | None = None,
    longest_s: float | None = None,
    levels_db: Sequence[float] | None = None,
) -> tuple[Scene, Sound]:
    """Make a scene and its sound. All channels have the same words for a seed and an index.

    Args:
        kind: one of KINDS.
        channel: one of CHANNELS.
        seed: seed of a series of conversations, 0 or more.
        index: number in the series, from 0.
        voices: the voices to draw from; turns have their names.
        timelines: folders of RTTM files that meetings and excerpts follow.
        repeat_s: length of a monologue with repeated words, up to 1200 s.
        longest_s: length of a meeting if its timeline is that long, or of a panel if its speakers
            have so many words; None: that of the kind.
        levels_db: levels of the speakers in order of their first turn, repeated if there are more
            speakers; None: drawn.

    Raises:
        BenchError: the kind, channel or encoder is unknown, or voices or timelines are missing.
    """
    if kind not in KINDS:
        raise BenchError(f"{kind}: no such kind; choose one of {', '.join(KINDS)}")
    if channel not in CHANNELS:
        raise BenchError(f"{channel}: no such channel; choose one of {', '.join(CHANNELS)}")
    if repeat_s is not None and kind not in REPEATING:
        raise BenchError(f"{kind}: repeat_s is for {' and '.join(REPEATING)}")
    if longest_s is not None and kind not in LIMITED:
        raise BenchError(f"{kind}: longest_s is for {' and '.join(LIMITED)}")
    rng = np.random.default_rng([seed, index, zlib.crc32(kind.encode())])
    scene = KINDS[kind].make(Given(voices, rng, timelines, repeat_s, longest_s))
    drawn = KINDS[kind].levels(len(scene.speakers), rng)
    in_room = rng.random() < KINDS[kind].rooms
    over = np.random.default_rng([seed, index, zlib.crc32(f"{kind} {channel}".encode())])
    if channel == "uneven":
        drawn = uneven_levels(len(scene.speakers), over)
    levels = drawn if levels_db is None or not len(levels_db) else levels_db
    return scene, _sound(scene, levels, CHANNELS[channel], in_room, over)


def _sound(
    scene: Scene, levels: Sequence[float], channel: Channel, in_room: bool, rng: np.random.Generator
) -> Sound:
    gains = {
        speaker: np.float32(10 ** (levels[place % len(levels)] / 20))
        for place, speaker in enumerate(scene.speakers)
    }
    tracks = {name: gain * scene.tracks[name] for name, gain in gains.items()}
    place = in_one_room if in_room and channel.place is side_by_side else None
    return carried(channel, tracks, rng, place)


def _excerpt(given: Given) -> Scene:
    """10 to 40 s of a call, an interview or a meeting, containing part of a random turn."""
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
    """Levels of two speakers that differ by up to 12 dB."""
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
    "meeting": Kind(
        lambda g: meeting(g.voices, g.rng, g.timelines, g.meeting_s), _levels, MEETING_ROOMS
    ),
    "meeting-long": Kind(
        lambda g: meeting(g.voices, g.rng, g.timelines, LONG_S), _levels, MEETING_ROOMS
    ),
    "panel": Kind(
        lambda g: panel(g.voices, g.rng, math.inf if g.longest_s is None else g.longest_s), _levels
    ),
    "excerpt": Kind(_excerpt, _levels, EXCERPT_ROOMS),
}
