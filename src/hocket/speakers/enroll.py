"""Enrollment: from clips of a speaker to exemplars in a store.

    clip --Diarizer--> turns --one speaker alone--> pieces of about 5 s --graph--> exemplars

The Diarizer finds how much speech a clip has and of how many speakers. A clip that could enroll the
wrong voice is refused with the reason.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type, known_names_only
from hocket.arrays import Bands, Waveform, segments_of
from hocket.audio.reading import AudioSource, Recording, read_audio
from hocket.embedding.bands import band_levels, stacked
from hocket.embedding.channels import compensate_subsegments
from hocket.errors import ArgumentError, AudioVoiceError, SpeakerError, one_line
from hocket.offline.diarizer import Diarizer
from hocket.result import EmbeddingModel, Result
from hocket.speakers import MOST_EXEMPLARS, Exemplar, Speaker, SpeakerStore, Verification
from hocket.speakers.clips import Voice, check_clear, check_same, nearest_of

LEAST_ENROLLED_S = 2.0  # speech in a clip; with less, an embedding depends on the words too much
LEAST_COMPARED_S = 0.8
PIECE_S, LONGEST_PIECE_S = 5.0, 10.0  # speech in an exemplar
SECOND_S, SECOND_SHARE = 1.0, 0.1  # least speech of a second speaker, and share of the first one's
SHORTEST_SEGMENT_S = 0.1

_log = logging.getLogger("hocket")


class Enrollment(NamedTuple):
    """The voice of one speaker in a recording.

    exemplars: of its pieces, at most 10; their embeddings are unit vectors, (dimension,).
    model: the embedding model.
    """

    exemplars: tuple[Exemplar, ...]
    model: EmbeddingModel

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Mean direction of all pieces, weighted by their length, (dimension,)."""
        total = sum(e.embedding * np.float32(e.seconds) for e in self.exemplars)
        length: np.float32 = np.linalg.norm(total)
        return np.asarray(total / length, np.float32)


def extract_voice(
    source: AudioSource,
    diarizer: Diarizer,
    *,
    cluster: str | None = None,
    least_s: float = LEAST_ENROLLED_S,
    consent: str = "",
    sample_rate: int | None = None,
    name: str | None = None,
    clear: bool = False,
) -> Enrollment:
    """The voice of the only speaker in a clip, or of one of several in a recording.

    Args:
        source: a path, encoded bytes, a binary file object, or an array with its `sample_rate`.
        diarizer: finds and embeds the speech.
        cluster: the speaker's label in the diarization result; None: the clip has one speaker.
        least_s: least speech to accept, in seconds.
        consent: the speaker's consent, recorded with every exemplar.
        sample_rate: Hz, of an array.
        name: the recording's name in errors; its path by default.
        clear: refuse a clip in which the voice is not clear; with `cluster` it has no effect.

    Raises:
        AudioVoiceError: there is no speech, too little, more than one speaker, or too much noise.
        AudioError: the recording cannot be used.
    """
    rate = diarizer.load().geometry.sample_rate
    recording = read_audio(source, sample_rate=sample_rate, target_rate=rate, name=name)
    artifacts = diarizer.infer(recording)
    result = diarizer.finish(artifacts)
    speaker = _only_speaker(result, recording.name) if cluster is None else cluster
    if speaker not in result.speakers:
        found = ", ".join(result.speakers) or "no speech"
        raise AudioVoiceError(recording.name, f"{speaker} does not speak in it", f"found: {found}")
    segments = alone(result, speaker, len(recording.samples), rate)
    seconds = int((segments[:, 1] - segments[:, 0]).sum()) / rate
    if seconds < least_s:
        raise AudioVoiceError(
            recording.name,
            f"holds {seconds:.1f} s of speech of one speaker alone",
            f"give a clip with {least_s:g} s or more",
        )
    if clear and cluster is None:
        check_clear(artifacts, result, recording.samples, rate, recording.name)
    path = str(Path(source).absolute()) if isinstance(source, str | PathLike) else recording.name
    exemplars = [
        replace(exemplar, source=path, consent=consent, alone=cluster is None)
        for piece in pieces_of(segments, round(PIECE_S * rate), round(LONGEST_PIECE_S * rate))
        if (exemplar := _exemplar(recording, piece, diarizer)) is not None
    ]
    if not exemplars:
        raise AudioVoiceError(
            recording.name, "its speech has no usable embedding", "give a clearer recording"
        )
    return Enrollment(tuple(exemplars), diarizer.embedding_model)


