"""A recording as a page shows and plays it: its outline, and sound that all browsers play."""

import json
from pathlib import Path

from hocket.audio.reading import WHOLE, open_audio
from hocket.files import write_whole
from hocket.report.peaks import PeakMeter
from hocket.report.sound import RATE, Encoder

PLAYED = {
    b"RIFF": "audio/wav",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg",
    b"\x1aE\xdf\xa3": "audio/webm",
}
"""Media types by first bytes."""
BOX = b"ftyp"  # behind the length of the first box of MP4
OTHER = "application/octet-stream"


def media_type(beginning: bytes) -> str:
    """Media type of a recording by its first bytes, never by what its sender called it."""
    if beginning[4:8] == BOX:
        return "audio/mp4"
    return next((kind for first, kind in PLAYED.items() if beginning.startswith(first)), OTHER)


def write_peaks(recording: Path, place: Path) -> None:
    """Write the outline of a recording as JSON: its duration, and the extremes of each stretch.

    Raises:
        AudioError: the recording cannot be used.
        OutputError: the outline cannot be written.
    """
    meter = PeakMeter()
    with open_audio(recording, target_rate=RATE, name="recording", selection=WHOLE) as stream:
        for block in stream.blocks:
            meter.add(block)
    peaks = [[round(float(value), 4) for value in pair] for pair in meter.peaks()]
    content = {"duration": meter.samples / RATE, "peaks": peaks}
    write_whole(place, json.dumps(content), "free some disk space", private=True)


def write_sound(recording: Path, place: Path) -> None:
    """Write a recording as MP3; errors as in `write_peaks`, BackendError if that is missing."""
    encoder = Encoder()
    with open_audio(recording, target_rate=RATE, name="recording", selection=WHOLE) as stream:
        for block in stream.blocks:
            encoder.add(block)
    write_whole(place, encoder.finish(), "free some disk space", private=True)
