"""One recording in one call."""

from collections.abc import Sequence
from threading import Event

from hocket.arguments import known_names_only
from hocket.audio.excerpts import Regions
from hocket.audio.reading import MIX, AudioSource
from hocket.corrections.constraints import Constraint
from hocket.offline.diarizer import Diarizer
from hocket.offline.progress import ProgressCallback
from hocket.result import Result


@known_names_only
def diarize(
    source: AudioSource,
    *,
    preset: str = "balanced",
    num_speakers: int | None = None,
    min_speakers: int | None = None,
    max_speakers: int | None = None,
    constraints: Sequence[Constraint] = (),
    track: int | None = None,
    channels: int | str = MIX,
    join_voices: bool = False,
    start: float | None = None,
    end: float | None = None,
    regions: Regions | None = None,
    sample_rate: int | None = None,
    name: str | None = None,
    progress: ProgressCallback | None = None,
    cancel: Event | None = None,
) -> Result:
    """Diarize one recording. For several, one `Diarizer` loads the graphs once.

    Args:
        source: a path, encoded bytes, a binary file object, or an array of samples.
        preset: accurate, balanced or fast. Default: balanced.
        num_speakers: exact number of speakers, if known. Default: it is estimated.
        min_speakers: fewest speakers to find. Default: 1.
        max_speakers: most speakers to find. Default: no limit.
        constraints: what is known of who speaks where (docs/corrections.md). Default: nothing.
        track: number of the audio track, from 1. Default: the one marked as default.
        channels: mix, each by itself (each), or the number of one, from 1. Default: mix.
        join_voices: with each, one name for a voice that speaks in several channels. Default: no.
        start: where to begin, in seconds. Default: 0.
        end: where to end, in seconds. Default: the end of the recording.
        regions: what to use, as (start, end) in seconds or as a UEM file. Default: all.
        sample_rate: Hz, of an array of samples; files carry their own.
        name: what the result calls the recording. Default: the file's name.
        progress: called with a stage, what is done of it and how much there is in all.
        cancel: an event that ends the work when it is set, from any thread.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        HocketError: as for `Diarizer.__call__`, or there is no such preset.
    """
    return Diarizer(preset=preset)(
        source,
        num_speakers=num_speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        constraints=constraints,
        track=track,
        channels=channels,
        join_voices=join_voices,
        start=start,
        end=end,
        regions=regions,
        sample_rate=sample_rate,
        name=name,
        progress=progress,
        cancel=cancel,
    )
