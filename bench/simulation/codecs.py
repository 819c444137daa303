"""Speech through encoders and back, as telephones and calls over the internet have it.

Everything takes and gives (samples,) at 16 kHz, as long as before and without the codec's delay.
"""

import io
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import av
import numpy as np
import soundfile
from scipy.signal import correlate

from bench.errors import BenchError
from bench.people_voices import RATE, Sound
from bench.simulation.bands import TELEPHONE_RATE, resampled

MOST_LAG_S = 0.1  # AMR-NB comes back 5 ms late; of the others FFmpeg takes the delay off
AMR_BIT_RATES = (4750, 5150, 5900, 6700, 7400, 7950, 10200, 12200)  # 3GPP TS 26.071


Packet: TypeAlias = "av.Packet[av.AudioStream] | None"


class Codec(NamedTuple):
    """An encoder and a decoder of FFmpeg.

    encoder, decoder: their names there.
    rate: Hz at which sound is encoded.
    layout: how the encoder takes samples, `s16` or planar `s16p`.
    options: of the encoder.
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
    """A sound through a WAV file of a subtype of libsndfile: ULAW, ALAW (G.711), GSM610."""
    file = io.BytesIO()
    soundfile.write(file, resampled(sound, RATE, rate), rate, format="WAV", subtype=subtype)
    file.seek(0)
    found, _ = soundfile.read(file, dtype="float32")
    return aligned(resampled(found, rate, RATE), sound)


def through_codec(sound: Sound, codec: Codec, bit_rate: int) -> Sound:
    """A sound through a codec of FFmpeg at so many bits a second.

    Raises:
        BenchError: this build of PyAV does not have the encoder.
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
    """What came back of a sound, moved to where it lay, as long as that was."""
    late = lag(found, given)
    moved = found[late:] if late >= 0 else np.pad(found, (-late, 0))
    return np.pad(moved, (0, max(0, len(given) - len(moved))))[: len(given)]


def lag(found: Sound, given: Sound) -> int:
    """By how many samples one sound is later than the other, where they correlate most."""
    most = round(MOST_LAG_S * RATE)
    if not len(given) or not np.any(found) or not np.any(given):
        return 0
    products = correlate(np.pad(found, most), given, mode="full", method="fft")
    first = len(given) - 1  # of these products nothing is moved: `found` begins `most` early
    return int(np.argmax(products[first : first + 2 * most + 1])) - most


def _encoder(codec: Codec, bit_rate: int) -> "av.AudioCodecContext":
    try:
        found = av.CodecContext.create(codec.encoder, "w")
    except av.codec.codec.UnknownCodecError as error:
        raise BenchError(
            f"{codec.encoder}: this PyAV cannot encode it; install a build with that encoder, or "
            "choose another channel"
        ) from error
    assert isinstance(found, av.AudioCodecContext)
    found.sample_rate, found.layout, found.format = codec.rate, "mono", codec.layout
    found.bit_rate, found.options = bit_rate, dict(codec.options)
    found.time_base = Fraction(1, codec.rate)
    found.open()
    return found


def _packets(encoder: "av.AudioCodecContext", sound: Sound, codec: Codec) -> "list[Packet]":
    """All packets, and None: the decoder gives what it still holds."""
    size = encoder.frame_size
    # What the encoder holds back comes out behind the sound.
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
