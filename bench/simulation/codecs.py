"""Speech through encoders and decoders, as in telephone and internet calls.

All functions take and return (samples,) at 16 kHz, of the same length and without codec delay.
"""

import io
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import av
import numpy as np
import soundfile
from scipy.signal import correlate

from bench.errors import BenchError
from bench.people.voices import RATE, Sound
from bench.simulation.bands import TELEPHONE_RATE, resampled

MOST_LAG_S = 0.1  # AMR-NB is 5 ms late; FFmpeg removes the delay of the others
AMR_BIT_RATES = (4750, 5150, 5900, 6700, 7400, 7950, 10200, 12200)  # 3GPP TS 26.071


Packet: TypeAlias = "av.Packet[av.AudioStream] | None"


class Codec(NamedTuple):
    """An encoder and a decoder of FFmpeg.

    encoder, decoder: their names in FFmpeg.
    rate: sample rate of the encoder in Hz.
    layout: sample format of the encoder, `s16` or planar `s16p`.
    options: options of the encoder.
    """

    encoder: str
    decoder: str
    rate: int
    layout: str = "s16"
    options: tuple[tuple[str, str], ...] = ()


AMR = Codec("libopencore_amrnb", "amrnb", TELEPHONE_RATE)
OPUS = Codec("libopus", "libopus", RATE, options=(("application", "voip"),))
MP3 = Codec("libmp3lame", "mp3", RATE, "s16p")


def through_file(sound: Sound, subtype: str, rate: int = TELEPHONE_RATE) -> Sound:
    """Encode a sound as a WAV file with a subtype of libsndfile: ULAW, ALAW (G.711), GSM610."""
    file = io.BytesIO()
    soundfile.write(file, resampled(sound, RATE, rate), rate, format="WAV", subtype=subtype)
    file.seek(0)
    found, _ = soundfile.read(file, dtype="float32")
    return aligned(resampled(found, rate, RATE), sound)


def through_codec(sound: Sound, codec: Codec, bit_rate: int) -> Sound:
    """Encode and decode a sound with a codec of FFmpeg, at `bit_rate` bits per second.

    Raises:
        BenchError: this build of PyAV lacks the encoder.
    """
    encoder = _encoder(codec, bit_rate)
    decoder = av.CodecContext.create(codec.decoder, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate, decoder.layout = codec.rate, "mono"
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    found: list[Sound] = []
    rate = codec.rate
    for packet in _packets(encoder, resampled(sound, RATE, rate), codec):
        for frame in decoder.decode(packet):
            part = frame.to_ndarray().ravel()
            whole = part.dtype.kind == "i"
            found.append(part.astype(np.float32) / np.float32(32768 if whole else 1))
            rate = frame.sample_rate
    return aligned(resampled(np.concatenate(found), rate, RATE), sound)


def aligned(found: Sound, given: Sound) -> Sound:
    """A decoded sound, aligned with the given sound and of its length."""
    late = lag(found, given)
    moved = found[late:] if late >= 0 else np.pad(found, (-late, 0))
    return np.pad(moved, (0, max(0, len(given) - len(moved))))[: len(given)]


def lag(found: Sound, given: Sound) -> int:
    """The delay of a sound relative to another, in samples, at their highest correlation."""
    most = round(MOST_LAG_S * RATE)
    if not len(given) or not np.any(found) or not np.any(given):
        return 0
    products = correlate(np.pad(found, most), given, mode="full", method="fft")
    first = len(given) - 1  # a delay of -`most`, since `found` is padded
    return int(np.argmax(products[first : first + 2 * most + 1])) - most


def _encoder(codec: Codec, bit_rate: int) -> "av.AudioCodecContext":
    try:
        found = av.CodecContext.create(codec.encoder, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise BenchError(
            f"{codec.encoder}: not an encoder of this PyAV; install a build that has it, or choose "
            "another channel"
        ) from error
    assert isinstance(found, av.AudioCodecContext)
    found.sample_rate, found.layout, found.format = codec.rate, "mono", codec.layout
    found.bit_rate, found.options = bit_rate, dict(codec.options)
    found.time_base = Fraction(1, codec.rate)
    found.open()
    return found


def _packets(encoder: "av.AudioCodecContext", sound: Sound, codec: Codec) -> "list[Packet]":
    """All packets, and None to flush the decoder."""
    size = encoder.frame_size
    # padding flushes what the encoder delays
    padded = np.pad(
        sound, (0, -len(sound) % size + round(MOST_LAG_S * codec.rate / size + 1) * size)
    )
    whole = np.round(np.clip(padded, -1, 1) * 32767).astype(np.int16)
    packets: list[Packet] = []
    for start in range(0, len(whole), size):
        block = whole[None, start : start + size]
        frame = av.AudioFrame.from_ndarray(block, format=codec.layout, layout="mono")
        frame.sample_rate, frame.pts = codec.rate, start
        frame.time_base = Fraction(1, codec.rate)
        packets += encoder.encode(frame)
    return [*packets, *encoder.encode(None), None]
