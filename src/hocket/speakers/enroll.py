"""Recordings to voices: from a clip of one person to exemplars in a store.

    clip --Diarizer--> who speaks when --of one alone--> pieces of about 5 s --graph--> exemplars

The Diarizer says how much speech there is and of how many people, so a clip that would teach the
store the wrong voice is refused with the reason.
"""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Bands, Waveform, segments_of
from hocket.audio.reading import AudioSource, Recording, read_audio
from hocket.embedding.bands import band_levels, stacked
from hocket.embedding.channels import compensate_subsegments
from hocket.errors import AudioError, AudioVoiceError, SpeakerError
from hocket.offline.diarizer import Diarizer
from hocket.result import EmbeddingModel, Result
from hocket.speakers import MOST_EXEMPLARS, Exemplar, Speaker, SpeakerStore, Verification

LEAST_ENROLLED_S = 2.0  # of speech in a clip; less teaches the words rather than the voice
LEAST_COMPARED_S = 0.8
PIECE_S, LONGEST_PIECE_S = 5.0, 10.0  # speech behind an exemplar
OTHERS_S, OTHERS_SHARE = 1.0, 0.1  # with as much speech a second person is one
SHORTEST_STRETCH_S = 0.1


class Enrollment(NamedTuple):
    """One person's voice in a recording.

    exemplars: (dimension,) unit embeddings of its pieces, at most 10.
    model: what made them.
    """

    exemplars: tuple[Exemplar, ...]
    model: EmbeddingModel

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Direction of all pieces together, by how long they are, (dimension,)."""
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
) -> Enrollment:
    """The voice of the one person in a clip, or of one of several in a recording.

    Args:
        source: a path, encoded bytes, a binary file object, or an array with its `sample_rate`.
        diarizer: hears it.
        cluster: whose voice, as the result of diarizing calls them; None: only one may speak.
        least_s: shortest speech to be content with.
        consent: what the person agreed to, noted with every exemplar.
        sample_rate: rate of an array.
        name: what to call the recording; its path otherwise.

    Raises:
        AudioVoiceError: nobody speaks, too little, or several people do.
        AudioError: the recording cannot be used.
    """
    rate = diarizer.load().geometry.sample_rate
    recording = read_audio(source, sample_rate=sample_rate, target_rate=rate, name=name)
    result = diarizer.finish(diarizer.infer(recording))
    whose = _only_one(result, recording.name) if cluster is None else cluster
    if whose not in result.speakers:
        found = ", ".join(result.speakers) or "nobody"
        raise AudioVoiceError(recording.name, f"{whose} does not speak in it", f"found: {found}")
    spans = _alone(result, whose, len(recording.samples), rate)
    seconds = int((spans[:, 1] - spans[:, 0]).sum()) / rate
    if seconds < least_s:
        raise AudioVoiceError(
            recording.name,
            f"holds {seconds:.1f} s of speech of one person alone",
            f"give a clip with {least_s:g} s or more",
        )
    place = str(Path(source).absolute()) if isinstance(source, str | PathLike) else recording.name
    exemplars = [
        replace(exemplar, source=place, consent=consent, alone=cluster is None)
        for piece in pieces_of(spans, round(PIECE_S * rate), round(LONGEST_PIECE_S * rate))
        if (exemplar := _exemplar(recording, piece, diarizer)) is not None
    ]
    if not exemplars:
        raise AudioVoiceError(
            recording.name, "its speech has no voice to be heard", "give a clearer recording"
        )
    return Enrollment(tuple(exemplars), diarizer.embedding_model)


def _only_one(result: Result, name: str) -> str:
    """Who speaks in it, if nearly all is one person's; AudioVoiceError if not."""
    spoken = dict.fromkeys(result.speakers, 0.0)
    for turn in result.turns:
        spoken[turn.speaker] += turn.duration
    order = sorted(spoken, key=lambda speaker: -spoken[speaker])
    if not order:
        raise AudioVoiceError(name, "nobody speaks in it", "give a clip of one person speaking")
    main, others = order[0], [spoken[speaker] for speaker in order[1:]]
    if others and others[0] >= max(OTHERS_S, OTHERS_SHARE * spoken[main]):
        lengths = " and ".join(f"{spoken[speaker]:.1f} s" for speaker in order[:3])
        raise AudioVoiceError(
            name,
            f"{len(order)} people speak in it, for {lengths}",
            f"give a clip of one person, or say who with --speaker ({', '.join(order)})",
        )
    return main


def _alone(result: Result, whose: str, samples: int, rate: int) -> NDArray[np.int64]:
    """First and past-the-last sample of where only this person speaks, (stretches, 2)."""
    alone = np.zeros(samples, np.bool_)
    for turn in result.exclusive_turns:
        if turn.speaker == whose:
            alone[round(turn.start * rate) : round(turn.end * rate)] = True
    for turn in result.turns:
        if turn.speaker != whose:
            alone[round(turn.start * rate) : round(turn.end * rate)] = False
    spans = segments_of(alone)
    return spans[spans[:, 1] - spans[:, 0] >= SHORTEST_STRETCH_S * rate]


