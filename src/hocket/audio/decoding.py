"""Decoding of audio files, by what is best for each format.

    path, file object, bytes --opening--> file
    uncompressed, FLAC      --sndfile-------> blocks (frames, channels)
    sizes that are wrong    --headers-------> blocks
    everything else         --containers----> blocks

Audio is decoded block by block, so no array is as long as the recording.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from hocket.audio import containers
from hocket.audio.flac import last_frame, stream_info, without_length
from hocket.audio.headers import (
    Header,
    chained_blocks,
    goes_on,
    is_chain,
    is_unknown,
    raw_blocks,
    read_header,
)
from hocket.audio.opening import BEGINNING_BYTES, format_of, open_source
from hocket.audio.samples import Block
from hocket.audio.sndfile import open_sound, sound_blocks, stated_frames
from hocket.errors import AudioFormatError, ConfigError
from hocket.notices import Notices

# libsndfile decodes these too, but neither reads chained files nor keeps time after damage
BY_TIME_STAMPS = ("Ogg", "MP3")
UNCOMPRESSED = ("WAV", "AIFF", "AU", "CAF")


@dataclass(frozen=True, eq=False)
class Decoded:
    """Audio that is being decoded.

    rate: Hz.
    frames: number of frames that the header announces; None if it announces none.
    blocks: (frames, channels) each.
    """

    rate: int
    frames: int | None
    blocks: Iterator[Block]


@contextmanager
def decode(
    source: Any, name: str, notices: Notices, *, track: int | None = None
) -> Iterator[Decoded]:
    """Open a path, encoded bytes or a binary file object; errors as in `read_audio`.

    Args:
        source: what to decode.
        name: the recording's name in errors.
        notices: get what is lost or guessed.
        track: number of the audio track, from 1; see `containers.open_track`.
    """
    with open_source(source, name) as file:
        beginning = file.read(BEGINNING_BYTES)
        if not beginning:
            raise AudioFormatError(name, "is empty", "give a file with audio in it")
        kind = format_of(beginning)
        header = _plain_header(file, kind)
        is_odd = header is not None and (goes_on(file, header) or is_chain(file, header))
        sound = None
        if not (is_odd or _is_of_containers(kind)):
            sound = open_sound(_of_full_length(file, kind, notices))
        if sound is not None:
            check_track(track, 1)
            with sound:
                blocks = sound_blocks(sound, name, notices, _rest_of(file, kind, notices))
                yield Decoded(sound.samplerate, stated_frames(sound), blocks)
        elif header is not None:
            check_track(track, 1)
            yield _decode_raw(file, header, notices)
        else:
            with _decode_av(file, name, beginning, notices, track) as decoded:
                yield decoded


def check_track(track: int | None, tracks: int) -> None:
    """Raise ConfigError if there is no track of that number."""
    if track is not None and not 1 <= track <= tracks:
        there = "is 1 track" if tracks == 1 else f"are {tracks} tracks"
        raise ConfigError(f"track is {track}, but there {there}; give 1 to {tracks}")


def _is_of_containers(kind: str | None) -> bool:
    return kind in BY_TIME_STAMPS and containers.is_installed()


def _plain_header(file: BinaryIO, kind: str | None) -> Header | None:
    """The header of samples that are not compressed, if it can be read."""
    file.seek(0)
    return read_header(file.read) if kind in UNCOMPRESSED else None


def _of_full_length(file: BinaryIO, kind: str | None, notices: Notices) -> BinaryIO:
    """The file; a FLAC that goes on behind the length that it states, without that length."""
    info = stream_info(file) if kind == "FLAC" else None
    there = last_frame(file, info) if info and info.total else 0
    if info is None or there <= info.total:
        return file
    _note_length(info.total / info.rate, there / info.rate, notices)
    return without_length(file)


def _note_length(stated: float, there: float, notices: Notices) -> None:
    text = f"its header states {stated:.1f} s, but {there:.1f} s are there; all were read"
    notices.add("header", text, stated, there)


def _decode_raw(file: BinaryIO, header: Header, notices: Notices) -> Decoded:
    """Samples that libsndfile would not read, or not all of them."""
    if is_chain(file, header):
        return Decoded(header.rate, None, chained_blocks(file, header))
    present = file.seek(0, 2) - header.start
    stated, there = header.seconds(header.size), header.seconds(present)
    if present > header.size:
        _note_length(stated, there, notices)
    elif not is_unknown(header.size):
        text = f"ends after {there:.1f} s; its header states {stated:.1f} s"
        notices.add("truncated", text, there, stated)
    file.seek(header.start)
    return Decoded(header.rate, present // header.width, raw_blocks(file.read, header))


def _rest_of(file: BinaryIO, kind: str | None, notices: Notices) -> Any:
    """Decodes what follows a number of frames of a FLAC, whose frames are numbered."""
    if kind != "FLAC" or not containers.is_installed():
        return None

    def rest(frames: int) -> Iterator[Block]:
        file.seek(0)
        try:
            with containers.open_track(file, notices) as track:
                for block in track.blocks:
                    if frames < len(block):
                        yield block[frames:]
                    frames = max(0, frames - len(block))
        except containers.NoSoundError:
            notices.add("damaged", "nothing behind the damaged part can be decoded")

    return rest


@contextmanager
def _decode_av(
    file: BinaryIO, name: str, beginning: bytes, notices: Notices, track: int | None
) -> Iterator[Decoded]:
    file.seek(0)
    if not containers.is_installed():
        raise undecodable(name, beginning, has_av=False)
    try:
        with containers.open_track(file, notices, track) as opened:
            yield Decoded(opened.rate, opened.frames, opened.blocks)
    except containers.NoSoundError as error:
        if error.tracks == 0:
            remedy = "give a file with audio in it"
            raise AudioFormatError(name, "has no audio track", remedy) from error
        if error.tracks is not None:
            check_track(track, error.tracks)
        raise undecodable(name, beginning, has_av=True) from error


def undecodable(name: str, beginning: bytes, *, has_av: bool) -> AudioFormatError:
    """The error for a file that nothing here decodes."""
    found = format_of(beginning)
    install = "" if has_av else "pip install av for more formats, or "
    if found is None:
        problem = f"is not audio in a known format (begins with {beginning[:8]!r})"
        return AudioFormatError(name, problem, f"{install}give WAV, FLAC, MP3 or Ogg")
    problem = "but is truncated or damaged" if has_av else "but libsndfile cannot decode it"
    problem = f"looks like {found}, {problem}"
    return AudioFormatError(name, problem, f"{install}give an intact copy in WAV or FLAC")
