"""The words of a simulated recording: those of its clean clips, where the clips are."""

from collections.abc import Callable
from dataclasses import replace

from bench.people.voices import RATE, Sound
from bench.words.alignment import in_order
from bench.words.recordings import SpokenRecording
from hocket.transcript import Word

LEAST_CLIP_S = 0.2  # in less there is no word


def reference_words(
    recording: SpokenRecording, recognize: Callable[[Sound], list[Word]]
) -> list[Word]:
    """Words with their speakers, in order of start time; clips shorter than 0.2 s have none.

    Args:
        recording: the recording with its clips.
        recognize: finds the words of a clip by itself, in seconds from its start.
    """
    found: list[Word] = []
    for speaker, start, sound in recording.utterances:
        if len(sound) < LEAST_CLIP_S * RATE:
            continue
        first = start / RATE
        found += [
            replace(word, start=first + word.start, end=first + word.end, speaker=speaker)
            for word in recognize(sound)
        ]
    return in_order(found)
