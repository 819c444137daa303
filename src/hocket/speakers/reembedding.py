"""All exemplars of a store embedded again, with another model."""

from dataclasses import replace

from hocket.audio.reading import read_audio
from hocket.errors import AudioError, AudioVoiceError, SpeakerError
from hocket.offline.diarizer import Diarizer
from hocket.speakers import Exemplar, SpeakerStore
from hocket.speakers.enroll import LEAST_COMPARED_S, extract_voice


def reembed(store: SpeakerStore, diarizer: Diarizer, *, drop: bool = False) -> int:
    """Embed all exemplars again with another model, from the recordings they came from.

    Args:
        store: the store.
        diarizer: has the new model.
        drop: drop exemplars that cannot be embedded again. Without it, that is an error.

    Returns:
        Number of dropped exemplars.

    Raises:
        SpeakerError: an exemplar cannot be embedded again and `drop` is not given.
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
            f"{len(lost)} exemplars cannot be embedded again, first: {lost[0]}; restore the "
            "recordings, or drop these exemplars with --drop"
        )
    store.replace_exemplars(again, diarizer.embedding_model)
    return len(lost)


def _embedded_again(exemplar: Exemplar, diarizer: Diarizer) -> Exemplar:
    if not exemplar.alone:
        raise AudioVoiceError(exemplar.source, "has other speakers too", "enroll from it again")
    rate = diarizer.load().geometry.sample_rate
    samples = read_audio(exemplar.source, target_rate=rate).samples
    part = samples[round(exemplar.start * rate) : round(exemplar.end * rate)]
    voice = extract_voice(
        part, diarizer, least_s=LEAST_COMPARED_S, sample_rate=rate, name=exemplar.source
    )
    return replace(exemplar, embedding=voice.embedding)
