"""Sound as programs and browsers send it while it is recorded."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
OPUS_RATE = 48_000


class _Sink(io.RawIOBase):
    """Keeps what is written; nobody can go back in it."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self.content += part
        return len(part)

    def seekable(self) -> bool:
        return False


class _Written:
    """Only `write`, as a socket has it, so that the muxer cannot fill in sizes afterwards."""

    def __init__(self, sink: _Sink) -> None:
        self.write = sink.write


def recorded(samples: NDArray[np.float32], container: str = "webm") -> bytes:
    """Mono samples at RATE as MediaRecorder gives them: Opus in packets of 60 ms, sizes unknown."""
    sink = _Sink()
    options = {"live": "1", "cluster_time_limit": "1000"} if container == "webm" else {}
    with av.open(_Written(sink), "w", format=container, options=options) as output:
        stream: Any = output.add_stream("libopus", rate=OPUS_RATE)
        stream.layout, stream.bit_rate = "mono", 32_000
        stream.options = {"frame_duration": "60"}
        resampler = av.AudioResampler(
            stream.format.name, "mono", OPUS_RATE, frame_size=60 * OPUS_RATE // 1000
        )
        frame: Any = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            for packet in stream.encode(part):
                output.mux(packet)
    return bytes(sink.content)


def pieces(content: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """The content in pieces of these sizes, over and over."""
    at = number = 0
    while at < len(content):
        size = sizes[number % len(sizes)]
        yield content[at : at + size]
        at, number = at + size, number + 1
