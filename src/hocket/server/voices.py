"""Voices for the store of the service: computed in the process beside it, where networks are."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from hocket.arrays import Waveform
from hocket.audio.reading import MIX, Source, read_audio, select
from hocket.config import Runtime
from hocket.errors import AudioVoiceError
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.server.options import JobOptions
from hocket.speakers import Match, Speaker, SpeakerStore, checked_name, rows
from hocket.speakers.enroll import Enrollment, check_voices, extract_voice, voices_in
from hocket.speakers.excerpts import extract_found_voice

MOST_CLIP_S = 600.0
REMEDY = "give a clip of one person, or the speaker of a job"


def enroll_clip(
    store: Path,
    name: str,
    clip: Path,
    source: str,
    *,
    consent: str = "",
    add: bool = False,
    force: bool = False,
    threads: int | None = None,
) -> Speaker:
    """Enroll a speaker from a clip of the voice, as `hocket.speakers.enroll.enroll` does.

    Args:
        store: its file, which is created for the first speaker.
        name: of the speaker.
        clip: its file.
        source: what errors and the store call the clip.
        consent: the speaker's consent.
        add: add to a speaker of the store.
        force: take what is noisy, or not like the speaker's other clips.
        threads: processor threads.

    Raises:
        HocketError: as for `enroll`; AudioVoiceError if it is longer than MOST_CLIP_S.
    """
    name = checked_name(name)
    _check_name(store, name, add)
    diarizer = _diarizer(threads)
    samples, rate = _read(clip, source, diarizer)
    try:
        voice = extract_voice(
            samples,
            diarizer,
            consent=consent,
            sample_rate=rate,
            name=source,
            clear=not force,
        )
    except AudioVoiceError as error:  # whose remedy may be an option of the command
        remedy = REMEDY if "--" in error.remedy else error.remedy
        raise AudioVoiceError(error.source, error.problem, remedy) from error
    return _kept(store, name, voice, add=add, force=force)


def enroll_found(
    store: Path,
    name: str,
    recording: Path,
    source: str,
    options: JobOptions,
    result: Result,
    speaker: str,
    *,
    consent: str = "",
    add: bool = False,
    force: bool = False,
    threads: int | None = None,
) -> Speaker:
    """Enroll a speaker of a done job; arguments as for `enroll_clip` and `extract_found_voice`."""
    name = checked_name(name)
    _check_name(store, name, add)
    diarizer = _diarizer(threads)
    opened = Source(recording, None, diarizer.geometry.sample_rate, source)
    part = (options.track, options.channels, options.start, options.end)
    selection = select(recording, source, *part, None)
    voice = extract_found_voice(opened, selection, result, speaker, diarizer, consent=consent)
    return _kept(store, name, voice, add=add, force=force)


def identify_clip(
    store: Path, clip: Path, source: str, *, threads: int | None = None
) -> tuple[Match, ...]:
    """The known speakers whose voices are in a clip; those that only may be are not certain."""
    diarizer = _diarizer(threads)
    samples, rate = _read(clip, source, diarizer)
    result = diarizer(samples, sample_rate=rate, name=source)
    with SpeakerStore(store, create=False) as known:
        return tuple(match for match in known.identify(result) if match.speaker)


@cache
def _diarizer(threads: int | None) -> Diarizer:
    return Diarizer(runtime=Runtime(threads=threads)).load()


def _read(clip: Path, source: str, diarizer: Diarizer) -> tuple[Waveform, int]:
    """The samples of a clip and their rate, in Hz."""
    rate = diarizer.geometry.sample_rate
    most = select(clip, source, None, MIX, None, MOST_CLIP_S + 1, None)
    recording = read_audio(clip, target_rate=rate, name=source, selection=most)
    if recording.duration > MOST_CLIP_S:
        problem = f"is longer than {MOST_CLIP_S:g} s"
        raise AudioVoiceError(source, problem, "give less, 20 s of the voice are good")
    return recording.samples, rate


def _check_name(store: Path, name: str, add: bool) -> None:
    """Raise SpeakerError where the name is why nobody can be enrolled, before the slow part."""
    if add or store.exists():
        with SpeakerStore(store, create=False) as known, known.file.reading() as database:
            if add:
                rows.speaker_of(database, name)
            else:
                rows.check_free(database, name)


def _kept(store: Path, name: str, voice: Enrollment, *, add: bool, force: bool) -> Speaker:
    with SpeakerStore(store) as known:
        into, others = voices_in(known, name if add else None)
        check_voices([voice], into, others, force=force)
        exemplars = [replace(each, source=voice_source(each.source)) for each in voice.exemplars]
        change = known.add if add else known.enroll
        return change(name, exemplars, voice.model)


def voice_source(name: str) -> str:
    """What a store calls an upload: no path, which `hocket speakers reembed` would read."""
    return f"upload:{name}"
