"""The voice of a speaker of a result: excerpts of the recording, of which memory holds no more."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.reading import Selection, Source
from hocket.errors import AudioVoiceError, SpeakerError
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.speakers.enroll import (
    LEAST_ENROLLED_S,
    LONGEST_PIECE_S,
    PIECE_S,
    Enrollment,
    alone,
    exemplar_of,
    pieces_of,
)

STEPS = 100  # a second, in which turns are compared
Piece = NDArray[np.int64]


def extract_found_voice(
    recording: Source,
    selection: Selection,
    result: Result,
    speaker: str,
    diarizer: Diarizer,
    *,
    consent: str = "",
) -> Enrollment:
    """The voice of a speaker of a result, where nobody else speaks.

    Args:
        recording: at the rate of the diarizer's networks.
        selection: what of it was diarized.
        result: of the recording, with any corrections.
        speaker: the speaker's name in the result.
        diarizer: whose networks embed the voice.
        consent: the speaker's consent.

    Raises:
        SpeakerError: the result has no such speaker.
        AudioVoiceError: there is too little speech of that speaker alone.
        AudioError: the recording cannot be used.
    """
    if speaker not in result.speakers:
        found = ", ".join(result.speakers) or "nobody"
        raise SpeakerError(f"{speaker}: does not speak in {recording.name}; give one of {found}")
    channel = _channel_of(result, speaker)
    pieces = _pieces(_of_channel(result, channel), speaker, recording)
    used = replace(selection, channel=channel or selection.channel, each=False)
    with recording.opened(used) as stream:
        first = round(stream.start_s * recording.target_rate)
        sounds = gathered(stream.blocks, [piece - first for piece in pieces])
    exemplars = [
        replace(exemplar, consent=consent, alone=False)
        for sound, piece in zip(sounds, pieces, strict=True)
        if len(sound)
        and (exemplar := exemplar_of(sound, _bounds(piece, recording), recording.name, diarizer))
    ]
    if not exemplars:
        remedy = "choose another recording"
        raise AudioVoiceError(recording.name, f"{speaker} has no usable embedding", remedy)
    return Enrollment(tuple(exemplars), diarizer.embedding_model)


def _channel_of(result: Result, speaker: str) -> int | None:
    """The channel with most speech of a speaker; None if channels were mixed."""
    spoken: dict[int | None, float] = {}
    for turn in result.turns:
        if turn.speaker == speaker:
            spoken[turn.channel] = spoken.get(turn.channel, 0.0) + turn.duration
    return max(spoken, key=lambda channel: spoken[channel], default=None)


def _of_channel(result: Result, channel: int | None) -> Result:
    turns = tuple(turn for turn in result.turns if turn.channel == channel)
    exclusive = tuple(turn for turn in result.exclusive_turns if turn.channel == channel)
    return replace(result, turns=turns, exclusive_turns=exclusive)


def _pieces(result: Result, speaker: str, recording: Source) -> list[Piece]:
    """Parts of the recording for each exemplar, (segments, 2) in samples."""
    steps = alone(result, speaker, int(result.duration * STEPS), STEPS)
    seconds = int((steps[:, 1] - steps[:, 0]).sum()) / STEPS
    if seconds < LEAST_ENROLLED_S:
        problem = f"holds {seconds:.1f} s of speech of {speaker} alone"
        remedy = f"choose a speaker with {LEAST_ENROLLED_S:g} s or more"
        raise AudioVoiceError(recording.name, problem, remedy)
    rate = recording.target_rate
    return pieces_of(steps * rate // STEPS, round(PIECE_S * rate), round(LONGEST_PIECE_S * rate))


def _bounds(piece: Piece, recording: Source) -> tuple[float, float]:
    rate = recording.target_rate
    return int(piece[0, 0]) / rate, int(piece[-1, 1]) / rate


def gathered(blocks: Iterable[Waveform], pieces: Sequence[Piece]) -> list[Waveform]:
    """The samples of each piece, joined.

    Args:
        blocks: of a recording, in order.
        pieces: for each, (segments, 2): first and past-the-last samples.
    """
    parts: list[list[Waveform]] = [[] for _ in pieces]
    start = 0
    for block in blocks:
        for own, piece in zip(parts, pieces, strict=True):
            for first, last in np.clip(piece - start, 0, len(block)).tolist():
                if last > first:
                    own.append(np.array(block[first:last]))
        start += len(block)
    empty = np.zeros(0, np.float32)
    return [np.concatenate(own) if own else empty for own in parts]
