"""Opening of what a caller gives: a path, encoded bytes or a binary file object."""

import io
import os
import re
import stat
from typing import Any, BinaryIO

from hocket.errors import AudioFormatError, AudioNotFoundError

BEGINNING = re.compile(
    rb"(?P<MP4_M4A>....ftyp)|(?P<WebM_Matroska>\x1a\x45\xdf\xa3)|(?P<WMA>\x30\x26\xb2\x75)"
    rb"|(?P<AAC>\xff[\xf1\xf9])|(?P<AMR>#!AMR)|(?P<AVI>RIFF....AVI)|(?P<WAV>R..[F4X]....WAVE)"
    rb"|(?P<AIFF>FORM....AIF)|(?P<CAF>caff)|(?P<FLAC>fLaC)|(?P<Ogg>OggS)|(?P<AU>\.snd)"
    rb"|(?P<FLV>FLV\x01)|(?P<MPEG_TS>\x47.{187}\x47)|(?P<MP3>ID3|\xff[\xf2\xf3\xfa\xfb])",
    re.DOTALL,
)
BEGINNING_BYTES = 256

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
NO_CONNECTION = "is an address; hocket opens no connection"


def format_of(beginning: bytes) -> str | None:
    """Name of the format that a file's first bytes show; None if they show none."""
    found = BEGINNING.match(beginning)
    return found.lastgroup.replace("_", "/") if found and found.lastgroup else None


def open_source(source: Any, name: str) -> BinaryIO:
    """Open a path as a file, and anything else as BytesIO; errors as in `read_audio`."""
    path = source if isinstance(source, str | os.PathLike) else _path_behind(source)
    if path is not None:
        return _open_path(os.fsdecode(path), name)
    data = source.read() if hasattr(source, "read") else source
    if not isinstance(data, bytes | bytearray | memoryview):
        remedy = "give a path, bytes, a file opened with 'rb', or a NumPy array"
        raise AudioFormatError(name, f"gives {type(data).__name__}, not bytes", remedy)
    return io.BytesIO(data)


def _path_behind(source: Any) -> str | bytes | None:
    """Path of an open regular file at its start, so that it need not be read into memory."""
    raw = source.raw if isinstance(source, io.BufferedReader) else source
    path = raw.name if isinstance(raw, io.FileIO) else None
    if not isinstance(path, str | bytes) or not os.path.isfile(path):
        return None
    same = os.path.samestat(os.stat(path), os.fstat(source.fileno()))
    return path if same and source.tell() == 0 else None


def _open_path(path: str, name: str) -> BinaryIO:
    if os.path.isdir(path):
        raise AudioFormatError(name, "is a directory", "give a file, or the files in it")
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as error:  # ValueError: a null character
        if ADDRESS.match(path):
            remedy = f"download it, or pipe it: ffmpeg -i {path} -f wav - | hocket diarize -"
            raise AudioNotFoundError(name, NO_CONNECTION, remedy) from error
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "check the path and your permissions"
        raise AudioNotFoundError(name, f"cannot be opened ({reason})", remedy) from error
    # pipes cannot seek, and soundfile reads files named .raw as samples without a header
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not path.lower().endswith(".raw"):
        return file
    with file:
        return io.BytesIO(file.read())


def reusable(source: Any, name: str) -> Any:
    """A source that can be opened several times: a path, or bytes; errors as in `read_audio`."""
    if isinstance(source, bytes | bytearray | memoryview):
        return source
    path = source if isinstance(source, str | os.PathLike) else _path_behind(source)
    if path is not None and os.path.isfile(path):
        return os.fsdecode(path)
    with open_source(source, name) as file:
        return file.read()
