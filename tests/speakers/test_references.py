"""Speakers named by clips that come with a recording: the right ones, and no others."""

from dataclasses import replace

import numpy as np
import pytest

from hocket import Diarizer, Result
from hocket.errors import AudioFormatError, AudioVoiceError
from hocket.renaming import renamed
from hocket.speakers.references import (
    LONGEST_REFERENCE_S,
    KnownVoice,
    Reference,
    known_voices,
    name_by_voices,
)
from tests.helpers.paths import CONVERSATION
from tests.helpers.voice_vectors import axis, result_of
from tests.helpers.voices import BOTH, DIANE, NOBODY, SHEILA, clip


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return Diarizer()


@pytest.fixture(scope="module")
def conversation(diarizer: Diarizer) -> Result:
    return diarizer(CONVERSATION)


def test_each_speaker_gets_the_name_of_the_own_voice(
    diarizer: Diarizer, conversation: Result
) -> None:
    references = [Reference("Sheila", clip(SHEILA)), Reference("Diane", clip(DIANE))]
    found = name_by_voices(conversation, known_voices(references, diarizer))
    assert found.speakers == ("Diane", "Sheila")
    assert [(each.id, each.name) for each in found.identities] == [
        ("SPEAKER_00", "Diane"),
        ("SPEAKER_01", "Sheila"),
    ]
    only = name_by_voices(conversation, known_voices(references[:1], diarizer))
    assert only.speakers == ("SPEAKER_00", "Sheila")


def test_a_name_that_is_given_stays_and_nobody_else_gets_it() -> None:
    result = renamed(result_of([axis(0), axis(1), axis(2)]), {"SPEAKER_00": "Anna"})
    voices = [KnownVoice("Ben", axis(0)[None]), KnownVoice("Anna", axis(1)[None])]
    found = name_by_voices(result, [*voices, KnownVoice("Cleo", axis(2)[None])])
    assert found.speakers == ("Anna", "SPEAKER_01", "Cleo")


def test_several_clips_of_a_voice_are_compared_one_by_one() -> None:
    voices = [KnownVoice("Anna", np.stack([axis(5), axis(0)])), KnownVoice("Ben", axis(1)[None])]
    assert name_by_voices(result_of([axis(0), axis(1)]), voices).speakers == ("Anna", "Ben")


def test_without_voices_or_speakers_nothing_changes(conversation: Result) -> None:
    assert name_by_voices(conversation, ()) is conversation
    silent = replace(
        conversation, turns=(), exclusive_turns=(), speakers=(), embeddings=np.zeros((0, 192))
    )
    assert name_by_voices(silent, [KnownVoice("Anna", axis(0)[None])]) is silent


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (clip(BOTH), "contains 2 speakers"),
        (clip(NOBODY), "contains no speech"),
        (clip(DIANE, times=9), f"is longer than {LONGEST_REFERENCE_S:g} s"),
        (clip((18.0, 18.5)), "of speech of one speaker alone"),
    ],
)
def test_a_clip_that_shows_no_voice_is_named(
    diarizer: Diarizer, content: bytes, problem: str
) -> None:
    references = [Reference("Diane", clip(DIANE)), Reference("Ben", content)]
    with pytest.raises(AudioVoiceError) as caught:
        known_voices(references, diarizer)
    assert str(caught.value).startswith("reference 2 (Ben): ")
    assert problem in str(caught.value)
    assert "--speaker" not in str(caught.value)


def test_a_clip_that_is_no_audio_is_named(diarizer: Diarizer) -> None:
    with pytest.raises(AudioFormatError, match=r"reference 1 \(Anna\): "):
        known_voices([Reference("Anna", b"no sound" * 99)], diarizer)