def pieces_of(spans: NDArray[np.int64], usual: int, longest: int) -> list[NDArray[np.int64]]:
    """Divide stretches of speech, laid one behind the other, into pieces that are about as long.

    Args:
        spans: (stretches, 2) first and past-the-last samples.
        usual: samples of a piece, if that makes no more than there may be exemplars.
        longest: samples of a piece at most; what lies between longer ones is left out.

    Returns:
        For every piece, (stretches, 2): the parts of stretches in it.
    """
    lengths = spans[:, 1] - spans[:, 0]
    before = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    count = min(max(1, round(total / usual)), MOST_EXEMPLARS)
    pieces = []
    for index in range(count if total else 0):
        first = index * total // count
        last = min(first + longest, (index + 1) * total // count)
        bounds = [np.clip(edge - before, 0, lengths) for edge in (first, last)]
        piece = np.stack(bounds, axis=1) + spans[:, :1]
        pieces.append(piece[piece[:, 1] > piece[:, 0]])
    return pieces


def _exemplar(
    recording: Recording, piece: NDArray[np.int64], diarizer: Diarizer
) -> Exemplar | None:
    """A piece of a recording with its embedding; None if that has no direction."""
    rate = recording.sample_rate
    sound = np.concatenate([recording.samples[first:last] for first, last in piece.tolist()])
    vector = diarizer.embedder.embed_sound(sound)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        return None
    return Exemplar(
        embedding=_compensated(vector / np.float32(length), sound, diarizer),
        seconds=len(sound) / rate,
        source=recording.name,
        start=round(int(piece[0, 0]) / rate, 3),
        end=round(int(piece[-1, 1]) / rate, 3),
    )


def _compensated(
    vector: NDArray[np.float32], sound: Waveform, diarizer: Diarizer
) -> NDArray[np.float32]:
    """The unit vector of a sound without what its channel adds, (dimension,)."""
    rate = diarizer.geometry.sample_rate
    levels = stacked([band_levels(sound, rate)])
    bands = Bands(np.zeros(1, np.int64), levels, np.array([len(sound) / rate]))
    (compensated,) = compensate_subsegments(vector[None], bands, diarizer.channel_model).vectors
    return np.asarray(compensated, np.float32)


def enroll(
    store: SpeakerStore,
    name: str,
    clips: Sequence[AudioSource],
    diarizer: Diarizer | None = None,
    *,
    consent: str = "",
    cluster: str | None = None,
    add: bool = False,
) -> Speaker:
    """Put somebody into a store, by clips of the voice; after an error the store is as it was.

    Args:
        store: where to.
        name: who it is.
        clips: of this one person, or with `cluster` recordings in which the person is called that.
        diarizer: hears the clips; one with default settings otherwise.
        consent: what the person agreed to.
        cluster: which of the people in the recording it is, as diarizing it calls them.
        add: to a speaker who is in the store.

    Raises:
        AudioError: a clip cannot be used; AudioVoiceError if for what is heard in it.
        SpeakerError: the name is taken, or with `add` unknown.
        StoreError: the store cannot be written, or holds another model's embeddings.
    """
    diarizer = diarizer or Diarizer()
    store.check_model(diarizer.embedding_model)
    if add:
        store.speaker(name)  # before anything is heard
    into = store.add if add else store.enroll
    return into(name, embed_clips(clips, diarizer, consent, cluster), diarizer.embedding_model)


def embed_clips(
    clips: Sequence[AudioSource], diarizer: Diarizer, consent: str, cluster: str | None
) -> list[Exemplar]:
    """Exemplars of the voice that all clips have; arguments and errors as in `extract_voice`."""
    voices = [extract_voice(clip, diarizer, cluster=cluster, consent=consent) for clip in clips]
    return [exemplar for voice in voices for exemplar in voice.exemplars]


def verify(
    store: SpeakerStore, who: int | str, clip: AudioSource, diarizer: Diarizer | None = None
) -> Verification:
    """Whether the person in a clip is a speaker of the store; errors as in `enroll`."""
    diarizer = diarizer or Diarizer()
    store.check_model(diarizer.embedding_model)
    store.speaker(who)
    voice = extract_voice(clip, diarizer, least_s=LEAST_COMPARED_S)
    return store.verify(who, voice.embedding, voice.model)


def reembed(store: SpeakerStore, diarizer: Diarizer, *, drop: bool = False) -> int:
    """Hear all exemplars again with another embedding model, from the recordings they came from.

    Args:
        store: whose exemplars.
        diarizer: has the new model.
        drop: go without exemplars that cannot be heard again, rather than leave all as it is.

    Returns:
        How many exemplars were dropped.

    Raises:
        SpeakerError: one cannot be heard again and `drop` is not given.
    """
    again: dict[int, list[Exemplar]] = {}
    lost: list[str] = []
    for speaker in store.speakers():
        again[speaker.id] = []
        for exemplar in store.exemplars(speaker.id):
            try:
                again[speaker.id].append(_embedded_again(exemplar, diarizer))
            except AudioError as error:
                lost.append(f"{speaker.name}: {error}")
    if lost and not drop:
        raise SpeakerError(
            f"{len(lost)} exemplars cannot be heard again, first: {lost[0]}; put the recordings "
            "back, or go without those exemplars with --drop"
        )
    store.replace_exemplars(again, diarizer.embedding_model)
    return len(lost)


def _embedded_again(exemplar: Exemplar, diarizer: Diarizer) -> Exemplar:
    if not exemplar.alone:
        raise AudioVoiceError(
            exemplar.source, "holds others' voices too", "enrol from it once more"
        )
    rate = diarizer.load().geometry.sample_rate
    samples = read_audio(exemplar.source, target_rate=rate).samples
    part = samples[round(exemplar.start * rate) : round(exemplar.end * rate)]
    voice = extract_voice(
        part, diarizer, least_s=LEAST_COMPARED_S, sample_rate=rate, name=exemplar.source
    )
    return replace(exemplar, embedding=voice.embedding)
