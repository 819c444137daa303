"""Sounds, files of them, and a reader that checks what it returns."""

import io
import struct
from typing import Any, TypeAlias

import numpy as np
import soundfile
from numpy.typing import NDArray

from hocket.audio.reading import Recording, read_audio

RATE = 16000
Samples: TypeAlias = NDArray[Any]


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0, level: float = 0.5) -> Samples:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def noise(*shape: int) -> Samples:
    return (0.1 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)


def encode(
    samples: Samples, rate: int = RATE, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def wav(data: bytes, size: int, rate: int = RATE) -> bytes:
    header = struct.pack(
        "<4sI8sIHHIIHH", b"RIFF", size, b"WAVEfmt ", 16, 1, 1, rate, rate * 2, 2, 16
    )
    return header + b"data" + struct.pack("<I", size) + data


def read(source: Any, **options: Any) -> Recording:
    recording = read_audio(source, target_rate=RATE, **options)
    samples = recording.samples
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert np.isfinite(samples).all()
    assert recording.sample_rate == RATE
    return recording


def pitch(samples: Samples) -> float:
    return int(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE / len(samples)


class Pipe:
    """A file object that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.data.read(size)

    def seekable(self) -> bool:
        return False
