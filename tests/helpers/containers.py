"""Audio files of all containers, with offsets, gaps and damage where tests want them."""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000


class Container(NamedTuple):
    """A container: ffmpeg's name, its audio codec and the codec's rate, and its video codec."""

    name: str
    codec: str
    rate: int
    video: str | None


CONTAINERS = {
    "mp4": Container("mp4", "aac", 16_000, "mpeg4"),
    "mkv": Container("matroska", "libopus", 48_000, "mpeg4"),
    "ts": Container("mpegts", "aac", 16_000, "mpeg2video"),
    "webm": Container("webm", "libopus", 48_000, "libvpx"),
    "opus": Container("ogg", "libopus", 48_000, None),
    "m4a": Container("ipod", "aac", 16_000, None),
    "flv": Container("flv", "aac", 44_100, "flv"),
}


def muxed(
    sounds: Sequence[tuple[float, NDArray[np.float32]]],
    container: Container,
    video_s: float = 0.0,
    tracks: int = 1,
    options: dict[str, str] | None = None,
) -> bytes:
    """A file in which each sound begins at its time.

    Args:
        sounds: time in seconds, and mono samples at RATE.
        container: what to write.
        video_s: length of a black picture that begins at 0.
        tracks: number of audio tracks; all but the last are silent.
        options: of the container.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container.name, options=options or {}) as output:
        pictures = _pictures(output, container.video, video_s) if video_s else []
        packets: list[Any] = list(pictures)
        streams = []
        for _ in range(tracks):
            stream: Any = output.add_stream(container.codec, rate=container.rate)
            stream.layout = "mono"
            stream.bit_rate = 64_000
            streams.append(stream)
        for number, stream in enumerate(streams, 1):
            silence = np.float32(number == tracks)
            for time, samples in sounds:
                packets += _packets(stream, time, samples * silence, container.rate)
            packets += stream.encode(None)
        packets.sort(key=lambda packet: float((packet.dts or 0) * packet.time_base))
        for packet in packets:
            output.mux(packet)
    return file.getvalue()


def _packets(stream: Any, time: float, samples: NDArray[np.float32], rate: int) -> list[Any]:
    length = 960 if stream.name == "libopus" else 1024
    resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=length)
    frame = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
    frame.sample_rate, frame.pts = RATE, 0
    made, place = [], round(time * rate)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        part.pts, part.time_base = place, Fraction(1, rate)
        place += part.samples
        made += stream.encode(part)
    return made


def _pictures(output: Any, codec: str | None, seconds: float) -> list[Any]:
    assert codec is not None
    stream = output.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    made: list[Any] = []
    for number in range(round(25 * seconds)):
        picture = av.VideoFrame(64, 64, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes(plane.buffer_size))
        picture.pts = number
        made += stream.encode(picture)
    return [*made, *stream.encode(None)]


def lag_s(found: NDArray[np.float32], sound: NDArray[np.float32], expected: int) -> float:
    """How much later than expected a sound stands in what was read, in seconds.

    Args:
        found: what was read, at RATE.
        sound: what to look for.
        expected: the sample at which it should begin.
    """
    first = max(0, expected - 3 * RATE)
    part = found[first : expected + len(sound) + 3 * RATE]
    size = 1 << (len(part) + len(sound)).bit_length()
    product = np.fft.rfft(part, size) * np.conj(np.fft.rfft(sound, size))
    return (first + int(np.fft.irfft(product, size)[: len(part)].argmax()) - expected) / RATE