def _only_speaker(result: Result, name: str) -> str:
    """The speaker with nearly all of the speech; AudioVoiceError if there is no such speaker."""
    spoken = dict.fromkeys(result.speakers, 0.0)
    for turn in result.turns:
        spoken[turn.speaker] += turn.duration
    order = sorted(spoken, key=lambda speaker: -spoken[speaker])
    if not order:
        raise AudioVoiceError(name, "contains no speech", "give a clip of one speaker")
    main, others = order[0], [spoken[speaker] for speaker in order[1:]]
    if others and others[0] >= max(SECOND_S, SECOND_SHARE * spoken[main]):
        lengths = " and ".join(f"{spoken[speaker]:.1f} s" for speaker in order[:3])
        raise AudioVoiceError(
            name,
            f"contains {len(order)} speakers, with {lengths} of speech",
            f"give a clip of one speaker, or choose one with --speaker ({', '.join(order)})",
        )
    return main


def alone(result: Result, speaker: str, samples: int, rate: int) -> NDArray[np.int64]:
    """First and past-the-last samples of segments with this speaker alone, (segments, 2)."""
    alone = np.zeros(samples, np.bool_)
    for turn in result.exclusive_turns:
        if turn.speaker == speaker:
            alone[round(turn.start * rate) : round(turn.end * rate)] = True
    for turn in result.turns:
        if turn.speaker != speaker:
            alone[round(turn.start * rate) : round(turn.end * rate)] = False
    segments = segments_of(alone)
    return segments[segments[:, 1] - segments[:, 0] >= SHORTEST_SEGMENT_S * rate]


