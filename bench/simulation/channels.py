"""Channels between speakers and a recording: rooms, telephones, codecs, noise."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from bench.people.mixing import LEVEL, echoed, level, noisy
from bench.people.voices import Sound
from bench.simulation.bands import in_telephone_band
from bench.simulation.codecs import AMR, AMR_BIT_RATES, MP3, OPUS, through_codec, through_file
from bench.simulation.music import music

FLOOR_DB = (35.0, 50.0)  # noise of a quiet place, below speech; clips have the same
NOISY_DB, MUSIC_DB = 10.0, (10.0, 20.0)
CLIPPED_DB, FULL_SCALE = (12.0, 20.0), 0.9
UNEVEN_DB = 30.0

Tracks = Mapping[str, Sound]
Draws = np.random.Generator
Place = Callable[[Tracks, Draws], Sound]
Carry = Callable[[Sound, float, Draws], Sound]


class Channel(NamedTuple):
    """How tracks become a recording.

    place: mixes the tracks to one sound.
    carry: processes that sound, given the level of speech in it (root mean square).
    """

    place: Place
    carry: Carry


def side_by_side(tracks: Tracks, rng: Draws) -> Sound:
    """All speakers close to a microphone, with the noise of a quiet line."""
    return noisy(_sum(list(tracks.values())), rng, FLOOR_DB)


def in_one_room(tracks: Tracks, rng: Draws) -> Sound:
    """Each speaker at a different place in a room: an echo of 0.25 to 0.5 s, noise 12 to 28 dB."""
    return noisy(_sum([echoed(track, rng) for track in tracks.values()]), rng)


def in_conference(tracks: Tracks, rng: Draws) -> Sound:
    """One or more speakers by telephone, the others in a room; a single speaker by either."""
    names = rng.permutation(list(tracks)).tolist()
    most = max(1, len(names) - 1)
    away = set(names[: int(rng.integers(1, most, endpoint=True))])
    if len(names) == 1 and rng.random() < 0.5:
        away = set()
    room = [echoed(tracks[name], rng) for name in tracks if name not in away]
    called = [_telephone(tracks[name], 0.0, rng) for name in tracks if name in away]
    return noisy(_sum([*room, *called]), rng)


def carried(channel: Channel, tracks: Tracks, rng: Draws, place: Place | None = None) -> Sound:
    """Tracks over a channel, (samples,); `place` replaces that of the channel."""
    speech = level(_sum(list(tracks.values())))  # pauses are silent there and do not count
    return limited(channel.carry((place or channel.place)(tracks, rng), speech, rng))


def limited(sound: Sound) -> Sound:
    """The same sound, scaled down if it exceeds full scale."""
    loudest = float(np.abs(sound).max(initial=0.0))
    return sound / np.float32(loudest / FULL_SCALE) if loudest > 1 else sound


def uneven_levels(speakers: int, rng: Draws) -> list[float]:
    """Levels of speakers in dB: one at 0, one at -30, the others in even steps between."""
    found: list[float] = rng.permutation(np.linspace(0, -UNEVEN_DB, speakers)).tolist()
    return found


def _sum(tracks: list[Sound]) -> Sound:
    return np.asarray(np.sum(tracks, axis=0), np.float32)


def _as_it_is(sound: Sound, _: float, __: Draws) -> Sound:
    return sound


def _telephone(sound: Sound, _: float, rng: Draws) -> Sound:
    """The telephone band at 8 kHz, companded by one of the laws of ITU-T G.711."""
    law = "ULAW" if rng.random() < 0.5 else "ALAW"
    return through_file(in_telephone_band(sound), law)


def _gsm(sound: Sound, _: float, __: Draws) -> Sound:
    return through_file(sound, "GSM610")


def _amr(sound: Sound, _: float, rng: Draws) -> Sound:
    bit_rate = AMR_BIT_RATES[int(rng.integers(len(AMR_BIT_RATES)))]
    return through_codec(sound, AMR, bit_rate)


def _opus(bit_rate: int) -> Carry:
    return lambda sound, _, __: through_codec(sound, OPUS, bit_rate)


def _mp3(sound: Sound, _: float, __: Draws) -> Sound:
    return through_codec(sound, MP3, 32_000)


def _clipped(sound: Sound, speech: float, rng: Draws) -> Sound:
    gain = LEVEL / speech * 10 ** (rng.uniform(*CLIPPED_DB) / 20)
    return np.asarray(np.clip(gain * sound, -FULL_SCALE, FULL_SCALE), np.float32)


def _noisy(sound: Sound, speech: float, rng: Draws) -> Sound:
    # `noisy` includes the quiet noise of pauses in the level of the sound
    below = NOISY_DB + 20 * float(np.log10(level(sound) / speech))
    return noisy(sound, rng, (below, below))


def _with_music(sound: Sound, speech: float, rng: Draws) -> Sound:
    bed = music(len(sound), rng)
    below = 10 ** (-rng.uniform(*MUSIC_DB) / 20)
    return sound + np.float32(speech / level(bed) * below) * bed


CHANNELS: dict[str, Channel] = {
    "full": Channel(side_by_side, _as_it_is),
    "room": Channel(in_one_room, _as_it_is),
    "telephone": Channel(side_by_side, _telephone),
    "gsm": Channel(side_by_side, _gsm),
    "amr": Channel(side_by_side, _amr),
    "opus8": Channel(side_by_side, _opus(8_000)),
    "opus16": Channel(side_by_side, _opus(16_000)),
    "mp3-32": Channel(side_by_side, _mp3),
    "clipped": Channel(side_by_side, _clipped),
    "noisy": Channel(side_by_side, _noisy),
    "music": Channel(side_by_side, _with_music),
    "mixed": Channel(in_conference, _as_it_is),
    "uneven": Channel(side_by_side, _as_it_is),
}
