"""Simulated meetings and panels, with the clean clip of every utterance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.annotations import Turn
from bench.people.voices import RATE, Sound
from bench.simulation.making import simulate_scene
from bench.simulation.scene import Utterance
from bench.simulation.voices import VoicePool

MEETING, PANEL = "meeting", "panel"
PANEL_CHANNELS = ("full", "room")  # in turn; most meetings are in a room anyway


@dataclass(frozen=True)
class Series:
    """Which recordings are made.

    first_seed: of the series.
    seeds: how many, one after the other.
    minutes: length of a recording, if there are turns and words for it.
    meetings, panels: recordings of each seed.
    """

    first_seed: int
    seeds: int
    minutes: float
    meetings: int
    panels: int


@dataclass(frozen=True, eq=False)
class SpokenRecording:
    """A recording whose words can be known.

    kind: meeting or panel.
    sound: (samples,) at 16 kHz.
    turns: who speaks when; speakers are names of voices.
    utterances: clean clips of words, and where each begins.
    """

    uri: str
    kind: str
    sound: Sound
    turns: list[Turn]
    utterances: tuple[Utterance, ...]

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return len(self.sound) / RATE


def spoken_recordings(
    series: Series, voices: VoicePool, timelines: Sequence[Path]
) -> Iterator[SpokenRecording]:
    """Make the recordings of a series, one by one; BenchError as by `simulate_scene`."""
    for seed in range(series.first_seed, series.first_seed + series.seeds):
        for kind, count in ((MEETING, series.meetings), (PANEL, series.panels)):
            for index in range(count):
                channels = PANEL_CHANNELS if kind == PANEL else PANEL_CHANNELS[:1]
                channel = channels[(seed + index) % len(channels)]
                scene, sound = simulate_scene(
                    *(kind, channel, seed, index, voices, timelines),
                    longest_s=60 * series.minutes,
                )
                uri = f"{kind}-{seed}-{index}"
                yield SpokenRecording(uri, kind, sound, scene.turns, scene.utterances)
