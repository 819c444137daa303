"""Decoding by libsndfile, which is the fastest for samples that are hardly compressed."""

import io
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from hocket.audio.headers import is_unknown
from hocket.audio.samples import BLOCK_FRAMES, Block
from hocket.errors import AudioFormatError
from hocket.notices import Notices

UNCOUNTED = 2**63 - 1  # libsndfile's number of frames for a FLAC written to a pipe
ANNOUNCED = r"(?m)^ *(?:data|Data Size|SSND|riff|Riff size) *: (\d+) \(should be (\d+)\)"
TRIMMED_S = 0.1  # decoders trim a little at the ends

Rest = Callable[[int], Iterator[Block]]
"""What follows a number of frames, decoded by other means."""


def open_sound(file: BinaryIO) -> Any | None:
    """The open sound file, or None if libsndfile does not recognize it."""
    import soundfile

    file.seek(0)
    target: Any = file
    if not isinstance(file, io.BytesIO):  # by path: callbacks into Python would swallow Ctrl-C
        target = os.fsencode(file.name) if os.name == "posix" else file.name
    try:
        return soundfile.SoundFile(target)
    except soundfile.SoundFileError:
        return None


def stated_frames(sound: Any) -> int | None:
    """Number of frames that the header states; None if it states none."""
    return None if sound.frames == UNCOUNTED else int(sound.frames)


def sound_blocks(sound: Any, name: str, notices: Notices, rest: Rest | None) -> Iterator[Block]:
    """Blocks of an open sound file.

    Args:
        sound: what `open_sound` returned.
        name: the recording's name in errors.
        notices: get what is lost.
        rest: decodes what follows a damaged part; None if nothing can.

    Raises:
        AudioFormatError: nothing in the file can be decoded.
    """
    # soundfile seeks after every read of a seekable file, which breaks an MP3 at block boundaries
    sound.seekable = lambda: False
    total, count, damaged = 0, BLOCK_FRAMES, False
    while count == BLOCK_FRAMES and not damaged:
        block = np.full((BLOCK_FRAMES, sound.channels), np.nan, np.float32)
        try:
            count = len(sound.read(out=block))
        except RuntimeError:  # it does not say how far it read, but the remaining NaN do
            count, damaged = BLOCK_FRAMES - int(np.isnan(block[:, 0]).sum()), True
        total += count
        yield block[:count]
    if damaged and rest is not None:
        for block in rest(total):
            total += len(block)
            yield block
        if total:
            return  # it noted what is lost
    _note_loss(name, sound.samplerate, total, _promised_frames(sound), damaged, notices)


def _promised_frames(sound: Any) -> int:
    """Number of frames that the header announces.

    libsndfile lowers `frames` to what a truncated WAV, AIFF or AU holds, but logs both sizes. For
    an MP3 without a count, it estimates the number.
    """
    sizes = re.findall(ANNOUNCED, sound.extra_info)
    announced, present = map(int, sizes[-1]) if sizes else (0, 0)
    if present < announced and not is_unknown(announced):
        return sound.frames * announced // present if sound.frames else announced - present
    return 0 if sound.frames == UNCOUNTED or sound.format == "MP3" else int(sound.frames)


def _note_loss(
    name: str, rate: int, frames: int, promised: int, damaged: bool, notices: Notices
) -> None:
    """Raise if no part of a damaged file could be decoded; a notice if only part of it was."""
    if not damaged and promised - frames <= TRIMMED_S * rate:
        return
    if not frames:
        problem = "is truncated or damaged, nothing in it can be decoded"
        raise AudioFormatError(name, problem, "give an intact copy")
    kept, stated = frames / rate, promised / rate
    if damaged:
        text = f"is damaged at {kept:.1f} s; nothing behind it can be decoded without PyAV"
        notices.add("damaged", text, kept, max(kept, stated))
    else:
        text = f"ends after {kept:.1f} s; its header states {stated:.1f} s"
        notices.add("truncated", text, kept, stated)
