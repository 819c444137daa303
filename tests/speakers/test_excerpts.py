"""Voices of speakers of a result: the right samples, whatever the blocks and the channels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from hocket import Diarizer, Result
from hocket.audio.reading import MIX, Source, select
from hocket.errors import AudioVoiceError, SpeakerError
from hocket.renaming import renamed
from hocket.speakers.excerpts import extract_found_voice, gathered
from tests.helpers.paths import CONVERSATION


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return Diarizer().load()


@pytest.fixture(scope="module")
def conversation(diarizer: Diarizer) -> Result:
    return renamed(diarizer(CONVERSATION), {"SPEAKER_01": "Sheila"})


def source(path: Path = CONVERSATION) -> Source:
    return Source(path, None, 16_000, "talk")


def part(channels: int | str = MIX, start: float | None = None) -> object:
    return select(CONVERSATION, "talk", None, channels, start, None, None)


@given(st.data())
def test_pieces_are_joined_as_they_are_in_the_recording(data: st.DataObject) -> None:
    samples = np.arange(60, dtype=np.float32)
    cuts = sorted(data.draw(st.lists(st.integers(0, 60), max_size=6)))
    edges = data.draw(st.lists(st.integers(0, 70), min_size=4, max_size=4).map(sorted))
    piece = np.array(edges, np.int64).reshape(2, 2)
    [found] = gathered(np.split(samples, cuts), [piece])
    expected = [*samples[edges[0] : edges[1]], *samples[edges[2] : edges[3]]]
    assert found.tolist() == expected


def test_a_voice_is_that_of_the_cluster(diarizer: Diarizer, conversation: Result) -> None:
    for number, speaker in enumerate(conversation.speakers):
        voice = extract_found_voice(
            source(), part(), conversation, speaker, diarizer, consent="yes"
        )
        distances = 1 - conversation.embeddings @ voice.embedding
        assert distances.argmin() == number
        assert distances.min() < 0.15
        assert {each.consent for each in voice.exemplars} == {"yes"}
        assert sum(each.seconds for each in voice.exemplars) > 9


def test_a_part_of_a_recording_has_the_times_of_the_whole(
    diarizer: Diarizer, conversation: Result
) -> None:
    late = replace(
        conversation, exclusive_turns=tuple(t for t in conversation.exclusive_turns if t.start > 12)
    )
    whole = extract_found_voice(source(), part(), late, "Sheila", diarizer)
    some = extract_found_voice(source(), part(start=12.0), late, "Sheila", diarizer)
    assert [e.start for e in some.exemplars] == [e.start for e in whole.exemplars]
    assert float(some.embedding @ whole.embedding) > 0.999


def test_the_channel_is_that_of_the_speaker(
    diarizer: Diarizer, conversation: Result, tmp_path: Path
) -> None:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    noise = np.random.default_rng(0).normal(0, 0.1, len(samples)).astype(np.float32)
    soundfile.write(tmp_path / "call.wav", np.stack([noise, samples], axis=1), rate)
    each = replace(
        conversation,
        turns=tuple(replace(turn, channel=2) for turn in conversation.turns),
        exclusive_turns=tuple(replace(turn, channel=2) for turn in conversation.exclusive_turns),
    )
    stereo = source(tmp_path / "call.wav")
    voice = extract_found_voice(stereo, part("each"), each, "Sheila", diarizer)
    assert (1 - conversation.embeddings @ voice.embedding).min() < 0.15


def test_what_is_no_voice_is_one_line(diarizer: Diarizer, conversation: Result) -> None:
    with pytest.raises(SpeakerError, match="Ben: does not speak in talk; give one of SPEAKER_00"):
        extract_found_voice(source(), part(), conversation, "Ben", diarizer)
    short = replace(conversation, exclusive_turns=conversation.exclusive_turns[1:2])
    with pytest.raises(AudioVoiceError, match=r"talk: holds 0.\d s of speech of Sheila alone"):
        extract_found_voice(source(), part(), short, "Sheila", diarizer)
