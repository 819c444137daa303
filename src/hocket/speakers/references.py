"""Speakers of one recording named by clips of their voices, without a store."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.audio.reading import MIX, AudioSource, read_audio, select
from hocket.errors import AudioVoiceError
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.speakers.enroll import LEAST_COMPARED_S, extract_voice
from hocket.speakers.matching import distances, index_exemplars
from hocket.speakers.naming import clusters_of, match_clusters, model_of, name_speakers, unnamed
from hocket.speakers.values import Speaker

LONGEST_REFERENCE_S = 30.0
REMEDY = f"give a clip of 2 to 10 s, {LONGEST_REFERENCE_S:g} s at most, in which one person speaks"


class Reference(NamedTuple):
    """A clip of a voice, and whose voice it is."""

    name: str
    clip: AudioSource


class KnownVoice(NamedTuple):
    """A voice with a name.

    name: of the speaker.
    vectors: (exemplars, dimension) unit vectors.
    """

    name: str
    vectors: NDArray[np.float32]


def known_voices(references: Sequence[Reference], diarizer: Diarizer) -> tuple[KnownVoice, ...]:
    """The voices in clips.

    Args:
        references: clips of one speaker each.
        diarizer: finds and embeds the speech.

    Raises:
        AudioVoiceError: a clip is too long, or has no speech, too little, or several speakers. The
            message has the clip's number, from 1, and its name.
        AudioError: a clip cannot be used.
    """
    return tuple(
        _known_voice(reference, f"reference {number} ({reference.name})", diarizer)
        for number, reference in enumerate(references, start=1)
    )


def _known_voice(reference: Reference, place: str, diarizer: Diarizer) -> KnownVoice:
    rate = diarizer.load().geometry.sample_rate
    most = select(reference.clip, place, None, MIX, None, LONGEST_REFERENCE_S + 1, None)
    recording = read_audio(reference.clip, target_rate=rate, name=place, selection=most)
    if recording.duration > LONGEST_REFERENCE_S:
        raise AudioVoiceError(place, f"is longer than {LONGEST_REFERENCE_S:g} s", REMEDY)
    try:
        voice = extract_voice(
            recording.samples, diarizer, least_s=LEAST_COMPARED_S, sample_rate=rate, name=place
        )
    except AudioVoiceError as error:  # whose remedy is that of enrollment
        raise AudioVoiceError(place, error.problem, REMEDY) from error
    vectors = np.array([exemplar.embedding for exemplar in voice.exemplars], np.float32)
    return KnownVoice(reference.name, vectors)


def name_by_voices(result: Result, voices: Sequence[KnownVoice]) -> Result:
    """The result with the names of the voices that its speakers match.

    They are matched as by `SpeakerStore.identify`. Speakers with a name keep it.

    Args:
        result: with embeddings of the model of the voices.
        voices: with different names.
    """
    clusters = clusters_of(result)
    if not voices or not clusters:
        return result
    model = model_of(result)
    owners = np.repeat(np.arange(len(voices)), [len(voice.vectors) for voice in voices])
    known = index_exemplars(owners, np.concatenate([voice.vectors for voice in voices]))
    found = distances(np.stack([cluster.embedding for cluster in clusters]), known)
    speakers = {
        number: Speaker(number, voice.name, False, "", "", len(voice.vectors), 0.0)
        for number, voice in enumerate(voices)
    }
    limit = model.name_distance
    matches = match_clusters(result, clusters, found, known.ids, model, limit, speakers)
    return name_speakers(result, unnamed(result, matches))
