"""What a report takes from the recording itself: its waveform, and its sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hocket.audio.reading import WHOLE, AudioSource, Selection, open_audio
from hocket.errors import ConfigError
from hocket.notices import Notice, Notices
from hocket.report.peaks import PeakMeter, Peaks
from hocket.report.sound import RATE, Encoder
from hocket.turns import Turn

LONGEST_S = 7200.0
"""Longest recording whose sound is embedded unless that is asked for; 30 MB of MP3."""
BEHIND_S = 1.0
"""How far behind the end of a recording its last turn may end, by rounding."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """A recording as a report shows it.

    duration: length in seconds.
    peaks: lowest and highest sample of each stretch, (stretches, 2).
    stretches: their number; the last one may be a fraction.
    sound: MP3; empty if it is left out.
    notices: what was lost, altered or guessed while it was read.
    """

    duration: float
    peaks: Peaks
    stretches: float
    sound: bytes
    notices: tuple[Notice, ...]


def record(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    name: str,
    selection: Selection = WHOLE,
    audio: bool | None = None,
    known: tuple[Notice, ...] = (),
) -> Recorded:
    """Read a recording once, block by block.

    Args:
        source: as of `read_audio`.
        sample_rate: Hz, of an array.
        name: the recording's name in errors.
        selection: what to use of it.
        audio: whether its sound is kept. Default: if it is no longer than LONGEST_S.
        known: notices that are known already, and not logged again.

    Raises:
        AudioError: the recording cannot be read.
        BackendError: the PyAV that is installed cannot write MP3.
    """
    meter, encoder = PeakMeter(), None if audio is False else Encoder()
    options: dict[str, Any] = {"sample_rate": sample_rate, "name": name, "selection": selection}
    with open_audio(source, target_rate=RATE, notices=Notices(name, known), **options) as stream:
        announced = stream.samples or 0
        for block in stream.blocks:
            meter.add(block)
            if audio is None and max(announced, meter.samples) > LONGEST_S * RATE:
                encoder = None
            if encoder is not None:
                encoder.add(block)
        notices = tuple(stream.notices)
    sound = b"" if encoder is None else encoder.finish()
    return Recorded(meter.samples / RATE, meter.peaks(), meter.stretches(), sound, notices)


def check_turns(turns: Sequence[Turn], duration: float, name: str) -> None:
    """Raise ConfigError if turns end behind a recording, so that they are those of another one.

    Args:
        turns: in any order.
        duration: of the recording in seconds.
        name: of the recording, in the error.
    """
    last = max((turn.end for turn in turns), default=0.0)
    if last > duration + BEHIND_S:
        raise ConfigError(
            f"{name} lasts {duration:.1f} s, but its last turn ends at {last:.1f} s; "
            "give the turns of this recording"
        )
