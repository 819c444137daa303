"""The recording as a page plays it: small, and in a format that every browser decodes.

MP3 at a constant rate: Chromium, Firefox and Safari play it on every system, and find any moment
without an index. Opus would be smaller, but Safari reads it in few containers.
"""

import io
from fractions import Fraction
from typing import Final

import numpy as np

from hocket.arrays import Waveform
from hocket.errors import BackendError

RATE = 16_000
"""Hz of what is encoded; speech has little above half of it."""
BITS_PER_S = 32_000
MIME = "audio/mpeg"
ENCODER: Final = "libmp3lame"


class Encoder:
    """Encodes blocks of a recording one after another.

    Raises:
        BackendError: the PyAV that is installed cannot write MP3.
    """

    def __init__(self) -> None:
        import av

        if ENCODER not in av.codecs_available:
            raise BackendError(f"PyAV {av.__version__} has no {ENCODER}; give --no-audio")
        self._file = io.BytesIO()
        # nothing that differs from one run to the next, such as the version of the encoder
        self._container = av.open(
            self._file, "w", format="mp3", container_options={"fflags": "+bitexact"}
        )
        self._stream = self._container.add_stream(
            ENCODER, rate=RATE, layout="mono", bit_rate=BITS_PER_S
        )
        self._samples = 0

    def add(self, block: Waveform) -> None:
        """Encode a block of samples at RATE that follows those before."""
        import av

        frame = av.AudioFrame.from_ndarray(
            np.clip(block, -1, 1)[None], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = RATE, self._samples
        frame.time_base = Fraction(1, RATE)
        self._samples += len(block)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> bytes:
        """The file; nothing can be added after it. Empty without a sample."""
        if self._samples:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue() if self._samples else b""