def pieces_of(segments: NDArray[np.int64], usual: int, longest: int) -> list[NDArray[np.int64]]:
    """Divide speech segments, joined end to end, into pieces of about equal length.

    Args:
        segments: (segments, 2) first and past-the-last samples.
        usual: samples of a piece, if that makes at most MOST_EXEMPLARS pieces.
        longest: most samples of a piece; the rest of a longer one is left out.

    Returns:
        For every piece, (segments, 2): the parts of segments in it.
    """
    lengths = segments[:, 1] - segments[:, 0]
    before = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    count = min(max(1, round(total / usual)), MOST_EXEMPLARS)
    pieces = []
    for index in range(count if total else 0):
        first = index * total // count
        last = min(first + longest, (index + 1) * total // count)
        bounds = [np.clip(edge - before, 0, lengths) for edge in (first, last)]
        piece = np.stack(bounds, axis=1) + segments[:, :1]
        pieces.append(piece[piece[:, 1] > piece[:, 0]])
    return pieces


def _exemplar(
    recording: Recording, piece: NDArray[np.int64], diarizer: Diarizer
) -> Exemplar | None:
    """A piece of a recording with its embedding; None if the embedding has no direction."""
    rate = recording.sample_rate
    sound = np.concatenate([recording.samples[first:last] for first, last in piece.tolist()])
    start, end = int(piece[0, 0]) / rate, int(piece[-1, 1]) / rate
    return exemplar_of(sound, (start, end), recording.name, diarizer)


def exemplar_of(
    sound: Waveform, bounds: tuple[float, float], source: str, diarizer: Diarizer
) -> Exemplar | None:
    """An exemplar of a voice; None if the embedding has no direction.

    Args:
        sound: (samples,) of one voice, at the rate of the diarizer's networks.
        bounds: of the sound in the recording, in seconds.
        source: name of the recording.
        diarizer: whose network embeds it.
    """
    vector = diarizer.embedder.embed_sound(sound)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        return None
    return Exemplar(
        embedding=_compensated(vector / np.float32(length), sound, diarizer),
        seconds=len(sound) / diarizer.geometry.sample_rate,
        source=source,
        start=round(bounds[0], 3),
        end=round(bounds[1], 3),
    )


def _compensated(
    vector: NDArray[np.float32], sound: Waveform, diarizer: Diarizer
) -> NDArray[np.float32]:
    """The unit vector of a sound without the contribution of its channel, (dimension,)."""
    rate = diarizer.geometry.sample_rate
    levels = stacked([band_levels(sound, rate)])
    bands = Bands(np.zeros(1, np.int64), levels, np.array([len(sound) / rate]))
    (compensated,) = compensate_subsegments(vector[None], bands, diarizer.channel_model).vectors
    return np.asarray(compensated, np.float32)


@known_names_only
def enroll(
    store: SpeakerStore,
    name: str,
    clips: Sequence[AudioSource],
    diarizer: Diarizer | None = None,
    *,
    consent: str = "",
    cluster: str | None = None,
    add: bool = False,
    sample_rate: int | None = None,
    force: bool = False,
) -> Speaker:
    """Enroll a speaker from clips of the voice. After an error the store is unchanged.

    A clip that is in the store already changes nothing. A voice that resembles another speaker of
    the store is enrolled with a warning in the log.

    Args:
        store: the store.
        name: the speaker's name.
        clips: clips of this speaker only; with `cluster`, recordings with that speaker.
        diarizer: finds and embeds the speech. Default: one with default settings.
        consent: the speaker's consent.
        cluster: the speaker's label when the recordings are diarized.
        add: add the clips to a speaker who is already in the store.
        sample_rate: Hz, of clips that are arrays.
        force: take clips that are noisy, or not like the speaker's others.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        AudioError: a clip cannot be used; AudioVoiceError if its speech is not that of one speaker,
            or not clear.
        SpeakerError: the name is in use, or unknown with `add`; or a voice is not that of the
            speaker's other clips.
        StoreError: the store cannot be written, or holds embeddings of another model.
    """
    _check_types(store, diarizer)
    check_type("name", name, str)
    if isinstance(clips, str | bytes | PathLike | np.ndarray):
        raise ArgumentError("clips is one clip; give a list of clips")
    diarizer = diarizer or Diarizer()
    store.check_model(diarizer.embedding_model)
    if add:
        store.speaker(name)  # raises an error before the slow part
    into, others = voices_in(store, name if add else None)
    voices = extract_clips(clips, diarizer, consent, cluster, sample_rate, clear=not force)
    check_voices(voices, into, others, force=force)
    exemplars = [exemplar for voice in voices for exemplar in voice.exemplars]
    change = store.add if add else store.enroll
    return change(name, exemplars, diarizer.embedding_model)


def _check_types(store: object, diarizer: object) -> None:
    check_type("store", store, SpeakerStore)
    check_type("diarizer", diarizer, Diarizer | None)


def voices_in(store: SpeakerStore, name: str | None) -> tuple[Voice, list[Voice]]:
    """Exemplars of the speaker who is added to, and of all others."""
    own = store.speaker(name).id if name is not None else 0
    found = {
        speaker.id: Voice(speaker.name, _vectors(store.exemplars(speaker.id)))
        for speaker in store.speakers()
    }
    return found.pop(own, nobody()), list(found.values())


def nobody() -> Voice:
    """A new speaker, without exemplars."""
    return Voice("", _vectors(()))


def _vectors(exemplars: Sequence[Exemplar]) -> NDArray[np.float32]:
    return np.array([exemplar.embedding for exemplar in exemplars], np.float32)


def extract_clips(
    clips: Sequence[AudioSource],
    diarizer: Diarizer,
    consent: str,
    cluster: str | None,
    sample_rate: int | None = None,
    *,
    clear: bool = True,
) -> list[Enrollment]:
    """The voices in all clips; arguments and errors as in `extract_voice`."""
    return [
        extract_voice(
            clip,
            diarizer,
            cluster=cluster,
            consent=consent,
            sample_rate=sample_rate if isinstance(clip, np.ndarray) else None,
            clear=clear,
        )
        for clip in clips
    ]


def check_voices(
    voices: Sequence[Enrollment], into: Voice, others: list[Voice], *, force: bool
) -> None:
    """Check that clips have the voice that they join, each that of those before it.

    Args:
        voices: of the clips.
        into: the speaker's exemplars before; none for a new speaker.
        others: all other speakers.
        force: only warn.

    Raises:
        SpeakerError: a voice is another one; not with `force`.
    """
    name = into.name or "the clips before"
    for voice in voices:
        clip = voice.exemplars[0].source
        if len(into.vectors):
            try:
                far = check_same(
                    clip, voice.embedding, Voice(name, into.vectors), others, voice.model
                )
                _log.info("%s: distance %.3f from %s", one_line(clip), far, name)
            except SpeakerError as error:
                if not force:
                    raise
                _log.warning("%s", error)
        else:
            nearest = nearest_of(voice.embedding, others)
            if nearest is not None and nearest[1] <= voice.model.name_distance:
                text = "%s: resembles %s, who is in the store (distance %.3f)"
                _log.warning(text, one_line(clip), *nearest)
        vectors = [exemplar.embedding for exemplar in voice.exemplars]
        into = Voice(
            into.name, np.concatenate([into.vectors.reshape(-1, len(vectors[0])), vectors])
        )


@known_names_only
def verify(
    store: SpeakerStore,
    who: int | str,
    clip: AudioSource,
    diarizer: Diarizer | None = None,
    *,
    sample_rate: int | None = None,
    threshold: float | None = None,
) -> Verification:
    """Whether the voice in a clip is that of a known speaker; errors as in `enroll`.

    Args:
        store: the store.
        who: the speaker.
        clip: of one speaker.
        diarizer: finds and embeds the speech. Default: one with default settings.
        sample_rate: Hz, of an array.
        threshold: largest distance, 0 to 2. Default: the model's `verify_distance`.
    """
    _check_types(store, diarizer)
    diarizer = diarizer or Diarizer()
    store.check_model(diarizer.embedding_model)
    store.speaker(who)
    voice = extract_voice(clip, diarizer, least_s=LEAST_COMPARED_S, sample_rate=sample_rate)
    return store.verify(who, voice.embedding, voice.model, threshold=threshold)
